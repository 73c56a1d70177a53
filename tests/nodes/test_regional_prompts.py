"""Features where the prompt is several conditions: regions, masks, and times of the run."""

import pytest
import torch
from setting import first_half, second_half, whole

K, STEPS = 2, 6
SIZE = (16, 24)  # of the latent, in cells
TOP_LEFT = (8, 16, 0, 0)  # height, width, top, left
LOWER = (10, 24, 6, 0)


def scaled(small, kind: str, seed: int, **extra) -> list:
    """A prompt of random tokens, with what transformers want beside them."""
    pooled = {"pooled_output": small.tensor(1, small.CONTEXT, seed=seed)}
    return [[small.tensor(1, 7, small.CONTEXT, seed=seed), {**pooled, **extra}]]


def setting(graph, small, kind: str, positive: list) -> dict:
    value = small.model("eps") if kind == "unet" else small.transformer(kind)
    model = graph.value(f"regional {kind}", value)
    channels, frames = (4, ()) if kind == "unet" else (16, (1,) if kind == "qwen" else ())
    negative = graph.value(f"negative {kind}", scaled(small, kind, 2))
    return {
        "guider": graph.add(
            "CFGGuider",
            model=model,
            cfg=3.0,
            positive=graph.value(f"positive {kind}", positive),
            negative=negative,
        ),
        "noise": graph.add("RandomNoise", noise_seed=11),
        "sampler": graph.add("KSamplerSelect", sampler_name="euler"),
        "sigmas": graph.add(
            "BasicScheduler", model=model, scheduler="simple", steps=STEPS, denoise=1.0
        ),
        "latent": graph.value(
            f"start {kind}", {"samples": small.tensor(1, channels, *frames, *SIZE, seed=3)}
        ),
    }


def features(host, graph, small, kind: str, positive: list, k_of=None) -> dict:
    """The features at step k; with `k_of`, at the x that this other prompt's run has there."""
    at = setting(graph, small, kind, k_of or positive)
    half = first_half(graph, at, K)
    guider = graph.prompt[at["guider"].node_id]["inputs"]
    own = graph.add(
        "CFGGuider", **{**guider, "positive": graph.value(f"own {kind}", positive).first}
    )
    captured = graph.add(
        "AmodalCaptureFeatures", guider=own, sigmas=half[2], latent=half[0], levels="2 3"
    )
    graph.keep(features=captured)
    host.forget()
    return host.run(graph).values["features"].levels


KINDS = ["unet", "flux", "qwen"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_region_alone_is_placed_where_it_belongs(host, graph, small, kind):
    """Its features are those of that part of x; the rest of the picture has none."""
    prompt = scaled(small, kind, 1, area=LOWER)
    found = features(host, graph, small, kind, prompt)
    for maps in found.values():
        assert maps.shape[-2:] == SIZE
        assert (maps[..., :6, :] == 0).all() and (maps[..., 6:, :].abs().amax(1) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_condition_that_covers_most_is_taken(host, graph, small, kind):
    """Of a whole picture and a region, in either order, the whole picture's features, unchanged."""
    region, everywhere = scaled(small, kind, 4, area=TOP_LEFT), scaled(small, kind, 1)
    both = [features(host, type(graph)(), small, kind, region + everywhere)]
    both.append(features(host, type(graph)(), small, kind, everywhere + region))
    alone = features(host, type(graph)(), small, kind, everywhere, k_of=everywhere + region)
    for level, maps in alone.items():
        assert torch.allclose(both[0][level], both[1][level], atol=1e-4)
        assert torch.allclose(both[1][level], maps, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_regions_the_larger_lies_on_top(host, graph, small, kind):
    """Each cell has the features of the larger region if it lies there, else of the other."""
    upper, lower = scaled(small, kind, 4, area=(10, 24, 0, 0)), scaled(small, kind, 1, area=LOWER)
    upper[0][1]["strength"] = 0.5
    found = features(host, type(graph)(), small, kind, upper + lower)
    alone = {
        name: features(host, type(graph)(), small, kind, prompt, k_of=upper + lower)
        for name, prompt in (("upper", upper), ("lower", lower))
    }
    for level, maps in found.items():
        assert torch.allclose(maps[..., 6:, :], alone["lower"][level][..., 6:, :], atol=1e-4)
        assert torch.allclose(maps[..., :6, :], alone["upper"][level][..., :6, :], atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "bounds"),  # the host itself takes no bounds with latents of five dimensions
    [("unet", False), ("unet", True), ("flux", False), ("flux", True), ("qwen", False)],
)
def test_masks_decide_how_much_a_condition_covers(host, graph, small, kind, bounds):
    """With `set_area_to_bounds` the host calls the model for the mask's bounds only."""
    small_part, large_part = torch.zeros(1, *SIZE), torch.zeros(1, *SIZE)
    small_part[:, :8, :8], large_part[:, 4:, 2:] = 1, 1
    prompts = [
        scaled(small, kind, seed, mask=mask, set_area_to_bounds=bounds)
        for seed, mask in ((4, small_part), (1, large_part))
    ]
    found = features(host, type(graph)(), small, kind, prompts[0] + prompts[1])
    alone = features(host, type(graph)(), small, kind, prompts[1], k_of=prompts[0] + prompts[1])
    for level, maps in found.items():
        inside = maps.shape[-2] // 4, maps.shape[-1] // 12
        part = (..., slice(inside[0], None), slice(inside[1], None))
        assert torch.allclose(maps[part], alone[level][part], atol=1e-4)


def test_what_is_not_active_at_step_k_is_not_taken(host, graph, small):
    """The later half of a run has another prompt, which covers as much."""
    import node_helpers

    early, late = (scaled(small, "unet", seed) for seed in (1, 4))
    early = node_helpers.conditioning_set_values(early, {"start_percent": 0.0, "end_percent": 0.9})
    late = node_helpers.conditioning_set_values(late, {"start_percent": 0.9, "end_percent": 1.0})
    found = features(host, type(graph)(), small, "unet", late + early)
    alone = features(host, type(graph)(), small, "unet", early, k_of=late + early)
    for level, maps in alone.items():
        assert torch.allclose(found[level], maps, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_both_halves_have_the_regions_too(host, graph, small, kind):
    prompts = scaled(small, kind, 4, area=TOP_LEFT) + scaled(small, kind, 1)
    at = setting(graph, small, kind, prompts)
    graph.keep(one=whole(graph, at), two=second_half(graph, at, first_half(graph, at, K)))
    values = host.run(graph).values
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])
