"""Stable Diffusion's checkpoints at full size, with random weights, in the original key layout.

The host recognises them by their shapes, so nothing here may be smaller than what is published,
but for the trial run of the same code.
"""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from model_files import small_models

from amodal.app import workflow
from tools.bench import bench_stages
from tools.bench.clock import Clock
from tools.host.inprocess import VALUES

GIGABYTE = 1e9
# a UNet with a tenth of the parameters that ComfyUI still detects as Stable Diffusion 2
TRIAL = {
    "channel_mult": [1, 1, 1, 1],
    "num_res_blocks": [1] * 4,
    "transformer_depth": [1, 1, 1, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 0, 0],
}


CONTEXT = "Condition on the original context"
V_SIGN = "output_blocks.11.1.transformer_blocks.0.norm1.bias"
SPECIES = {"sd15": "SD15", "sd2": "SD20", "sdxl": "SDXL"}
PARAMETERS = {"sd15": 1.066, "sd2": 1.304}  # in 10^9, with VAE and text encoder
SHAPES = {  # of the decoder levels: (channels, side)
    "sd15": [(1280, 16), (1280, 32), (640, 64), (320, 64)],
    "sd2": [(1280, 16), (1280, 32), (640, 64), (320, 64)],
    "sdxl": [(1280, 64), (640, 128), (320, 128)],
}
CASES = {  # family, input channels, size, steps, changes to the UNet
    "sd2 cut down": ("sd2", 9, 64, 4, TRIAL),
    "sd2": ("sd2", 9, 512, 3, {}),
    "sd2 cut down, ordinary": ("sd2", 4, 64, 4, TRIAL),
    "sd15": ("sd15", 9, 64, 3, {}),
    "sd15, ordinary": ("sd15", 4, 64, 3, {}),
}


@pytest.fixture(scope="module")
def checkpoints(real_host):
    from tools.host import random_checkpoints

    return random_checkpoints


def unet_features():
    from tools.host.inprocess import host

    package = sys.modules[host().pack["AmodalCaptureFeatures"].__module__].__package__
    return sys.modules[f"{package}.unet_features"]


@pytest.mark.parametrize(
    ("family", "parameters", "levels"),
    [("sd15", 0.860, [2, 5, 8, 11]), ("sd2", 0.866, [2, 5, 8, 11]), ("sdxl", 2.567, [2, 5, 8])],
)
@pytest.mark.parametrize("inputs", [4, 9])
def test_unets_of_full_size_are_recognised(checkpoints, family, inputs, parameters, levels):
    """ComfyUI's detection, and the decoder levels that Capture Features counts."""
    import comfy.model_detection

    prefix = "model.diffusion_model."
    state = checkpoints.unet_layout(family, inputs)
    if (family, inputs) == ("sd2", 4):  # ComfyUI tells v from epsilon by these weights
        state[f"{prefix}{V_SIGN}"] = torch.linspace(-1, 1, 320)
    config = comfy.model_detection.model_config_from_unet(state, prefix)
    assert type(config).__name__ == SPECIES[family]
    assert config.unet_config["in_channels"] == inputs
    config.set_inference_dtype(torch.float16, None)
    net = config.get_model(state, prefix, device=torch.device("meta"))
    assert net.concat_keys == (("mask", "masked_image") if inputs == 9 else ())
    assert net.model_type.name == ("V_PREDICTION" if (family, inputs) == ("sd2", 4) else "EPS")
    assert unet_features().level_ends(net.diffusion_model) == levels
    count = sum(weight.numel() for weight in net.diffusion_model.parameters())
    assert count / GIGABYTE == pytest.approx(parameters, abs=0.002)
    assert level_shapes(net.diffusion_model, config.unet_config, inputs) == SHAPES[family]


def level_shapes(net, config: dict, inputs: int) -> list[tuple]:
    """(channels, side) of each level in the probe of Capture Features, at the family's own size."""
    side = 128 if config.get("adm_in_channels") else 64
    levels = list(range(1, 1 + len(unet_features().level_ends(net))))
    made = {}

    def keep(level, h, options):
        made[level] = (h.shape[1], h.shape[2])

    probe = unet_features().Probe(net, levels, SimpleNamespace(keep=keep))
    half = {"dtype": torch.half, "device": "meta"}
    y = torch.zeros(1, 2816, **half) if side == 128 else None
    probe.wrap(
        net,
        torch.zeros(1, inputs, side, side, **half),
        torch.zeros(1, device="meta"),
        torch.zeros(1, 77, config["context_dim"], **half),
        y,
        None,
        {"patches": {"output_block_patch": [probe.patch]}},
    )
    return [made[level] for level in levels]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "inputs", "size", "steps", "changes"), CASES.values(), ids=CASES
)
def test_the_photograph_workflow_paints_with_stable_diffusion(
    host,
    prompt,
    models,
    monkeypatch,
    checkpoints,
    capsys,
    family,
    inputs,
    size,
    steps,  # noqa: F811
    changes,
):
    """A pass of workflows/amodal_completion.json, loaded by Load Checkpoint.

    Detector, masker, order model and remover are small; the diffusion model is not, but where it is
    cut down. An ordinary checkpoint, of 4 channels, paints through the noise mask. 5.2 GB of memory
    and a minute or more on a CPU for Stable Diffusion 2 at 512x512.
    """
    from comfy import cli_args

    file = Path(models) / "checkpoints" / "512-inpainting-ema.safetensors"
    small_models(models, monkeypatch)
    parameters = checkpoints.write(file, family, inputs, **changes)
    assert changes or parameters / GIGABYTE == pytest.approx(PARAMETERS[family], abs=0.002)
    monkeypatch.setattr(cli_args.args, "bf16_unet", True)
    prepared(prompt, size, steps)
    if inputs == 4:
        through_the_noise_mask(prompt)
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
    assert type(model.model.model_config).__name__ == SPECIES[family]
    assert model.model.concat_keys == (("mask", "masked_image") if inputs == 9 else ())
    assert next(model.model.diffusion_model.parameters()).dtype == torch.bfloat16
    assert {"AmodalSampleToStep", "AmodalResumeFromStep", "AmodalPasteBack"} <= set(
        run.executed_classes()
    )
    height, width = painted.shape[1:3]  # a rectangle of about size x size pixels
    assert height % 64 == width % 64 == 0 and 0.8 < height * width / size**2 < 1.25
    assert painted.isfinite().all()
    assert painted.std() > 0.01
    off = (run.values["latent"]["samples"] - run.values["seen"]["samples"]).abs()[0].amax(0)
    painted_part = torch.nn.functional.avg_pool2d(run.values["inpaint"], 8)[0]
    assert off[painted_part == 1].mean() > 0.1
    # a noise mask keeps everything outside it
    assert (off[painted_part == 0].max() < 1e-3) == (inputs == 4)
    with capsys.disabled():
        print("\n" + "\n".join(told(clock, inside, steps)))


def through_the_noise_mask(prompt: dict) -> None:  # noqa: F811
    """Changes for checkpoints that are not for inpainting, as the README describes."""
    for node in prompt.values():
        if node["class_type"] == "InpaintModelConditioning":
            node["inputs"]["noise_mask"] = True
        if node["class_type"] == "AmodalResumeFromStep":
            node["inputs"]["image_latent"] = [workflow.need(prompt, CONTEXT), 2]


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
    """Fewer steps, and an object at the left border of the picture, so that a pass paints."""
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
    prompt[workflow.need(prompt, "Pick the object")]["inputs"]["modal_mask"] = ["mask", 0]
    loader = next(i for i, n in prompt.items() if n["class_type"] == "CheckpointLoaderSimple")
    painted = workflow.need(prompt, "Decode I_amodal")
    latent = prompt[painted]["inputs"]["samples"]
    links = {
        "model": [loader, 0],
        "painted": [painted, 0],
        "latent": latent,
        "seen": [workflow.need(prompt, CONTEXT), 2],
        "inpaint": prompt[workflow.need(prompt, CONTEXT)]["inputs"]["mask"],
    }
    for name, link in links.items():
        prompt[f"keep {name}"] = {"class_type": "TestKeep", "inputs": {"name": name, "value": link}}


@pytest.mark.slow
def test_flux_fill_of_full_width_paints(host, graph, checkpoints, monkeypatch):
    """flux1-fill-dev.safetensors with 1 and 3 of its 19 and 38 blocks, by Load Diffusion Model."""
    import folder_paths
    import small
    from comfy import cli_args
    from setting import first_half, second_half, whole

    file = Path(folder_paths.models_dir) / "diffusion_models" / "flux1-fill-dev.safetensors"
    monkeypatch.setattr(cli_args.args, "bf16_unet", True)
    checkpoints.save(file, checkpoints.flux_fill_layout(), torch.bfloat16)
    area = torch.zeros(1, 1, 128, 128)
    area[..., 40:, 30:90] = 1
    extra = {
        "pooled_output": small.tensor(1, 768),
        "concat_mask": area,
        "concat_latent_image": small.tensor(1, 16, 16, 16, seed=5),
    }
    words = [[small.tensor(1, 12, 4096, seed=1), extra]]
    model = graph.add("UNETLoader", unet_name=file.name, weight_dtype="default")
    at = {
        "model": model,
        "noise": graph.add("RandomNoise", noise_seed=11),
        "guider": graph.add(
            "BasicGuider", model=model, conditioning=graph.value("flux words", words)
        ),
        "sampler": graph.add("KSamplerSelect", sampler_name="euler"),
        "sigmas": graph.add(
            "BasicScheduler", model=model, scheduler="simple", steps=3, denoise=1.0
        ),
        "latent": graph.value("flux latent", {"samples": small.tensor(1, 16, 16, 16, seed=3)}),
    }
    half = first_half(graph, at, 1)
    features = graph.add(
        "AmodalCaptureFeatures",
        guider=at["guider"],
        sigmas=half[2],
        latent=half[0],
        levels="1 2 3 4",
    )
    graph.keep(
        one=whole(graph, at), two=second_half(graph, at, half), model=model, features=features
    )
    try:
        values = host.run(graph).values
    finally:
        host.forget()
        file.unlink()
    net = values["model"].model
    assert type(net.model_config).__name__ == "FluxInpaint"
    assert next(net.diffusion_model.parameters()).dtype == torch.bfloat16
    found = values["features"].levels
    assert {k: tuple(h.shape) for k, h in found.items()} == dict.fromkeys(
        (1, 2, 3, 4), (1, 3072, 8, 8)
    )
    assert all(h.isfinite().all() and h.std() > 0 for h in found.values())
    assert values["one"]["samples"].std() > 0.01
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])
