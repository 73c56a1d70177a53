"""How the sticker segmenter joins parts into objects, on hand-made class maps."""

import pytest
import torch

from amodal.stickers.segmenter import _instances

CLOCK, CHAIR = 3, 7


def class_map(side: int, *boxes: tuple[int, float, float, float, float]) -> torch.Tensor:
    """[side, side] of classes; a box is (class, x1, y1, x2, y2) in fractions of the side."""
    best = torch.zeros(side, side, dtype=torch.long)
    for number, *corners in boxes:
        x1, y1, x2, y2 = (round(at * side) for at in corners)
        best[y1:y2, x1:x2] = number
    return best


@pytest.mark.parametrize("side", [96, 128, 700])
def test_parts_with_a_small_gap_are_one_object_and_distant_ones_are_not(side):
    clock, bell = (CLOCK, 0.3, 0.4, 0.7, 0.9), (CLOCK, 0.3, 0.25, 0.45, 0.375)
    far = (CLOCK, 0.02, 0.02, 0.14, 0.14)
    best = class_map(side, clock, bell, far)
    areas = sorted(float(part.float().mean()) for part in _instances(best, CLOCK))
    assert len(areas) == 2
    assert areas[0] == pytest.approx(0.12**2, rel=0.1)
    assert areas[1] == pytest.approx(0.4 * 0.5 + 0.15 * 0.125, rel=0.1)


def test_parts_on_both_sides_of_an_occluder_are_one_object():
    best = class_map(128, (CLOCK, 0.1, 0.4, 0.3, 0.6), (CLOCK, 0.7, 0.4, 0.9, 0.6))
    assert len(_instances(best, CLOCK)) == 2
    best = class_map(
        128, (CLOCK, 0.1, 0.4, 0.3, 0.6), (CHAIR, 0.3, 0.3, 0.7, 0.7), (CLOCK, 0.7, 0.4, 0.9, 0.6)
    )
    assert len(_instances(best, CLOCK)) == 1 and len(_instances(best, CHAIR)) == 1
