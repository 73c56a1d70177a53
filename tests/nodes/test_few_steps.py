"""Runs of 2 to 8 steps, and core's caches of steps, in two halves."""

import pytest
import torch
from setting import first_half, second_half, setting, whole, with_model

NOISY = [
    "euler_ancestral",
    "euler_ancestral_cfg_pp",
    "dpm_2_ancestral",
    "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp",
    "ddpm",
    "lcm",
]
WITH_MEMORY = ["dpmpp_2m", "uni_pc", "res_multistep", "ipndm", "deis", "dpmpp_2m_sde", "er_sde"]


def of_steps(graph, at: dict, steps: int) -> dict:
    graph.prompt[at["sigmas"].node_id]["inputs"]["steps"] = steps
    return at


CASES = [
    *((sampler, "eps", 2, 0.01) for sampler in NOISY),
    *((sampler, "flow", 5, 0.99) for sampler in NOISY if sampler != "ddpm"),  # it knows no flow
    ("lcm", "eps", 4, 0.4),
]


@pytest.mark.parametrize(("sampler", "kind", "steps", "k"), CASES)
def test_samplers_that_draw_noise_go_on_bit_for_bit(host, graph, small, sampler, kind, steps, k):
    at = setting(graph, small, kind, sampler=sampler, scheduler="sgm_uniform")
    half = first_half(graph, of_steps(graph, at, steps), k)
    graph.keep(one=whole(graph, at), two=second_half(graph, at, half), k=half[3])
    values = host.run(graph).values
    assert 1 <= values["k"] <= steps - 1
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])


@pytest.mark.parametrize("sampler", WITH_MEMORY)
def test_samplers_with_memory_are_exact_up_to_k_and_near_after_it(host, graph, small, sampler):
    """The second half begins without the first one's history: its first step is of order one."""
    at = of_steps(graph, setting(graph, small, sampler=sampler, scheduler="sgm_uniform"), 8)
    half = first_half(graph, at, 0.5)
    low = graph.add("SplitSigmas", sigmas=at["sigmas"], step=4)
    core = whole(graph, {**at, "sigmas": low})
    graph.keep(half=half[0], core=core, two=second_half(graph, at, half))
    values = host.run(graph).values
    if sampler != "uni_pc" and "sde" not in sampler:  # these look at the schedule's end
        assert torch.equal(values["half"]["samples"], values["core"]["samples"])
    assert values["two"]["samples"].isfinite().all()


CACHES = ["EasyCache", "LazyCache"]


def cached(graph, at: dict, cache: str) -> dict:
    model = graph.add(
        cache,
        model=at["model"],
        reuse_threshold=3.0,
        start_percent=0.0,
        end_percent=1.0,
        verbose=False,
    )
    return with_model(graph, at, model)


@pytest.mark.parametrize("cache", CACHES)
def test_each_half_has_a_cache_of_its_own(host, graph, small, cache):
    """Each half equals the host's own run over its part of the schedule with a fresh cache."""
    at = of_steps(graph, setting(graph, small, sampler="euler", scheduler="normal"), 12)
    at = cached(graph, at, cache)
    half = first_half(graph, at, 6)
    low = graph.add("SplitSigmas", sigmas=at["sigmas"], step=6)
    first = whole(graph, {**at, "sigmas": low})
    begun = {"sigmas": half[2], "latent": half[0], "noise": graph.add("DisableNoise")}
    graph.keep(
        half=half[0],
        first=first,
        rest=whole(graph, {**at, **begun}),
        two=second_half(graph, at, half),
        one=whole(graph, at),
    )
    values = {name: value["samples"] for name, value in host.run(graph).values.items()}
    assert torch.equal(values["half"], values["first"])
    assert torch.allclose(values["two"], values["rest"], atol=1e-4 * values["rest"].abs().max())
    # and the cache acts: without it, euler's halves equal one run
    assert not torch.allclose(values["one"], values["two"], atol=1e-4)


@pytest.mark.parametrize("cache", CACHES)
def test_features_are_never_from_a_cache(host, graph, small, cache):
    at = setting(graph, small, sampler="euler", scheduler="normal")
    half = first_half(graph, at, 2)
    other = cached(graph, setting(graph, small, sampler="euler"), cache)
    links = {
        name: graph.add(
            "AmodalCaptureFeatures",
            guider=guider,
            sigmas=half[2],
            latent=half[0],
            levels="1 2 3 4",
        )
        for name, guider in (("plain", at["guider"]), ("cached", other["guider"]))
    }
    values = host.run(graph.keep(**links)).values
    for level in (1, 2, 3, 4):
        assert torch.equal(values["plain"].levels[level], values["cached"].levels[level])
