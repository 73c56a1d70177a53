"""Stable Diffusion's checkpoints at full size, with random weights, in the original key layout.

The host recognises them by their shapes, so nothing here may be smaller than what is published,
but for the trial run of the same code.
"""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from hosting import VALUES
from test_grounded import models  # noqa: F401  a fixture
from test_photographs import prompt, small_models  # noqa: F401  a fixture

from amodal import workflow
from tools import bench_stages
from tools.clock import Clock

GIGABYTE = 1e9
# a UNet of a tenth of the parameters that the host still takes for Stable Diffusion 2
TRIAL = {"channel_mult": [1, 1, 1, 1], "num_res_blocks": [1] * 4, "transformer_depth": [1, 1, 1, 0],
         "transformer_depth_output": [1, 1, 1, 1, 1, 1, 0, 0]}


@pytest.fixture(scope="module")
def checkpoints(real_host):
    import checkpoints

    return checkpoints


def decoder():
    from hosting import host

    package = sys.modules[host().pack["AmodalCaptureFeatures"].__module__].__package__
    return sys.modules[f"{package}.decoder"]


@pytest.mark.parametrize(
    ("family", "species", "parameters", "levels"),
    [("sd15", "SD15", 0.860, [2, 5, 8, 11]), ("sd2", "SD20", 0.866, [2, 5, 8, 11]),
     ("sdxl", "SDXL", 2.567, [2, 5, 8])],
)
def test_inpainting_unets_of_full_size_are_recognised(
    checkpoints, family, species, parameters, levels
):
    """By the host's own detection, with the decoder levels that Capture Features counts."""
    import comfy.model_detection

    prefix = "model.diffusion_model."
    state = checkpoints.unet_layout(family)
    config = comfy.model_detection.model_config_from_unet(state, prefix)
    assert type(config).__name__ == species and config.unet_config["in_channels"] == 9
    config.set_inference_dtype(torch.float16, None)
    net = config.get_model(state, prefix, device=torch.device("meta"))
    assert net.concat_keys == ("mask", "masked_image")
    assert decoder().level_ends(net.diffusion_model) == levels
    count = sum(weight.numel() for weight in net.diffusion_model.parameters())
    assert count / GIGABYTE == pytest.approx(parameters, abs=0.002)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "steps"), [("trial", 64, 4), ("full size", 512, 3)])
def test_the_photograph_workflow_paints_with_stable_diffusion_2(
    host, prompt, models, monkeypatch, checkpoints, capsys, name, size, steps  # noqa: F811
):
    """A pass of workflows/amodal_completion.json, loaded by the host's Load Checkpoint.

    Detector, masker, order model and remover are small; the diffusion model is not, but in the
    trial. 5.2 GB of memory and a minute or more on a CPU at full size.
    """
    from comfy import cli_args

    file = Path(models) / "checkpoints" / "512-inpainting-ema.safetensors"
    small_models(models, monkeypatch)
    changes = TRIAL if name == "trial" else {}
    parameters = checkpoints.write(file, "sd2", **changes)
    assert name == "trial" or parameters / GIGABYTE == pytest.approx(1.304, abs=0.002)
    monkeypatch.setattr(cli_args.args, "bf16_unet", True)
    prepared(prompt, size, steps)
    clock = Clock()
    clock.peaks = {}
    try:
        with bench_stages.InsideModel() as inside:
            run = host.run(prompt)
    finally:
        clock.close()
        host.forget()
        for folder in ("instaorder", "inpaint", "checkpoints"):
            shutil.rmtree(models / folder)
    model, painted = run.values["model"], run.values["painted"]
    assert type(model.model.model_config).__name__ == "SD20"
    assert model.model.concat_keys == ("mask", "masked_image")
    assert next(model.model.diffusion_model.parameters()).dtype == torch.bfloat16
    assert {"AmodalSampleToStep", "AmodalResumeFromStep", "AmodalPasteBack"} <= set(
        run.executed_classes()
    )
    assert painted.shape == (1, size, size, 3) and painted.isfinite().all()
    assert painted.std() > 0.01
    with capsys.disabled():
        print("\n" + "\n".join(told(clock, inside, steps)))


def told(clock, inside, steps: int) -> list[str]:
    """Where time and memory went, and the share outside of the UNet that 50 steps would have."""
    loading = sum(
        sum(times) for kind, times in clock.by_class.items() if "Loader" in kind or "Load" in kind
    )
    outside = clock.inside - loading - inside.seconds
    whole = 50 * inside.seconds / steps
    lines = [
        f"{inside.calls} UNet calls in {inside.seconds:.1f} s, {outside:.1f} s outside, "
        f"{loading:.1f} s of loading; with 50 steps {outside / (outside + whole):.1%} outside"
    ]
    top = sorted(clock.peaks.items(), key=lambda item: -item[1])[:8]
    return lines + [f"{kind}: {more:.2f} GB more than before" for kind, more in top]


def prepared(prompt: dict, size: int, steps: int) -> None:  # noqa: F811
    """Fewer steps, and an object at the picture's left border, so that a pass paints."""
    for node in prompt.values():
        if node["class_type"] == "AmodalLoadSegmenter":
            node["inputs"]["vocabulary"] = "cat, traffic light"
        for name, value in {"size": size, "steps": steps, "k": 2.0, "max_passes": 1}.items():
            if name in node["inputs"] and not isinstance(node["inputs"][name], list):
                node["inputs"][name] = value
    mask = torch.zeros(1, 128, 128)
    mask[:, 40:90, 0:60] = 1
    VALUES["the object"] = mask
    prompt["mask"] = {"class_type": "TestValue", "inputs": {"name": "the object"}}
    prompt[workflow.need(prompt, "Pick the object")]["inputs"]["mask"] = ["mask", 0]
    loader = next(i for i, n in prompt.items() if n["class_type"] == "CheckpointLoaderSimple")
    painted = workflow.need(prompt, "Decode I_amodal")
    for name, link in {"model": [loader, 0], "painted": [painted, 0]}.items():
        prompt[f"keep {name}"] = {"class_type": "TestKeep", "inputs": {"name": name, "value": link}}
