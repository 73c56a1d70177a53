"""Mixed context on ComfyUI's transformers: Flux Fill, Flux, SD3, Qwen Image.

Small random weights; classes, latent formats, patching and flow parameterisation are the host's.
"""

import contextlib
import functools
import math
import sys

import pytest
import torch
from setting import captured, first_half, second_half, whole
from stickers_at_hand import module_of

from tools.host.inprocess import Failed

KINDS = ["flux fill", "flux", "sd3", "qwen"]
TOKENS, STEPS, K = 7, 6, 2  # words in a prompt, steps of a run, the step to switch at
SIZE = (12, 16)  # of a latent


@functools.cache
def model_of(small, kind: str):
    return small.transformer(kind)


def latent(small, kind: str, seed: int, size=SIZE, batch: int = 1):
    frames = (1,) if kind == "qwen" else ()
    return small.tensor(batch, 16, *frames, *size, seed=seed)


def prompt(small, kind: str, seed: int, size=SIZE):
    extra = {"pooled_output": small.tensor(1, small.CONTEXT, seed=seed)}
    if kind == "flux fill":
        area = torch.zeros(1, 1, 8 * size[0], 8 * size[1])
        area[..., 40:, 30:90] = 1
        extra |= {"concat_latent_image": latent(small, kind, 5, size), "concat_mask": area}
    return [[small.tensor(1, TOKENS, small.CONTEXT, seed=seed), extra]]


def setting(graph, small, kind: str, *, cfg=3.0, size=SIZE, batch=1, model=None) -> dict:
    """Links of a run of a transformer, by name."""
    value = model or model_of(small, kind)
    link = graph.value(f"{kind} {id(value)}", value)
    prompts = [
        graph.value(f"{kind} {seed} {size}", prompt(small, kind, seed, size)) for seed in (1, 2)
    ]
    return {
        "model": link,
        "model_value": value,
        "guider": graph.add(
            "CFGGuider", model=link, cfg=cfg, positive=prompts[0], negative=prompts[1]
        ),
        "noise": graph.add("RandomNoise", noise_seed=11),
        "sampler": graph.add("KSamplerSelect", sampler_name="euler"),
        "sigmas": graph.add(
            "BasicScheduler", model=link, scheduler="simple", steps=STEPS, denoise=1.0
        ),
        "latent": graph.value(
            f"start {kind} {size} {batch}", {"samples": latent(small, kind, 3, size, batch)}
        ),
    }


@contextlib.contextmanager
def recorded(block, kind: str, cells: int):
    """Keeps the picture's tokens that a block gives in every call of a run, both prompts'."""
    calls = []
    # copied, because a later block overwrites it
    hook = block.register_forward_hook(
        lambda _block, _inputs, output: calls.append(picture_part(kind, output, cells).clone())
    )
    yield calls
    hook.remove()


def blocks(net) -> list:
    names = ("double_blocks", "single_blocks", "joint_blocks", "transformer_blocks")
    return [block for name in names for block in getattr(net, name, [])]


def picture_part(kind: str, output, cells: int):
    """The picture's tokens in what a block gives, [B, cells, C]."""
    if isinstance(output, tuple):
        output = output[0 if kind.startswith("flux") else 1]
    return output[:, -cells:]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_features_are_the_runs_own(host, graph, small, kind, batch):
    """The features of step k of an uninterrupted run, at three quarters of the depth."""
    at = setting(graph, small, kind, batch=batch)
    features = captured(host, graph, at, "1 2 3 4", K)
    graph.prompt = {
        n: spec
        for n, spec in graph.prompt.items()
        if not spec["class_type"].startswith(("Amodal", "TestKeep"))
    }
    graph.keep(run=whole(graph, at))
    net = model_of(small, kind).model.diffusion_model
    own, cells = blocks(net), math.prod(side // 2 for side in SIZE)
    for level in (1, 2, 3, 4):
        host.forget()
        with recorded(own[level * len(own) // 4 - 1], kind, cells) as calls:
            host.run(graph)
        # ComfyUI's batch is [negative, positive] or the reverse: one half must match
        halves = calls[K].chunk(2)
        wanted = [half.movedim(1, 2).unflatten(2, (SIZE[0] // 2, SIZE[1] // 2)) for half in halves]
        assert features.levels[level].shape == wanted[0].shape
        assert any(torch.equal(features.levels[level], half.float()) for half in wanted), level
    assert features.size == (8 * SIZE[0], 8 * SIZE[1]) and features.k == K


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_positive_prompt_matters(host, graph, small, kind):
    at = setting(graph, small, kind)
    half = first_half(graph, at, K)
    positive, negative = (graph.value(f"{kind} {seed} {SIZE}") for seed in (1, 2))
    other = graph.value(f"{kind} other", prompt(small, kind, 6))
    for name, prompts in (
        ("plain", (positive, negative)),
        ("other negative", (positive, other)),
        ("other positive", (other, negative)),
    ):
        guider = graph.add(
            "CFGGuider", model=at["model"], cfg=3.0, positive=prompts[0], negative=prompts[1]
        )
        graph.keep(
            **{
                name: graph.add(
                    "AmodalCaptureFeatures",
                    guider=guider,
                    sigmas=half[2],
                    latent=half[0],
                    levels="3",
                )
            }
        )
    found = {name: value.levels[3] for name, value in host.run(graph).values.items()}
    assert torch.allclose(found["plain"], found["other negative"], atol=1e-5)
    assert not torch.allclose(found["plain"], found["other positive"], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_two_halves_equal_one_run_bit_for_bit(host, graph, small, kind):
    at = setting(graph, small, kind)
    graph.keep(one=whole(graph, at), two=second_half(graph, at, first_half(graph, at, K)))
    values = host.run(graph).values
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_context_runs_end_to_end(host, graph, small, kind):
    """Sampling to step k, features, clusters, M^k, composite, and sampling to the end."""
    at = setting(graph, small, kind)
    half = first_half(graph, at, K)
    features = graph.add(
        "AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2], latent=half[0], levels="3"
    )
    clusters = graph.add("AmodalClusterFeatures", features=features, level=3, clusters=4, seed=0)
    modal, area = torch.zeros(1, 96, 128), torch.zeros(1, 96, 128)
    modal[:, 16:48, 16:64], area[:, 48:80, 16:64] = 1, 1
    chosen = graph.add(
        "AmodalSelectClusters",
        clusters=clusters,
        overlap=0.2,
        modal_mask=graph.value("modal", modal),
        inpaint_mask=graph.value("area", area),
    )
    plate = graph.value(f"plate {kind}", {"samples": latent(small, kind, 9)})
    noised = graph.add(
        "AmodalNoiseToStep", model=at["model"], noise=at["noise"], sigmas=half[2], latent=plate
    )
    mixed = graph.add("AmodalCompositeAtStep", object=half[0], background=noised, mask_at_k=chosen)
    graph.keep(
        end=second_half(graph, at, half, latent=mixed),
        mask=chosen,
        clusters=clusters,
        mixed=mixed,
        half=half[0],
        noised=noised,
    )
    values = host.run(graph).values
    one, other, both = (values[name]["samples"] for name in ("half", "noised", "mixed"))
    inside = torch.nn.functional.adaptive_avg_pool2d(values["mask"], SIZE)[0] >= 0.5
    assert torch.equal(both[..., inside], one[..., inside])
    assert torch.equal(both[..., ~inside], other[..., ~inside])
    assert values["clusters"].shape == (4, 96, 128) and (values["clusters"].sum(0) == 1).all()
    assert (values["mask"] >= modal).all() and values["mask"].sum() <= (modal + area).sum()
    assert values["end"]["samples"].shape == latent(small, kind, 3).shape
    assert values["end"]["samples"].isfinite().all()


def test_flux_fill_sees_the_picture_and_the_mask(host, graph, small):
    """Its 96 channels are latent, picture and the mask's 8 x 8 pixels a cell."""
    at = setting(graph, small, "flux fill")
    features = captured(host, graph, at, "1", K).levels[1]
    other = prompt(small, "flux fill", 1)
    other[0][1]["concat_mask"] = torch.ones(1, 1, 96, 128)
    graph.prompt[at["guider"].node_id]["inputs"]["positive"] = graph.value("other", other).first
    assert not torch.allclose(features, captured(host, graph, at, "1", K).levels[1], atol=1e-3)


def test_noise_to_step_is_the_raw_value_of_flow(host, graph, small):
    """x at sigma = sigma * noise + (1 - sigma) * latent, in model space."""
    at = setting(graph, small, "flux fill")
    half = first_half(graph, at, K)
    noised = graph.add(
        "AmodalNoiseToStep",
        model=at["model"],
        noise=at["noise"],
        sigmas=half[2],
        latent=at["latent"],
    )
    graph.keep(noised=noised)
    exact = host.run(graph).values["noised"]["amodal_x"]
    clean = at["model_value"].model.process_latent_in(latent(small, "flux fill", 3))
    noise = torch.randn(clean.shape, generator=torch.manual_seed(11))
    assert 0 < exact.sigma < 1
    assert torch.allclose(exact.x, exact.sigma * noise + (1 - exact.sigma) * clean, atol=1e-5)


@pytest.mark.parametrize("kind", ["flux fill", "qwen"])
def test_sides_that_are_not_a_multiple_of_the_patch(host, graph, small, kind):
    """The last patches reach beyond the latent; the features do not."""
    at = setting(graph, small, kind, size=(9, 12))
    features = captured(host, graph, at, "3", K)
    assert features.levels[3].shape[-2:] == (9, 12) and features.size == (72, 96)
    assert torch.equal(features.levels[3][:, :, 0, 0], features.levels[3][:, :, 1, 1])


def test_tokens_become_the_picture_row_by_row(real_host):
    as_picture = module_beside("AmodalCaptureFeatures", "transformer_features").as_picture
    sequence = torch.arange(12.0).reshape(1, 12, 1)
    assert as_picture(sequence, (4, 6), 2)[0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    odd = as_picture(sequence, (3, 3), 2)[0, 0]
    assert odd.tolist() == [[0, 0, 1], [0, 0, 1], [2, 2, 3]]


def module_beside(node: str, name: str):
    """The module `name` of the pack, as the host imported it, in the package of a node."""
    return sys.modules[f"{module_of(node).__package__}.{name}"]


def test_a_shallow_transformer_has_fewer_levels(host, graph, small):
    model = small.transformer("flux", depth=1, depth_single_blocks=1)
    with pytest.raises(Failed, match="levels 1 .deepest. to 2"):
        captured(host, graph, setting(graph, small, "flux", model=model), "3", K)


def test_nothing_stays_behind(host, graph, small):
    at = setting(graph, small, "flux fill")
    captured(host, graph, at, "1 2 3 4", K)
    net = model_of(small, "flux fill").model.diffusion_model
    assert not any(module._forward_hooks for module in net.modules())
    assert not model_of(small, "flux fill").model_options["transformer_options"].get("wrappers")
