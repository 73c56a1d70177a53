"""M^k where it is hard: gray objects on gray and drifting backdrops; the check of the rules."""

import hypothesis.strategies as st
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings

from amodal.core.errors import BadInput
from amodal.core.mask_ops import iou
from amodal.method import mask_check
from amodal.method.known_background import known_background, quantile
from amodal.method.mask_check import Check
from amodal.method.seeded_mask import seeded

SIDE, GRID = 256, (32, 32)
SIZE = (SIDE, SIDE)


def area(x0: int, y0: int, x1: int, y1: int) -> torch.Tensor:
    mask = torch.zeros(1, *SIZE)
    mask[:, y0:y1, x0:x1] = 1
    return mask


WHOLE = area(64, 72, 192, 208)
INPAINT = area(40, 144, 216, 240)
MODAL = WHOLE * (1 - INPAINT)
TRUTH = WHOLE


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def estimate_of(colour: float, shading: float, drift: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(the decoded estimate, I_syn): a gray object, darker above than below, on a backdrop that
    is off by `drift`; both [1, H, W, 3]."""
    ramp = torch.linspace(-1, 1, SIDE)[:, None, None]
    texture = F.interpolate(noise(1, 1, 12, 12), SIZE, mode="bicubic")[0, 0, ..., None]
    thing = (colour + shading * ramp + 0.02 * texture).expand(*SIZE, 3)
    backdrop = 0.5 + drift + 0.01 * noise(*SIZE, 1, seed=1).expand(*SIZE, 3)
    estimate = torch.where(WHOLE[0, ..., None] > 0, thing, backdrop)
    synthetic = torch.where(MODAL[0, ..., None] > 0, thing, torch.tensor(0.5))
    return estimate[None], synthetic[None]


def features_of(truth: torch.Tensor, channels: int = 64, seed: int = 2) -> torch.Tensor:
    """Features [C, 32, 32] that tell the object from the backdrop, with shading and noise."""
    kind = F.adaptive_avg_pool2d(truth, GRID)
    directions = noise(3, channels, seed=seed)
    ramp = torch.linspace(-1, 1, GRID[0])[:, None].expand(1, *GRID)
    points = torch.cat([kind, ramp, 1 + 0 * ramp])
    smooth = torch.einsum("kc,khw->chw", directions, points)
    return smooth + 0.5 * noise(channels, *GRID, seed=seed + 1)


def automatic(estimate, synthetic, features) -> tuple[torch.Tensor, int]:
    """(M^k, the number of the chosen rule)."""
    known, by_colour, _ = known_background(estimate, synthetic, MODAL, INPAINT)
    by_features = seeded(features, MODAL, INPAINT)
    checks = [mask_check.check(a, MODAL, INPAINT) for a in (by_colour, by_features.alone)]
    chosen = mask_check.best(checks)
    return (known, by_features.mask)[chosen], chosen


HARD = {
    "gray elephant": (0.47, 0.06, 0.0),
    "white plate in shade": (0.58, 0.05, 0.0),
    "dark bus, drifting backdrop": (0.2, 0.05, 0.06),
    "gray on a drifting backdrop": (0.53, 0.06, -0.04),
    "white, drifting": (0.95, 0.02, 0.1),
}


@pytest.mark.parametrize("name", HARD)
def test_automatic_finds_objects_where_a_fixed_threshold_fails(name):
    mask, _ = automatic(*estimate_of(*HARD[name]), features_of(TRUTH))
    assert iou(mask, TRUTH) >= 0.9


def test_a_fixed_threshold_fails_on_them():
    """What the cases above are for: the mask of 0.05 lacks the elephant, or holds all backdrop."""
    elephant = known_background(*estimate_of(0.47, 0.06, 0.0), MODAL, INPAINT, 0.05)[0]
    assert float((elephant * INPAINT).sum()) < 0.1 * float((TRUTH * INPAINT).sum())
    bus = known_background(*estimate_of(0.2, 0.05, 0.06), MODAL, INPAINT, 0.05)[0]
    assert float((bus * INPAINT).sum()) > 0.95 * float(INPAINT.sum())


@pytest.mark.parametrize("drift", [-0.1, -0.06, 0.0, 0.06, 0.1])
def test_the_threshold_from_the_picture_ignores_a_drift_of_the_backdrop(drift):
    mask, alone, threshold = known_background(*estimate_of(0.2, 0.05, drift), MODAL, INPAINT)
    assert iou(mask, TRUTH) > 0.97
    assert iou(alone, TRUTH) > 0.97
    assert 0.03 < threshold < 0.4


def test_colour_is_preferred_where_both_rules_tell_the_two_apart():
    mask, chosen = automatic(*estimate_of(0.9, 0.05, 0.0), features_of(TRUTH))
    assert chosen == 0 and iou(mask, TRUTH) > 0.97


def test_features_that_say_nothing_are_not_chosen():
    estimate = estimate_of(0.6, 0.02, 0.0)
    mask, chosen = automatic(*estimate, noise(64, *GRID, seed=5))
    assert chosen == 0 and iou(mask, TRUTH) > 0.9


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99), st.sampled_from([8, 64, 320]))
def test_the_check_of_the_seeded_rule_is_of_cells_it_has_not_seen(seed, channels):
    """Features of pure noise separate any cells of the training, but no others."""
    found = seeded(noise(channels, *GRID, seed=seed), MODAL, INPAINT)
    assert mask_check.check(found.alone, MODAL, INPAINT).accuracy < 0.65


def test_the_seeded_rule_needs_no_colour_scale_and_repeats_itself():
    features = features_of(TRUTH)
    scaled = features * torch.logspace(-3, 3, len(features))[:, None, None] + 7
    first, again, other = (seeded(f, MODAL, INPAINT) for f in (features, features, scaled))
    assert torch.equal(first.mask, again.mask) and torch.equal(first.alone, again.alone)
    assert iou(first.mask, other.mask) > 0.99
    assert iou(first.mask, TRUTH) > 0.9 and first.note == ""


def test_a_small_object_counts_by_the_cells_that_are_mostly_its_own():
    thin = area(100, 72, 110, 144)  # 10 pixels wide: no cell of 8 is wholly inside but a column
    whole = torch.maximum(thin, area(100, 144, 110, 200))
    found = seeded(features_of(whole), thin, INPAINT)
    assert found.note == "" and (found.mask >= thin).all()
    assert float((found.mask * whole * INPAINT).sum() / (whole * INPAINT).sum()) > 0.7


@pytest.mark.parametrize(
    ("modal", "inpaint", "kind"),
    [
        (area(100, 100, 104, 104), INPAINT, "the object"),
        (MODAL, 1 - MODAL, "certain backdrop"),
    ],
)
def test_too_few_certain_cells_give_the_modal_mask_and_say_so(modal, inpaint, kind):
    found = seeded(features_of(TRUTH), modal, inpaint)
    assert torch.equal(found.mask, modal) and kind in found.note
    assert mask_check.check(found.alone, modal, inpaint).visible_found == 0


@pytest.mark.parametrize("part", (0.02, 0.08, 0.15))
def test_what_is_painted_beside_the_object_is_no_noise_of_the_backdrop(part):
    estimate, synthetic = estimate_of(0.7, 0.05, 0.0)
    beside = area(0, 0, round(part * SIDE), SIDE) * (1 - WHOLE)  # in the certain backdrop
    estimate = torch.where(beside[..., None] > 0, torch.tensor(0.9), estimate)
    mask, alone, threshold = known_background(estimate, synthetic, MODAL, INPAINT)
    assert threshold <= 0.1
    assert iou(mask, TRUTH) > 0.98
    assert mask_check.check(alone, MODAL, INPAINT).visible_found > 0.98


def test_without_certain_backdrop_the_known_background_keeps_the_plain_threshold():
    estimate, synthetic = estimate_of(0.2, 0.0, 0.0)
    mask, _, threshold = known_background(estimate, synthetic, MODAL, 1 - MODAL)
    assert threshold == 0.05 and iou(mask, TRUTH) > 0.99


def test_a_picture_of_more_pixels_than_torchs_quantile_takes_has_a_threshold():
    values = torch.linspace(0, 1, 2**24 + 3)
    assert quantile(values, 0.1) == pytest.approx(0.1, abs=1e-4)
    assert [quantile(torch.tensor([3.0, 1.0, 2.0]), part) for part in (0, 0.5, 1)] == [1, 2, 3]


def test_nan_in_the_features_is_refused():
    with pytest.raises(BadInput, match="'features' holds NaN"):
        seeded(torch.full((4, *GRID), float("nan")), MODAL, INPAINT)


masks = st.integers(0, 2**16 - 1).map(
    lambda bits: torch.tensor([bits >> i & 1 for i in range(16)]).reshape(1, 4, 4).float()
)


@given(masks, masks, masks)
def test_the_check_counts_pixels_of_the_two_certain_areas(alone, modal, inpaint):
    found = mask_check.check(alone, modal, inpaint)
    backdrop = (modal + inpaint) == 0
    visible = modal > 0
    expected = float(alone[visible].mean()) if visible.any() else 0.0
    assert found.visible_found == pytest.approx(expected)
    expected = float(alone[backdrop].mean()) if backdrop.any() else 0.0
    assert found.backdrop_taken == pytest.approx(expected)
    assert 0 <= found.accuracy <= 1


def test_a_later_rule_is_chosen_only_if_it_is_clearly_better():
    good, slightly, better = Check(0.7, 0.02), Check(0.71, 0.02), Check(1.0, 0.0)
    assert mask_check.best([good, slightly]) == 0
    assert mask_check.best([good, better]) == 1
    assert mask_check.best([good, better, better]) == 1
    assert mask_check.best([Check(1.0, 1.0), Check(0.0, 0.0), good]) == 2
