"""The loop's decisions as data: what to paint, when to stop, warnings and the report."""

import itertools

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.core import mask_ops
from amodal.core.status import LoopWarning, Status
from amodal.core.types import OcclusionReport
from amodal.method import loop

SIZE = 128


def box(x0, y0, x1, y1, size=SIZE):
    """[1, size, size] with one rectangle set."""
    mask = torch.zeros(1, size, size)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def test_statuses_and_warnings_have_the_documented_values():
    """Saved workflows and result files hold these words."""
    assert [status.value for status in Status] == [
        "completed",
        "nothing to complete",
        "unchanged",
        "not found again",
        "stopped at cap",
    ]
    warnings = [warning.value for warning in LoopWarning]
    assert warnings == ["enclosed", "nothing left to paint", "joined"]
    assert Status("stopped at cap") is Status.STOPPED_AT_CAP


def test_only_an_object_free_of_occluders_is_done():
    done = {status for status in Status if status.is_done}
    assert done == {Status.COMPLETED, Status.NOTHING_TO_COMPLETE}


@pytest.mark.parametrize(
    "number, occluded, change, found, status",
    [
        (1, True, 1.0, True, None),
        (1, False, 1.0, True, Status.NOTHING_TO_COMPLETE),
        (1, True, 0.0, False, None),  # change and found say something from pass 2 on only
        (2, True, 0.2, True, None),
        (2, False, 0.2, True, Status.COMPLETED),
        (2, False, 0.0, True, Status.COMPLETED),
        (2, True, 0.0049, True, Status.UNCHANGED),
        (2, True, 0.005, True, None),
        (2, True, 0.2, False, Status.NOT_FOUND_AGAIN),
        (2, False, 0.0, False, Status.NOT_FOUND_AGAIN),
        (3, True, 0.2, True, None),
        (4, True, 0.2, True, Status.STOPPED_AT_CAP),
        (4, True, 0.0, True, Status.UNCHANGED),
        (4, False, 0.2, True, Status.COMPLETED),
        (4, True, 0.2, False, Status.NOT_FOUND_AGAIN),
    ],
)
def test_the_status_before_each_pass(number, occluded, change, found, status):
    assert loop.outcome(number, occluded, change, cap=3, found=found) is status


REPORTS = [
    OcclusionReport(occluders, surrounding, sides, enclosed, nothing_left)
    for occluders, surrounding, sides, enclosed, nothing_left in itertools.product(
        [(), ("yarn",), ("yarn", "key")],
        [(), ("cake",), ("cake", "plate")],
        [(), ("left",), ("left", "top")],
        [False, True],
        [False, True],
    )
]


def expected_words(report: OcclusionReport) -> str:
    """The description by a table, one row for each part."""
    hidden = {
        (0, False): None,
        (1, False): "hidden by yarn",
        (2, False): "hidden by yarn, key",
        (0, True): "enclosed by its occluders",
        (1, True): "enclosed by yarn",
        (2, True): "enclosed by yarn, key",
    }
    surrounded = [
        None,
        "enclosed by cake (judged to be behind it)",
        "enclosed by cake, plate (judged to be behind it)",
    ]
    cut = [None, "cut at the left", "cut at the left, top"]
    parts = [
        hidden[len(report.occluders), report.enclosed],
        surrounded[len(report.surrounding)],
        cut[len(report.sides)],
    ]
    words = [part for part in parts if part] or ["nothing hides the object"]
    return "; ".join(words + ["nothing left to paint"] * report.nothing_left)


@pytest.mark.parametrize("report", REPORTS, ids=expected_words)
def test_every_report_is_described(report):
    assert loop.describe(report) == expected_words(report)


def test_different_reports_have_different_descriptions():
    assert len({loop.describe(report) for report in REPORTS}) == len(REPORTS) == 108


FREE = OcclusionReport()
HIDDEN = OcclusionReport(occluders=("yarn",))
ENCLOSED = HIDDEN.but(enclosed=True)
SURROUNDED = OcclusionReport(surrounding=("cake",))
NOTHING_LEFT = HIDDEN.but(nothing_left=True)


@pytest.mark.parametrize(
    "passes, last, warnings",
    [
        ([], FREE, []),
        ([HIDDEN], FREE, []),
        ([HIDDEN, HIDDEN], HIDDEN, []),
        ([ENCLOSED], FREE, [LoopWarning.ENCLOSED]),
        ([SURROUNDED], FREE, [LoopWarning.ENCLOSED]),
        ([HIDDEN, ENCLOSED], FREE, [LoopWarning.ENCLOSED]),
        ([ENCLOSED, HIDDEN], FREE, [LoopWarning.ENCLOSED]),
        ([], ENCLOSED, [LoopWarning.ENCLOSED]),  # without a pass the last report decides
        ([], SURROUNDED, [LoopWarning.ENCLOSED]),
        ([HIDDEN], ENCLOSED, []),  # painted passes decide: the object was not enclosed in them
        ([HIDDEN], SURROUNDED, []),
        ([], NOTHING_LEFT, [LoopWarning.NOTHING_LEFT]),
        ([HIDDEN], NOTHING_LEFT, [LoopWarning.NOTHING_LEFT]),
        ([NOTHING_LEFT], FREE, []),  # only the end of the loop can warn of this
        ([ENCLOSED], NOTHING_LEFT, [LoopWarning.ENCLOSED, LoopWarning.NOTHING_LEFT]),
        ([], ENCLOSED.but(nothing_left=True), [LoopWarning.ENCLOSED, LoopWarning.NOTHING_LEFT]),
    ],
)
def test_warnings_come_from_the_reports(passes, last, warnings):
    assert loop.warnings_of(passes, last) == warnings


def test_labels_never_cause_a_warning():
    report = OcclusionReport(occluders=("enclosed by (tape)", "nothing left to paint"))
    assert loop.warnings_of([report], report) == []


def test_pass_1_uses_the_seed_of_the_run_and_later_passes_others():
    seeds = [loop.pass_seed(seed, number) for seed in (0, 1, 2**64 - 1) for number in (1, 2, 3)]
    assert seeds[::3] == [0, 1, 2**64 - 1] and len(set(seeds)) == 9
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert loop.pass_seed(1, 2) == seeds[4]
    assert loop.pass_seed(0, 2) == 14940610483325672780  # the same in every version


MODAL = box(40, 40, 80, 80)


def test_the_inpaint_mask_is_the_dilated_union_minus_the_inside_of_the_object():
    occluder, padding = box(80, 50, 100, 70), box(0, 0, 10, 128)
    mask = loop.inpaint_mask(occluder, padding, MODAL, 0.03)
    dilated = mask_ops.dilate(torch.maximum(occluder, padding), 4)  # 0.03 * 128, rounded
    rim = MODAL - mask_ops.erode(MODAL, 1)  # one pixel in 128
    assert torch.equal(mask, dilated * (1 - MODAL) + dilated * rim)
    assert (mask * MODAL).any()


def test_without_dilation_the_inpaint_mask_is_the_union():
    occluder, padding = box(80, 50, 100, 70), box(0, 0, 10, 128)
    mask = loop.inpaint_mask(occluder, padding, MODAL, 0.0)
    assert torch.equal(mask, torch.maximum(occluder, padding))


def test_with_nothing_hidden_the_inpaint_mask_is_empty():
    empty = torch.zeros(1, SIZE, SIZE)
    assert torch.equal(loop.inpaint_mask(empty, empty, MODAL, 0.5), empty)


@pytest.mark.parametrize(
    "after, offset, change",
    [
        (box(40, 40, 80, 80), (0, 0), 0.0),
        (box(40, 40, 120, 80), (0, 0), 0.5),
        (box(80, 40, 120, 80), (0, 0), 1.0),
        (box(50, 43, 90, 83, 160), (10, 3), 0.0),  # the canvas has grown by 10 and 3 pixels
        (box(40, 40, 80, 80, 160), (10, 3), 1 - 30 * 37 / (3200 - 30 * 37)),
        (torch.zeros(1, SIZE, SIZE), (0, 0), 1.0),
    ],
)
def test_the_change_is_1_minus_iou_on_the_grown_canvas(after, offset, change):
    assert loop.mask_change(MODAL, after, offset) == pytest.approx(change)


def test_two_empty_masks_have_not_changed():
    assert loop.mask_change(MODAL * 0, MODAL * 0, (0, 0)) == 0


@given(st.integers(0, 1000), st.integers(0, 5), st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_the_change_does_not_depend_on_where_the_canvas_grows(seed, x, y):
    generator = torch.Generator().manual_seed(seed)
    before, after = (torch.rand(2, 1, 12, 15, generator=generator) < 0.4).float()
    grown = torch.nn.functional.pad(after, (x, 3, y, 2))
    assert loop.mask_change(before, grown, (x, y)) == loop.mask_change(before, after, (0, 0))
    assert loop.mask_change(before, after, (0, 0)) == pytest.approx(1 - mask_ops.iou(before, after))


def test_what_lies_beyond_an_uncut_side_does_not_hide_the_object():
    """The window reaches beyond the canvas at the top: nothing to paint for its own sake."""
    nothing, unknown, modal = box(0, 0, 0, 0), box(0, 0, SIZE, 20), box(40, 30, 80, 90)
    assert not loop.inpaint_mask(nothing, unknown, modal, 0.05, ()).any()
    assert not loop.inpaint_mask(nothing, unknown, modal, 0.05, ("left",)).any()
    assert loop.inpaint_mask(nothing, unknown, modal, 0.05, ("top",)).any()
    assert loop.inpaint_mask(nothing, unknown, modal, 0.05).any()  # the sides are not known


def test_what_lies_beyond_is_painted_but_the_picture_beside_it_stays():
    occluder, modal = box(60, 60, 90, 90), box(40, 30, 60, 90)
    unknown = torch.maximum(box(0, 0, SIZE, 20), box(0, 0, 10, SIZE))  # above: beyond; left: cut
    painted = loop.inpaint_mask(occluder, unknown, modal, 0.05, ("left",))
    assert bool(painted[unknown > 0].all())
    assert not painted[0, 20:40, 20:].any()
    alone = loop.inpaint_mask(occluder, box(0, 0, 10, SIZE), modal, 0.05)
    assert torch.equal(painted, torch.maximum(alone, box(0, 0, SIZE, 20)))


@pytest.mark.parametrize("turn", range(4))
def test_the_strips_of_all_sides(turn):
    sides = ("top", "left", "bottom", "right")
    unknown = torch.rot90(box(0, 0, SIZE, 20) + box(50, 50, 60, 60), turn, (1, 2))
    strip = torch.rot90(box(0, 0, SIZE, 20), turn, (1, 2))
    others = tuple(side for side in sides if side != sides[turn])
    assert torch.equal(loop.strips(unknown, others), strip)
    assert not loop.strips(unknown, sides[turn : turn + 1]).any()
    assert torch.equal(loop.strips(torch.ones_like(unknown), ()), torch.ones_like(unknown))
