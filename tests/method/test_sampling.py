"""Sampling without a host: step k, schedules, masks at latent size, the composite."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from amodal.core.errors import BadInput
from amodal.method import sampling


@given(st.integers(2, 200), st.data())
def test_k_is_a_step_or_a_fraction_of_all_steps(steps, data):
    step = data.draw(st.integers(1, steps - 1))
    assert sampling.resolve_k(step, steps) == step
    assert sampling.resolve_k(step / steps, steps) == step


@pytest.mark.parametrize(
    "k,steps",
    [
        (0, 50),
        (-1, 50),
        (50, 50),
        (51, 50),
        (float("nan"), 50),
        (49.7, 50),
    ],
)
def test_k_outside_the_run_is_refused(k, steps):
    with pytest.raises(BadInput, match="input 'k'.*Remedy: choose a step from 1 to 49"):
        sampling.resolve_k(k, steps)


@given(st.floats(0, 1, exclude_min=True, exclude_max=True), st.integers(2, 200))
def test_every_fraction_leaves_a_step_on_each_side(fraction, steps):
    step = sampling.resolve_k(fraction, steps)
    assert 1 <= step <= steps - 1
    nearest = min(range(1, steps), key=lambda k: abs(k - fraction * steps))
    assert abs(step - fraction * steps) == abs(nearest - fraction * steps)


def test_k_of_the_paper_is_20_of_50_steps():
    assert sampling.resolve_k(20, 50) == sampling.resolve_k(0.4, 50) == 20


def test_a_schedule_is_copied():
    sigmas = torch.tensor([3.0, 1.0, 0.0])
    checked = sampling.check_sigmas(sigmas)
    checked[-1] = 9
    assert sigmas.tolist() == [3, 1, 0]


@pytest.mark.parametrize(
    "sigmas",
    [
        [],
        [1.0],
        [1.0, 1.0],
        [0.0, 1.0],
        [[2.0, 1.0, 0.0]],
        [float("nan"), 0.0],
        [float("inf"), 0.0],
    ],
)
def test_schedules_that_do_not_fall_are_refused(sigmas):
    with pytest.raises(BadInput, match="sigmas"):
        sampling.check_sigmas(torch.tensor(sigmas))


def test_the_exact_x_is_valid_only_for_the_samples_it_was_stored_with():
    samples = torch.randn(1, 4, 8, 8)
    exact = sampling.ExactX(samples * 2, samples, 1.0, samples)
    latent = {"samples": samples, sampling.KEY: exact}
    assert sampling.exact_x(latent) is exact
    assert sampling.exact_x({**latent, "samples": samples.clone()}) is exact
    assert sampling.exact_x({**latent, "samples": samples + 1e-6}) is None
    assert sampling.exact_x({**latent, "samples": samples[:, :, :4]}) is None
    assert sampling.exact_x({"samples": samples}) is None


@pytest.mark.parametrize("latent", [None, {}, {"samples": None}, {"samples": [1]}])
def test_a_latent_without_a_tensor_is_refused(latent):
    with pytest.raises(BadInput, match="no plain tensor"):
        sampling.check_latent(latent, "latent")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_latent_that_is_not_finite_is_refused(value):
    samples = torch.zeros(1, 4, 8, 8)
    samples[0, 1, 2, 3] = value
    with pytest.raises(BadInput, match="NaN"):
        sampling.check_latent({"samples": samples}, "latent")


def test_a_latent_cell_is_in_the_mask_if_half_of_it_is_covered():
    mask = torch.zeros(1, 16, 16)
    mask[0, :8, :4], mask[0, 8:, 8:11] = 1, 1
    assert sampling.latent_mask(mask, (2, 2))[0, 0].tolist() == [[1, 0], [0, 0]]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_masks_of_any_size_become_hard_latent_masks(height, width, rows, columns):
    mask = torch.rand(2, height, width)
    small = sampling.latent_mask(mask, (rows, columns))
    assert small.shape == (2, 1, rows, columns)
    assert set(small.unique().tolist()) <= {0.0, 1.0}
    assert sampling.latent_mask(torch.ones(1, height, width), (rows, columns)).all()
    assert not sampling.latent_mask(torch.zeros(1, height, width), (rows, columns)).any()


@given(st.integers(0, 2**16 - 1))
def test_each_cell_of_a_composite_is_the_objects_or_the_backgrounds(bits):
    mask = torch.tensor([bits >> i & 1 for i in range(16)]).float().reshape(1, 1, 4, 4)
    obj, background = torch.randn(1, 4, 4, 4), torch.randn(1, 4, 4, 4)
    mixed = sampling.composite(obj, background, mask)
    inside = mask.bool().expand(1, 4, 4, 4)
    assert torch.equal(mixed[inside], obj[inside])
    assert torch.equal(mixed[~inside], background[~inside])


def test_a_composite_repeats_batches_of_one_and_refuses_other_shapes():
    obj, background = torch.ones(1, 4, 2, 2), torch.zeros(3, 4, 2, 2)
    mask = torch.ones(1, 1, 2, 2)
    assert sampling.composite(obj, background, mask).shape == (3, 4, 2, 2)
    with pytest.raises(BadInput, match="'object' is a batch of 2 beside a batch of 3"):
        sampling.composite(obj.repeat(2, 1, 1, 1), background, mask)
    with pytest.raises(BadInput, match="crops of one size"):
        sampling.composite(obj, background[:, :, :1], mask)


def test_different_noise_levels_are_refused_but_rounding_is_allowed():
    sampling.check_sigma(2.00001, 2.0, "sigmas")
    with pytest.raises(BadInput, match="at sigma 2, the latent at sigma 2.1"):
        sampling.check_sigma(2.1, 2.0, "sigmas")
