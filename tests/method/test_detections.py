"""Making, cleaning and choosing objects."""

import pytest
import torch

from amodal.core import detections
from amodal.core.errors import BadInput
from amodal.core.types import Objects


def box_mask(x0, y0, x1, y1, width=40, height=30):
    mask = torch.zeros(height, width)
    mask[y0:y1, x0:x1] = 1
    return mask


def some() -> Objects:
    masks = [box_mask(2, 2, 12, 12), box_mask(10, 8, 30, 28), box_mask(32, 2, 36, 6)]
    return detections.from_masks(
        torch.stack(masks), ["cup", "teddy bear", "cup"], torch.tensor([0.9, 0.8, 0.7])
    )


def test_from_masks_names_what_has_no_label_and_drops_what_is_empty():
    masks = torch.stack([box_mask(0, 0, 3, 4), box_mask(0, 0, 0, 0), box_mask(5, 6, 8, 9)])
    found = detections.from_masks(masks, ["cup"])
    assert found.labels == ["cup", "object 3"]
    assert found.boxes.tolist() == [[0, 0, 3, 4], [5, 6, 8, 9]]
    assert found.scores.tolist() == [1, 1] and found.masks.shape == (2, 30, 40)


def test_from_masks_refuses_more_labels_than_masks():
    with pytest.raises(BadInput, match="3 words for 1 masks"):
        detections.from_masks(torch.ones(1, 4, 4), ["a", "b", "c"])


def test_no_objects_at_all_are_objects_too():
    found = detections.from_masks(torch.zeros(2, 8, 8), [])
    assert len(found) == 0 and found.masks.shape == (0, 8, 8) and found.boxes.shape == (0, 4)


def test_of_two_alike_the_better_scored_stays():
    masks = torch.stack([box_mask(0, 0, 10, 10), box_mask(1, 0, 11, 10), box_mask(8, 0, 18, 10)])
    found = detections.from_masks(masks, ["dog", "cat", "cow"], torch.tensor([0.5, 0.9, 0.4]))
    kept = detections.distinct(found)
    assert kept.labels == ["cat", "cow"]
    assert kept.scores.tolist() == pytest.approx([0.9, 0.4])


def test_the_query_comes_first_and_owns_its_pixels():
    modal = box_mask(10, 8, 30, 27)[None]
    found = detections.with_query(some(), modal)
    assert found.labels == ["teddy bear", "cup", "cup"]
    assert torch.equal(found.masks[:1], modal)
    assert not (found.masks[1:] * modal).any()
    assert found.masks[1].sum() == 100 - 8
    assert found.boxes[0].tolist() == [10, 8, 30, 27]


def test_detections_of_the_query_or_inside_it_are_dropped():
    modal = box_mask(0, 0, 31, 30)[None]
    found = detections.with_query(some(), modal)
    assert found.labels == ["query", "cup"]  # no detection is alike; the bear lies inside


def test_a_thin_rim_left_of_a_detection_is_no_neighbour():
    modal = box_mask(10, 10, 30, 28)[None]
    rim = box_mask(5, 9, 20, 16)  # 46 % of it is left: 5 wide on the left, 1 above
    assert len(detections.with_query(detections.from_masks(rim, ["rim"]), modal)) == 2
    rim = box_mask(10, 9, 20, 14) + box_mask(30, 9, 31, 14)  # a row above, a column beside
    assert detections.with_query(detections.from_masks(rim, ["rim"]), modal).labels == ["query"]
    thin_but_whole = box_mask(31, 5, 32, 30)
    assert len(detections.with_query(detections.from_masks(thin_but_whole, ["stick"]), modal)) == 2


def test_a_query_among_nothing():
    nothing = detections.from_masks(torch.zeros(1, 30, 40), [])
    found = detections.with_query(nothing, box_mask(3, 3, 9, 9)[None])
    assert found.labels == ["query"] and len(found) == 1


def test_picking_counts_mask_point_words_index_size_in_this_order():
    found, mask = some(), box_mask(11, 9, 30, 28)[None]
    assert detections.pick(found, mask, (3, 3), "cup", 2) == (mask, "cup")
    assert detections.pick(found, mask)[1] == "teddy bear"
    assert torch.equal(detections.pick(found, None, (3, 3), "teddy bear", 2)[0][0], found.masks[0])
    assert torch.equal(detections.pick(found, None, None, "teddy bear", 2)[0][0], found.masks[1])
    assert torch.equal(detections.pick(found, None, None, "", 2)[0][0], found.masks[2])
    picked, label = detections.pick(found)
    assert label == "teddy bear" and picked.shape == (1, 30, 40)


def test_a_mask_needs_no_objects_and_takes_their_size():
    assert detections.pick(None, box_mask(0, 0, 3, 3), words="cup")[1] == "cup"
    small = torch.zeros(15, 20)
    small[4:14, 5:15] = 1
    mask, label = detections.pick(some(), small)
    assert mask.shape == (1, 30, 40) and label == "teddy bear"


def test_of_overlapping_objects_a_point_takes_the_smaller():
    assert detections.at_point(some(), 11, 10) == 0


@pytest.mark.parametrize("words", ["cup", "CUP ", "a photo of a cup on a table"])
def test_words_find_the_best_scored(words):
    assert detections.by_words(some(), words) == 0


def test_words_find_parts_of_labels_and_long_labels_first():
    assert detections.by_words(some(), "bear") == 1
    assert detections.by_words(some(), "the teddy bear and a cup") == 1
    with pytest.raises(BadInput):
        detections.by_words(some(), "cu")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"words": "zebra"}, "'zebra' is not among.*0: cup, 1: teddy bear"),
        ({"point": (1, 29)}, "hits no detected object.*0: cup"),
        ({"point": (40, 3)}, "outside of the 40x30 picture"),
        ({"index": 3}, "3 is too large.*2: cup"),
        ({"mask": torch.zeros(1, 30, 40)}, "empty"),
    ],
)
def test_what_cannot_be_picked_says_what_there_is(choice, message):
    with pytest.raises(BadInput, match=message):
        detections.pick(some(), **choice)


def test_nothing_to_pick_from():
    with pytest.raises(BadInput, match="not connected"):
        detections.pick()
    with pytest.raises(BadInput, match="nothing was detected"):
        detections.pick(detections.from_masks(torch.zeros(1, 4, 4), []))


@pytest.mark.parametrize(
    ("text", "point"),
    [("120,84", (120, 84)), (" 3.5 , 7 ", (3.5, 7)), ("(1, 2)", (1, 2)), ("", None)],
)
def test_points_are_read(text, point):
    assert detections.as_point(text) == point


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
def test_two_decimals_from_0_to_1_are_fractions_of_the_picture(text, point):
    assert detections.as_point(text, (30, 40)) == pytest.approx(point)


def test_a_fraction_means_the_same_object_at_any_size_and_the_last_pixel_is_inside():
    found = some()
    large = detections.from_masks(found.masks.repeat_interleave(3, 1).repeat_interleave(3, 2), [])
    for text, wanted in (("0.1,0.2", 0), ("0.85,0.1", 2)):
        for one in (found, large):
            at = detections.as_point(text, tuple(one.masks.shape[-2:]))
            assert detections.at_point(one, *at) == wanted
    x, y = detections.as_point("1.0,1.0", (30, 40))
    assert (int(x), int(y)) == (39, 29)


@pytest.mark.parametrize("text", ["12", "a,b", "1,2,3"])
def test_what_is_no_point_is_refused(text):
    with pytest.raises(BadInput, match="is not a point"):
        detections.as_point(text)


def test_words_are_read():
    assert detections.as_words(" cup, teddy bear\nkey,,") == ["cup", "teddy bear", "key"]
