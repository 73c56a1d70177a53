"""Sampling in two halves on the real host, against its own uninterrupted sampler."""

import pytest
import torch
from setting import (
    SIZE,
    STEPS,
    composite,
    first_half,
    second_half,
    setting,
    whole,
)

SPECIES = [("eps", 4), ("v", 4), ("eps", 9), ("v", 9), ("flow", 4)]


def both(host, graph, at, k=2):
    half = first_half(graph, at, k)
    graph.keep(one=whole(graph, at), two=second_half(graph, at, half), half=half)
    values = host.run(graph).values
    assert values["one"]["samples"].std() > 0.01
    return values


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("sampler", ["ddim", "euler"])
@pytest.mark.parametrize("kind,inputs", SPECIES)
def test_two_halves_equal_one_run_bit_for_bit(host, graph, small, kind, inputs, sampler, mask):
    at = setting(graph, small, kind, inputs, sampler=sampler, mask=mask)
    values = both(host, graph, at)
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])
    assert not torch.equal(values["half"]["samples"], values["two"]["samples"])


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "euler_cfg_pp"])
@pytest.mark.parametrize("k", [1, 0.5, STEPS - 1])
def test_other_samplers_without_memory_are_exact_too(host, graph, small, sampler, k):
    values = both(host, graph, setting(graph, small, sampler=sampler, scheduler="karras"), k)
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])


def test_batches_are_exact_and_differ_among_themselves(host, graph, small):
    values = both(host, graph, setting(graph, small, "v", 9, batch=3, mask=True))
    one, two = values["one"]["samples"], values["two"]["samples"]
    assert torch.equal(one, two)
    assert not torch.equal(two[0], two[1])


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "uni_pc", "lms", "res_multistep", "dpmpp_3m_sde"])
def test_samplers_with_memory_begin_anew_at_the_step(host, graph, small, sampler):
    """Resumed, they equal a run of the same sampler begun at x_k by the host itself."""
    at = setting(graph, small, sampler=sampler, scheduler="normal")
    half = first_half(graph, at)
    fresh = graph.add(
        "SamplerCustomAdvanced",
        noise=graph.add("DisableNoise"),
        guider=at["guider"],
        sampler=at["sampler"],
        sigmas=half[2],
        latent_image=half[0],
    )
    graph.keep(fresh=fresh, resumed=second_half(graph, at, half))
    values = host.run(graph).values
    fresh, resumed = values["fresh"]["samples"], values["resumed"]["samples"]
    assert torch.isfinite(resumed).all()
    if "sde" not in sampler:
        assert torch.allclose(fresh, resumed, atol=2e-4 * fresh.abs().max())


def test_the_schedule_is_never_written_into(host, graph, small):
    at = setting(graph, small, sampler="uni_pc", scheduler="normal")
    half = first_half(graph, at)
    graph.keep(end=second_half(graph, at, half), all=at["sigmas"], rest=half[2], k=half[3])
    values = host.run(graph).values
    assert values["k"] == 2
    assert torch.equal(values["all"][2:], values["rest"])
    assert values["all"][-1] == 0


def test_ancestral_samplers_draw_new_noise_after_the_step(host, graph, small):
    import comfy.samplers

    seeds = []

    def spy(model, x, sigmas, extra_args=None, **_options):
        seeds.append(extra_args["seed"])
        return x

    at = setting(graph, small)
    at["sampler"] = graph.value("spy", comfy.samplers.KSAMPLER(spy))
    graph.keep(end=second_half(graph, at, first_half(graph, at)))
    host.run(graph)
    assert len(seeds) == 2
    assert seeds[0] != seeds[1]


def test_differential_diffusion_sees_the_whole_schedule(host, graph, small):
    """It looks at the schedule to decide how much of the mask is open at a step."""
    at = setting(graph, small, mask="soft", patch="DifferentialDiffusion")
    values = both(host, graph, at)
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])


def test_starts_from_the_given_latent_and_only_from_it(host, graph, small):
    """ddim_uniform begins below sigma_max, so the start shows: another latent, another x."""
    one = first_half(graph, setting(graph, small))
    other = first_half(graph, setting(graph, small, latent=small.tensor(1, 4, SIZE, SIZE, seed=8)))
    again = first_half(graph, setting(graph, small))
    graph.keep(one=one, other=other, again=again)
    values = host.run(graph).values
    assert not torch.equal(values["one"]["samples"], values["other"]["samples"])
    assert torch.equal(values["one"]["samples"], values["again"]["samples"])


def test_the_seed_decides(host, graph, small):
    one = first_half(graph, setting(graph, small, seed=1))
    other = first_half(graph, setting(graph, small, seed=2))
    graph.keep(one=one, other=other)
    values = host.run(graph).values
    assert not torch.equal(values["one"]["samples"], values["other"]["samples"])


def test_preview_is_the_estimate_of_the_last_step(host, graph, small):
    at = setting(graph, small)
    half = first_half(graph, at)
    low = graph.add("SplitSigmas", sigmas=at["sigmas"], step=2)
    core = graph.add(
        "SamplerCustomAdvanced",
        noise=at["noise"],
        guider=at["guider"],
        sampler=at["sampler"],
        sigmas=low,
        latent_image=at["latent"],
    )
    graph.keep(preview=half[1], core=core[1], at_k=half[0], core_k=core[0])
    values = host.run(graph).values
    assert torch.equal(values["preview"]["samples"], values["core"]["samples"])
    assert torch.equal(values["at_k"]["samples"], values["core_k"]["samples"])
    assert "amodal_x" not in values["preview"]


@pytest.mark.parametrize("kind", ["eps", "v", "flow"])
def test_noise_to_step_lands_where_a_sampler_would_be(host, graph, small, kind):
    """A model that always answers with the clean latent is at clean + noise at every step."""
    at = setting(graph, small, kind, latent=small.tensor(1, 4, SIZE, SIZE, seed=3))
    half = first_half(graph, at)
    noised = graph.add(
        "AmodalNoiseToStep",
        model=at["model"],
        noise=at["noise"],
        sigmas=half[2],
        latent=at["latent"],
    )
    graph.keep(noised=noised, sigmas=half[2], model=at["model"])
    values = host.run(graph).values
    exact, sigma = values["noised"]["amodal_x"], float(values["sigmas"][0])
    clean = small.tensor(1, 4, SIZE, SIZE, seed=3) * 0.18215
    noise = torch.randn(clean.shape, generator=torch.manual_seed(11))
    expected = sigma * noise + (1 - sigma if kind == "flow" else 1) * clean
    assert torch.allclose(exact.x, expected, atol=1e-5)
    back = values["model"].model.process_latent_in(values["noised"]["samples"])
    assert torch.allclose(back * (1 - sigma if kind == "flow" else 1), exact.x, atol=1e-4)


def test_composite_selects_in_both_the_samples_and_the_exact_x(host, graph, small):
    area = torch.zeros(1, 8 * SIZE, 8 * SIZE)
    area[:, :64, :40] = 1
    half, noised, both_ = composite(graph, small, setting(graph, small), graph.value("area", area))
    graph.keep(half=half, noised=noised, both=both_)
    values = host.run(graph).values
    for field in (lambda v: v["samples"], lambda v: v["amodal_x"].x, lambda v: v["amodal_x"].image):
        front, back, mixed = (field(values[name]) for name in ("half", "noised", "both"))
        assert torch.equal(mixed[..., :8, :5], front[..., :8, :5])
        assert torch.equal(mixed[..., 8:, :], back[..., 8:, :])
        assert torch.equal(mixed[..., 5:], back[..., 5:])


def test_composite_of_everything_resumes_as_if_nothing_had_been_composited(host, graph, small):
    at = setting(graph, small, "v", 9)
    mask = graph.value("all", torch.ones(1, 8 * SIZE, 8 * SIZE))
    half, _, mixed = composite(graph, small, at, mask)
    graph.keep(one=whole(graph, at), two=second_half(graph, at, half, latent=mixed))
    values = host.run(graph).values
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])


def test_a_batch_of_masks_makes_a_batch(host, graph, small):
    areas = torch.zeros(2, 64, 64)
    areas[0, :32], areas[1, 32:] = 1, 1
    at = setting(graph, small)
    half, _, mixed = composite(graph, small, at, graph.value("areas", areas))
    graph.keep(mixed=mixed, end=second_half(graph, at, half, latent=mixed))
    values = host.run(graph).values
    assert values["mixed"]["samples"].shape[0] == values["end"]["samples"].shape[0] == 2


def test_samples_changed_by_another_node_win_over_the_exact_x(host, graph, small):
    at = setting(graph, small)
    half = first_half(graph, at)
    flipped = graph.add("LatentFlip", samples=half[0], flip_method="y-axis: horizontally")
    same = graph.add("LatentFlip", samples=flipped, flip_method="y-axis: horizontally")
    graph.keep(
        flipped=second_half(graph, at, half, latent=flipped),
        same=second_half(graph, at, half, latent=same),
        plain=second_half(graph, at, half),
    )
    values = {name: value["samples"] for name, value in host.run(graph).values.items()}
    assert not torch.allclose(values["flipped"], values["plain"], atol=1e-2)
    assert torch.equal(values["same"], values["plain"])  # equal samples are still its own


@pytest.mark.parametrize("kind", ["eps", "flow"])
def test_a_latent_that_lost_its_exact_x_goes_on_to_rounding(host, graph, small, kind):
    at = setting(graph, small, kind)
    half = first_half(graph, at)
    lost = graph.add("LatentMultiply", samples=half[0], multiplier=1.0000001)
    graph.keep(one=whole(graph, at), two=second_half(graph, at, half, latent=lost))
    values = host.run(graph).values
    one, two = values["one"]["samples"], values["two"]["samples"]
    assert torch.allclose(one, two, atol=1e-3 * one.abs().max())


def test_progress_is_reported_step_by_step(host, graph, small):
    at = setting(graph, small)
    half = first_half(graph, at, 2)
    end = second_half(graph, at, half)
    graph.keep(end=end)
    run = host.run(graph)
    assert run.progress(half.node_id) == [(1, 2), (2, 2)]
    assert run.progress(end.node_id) == [(i, STEPS - 2) for i in range(1, STEPS - 1)]


def test_cancel_stops_the_sampling_and_the_next_prompt_runs(host, graph, small):
    import comfy.model_management

    from tools.host import inprocess

    at = setting(graph, small)
    calls = []

    def interrupt(apply, options):
        calls.append(1)
        if len(calls) == 3:
            comfy.model_management.interrupt_current_processing()
        return apply(options["input"], options["timestep"], **options["c"])

    patched = at["model_value"].clone()
    patched.set_model_unet_function_wrapper(interrupt)
    model = graph.value("interrupting", patched)
    graph.prompt[at["guider"].node_id]["inputs"]["model"] = model[0]
    graph.keep(end=second_half(graph, at, first_half(graph, at)))
    with pytest.raises(inprocess.Failed) as error:
        host.run(graph)
    assert error.value.details["event"] == "execution_interrupted"
    assert len(calls) == 3
    assert host.run(graph).values["end"]["samples"].isfinite().all()
