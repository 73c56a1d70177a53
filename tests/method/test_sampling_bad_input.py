"""What cannot be sampled is refused with node, input and remedy, and the host goes on."""

import pytest
import torch
from setting import (
    SIZE,
    STEPS,
    composite,
    first_half,
    second_half,
    setting,
)

BAD = {
    "k=0": ({"k": 0}, "k", "from 1 to 5"),
    "k=N": ({"k": STEPS}, "k", "from 1 to 5"),
    "k beyond N": ({"k": 20}, "k", "20 with 6 steps"),
    "k rounds to 0": ({"k": 0.01}, "k", "step 0"),
    "NaN": ({"latent": torch.full((1, 4, SIZE, SIZE), float("nan"))}, "latent", "NaN"),
    "one step": ({"sigmas": torch.tensor([1.0, 0.0])}, "sigmas", "1 steps"),
    "no sigmas": ({"sigmas": torch.tensor([])}, "sigmas", "0 steps"),
    "flipped": ({"sigmas": torch.tensor([0.0, 1.0, 2.0])}, "sigmas", "fall"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_node_input_and_remedy(host, graph, small, name):
    from tools.host import inprocess

    other, wrong, words = BAD[name]
    at = setting(graph, small)
    other = {
        key: graph.value(f"bad {name}", {"samples": value} if key == "latent" else value)
        if isinstance(value, torch.Tensor)
        else value
        for key, value in other.items()
    }
    graph.keep(half=first_half(graph, at, **other))
    with pytest.raises(inprocess.Failed) as error:
        host.run(graph)
    told = str(error.value)
    assert told.startswith(f"Sample To Step (Amodal): input '{wrong}'")
    assert words in told
    assert "Remedy:" in told
    good = inprocess.Graph()
    good.keep(half=first_half(good, setting(good, small)))
    assert torch.isfinite(host.run(good).values["half"]["samples"]).all()  # the host goes on


def test_a_latent_and_sigmas_of_different_steps_are_refused(host, graph, small):
    from tools.host.inprocess import Failed

    at = setting(graph, small)
    half, other = first_half(graph, at, 2), first_half(graph, at, 3)
    graph.keep(end=second_half(graph, at, half, sigmas=other[2]))
    with pytest.raises(Failed, match="one and the same Sample To Step"):
        host.run(graph)


def test_composite_refuses_other_steps_and_other_sizes(host, graph, small):
    from tools.host import inprocess

    at = setting(graph, small)
    mask = graph.value("all", torch.ones(1, 8 * SIZE, 8 * SIZE))
    later = first_half(graph, at, 3)
    _, _, mixed = composite(graph, small, at, mask, object=later)
    graph.keep(mixed=mixed)
    with pytest.raises(inprocess.Failed, match="one and the same Sample To Step"):
        host.run(graph)
    graph = inprocess.Graph()
    at = setting(graph, small)
    tiny = graph.value("tiny", {"samples": small.tensor(1, 4, 8, 8)})
    _, _, mixed = composite(graph, small, at, graph.value("all"), background=tiny)
    graph.keep(mixed=mixed)
    with pytest.raises(inprocess.Failed, match="crops of one size"):
        host.run(graph)


def test_a_sampler_that_cannot_be_split_is_refused(host, graph, small):
    import comfy.samplers

    from tools.host import inprocess

    at = setting(graph, small)
    at["sampler"] = graph.value("own", comfy.samplers.Sampler())
    graph.keep(half=first_half(graph, at))
    with pytest.raises(inprocess.Failed, match="input 'sampler' is a Sampler"):
        host.run(graph)
