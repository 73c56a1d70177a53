"""Occluder hints: points become masks, each pass takes them over, and they override the order."""

import analysis
import pytest
import torch

from amodal.core import detections
from amodal.core.errors import BadInput
from amodal.core.types import Canvas, Crop, Objects
from amodal.method import occluder_hints, occluder_selection
from tools.host.inprocess import Failed

SIZE = (96, 128)
NOTHING = torch.zeros(1, *SIZE)


def box(x0, y0, x1, y1, size=SIZE) -> torch.Tensor:
    mask = torch.zeros(1, *size)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def four_objects() -> Objects:
    """A query, an object on either side of it, and one far away."""
    parts = [box(40, 30, 80, 60), box(80, 30, 100, 60), box(20, 30, 40, 60), box(0, 90, 9, 96)]
    return detections.from_masks(torch.cat(parts), ["query", "right", "left", "far"])


QUERY, RIGHT, LEFT, FAR = four_objects().masks.float().split(1)


def test_hints_are_points_and_not_negates_them():
    hints = occluder_hints.parse_hints("0.25,0.5; not 90,40;\n", SIZE)
    assert hints == [((32.0, 48.0), True), ((90.0, 40.0), False)]
    assert occluder_hints.parse_hints(" ", SIZE) == []


def test_hints_become_masks_in_front_and_behind():
    front, behind = occluder_hints.hint_masks(four_objects(), "90,40; not 30,40", QUERY)
    assert torch.equal(front, RIGHT) and torch.equal(behind, LEFT)


def test_the_later_of_two_hints_on_one_object_counts():
    front, behind = occluder_hints.hint_masks(four_objects(), "90,40; not 85,35", QUERY)
    assert not front.any() and torch.equal(behind, RIGHT)


def test_hints_on_several_objects_are_united():
    front, behind = occluder_hints.hint_masks(four_objects(), "90,40; 30,40; 4,92", QUERY)
    assert torch.equal(front, RIGHT + LEFT + FAR) and not behind.any()


def test_a_hint_on_the_query_itself_is_ignored():
    for mask in occluder_hints.hint_masks(four_objects(), "50,40", QUERY):
        assert not mask.any()


def test_the_pixels_of_the_query_are_taken_out_of_a_hint():
    wider = torch.maximum(QUERY, box(80, 30, 84, 60))  # overlaps a part of the hinted object
    front, _ = occluder_hints.hint_masks(four_objects(), "90,40", wider)
    assert torch.equal(front, box(84, 30, 100, 60))


def test_no_hints_need_no_objects():
    for mask in occluder_hints.hint_masks(None, "", box(0, 0, 5, 5)):
        assert mask.shape == (1, *SIZE) and not mask.any()


@pytest.mark.parametrize("word", ["NOT", "Not", "nOt"])
def test_not_counts_in_any_case(word):
    hints = occluder_hints.parse_hints(f"{word} 90,40", SIZE)
    assert hints == [((90.0, 40.0), False)]


@pytest.mark.parametrize("word", ["no", "!", "-", "nicht", "in front", "not not", "x=", "1,"])
def test_any_other_word_before_a_point_is_refused(word):
    with pytest.raises(BadInput, match="'occluder_hints' .* is not a point"):
        occluder_hints.parse_hints(f"{word} 90,40", SIZE)


@pytest.mark.parametrize("text", ["90,40", " 90 , 40 ", "(90, 40)", "[90,40]", "90 40"])
def test_usual_forms_of_a_point_are_taken(text):
    assert occluder_hints.parse_hints(text, SIZE) == [((90.0, 40.0), True)]


@pytest.mark.parametrize(
    "objects, text, message",
    [
        (None, "1,1", "there are none. Remedy: connect Detect Objects"),
        (four_objects(), "60,5", r"'occluder_hints' \(60, 5\) hits no detected object.*0: query"),
        (four_objects(), "not so", "'occluder_hints' 'so' is not a point"),
    ],
)
def test_a_hint_that_hits_no_object_is_refused(objects, text, message):
    with pytest.raises(BadInput, match=message):
        occluder_hints.hint_masks(objects, text, QUERY)


def test_in_pass_1_the_whole_hint_counts_even_apart_from_the_object():
    crop = Crop(Canvas((128, 96), (128, 96)), (40, 0, 128, 88), (88, 88))
    front, apart = box(80, 30, 128, 60), box(0, 30, 30, 60, (88, 88))
    for query in (box(0, 30, 50, 60, (88, 88)), apart):
        rest = occluder_hints.not_inpainted(front, crop, query)
        assert torch.equal(rest, box(40, 30, 88, 60, (88, 88)))


def test_inpainted_windows_are_taken_out_of_a_hint():
    canvas = Canvas((128, 96), (128, 96), inpainted=((0, 0, 90, 96),))
    crop = Crop(canvas, (40, 0, 128, 88), (88, 88))
    query, front = box(0, 30, 50, 60, (88, 88)), box(80, 30, 128, 60)
    rest = occluder_hints.not_inpainted(front, crop, query)
    assert torch.equal(rest, box(50, 30, 88, 60, (88, 88)))


def test_after_pass_1_the_rest_of_a_hint_counts_only_where_it_touches_the_object():
    canvas = Canvas((128, 96), (128, 96), inpainted=((0, 0, 90, 96),))
    crop = Crop(canvas, (40, 0, 128, 88), (88, 88))
    front = box(80, 30, 128, 60)  # its rest begins at column 50 of the crop
    apart, near = box(0, 30, 48, 60, (88, 88)), box(0, 30, 49, 60, (88, 88))  # by 3 and 2 pixels
    assert not occluder_hints.not_inpainted(front, crop, apart).any()  # more than 88 / 32
    assert occluder_hints.not_inpainted(front, crop, near).any()


def test_only_objects_mostly_inside_an_area_are_covered_by_it():
    area = box(70, 0, 91, 96)  # 11/20 of the right object, 10/40 of the query
    assert occluder_hints.covers(area, four_objects()).tolist() == [False, True, False, False]
    area = box(70, 0, 90, 96)  # exactly half of the right object
    assert not occluder_hints.covers(area, four_objects()).any()


@pytest.mark.parametrize("hinted, others", [(0.9, 0.1), (0.1, 0.9), (0.0, 1.0), (1.0, 0.0)])
def test_hints_override_the_order_model(hinted, others):
    objects, order = four_objects(), occluder_selection.unknown(4)
    order[1, 0], order[2, 0] = hinted, others
    for front, behind, chosen in ((RIGHT, LEFT, 1), (LEFT, RIGHT, 2)):
        result, hinted_order = occluder_hints.apply_hints(objects, order, QUERY, front, behind)
        assert (hinted_order[chosen, 0], hinted_order[3 - chosen, 0]) == (1, 0)
        mask, numbers = occluder_selection.occluders(result, hinted_order, QUERY, 0.5)
        assert numbers == [chosen] and torch.equal(mask, front)


def test_of_contradicting_hints_the_one_in_front_counts():
    order = occluder_selection.unknown(4)
    _, order = occluder_hints.apply_hints(four_objects(), order, QUERY, RIGHT, RIGHT)
    assert order[1, 0] == 1


def test_hints_change_only_the_hinted_entries_of_the_order():
    given = torch.rand(4, 4)
    given.fill_diagonal_(float("nan"))
    before = given.clone()
    objects, order = occluder_hints.apply_hints(four_objects(), given, QUERY, RIGHT, LEFT)
    expected = before.clone()
    expected[1, 0], expected[2, 0] = 1, 0
    assert torch.equal(order.nan_to_num(-1), expected.nan_to_num(-1))
    assert torch.equal(given.nan_to_num(-1), before.nan_to_num(-1))  # the input stays
    assert objects.labels == four_objects().labels
    assert torch.equal(objects.masks, four_objects().masks)


def test_without_hints_objects_and_order_stay():
    given, order = four_objects(), torch.rand(4, 4)
    objects, result = occluder_hints.apply_hints(given, order, QUERY, NOTHING, NOTHING)
    assert objects is given and torch.equal(result, order)


def test_the_query_is_never_its_own_occluder():
    everywhere, order = torch.ones(1, *SIZE), occluder_selection.unknown(4)
    objects, order = occluder_hints.apply_hints(four_objects(), order, QUERY, everywhere, NOTHING)
    assert torch.isnan(order.diagonal()).all()
    mask, numbers = occluder_selection.occluders(objects, order, QUERY, 0.5)
    assert numbers == [1, 2, 3] and torch.equal(mask, 1 - QUERY)
    _, order = occluder_hints.apply_hints(four_objects(), order, QUERY, NOTHING, everywhere)
    assert torch.isnan(order.diagonal()).all()


def test_the_whole_hinted_area_hides_the_query_though_the_segmenter_found_a_part_of_it():
    given, front = four_objects(), box(80, 20, 110, 60)
    objects, order = occluder_hints.apply_hints(
        given, occluder_selection.unknown(4), QUERY, front, NOTHING
    )
    mask, numbers = occluder_selection.occluders(objects, order, QUERY, 0.5)
    assert numbers == [1] and torch.equal(mask, front)
    assert objects.boxes[1].tolist() == [80, 20, 110, 60]
    assert torch.equal(given.masks, four_objects().masks)  # the input stays


def test_a_hinted_occluder_that_the_segmenter_missed_becomes_an_object():
    given = detections.from_masks(torch.cat([QUERY, FAR]), ["query", "far"])
    objects, order = occluder_hints.apply_hints(
        given, torch.tensor([[float("nan"), 0.3], [0.2, float("nan")]]), QUERY, RIGHT, NOTHING
    )
    assert objects.labels == ["query", "far", occluder_hints.LABEL]
    assert torch.equal(objects.masks.float(), torch.cat([QUERY, FAR, RIGHT]))
    assert objects.boxes[2].tolist() == [80, 30, 100, 60] and objects.scores[2] == 1
    expected = torch.tensor([[-1, 0.3, -1], [0.2, -1, -1], [1, -1, -1]])
    assert torch.equal(order.nan_to_num(-1), expected)
    mask, numbers = occluder_selection.occluders(objects, order, QUERY, 0.5)
    assert numbers == [2] and torch.equal(mask, RIGHT)


def test_hints_for_another_query_or_order_are_refused():
    with pytest.raises(BadInput, match="'modal_mask' matches none of the 4 objects"):
        occluder_hints.apply_hints(
            four_objects(), torch.zeros(4, 4), box(60, 0, 70, 5), RIGHT, NOTHING
        )
    with pytest.raises(BadInput, match="'order' covers 3 objects, but 4 were given"):
        occluder_hints.apply_hints(four_objects(), torch.zeros(3, 3), QUERY, RIGHT, NOTHING)


class NothingInFront:
    """An order model for which no object hides another."""

    def order(self, image, masks, pairs):
        order = occluder_selection.unknown(len(masks))
        for i, j in pairs:
            order[i, j] = order[j, i] = 0.0
        return order


def picked(graph, hints: str, height: int = 96):
    """The scene, resized to a height in pixels, and Pick Object on its plate."""
    image, _ = analysis.scene()
    size = (height, height * 4 // 3)
    image = torch.nn.functional.interpolate(image.movedim(-1, 1), size, mode="nearest")
    image = graph.value(f"scene {height}", image.movedim(1, -1))
    segmenter = graph.value("by colour", analysis.ByColour())
    objects = graph.add("AmodalDetectObjects", image=image, segmenter=segmenter)
    pick = graph.add("AmodalPickObject", objects=objects, words="plate", occluder_hints=hints)
    return image, pick


BALL = "0.34,0.62"


@pytest.mark.parametrize("height", [96, 192])
def test_a_hint_marks_the_same_object_at_any_size(host, graph, height):
    _, pick = picked(graph, f"{BALL}; not 0.92,0.1", height)
    values = host.run(graph.keep(front=pick[2], behind=pick[3])).values
    shares = values["front"].mean(), values["behind"].mean()
    assert float(shares[0]) == pytest.approx(float(analysis.disc(44, 60, 14).mean()), rel=0.02)
    assert float(shares[1]) == pytest.approx(float(analysis.disc(118, 10, 7).mean()), rel=0.02)
    assert values["front"].shape == (1, height, height * 4 // 3)


def passes(graph, hints: str, order_model):
    """A loop that adds the inpaint mask to the object, but paints nothing.

    The ball therefore stays in the picture, and the segmenter finds it again in every pass.
    """
    image, pick = picked(graph, hints)
    start = graph.add("AmodalLoopStart", image=image, modal_mask=pick)
    crop = graph.add(
        "AmodalCropToObject", image=start[1], modal_mask=start[2], canvas=start[3], size=128
    )
    objects = graph.add("AmodalDetectObjects", image=crop[0], segmenter=graph.value("by colour"))
    order = graph.add(
        "AmodalOrderObjects",
        image=crop[0],
        objects=objects,
        modal_mask=crop[1],
        order_model=graph.value(type(order_model).__name__, order_model),
    )
    hinted = graph.add(
        "AmodalApplyOccluderHints",
        objects=order[1],
        order=order,
        modal_mask=crop[1],
        front_hint=pick[2],
        behind_hint=pick[3],
        crop=crop[3],
    )
    select = graph.add(
        "AmodalSelectOccluders",
        image=crop[0],
        objects=hinted[1],
        order=hinted,
        modal_mask=crop[1],
    )
    check = graph.add(
        "AmodalCheckOcclusion",
        occluder_mask=select,
        padding_mask=crop[2],
        modal_mask=crop[1],
        occlusion=select[1],
        dilate=0.0,
    )
    amodal = graph.add(
        "MaskComposite", destination=crop[1], source=check, x=0, y=0, operation="add"
    )
    back = graph.add(
        "AmodalPasteBack",
        image=start[1],
        modal_mask=start[2],
        crop=crop[3],
        completed=crop[0],
        amodal_mask=amodal,
        inpaint_mask=check,
    )
    end = graph.add(
        "AmodalLoopEnd",
        loop=start,
        occluded=check[1],
        occlusion=check[2],
        image=back,
        amodal_mask=back[1],
        canvas=back[2],
        max_passes=6,
    )
    return graph.keep(status=end[3], passes=end[4], report=end[5], mask=end[1], warnings=end[6])


def test_a_hinted_occluder_hides_the_object_until_a_pass_has_painted_over_it(host, graph):
    values = host.run(passes(graph, BALL, NothingInFront())).values
    assert (values["status"], values["passes"], values["warnings"]) == ("completed", 1, "")
    assert values["report"].startswith("pass 1: hidden by ball")
    ball = analysis.disc(44, 60, 14)
    assert (values["mask"][0] * ball).sum() > 0.9 * ball.sum()


def test_without_a_hint_the_order_model_decides(host, graph):
    values = host.run(passes(graph, "", NothingInFront())).values
    assert (values["status"], values["passes"]) == ("nothing to complete", 0)


def test_a_negated_hint_keeps_an_object_from_being_an_occluder_in_any_pass(host, graph):
    values = host.run(passes(graph, f"not {BALL}", analysis.BallInFront())).values
    assert (values["status"], values["passes"]) == ("nothing to complete", 0)


def hints_node(graph, **inputs):
    """Apply Occluder Hints on the four objects, with an order that knows nothing."""
    return graph.add(
        "AmodalApplyOccluderHints",
        objects=graph.value("four objects", four_objects()),
        order=graph.value("unknown", occluder_selection.unknown(4)),
        modal_mask=graph.value("query", QUERY),
        **inputs,
    )


def test_without_a_crop_the_hints_belong_to_the_whole_picture(host, graph):
    small = torch.nn.functional.interpolate(RIGHT[None], scale_factor=0.5, mode="nearest")[0]
    node = hints_node(graph, front_hint=graph.value("half the size", small))
    values = host.run(graph.keep(order=node[0], objects=node[1])).values
    assert values["order"][1, 0] == 1 and torch.isnan(values["order"]).sum() == 15
    assert torch.equal(values["objects"].masks[1:2].float(), RIGHT)


def test_hints_may_be_left_open(host, graph):
    node = hints_node(graph)
    values = host.run(graph.keep(order=node[0], objects=node[1])).values
    assert torch.isnan(values["order"]).all() and len(values["objects"]) == 4


def test_a_crop_of_other_objects_is_refused(host, graph):
    crop = Crop(Canvas.whole(128, 96), (0, 0, 96, 96), (64, 64))
    node = hints_node(graph, crop=graph.value("another crop", crop))
    with pytest.raises(Failed, match="Apply Occluder Hints.*'crop' is not the crop of these"):
        host.run(graph.keep(order=node[0]))
