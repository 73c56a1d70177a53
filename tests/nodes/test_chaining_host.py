"""Other people's patches of the MODEL and of the prompts act on features and on both halves."""

from pathlib import Path

import pytest
import torch
from setting import (
    captured,
    first_half,
    second_half,
    setting,
    whole,
    with_model,
)


def features_with(host, graph, small, model_of, k=2):
    """Features at step k of a fixed latent, and the run's end, with a MODEL made by `model_of`."""
    at = setting(graph, small)
    at = with_model(graph, at, model_of(graph, at["model"]))
    half = first_half(graph, at, k)
    graph.keep(
        features=graph.add(
            "AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2], latent=half[0], levels="3"
        ),
        one=whole(graph, at),
        two=second_half(graph, at, half),
    )
    values = host.run(graph).values
    return values["features"].levels[3], values["one"]["samples"], values["two"]["samples"]


def lora(graph, model):
    """A LoRA file for the small model through the host's own loader."""
    import folder_paths
    from safetensors.torch import save_file

    folder = folder_paths.get_folder_paths("loras")[0]
    path = f"{folder}/test.safetensors"
    name = "diffusion_model.output_blocks.3.0.in_layers.2"
    unet = graph_model(graph, model).model.diffusion_model
    out, into = unet.output_blocks[3][0].in_layers[2].weight.shape[:2]
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_file(
        {
            f"{name}.lora_up.weight": torch.ones(out, 2, 1, 1) * 0.05,
            f"{name}.lora_down.weight": torch.ones(2, into, 3, 3) * 0.05,
            f"{name}.alpha": torch.tensor(2.0),
        },
        path,
    )
    return graph.add(
        "LoraLoaderModelOnly", model=model, lora_name="test.safetensors", strength_model=1.0
    )


def graph_model(graph, link):
    from tools.host import inprocess

    return inprocess.VALUES[graph.prompt[link.node_id]["inputs"]["name"]]


def free_u(graph, model):
    return graph.add("FreeU_V2", model=model, b1=1.3, b2=1.4, s1=0.9, s2=0.2)


def other_patch(graph, model):
    """A pack's own output block patch, at a block before level 3's end."""
    value = graph_model(graph, model).clone()
    value.set_model_output_block_patch(
        lambda h, skip, options: (h * (1.2 if options["block"][1] == 1 else 1.0), skip)
    )
    return graph.value("patched", value)


@pytest.mark.parametrize("patch", [lora, free_u, other_patch])
def test_other_peoples_patches_chain(host, graph, small, patch):
    from tools.host.inprocess import Graph

    plain, end, _ = features_with(host, Graph(), small, lambda graph, model: model)
    host.forget()
    patched, one, two = features_with(host, graph, small, patch)
    assert not torch.allclose(plain, patched, atol=1e-3)  # the patch acts on the features,
    assert not torch.allclose(end, one, atol=1e-3)  # and on the run,
    assert torch.equal(one, two)  # whose two halves are still the whole
    host.forget()
    again, _, _ = features_with(host, Graph(), small, lambda graph, model: model)
    assert torch.equal(plain, again)  # and it is gone with its MODEL


def test_control_nets_chain(host, graph, small):
    at = setting(graph, small)
    applied = graph.add(
        "ControlNetApplyAdvanced",
        positive=graph.value("positive 4"),
        negative=graph.value("negative 4"),
        control_net=graph.value("net", small.control_net()),
        image=graph.value("hint", torch.rand(1, 128, 128, 3)),
        strength=1.0,
        start_percent=0.0,
        end_percent=1.0,
    )
    plain = captured(host, graph, at, "3").levels[3]
    graph.prompt[at["guider"].node_id]["inputs"] |= {"positive": applied[0], "negative": applied[1]}
    half = first_half(graph, at)
    features = graph.add(
        "AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2], latent=half[0], levels="3"
    )
    graph.keep(features=features, one=whole(graph, at), two=second_half(graph, at, half))
    values = host.run(graph).values
    assert not torch.allclose(values["features"].levels[3], plain, atol=1e-3)
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])
