"""Objects: made from masks, cleaned of duplicates, and picked."""

import pytest
import torch

from amodal.core import detections
from amodal.core.errors import BadInput
from amodal.core.types import Objects


def box_mask(x0, y0, x1, y1, width=40, height=30):
    mask = torch.zeros(height, width)
    mask[y0:y1, x0:x1] = 1
    return mask


def three_objects() -> Objects:
    """A cup, a teddy bear that overlaps it, and a small cup apart from both."""
    masks = [box_mask(2, 2, 12, 12), box_mask(10, 8, 30, 28), box_mask(32, 2, 36, 6)]
    return detections.from_masks(
        torch.stack(masks), ["cup", "teddy bear", "cup"], torch.tensor([0.9, 0.8, 0.7])
    )


def test_from_masks_names_unlabelled_masks_and_drops_empty_ones():
    masks = torch.stack([box_mask(0, 0, 3, 4), box_mask(0, 0, 0, 0), box_mask(5, 6, 8, 9)])
    objects = detections.from_masks(masks, ["cup"])
    assert objects.labels == ["cup", "object 3"]
    assert objects.boxes.tolist() == [[0, 0, 3, 4], [5, 6, 8, 9]]
    assert objects.scores.tolist() == [1, 1] and objects.masks.shape == (2, 30, 40)


def test_from_masks_refuses_more_labels_than_masks():
    with pytest.raises(BadInput, match="3 words for 1 masks"):
        detections.from_masks(torch.ones(1, 4, 4), ["a", "b", "c"])


def test_empty_masks_alone_give_zero_objects():
    objects = detections.from_masks(torch.zeros(2, 8, 8), [])
    assert len(objects) == 0 and objects.masks.shape == (0, 8, 8) and objects.boxes.shape == (0, 4)


def test_of_two_similar_detections_the_higher_score_stays():
    masks = torch.stack([box_mask(0, 0, 10, 10), box_mask(1, 0, 11, 10), box_mask(8, 0, 18, 10)])
    objects = detections.from_masks(masks, ["dog", "cat", "cow"], torch.tensor([0.5, 0.9, 0.4]))
    kept = detections.distinct(objects)
    assert kept.labels == ["cat", "cow"]
    assert kept.scores.tolist() == pytest.approx([0.9, 0.4])


def test_the_query_comes_first_and_its_pixels_are_removed_from_the_others():
    modal = box_mask(10, 8, 30, 27)[None]
    objects = detections.with_query(three_objects(), modal)
    assert objects.labels == ["teddy bear", "cup", "cup"]
    assert torch.equal(objects.masks[:1], modal)
    assert not (objects.masks[1:] * modal).any()
    assert objects.masks[1].sum() == 100 - 8
    assert objects.boxes[0].tolist() == [10, 8, 30, 27]


def test_detections_of_the_query_and_parts_of_it_are_dropped():
    """A part has the query's label, or is a speck, or covers so much that it is the query."""
    modal = box_mask(0, 0, 31, 30)[None]
    parts = box_mask(0, 0, 30, 29), box_mask(2, 2, 12, 12), box_mask(20, 20, 22, 22)
    objects = detections.from_masks(
        torch.stack([*parts, box_mask(0, 0, 20, 22)]), ["couch", "couch", "cup", "bear"]
    )
    assert detections.with_query(objects, modal).labels == ["couch"]


def test_an_object_that_lies_on_the_query_keeps_its_pixels():
    modal = box_mask(0, 0, 31, 30)[None]
    couch, cat = box_mask(0, 0, 30, 29), box_mask(4, 4, 14, 14)
    objects = detections.from_masks(torch.stack([couch, cat]), ["couch", "cat"])
    together = detections.with_query(objects, modal)
    assert together.labels == ["couch", "cat"]
    assert torch.equal(together.masks[1], cat)
    assert torch.equal(together.masks[0], modal[0] * (1 - cat))


def test_other_objects_are_told_apart_by_the_querys_label():
    cow, other_cow, man = box_mask(2, 5, 12, 20), box_mask(12, 5, 22, 20), box_mask(25, 2, 30, 28)
    objects = detections.from_masks(torch.stack([cow, other_cow, man]), ["cow", "cow", "man"])
    same, other = detections.others(objects, cow)
    assert torch.equal(same, other_cow) and torch.equal(other, man)
    same, other = detections.others(objects, box_mask(0, 25, 5, 30))  # none of them is the query
    assert not same.any() and torch.equal(other, torch.stack([cow, other_cow, man]).amax(0))


def test_a_detection_of_which_only_a_thin_rim_is_left_is_dropped():
    modal = box_mask(10, 10, 30, 28)[None]
    rim = box_mask(5, 9, 20, 16)  # 46 % of it is left: 5 wide on the left, 1 above
    assert len(detections.with_query(detections.from_masks(rim, ["rim"]), modal)) == 2
    rim = box_mask(10, 9, 20, 14) + box_mask(30, 9, 31, 14)  # a row above, a column beside
    assert detections.with_query(detections.from_masks(rim, ["rim"]), modal).labels == ["query"]
    thin_but_whole = box_mask(31, 5, 32, 30)
    assert len(detections.with_query(detections.from_masks(thin_but_whole, ["stick"]), modal)) == 2


def test_a_query_without_detections_is_the_only_object():
    nothing = detections.from_masks(torch.zeros(1, 30, 40), [])
    objects = detections.with_query(nothing, box_mask(3, 3, 9, 9)[None])
    assert objects.labels == ["query"] and len(objects) == 1


def test_pick_prefers_mask_then_point_words_index_and_size():
    objects, mask = three_objects(), box_mask(11, 9, 30, 28)[None]
    assert detections.pick(objects, mask, (3, 3), "cup", 2) == (mask, "cup")
    assert detections.pick(objects, mask)[1] == "teddy bear"
    assert torch.equal(
        detections.pick(objects, None, (3, 3), "teddy bear", 2)[0][0], objects.masks[0]
    )
    assert torch.equal(
        detections.pick(objects, None, None, "teddy bear", 2)[0][0], objects.masks[1]
    )
    assert torch.equal(detections.pick(objects, None, None, "", 2)[0][0], objects.masks[2])
    picked, label = detections.pick(objects)
    assert label == "teddy bear" and picked.shape == (1, 30, 40)


def test_a_picked_mask_needs_no_objects_but_takes_their_size():
    assert detections.pick(None, box_mask(0, 0, 3, 3), words="cup")[1] == "cup"
    small = torch.zeros(15, 20)
    small[4:14, 5:15] = 1
    mask, label = detections.pick(three_objects(), small)
    assert mask.shape == (1, 30, 40) and label == "teddy bear"


def test_a_point_picks_the_smallest_of_overlapping_objects():
    assert detections.at_point(three_objects(), 11, 10) == 0


@pytest.mark.parametrize("words", ["cup", "CUP ", "cup.", "saucer, cup", "teddy bear; cup"])
def test_words_pick_the_highest_score(words):
    assert detections.by_words(three_objects(), words) == 0


@pytest.mark.parametrize("words", ["teddy  Bear", "teddy bear . saucer ."])
def test_labels_are_equal_in_any_case_and_spacing(words):
    assert detections.by_words(three_objects(), words) == 1


@pytest.mark.parametrize("words", ["bear", "red cup", "cups", "cu", "the teddy bear", "teddy"])
def test_words_that_are_no_label_pick_nothing_but_like_it(words):
    """'red cup' must not pick any cup; the detector knows which cup is red."""
    with pytest.raises(BadInput, match="0: cup, 1: teddy bear.*Detect Objects"):
        detections.by_words(three_objects(), words)


def test_a_label_with_a_dot_is_found_by_itself():
    objects = detections.from_masks(torch.ones(1, 4, 4), ["No. 5"])
    assert detections.by_words(objects, "no. 5") == 0


@pytest.mark.parametrize("words", [" . ", ",;", "\u3001"])
def test_words_that_name_nothing_count_as_not_given(words):
    assert detections.pick(three_objects(), words=words, index=2)[1] == "cup"
    mask = box_mask(11, 9, 30, 28)[None]
    assert detections.pick(three_objects(), mask, words=words)[1] == "teddy bear"
    assert detections.pick(None, mask, words=words)[1] == ""


@pytest.mark.parametrize(
    "label, name",
    [("red mug", "red mug"), ("", "single object"), (" ", "single object")]
    + [("object 3", "single object"), ("object", "object"), ("object 3 b", "object 3 b")],
)
def test_a_prompt_always_has_a_name(label, name):
    assert detections.name_in_prompt(label) == name


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
        detections.pick(three_objects(), **choice)


def test_picking_without_objects_is_refused():
    with pytest.raises(BadInput, match="not connected"):
        detections.pick()
    with pytest.raises(BadInput, match="nothing was detected"):
        detections.pick(detections.from_masks(torch.zeros(1, 4, 4), []))


@pytest.mark.parametrize(
    ("text", "point"),
    [("120,84", (120, 84)), (" 3.5 , 7 ", (3.5, 7)), ("(1, 2)", (1, 2)), ("", None)],
)
def test_as_point_reads_pixels(text, point):
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
def test_two_decimals_from_0_to_1_are_fractions_of_the_size(text, point):
    assert detections.as_point(text, (30, 40)) == pytest.approx(point)


def test_a_fraction_picks_the_same_object_at_any_size():
    small = three_objects()
    large = detections.from_masks(small.masks.repeat_interleave(3, 1).repeat_interleave(3, 2), [])
    for text, wanted in (("0.1,0.2", 0), ("0.85,0.1", 2)):
        for objects in (small, large):
            point = detections.as_point(text, tuple(objects.masks.shape[-2:]))
            assert detections.at_point(objects, *point) == wanted


def test_the_fraction_1_is_the_last_pixel():
    x, y = detections.as_point("1.0,1.0", (30, 40))
    assert (int(x), int(y)) == (39, 29)


@pytest.mark.parametrize("text", ["12", "a,b", "1,2,3"])
def test_a_text_that_is_not_a_point_is_refused(text):
    with pytest.raises(BadInput, match="is not a point"):
        detections.as_point(text)


SEPARATORS = ",.;|\n\r\uff0c\uff0e\uff1b\uff5c\u3001\u3002\uff64\uff61\u2028\u2029\x85\f\v"


@pytest.mark.parametrize("between", SEPARATORS, ids=lambda c: f"U+{ord(c):04X}")
def test_as_words_splits_at_every_separator(between):
    text = f"{between} cup {between}teddy\u3000  bear{between}{between} key {between}"
    assert detections.as_words(text) == ["cup", "teddy bear", "key"]
    assert detections.as_words(between * 3) == []


def test_as_words_takes_captions_and_mixed_separators():
    assert detections.as_words("cat . dog .") == ["cat", "dog"]
    assert detections.as_words("red mug;\r\ncat|t-shirt, o'clock") == [
        "red mug",
        "cat",
        "t-shirt",
        "o'clock",
    ]


def test_the_query_is_the_object_whose_mask_is_most_like_the_modal_mask():
    modal = box_mask(11, 9, 30, 28)[None]
    objects, order = three_objects(), torch.zeros(3, 3)
    assert detections.index_of_query(objects, order, modal) == 1
    with pytest.raises(BadInput, match="'modal_mask' matches none of the 3 objects.*best IoU 0.00"):
        detections.index_of_query(objects, order, box_mask(0, 29, 5, 30)[None])
    with pytest.raises(BadInput, match="'order' covers 2 objects, but 3 were given"):
        detections.index_of_query(objects, torch.zeros(2, 2), modal)


@pytest.mark.parametrize("side", [64, 512, 4096])
def test_a_small_object_of_a_large_picture_is_no_speck(side):
    """What is left of a detection counts by its share of it, whatever the picture's size."""

    def left(shape: tuple[slice, slice], taken: tuple[slice, slice]) -> bool:
        mask = torch.zeros(side, side)
        mask[shape] = 1
        visible = mask.clone()
        visible[taken] = 0
        return not detections.is_leftover(visible, mask)

    nothing = slice(0, 0), slice(0, 0)
    bird = slice(30, 38), slice(10, 20)
    assert left(bird, nothing) and left(bird, (slice(0, 34), slice(0, side)))
    assert not left(bird, (slice(0, side), slice(0, side)))
    assert not left(bird, (slice(31, 37), slice(11, 19)))  # a rim
    assert not left((slice(60, 61), slice(60, 61)), nothing)  # one pixel


def test_masks_that_are_all_kept_in_their_order_are_not_copied():
    masks = torch.zeros(3, 20, 20)
    for i, mask in enumerate(masks):
        mask[5 * i : 5 * i + 4, 3:9] = 1
    made = detections.from_masks(masks, [])
    assert made.masks.dtype == torch.bool
    assert detections.distinct(made).masks.data_ptr() == made.masks.data_ptr()
