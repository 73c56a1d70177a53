"""Inputs that cannot be sampled: the error names node, input and remedy."""

import pytest
import torch
from setting import SIZE, STEPS, composite, first_half, second_half, setting

from tools.host.inprocess import Failed, Graph

BAD = {
    "k=0": ({"k": 0}, "k", "from 1 to 5"),
    "k=N": ({"k": STEPS}, "k", "from 1 to 5"),
    "k beyond N": ({"k": 20}, "k", "20 with 6 steps"),
    "NaN": ({"latent": torch.full((1, 4, SIZE, SIZE), float("nan"))}, "latent", "NaN"),
    "one step": ({"sigmas": torch.tensor([1.0, 0.0])}, "sigmas", "1 steps"),
    "no sigmas": ({"sigmas": torch.tensor([])}, "sigmas", "0 steps"),
    "flipped": ({"sigmas": torch.tensor([0.0, 1.0, 2.0])}, "sigmas", "decrease"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_error_names_node_input_and_remedy_and_the_host_stays_usable(host, graph, small, name):
    bad_inputs, input_name, words = BAD[name]
    at = setting(graph, small)
    linked = {
        key: graph.value(f"bad {name}", {"samples": value} if key == "latent" else value)
        if isinstance(value, torch.Tensor)
        else value
        for key, value in bad_inputs.items()
    }
    graph.keep(half=first_half(graph, at, **linked))
    with pytest.raises(Failed) as error:
        host.run(graph)
    message = str(error.value)
    assert message.startswith(f"Sample To Step (Amodal): input '{input_name}'")
    assert words in message
    assert "Remedy:" in message
    good = Graph()
    good.keep(half=first_half(good, setting(good, small)))
    assert torch.isfinite(host.run(good).values["half"]["samples"]).all()


def test_a_latent_and_sigmas_of_different_steps_are_refused(host, graph, small):
    at = setting(graph, small)
    at_2, at_3 = first_half(graph, at, 2), first_half(graph, at, 3)
    graph.keep(end=second_half(graph, at, at_2, sigmas=at_3[2]))
    with pytest.raises(Failed, match="one and the same Sample To Step"):
        host.run(graph)


def test_a_composite_of_two_steps_is_refused(host, graph, small):
    at = setting(graph, small)
    mask = graph.value("all", torch.ones(1, 8 * SIZE, 8 * SIZE))
    later = first_half(graph, at, 3)
    _, _, mixed = composite(graph, small, at, mask, object=later)
    graph.keep(mixed=mixed)
    with pytest.raises(Failed, match="one and the same Sample To Step"):
        host.run(graph)


def test_a_composite_of_two_sizes_is_refused(host, graph, small):
    at = setting(graph, small)
    mask = graph.value("all", torch.ones(1, 8 * SIZE, 8 * SIZE))
    tiny = graph.value("tiny", {"samples": small.tensor(1, 4, 8, 8)})
    _, _, mixed = composite(graph, small, at, mask, background=tiny)
    graph.keep(mixed=mixed)
    with pytest.raises(Failed, match="crops of one size"):
        host.run(graph)


def test_a_sampler_that_cannot_be_split_is_refused(host, graph, small):
    import comfy.samplers

    at = setting(graph, small)
    at["sampler"] = graph.value("own", comfy.samplers.Sampler())
    graph.keep(half=first_half(graph, at))
    with pytest.raises(Failed, match="input 'sampler' is a Sampler"):
        host.run(graph)


FOREIGN = {  # the small model's latents are [B, 4, h, w]
    "16 channels": torch.ones(1, 16, SIZE, SIZE),
    "8 channels": torch.ones(1, 8, SIZE, SIZE),
    "a video": torch.ones(1, 4, 3, SIZE, SIZE),
    "a video of another model": torch.zeros(1, 16, 3, SIZE, SIZE),
    "a sound": torch.ones(1, 64, 100),
    "no batch": torch.ones(4, SIZE, SIZE),
    "a plane": torch.ones(SIZE, SIZE),
    "a number": torch.tensor(1.0),
}
TAKERS = {
    "AmodalSampleToStep": "latent",
    "AmodalNoiseToStep": "latent",
    "AmodalResumeFromStep": "latent",
    "AmodalResumeFromStep at its end": "image_latent",
    "AmodalCaptureFeatures": "latent",
}


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("taker", TAKERS)
def test_a_latent_of_another_model_is_refused_with_both_shapes(host, graph, small, taker, foreign):
    at, name = setting(graph, small), TAKERS[taker]
    half = first_half(graph, at)
    sigmas = at["sigmas"] if "Sample" in taker else half[2]
    latent = graph.value("foreign", {"samples": FOREIGN[foreign], "type": "audio"})
    given = {**at, "sigmas": sigmas, "latent": half[0], "k": 2, "levels": "3", name: latent}
    node = taker.split()[0]
    wanted = {socket.id for socket in host.pack[node].define_schema().inputs}
    graph.keep(end=graph.add(node, **{key: given[key] for key in given if key in wanted}))
    with pytest.raises(Failed) as error:
        host.run(graph)
    message = str(error.value)
    assert f"input '{name}' has the shape {list(FOREIGN[foreign].shape)}" in message
    assert "(SD15) takes latents of 4 channels and 2 dimensions" in message


@pytest.mark.parametrize("name", ["object", "background"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_composite_with_a_latent_of_another_model_is_refused(host, graph, small, name, foreign):
    at = setting(graph, small)
    mask = graph.value("all", torch.ones(1, 8 * SIZE, 8 * SIZE))
    other = graph.value("foreign", {"samples": FOREIGN[foreign]})
    _, _, mixed = composite(graph, small, at, mask, **{name: other})
    graph.keep(mixed=mixed)
    with pytest.raises(Failed, match="input '(object|background)' has the shape"):
        host.run(graph)


def test_an_empty_latent_of_any_model_still_begins_a_run(host, graph, small):
    at = setting(graph, small, latent=torch.zeros(1, 16, SIZE, SIZE))
    at["latent"] = graph.value("empty", {"samples": torch.zeros(1, 2, SIZE, SIZE)})
    graph.keep(half=first_half(graph, at))
    assert host.run(graph).values["half"]["samples"].shape == (1, 4, SIZE, SIZE)
