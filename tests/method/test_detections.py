"""Objects: made from masks and cleaned of duplicates."""

import pytest
import torch
from objects import box_mask, three_objects

from amodal.core import detections
from amodal.core.errors import BadInput


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
