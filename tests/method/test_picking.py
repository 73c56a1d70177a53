"""An object is picked by mask, point, words or number."""

import pytest
import torch
from objects import box_mask, three_objects

from amodal.core import detections, picking
from amodal.core.errors import BadInput


def test_pick_prefers_mask_then_point_words_index_and_size():
    objects, mask = three_objects(), box_mask(11, 9, 30, 28)[None]
    assert picking.pick(objects, mask, (3, 3), "cup", 2) == (mask, "cup")
    assert picking.pick(objects, mask)[1] == "teddy bear"
    assert torch.equal(picking.pick(objects, None, (3, 3), "teddy bear", 2)[0][0], objects.masks[0])
    assert torch.equal(picking.pick(objects, None, None, "teddy bear", 2)[0][0], objects.masks[1])
    assert torch.equal(picking.pick(objects, None, None, "", 2)[0][0], objects.masks[2])
    picked, label = picking.pick(objects)
    assert label == "teddy bear" and picked.shape == (1, 30, 40)


def test_a_picked_mask_needs_no_objects_but_takes_their_size():
    assert picking.pick(None, box_mask(0, 0, 3, 3), words="cup")[1] == "cup"
    small = torch.zeros(15, 20)
    small[4:14, 5:15] = 1
    mask, label = picking.pick(three_objects(), small)
    assert mask.shape == (1, 30, 40) and label == "teddy bear"


def test_a_point_picks_the_smallest_of_overlapping_objects():
    assert picking.at_point(three_objects(), 11, 10) == 0


@pytest.mark.parametrize("words", ["cup", "CUP ", "cup.", "saucer, cup", "teddy bear; cup"])
def test_words_pick_the_highest_score(words):
    assert picking.by_words(three_objects(), words) == 0


@pytest.mark.parametrize("words", ["teddy  Bear", "teddy bear . saucer ."])
def test_labels_are_equal_in_any_case_and_spacing(words):
    assert picking.by_words(three_objects(), words) == 1


@pytest.mark.parametrize("words", ["bear", "red cup", "cups", "cu", "the teddy bear", "teddy"])
def test_words_that_are_no_label_pick_nothing_but_like_it(words):
    """'red cup' must not pick any cup; the detector knows which cup is red."""
    with pytest.raises(BadInput, match="0: cup, 1: teddy bear.*Detect Objects"):
        picking.by_words(three_objects(), words)


def test_a_label_with_a_dot_is_found_by_itself():
    objects = detections.from_masks(torch.ones(1, 4, 4), ["No. 5"])
    assert picking.by_words(objects, "no. 5") == 0


@pytest.mark.parametrize("words", [" . ", ",;", "\u3001"])
def test_words_that_name_nothing_count_as_not_given(words):
    assert picking.pick(three_objects(), words=words, index=2)[1] == "cup"
    mask = box_mask(11, 9, 30, 28)[None]
    assert picking.pick(three_objects(), mask, words=words)[1] == "teddy bear"
    assert picking.pick(None, mask, words=words)[1] == ""


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"words": "zebra"}, "'zebra' is not among.*0: cup, 1: teddy bear"),
        ({"point": (1, 29)}, "hits no detected object.*0: cup"),
        ({"point": (40, 3)}, "outside the 40x30 picture"),
        ({"index": 3}, "3 is too large.*2: cup"),
        ({"mask": torch.zeros(1, 30, 40)}, "empty"),
    ],
)
def test_a_failed_pick_lists_the_detected_objects(choice, message):
    with pytest.raises(BadInput, match=message):
        picking.pick(three_objects(), **choice)


def test_picking_without_objects_is_refused():
    with pytest.raises(BadInput, match="not connected"):
        picking.pick()
    with pytest.raises(BadInput, match="nothing was detected"):
        picking.pick(detections.from_masks(torch.zeros(1, 4, 4), []))


@pytest.mark.parametrize(
    ("text", "point"),
    [("120,84", (120, 84)), (" 3.5 , 7 ", (3.5, 7)), ("(1, 2)", (1, 2)), ("", None)],
)
def test_as_point_reads_pixels(text, point):
    assert picking.as_point(text) == point


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("0.5,0.25", (20, 7.5)),
        (".5 , .25", (20, 7.5)),
        ("0.0,0.0", (0, 0)),
        ("1,0", (1, 0)),
        ("0.5,20", (0.5, 20)),
        ("0.5,1.5", (0.5, 1.5)),
        ("-0.1,0.5", (-0.1, 0.5)),
    ],
)
def test_two_decimals_from_0_to_1_are_fractions_of_the_size(text, point):
    assert picking.as_point(text, (30, 40)) == pytest.approx(point)


def test_a_fraction_picks_the_same_object_at_any_size():
    small = three_objects()
    large = detections.from_masks(small.masks.repeat_interleave(3, 1).repeat_interleave(3, 2), [])
    for text, wanted in (("0.1,0.2", 0), ("0.85,0.1", 2)):
        for objects in (small, large):
            point = picking.as_point(text, tuple(objects.masks.shape[-2:]))
            assert picking.at_point(objects, *point) == wanted


def test_the_fraction_1_is_the_last_pixel():
    x, y = picking.as_point("1.0,1.0", (30, 40))
    assert (int(x), int(y)) == (39, 29)


@pytest.mark.parametrize("text", ["12", "a,b", "1,2,3"])
def test_a_text_that_is_not_a_point_is_refused(text):
    with pytest.raises(BadInput, match="is not a point"):
        picking.as_point(text)


@pytest.mark.parametrize("text", ["1" * 100_000, "1" * 100_000 + ",", ".5" * 50_000])
def test_a_long_text_of_digits_is_refused_at_once(text):
    with pytest.raises(BadInput, match="is not a point"):
        picking.as_point(text)
