"""Neighbours, their order, and the query's occluders."""

import math
from dataclasses import asdict

import pytest
import torch

from amodal.core import detections
from amodal.core.errors import BadInput
from amodal.core.types import Canvas, Crop, OcclusionReport
from amodal.method import occluder_hints, occluder_selection
from tools.host.inprocess import Failed

SIZE = 64


def disc(x, y, radius):
    """[SIZE, SIZE] with a disc set."""
    ys, xs = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return ((xs - x) ** 2 + (ys - y) ** 2 < radius**2).float()


def scene():
    """A cat (the query), yarn in front of it, and a key far away."""
    yarn = disc(36, 32, 8)
    cat = disc(26, 32, 12) * (1 - yarn)
    return detections.from_masks(torch.stack([cat, yarn, disc(58, 5, 4)]), ["cat", "yarn", "key"])


class Recorder:
    """An order model with fixed answers that records its calls."""

    def __init__(self, answers):
        self.answers, self.calls = answers, []

    def order(self, image, masks, pairs):
        self.calls.append((image.shape, masks.shape, pairs))
        result = occluder_selection.unknown(len(masks))
        for i, j in pairs:
            result[i, j], result[j, i] = self.answers[i][j], self.answers[j][i]
        return result


IMAGE = torch.rand(1, SIZE, SIZE, 3)


def test_only_neighbours_are_compared_all_in_one_call():
    model = Recorder([[0, 0.1, 0], [0.9, 0, 0], [0, 0, 0]])
    order = occluder_selection.by_model(model, IMAGE, scene(), 0.03)
    assert model.calls == [((SIZE, SIZE, 3), (3, SIZE, SIZE), [(0, 1)])]
    assert order[1, 0] == pytest.approx(0.9) and order[0, 1] == pytest.approx(0.1)
    assert torch.isnan(order).sum() == 7


def test_without_neighbours_the_model_is_not_called():
    model = Recorder([])
    apart = detections.from_masks(torch.stack([disc(8, 8, 4), disc(56, 56, 4)]), [])
    order = occluder_selection.by_model(model, IMAGE, apart, 0.03)
    assert order.shape == (2, 2) and torch.isnan(order).all()
    no_objects = detections.from_masks(torch.zeros(1, SIZE, SIZE), [])
    assert occluder_selection.by_model(model, IMAGE, no_objects, 0.03).shape == (0, 0)
    assert model.calls == []


@pytest.mark.parametrize("gap", [0, 1, 2, 4, 6])
def test_max_gap_is_the_distance_between_the_masks(gap):
    left, right = torch.zeros(SIZE, SIZE), torch.zeros(SIZE, SIZE)
    left[20:40, 10:20] = 1
    right[20:40, 20 + gap : 30 + gap] = 1
    objects = detections.from_masks(torch.stack([left, right]), [])
    max_gap = 3 / math.hypot(SIZE, SIZE)
    assert bool(occluder_selection.neighbours(objects, max_gap)) == (gap + 1 <= 3)  # pixel centres


@pytest.mark.parametrize("bright_is_near", [True, False])
def test_depth_is_compared_where_the_objects_meet(bright_is_near):
    objects = scene()
    depth = torch.full((SIZE, SIZE), 0.2)
    slope = torch.linspace(0.9, 0.4, SIZE).expand(SIZE, SIZE)
    depth = torch.where(objects.masks[0] > 0, slope, depth)
    depth = torch.where(objects.masks[1] > 0, 0.74, depth)
    assert depth[objects.masks[0] > 0].max() > 0.74  # the cat's far side is nearer than the yarn
    if not bright_is_near:
        depth = 1 - depth
    picture = depth[None, ..., None].expand(1, SIZE, SIZE, 3)
    order = occluder_selection.by_depth(picture, objects, 0.03, bright_is_near)
    assert order[1, 0] > 0.9 and float(order[0, 1] + order[1, 0]) == pytest.approx(1)
    assert torch.isnan(order[2]).all() and torch.isnan(order[:, 2]).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("bright", [False, True])
def test_a_flat_depth_picture_is_refused_with_the_remedy(value, unknown, bright):
    """A 16-bit file that was clipped is white, but for some pixels of unknown depth."""
    depth = torch.full((1, SIZE, SIZE, 3), value)
    if unknown:
        depth[0, :2, :2] = 1 - value
    for objects in (scene(), detections.from_masks(torch.zeros(1, SIZE, SIZE), [])):
        if unknown and not len(objects):
            continue  # nothing to order, and the picture is not all one value
        with pytest.raises(BadInput, match=f"'depth' is {value:.3g} .*16-bit file"):
            occluder_selection.by_depth(depth, objects, 0.03, bright)


def test_a_step_of_16_bits_at_the_contact_is_no_flat_picture():
    objects = scene()
    depth = torch.full((1, SIZE, SIZE, 3), 0.5)
    depth[0, objects.masks[1] > 0.5] += 1 / 65535
    order = occluder_selection.by_depth(depth, objects, 0.03, True)
    assert order[1, 0] > 0.9 > 0.1 > order[0, 1]


def test_equal_depths_in_a_picture_with_depth_are_undecided():
    objects = scene()
    depth = torch.linspace(0, 1, SIZE).expand(1, SIZE, SIZE)[..., None].repeat(1, 1, 1, 3)
    depth[0, objects.masks.any(0)] = 0.5
    order = occluder_selection.by_depth(depth, objects, 0.03, True)
    assert order[0, 1] == order[1, 0] == 0.5


def test_occluders_are_the_objects_in_front_minus_the_modal_mask():
    modal = torch.maximum(scene().masks[:1].float(), disc(34, 32, 3)[None])
    objects = detections.with_query(scene(), modal)
    order = occluder_selection.unknown(3)
    order[1, 0], order[0, 1] = 0.8, 0.6  # mutual occlusion is allowed
    mask, chosen = occluder_selection.occluders(objects, order, modal, 0.5)
    assert chosen == [1] and objects.labels[1] == "yarn"
    assert torch.equal(mask[0] > 0, objects.masks[1]) and not (mask * modal).any()
    empty, chosen = occluder_selection.occluders(objects, order, modal, 0.9)
    assert chosen == [] and empty.shape == modal.shape and not empty.any()


def test_pixels_of_the_modal_mask_are_never_occluded():
    modal = torch.maximum(scene().masks[:1].float(), disc(34, 32, 3)[None])
    order = occluder_selection.unknown(3)
    order[1, 0] = 1
    mask, chosen = occluder_selection.occluders(scene(), order, modal, 0.5)  # the yarn overlaps
    assert chosen == [1] and torch.equal(mask[0], scene().masks[1] * (1 - modal[0]))


def test_a_probability_of_exactly_the_threshold_is_not_enough():
    order = occluder_selection.unknown(3)
    order[1, 0] = 0.5
    assert occluder_selection.occluders(scene(), order, scene().masks[:1].float(), 0.5)[1] == []
    assert occluder_selection.occluders(scene(), order, scene().masks[:1].float(), 0.49)[1] == [1]


def test_several_occluders_are_united():
    objects = detections.from_masks(
        torch.stack([disc(32, 32, 10), disc(46, 32, 6), disc(18, 32, 6)]), []
    )
    objects = detections.with_query(objects, objects.masks[:1].float())
    order = occluder_selection.unknown(3)
    order[1, 0] = order[2, 0] = 0.99
    mask, chosen = occluder_selection.occluders(objects, order, objects.masks[:1].float(), 0.5)
    assert chosen == [1, 2]
    assert torch.equal(mask[0] > 0, objects.masks[1:3].any(0))


def test_a_modal_mask_that_matches_no_object_is_refused():
    order, modal = occluder_selection.unknown(3), disc(5, 60, 3)[None]
    with pytest.raises(BadInput, match="matches none of the 3 objects"):
        occluder_selection.occluders(scene(), order, modal, 0.5)


def test_an_order_of_other_objects_is_refused():
    with pytest.raises(BadInput, match="covers 2 objects, but 3 were given"):
        occluder_selection.occluders(
            scene(), occluder_selection.unknown(2), scene().masks[:1].float(), 0.5
        )


def test_the_order_in_words():
    objects, order = scene(), occluder_selection.unknown(3)
    assert occluder_selection.table(objects, order) == "no two objects are neighbours"
    order[0, 1], order[1, 0] = 0.02, 0.97
    assert occluder_selection.table(objects, order) == "cat hides yarn 0.02, yarn hides cat 0.97"


def test_surrounding_objects_are_found_whatever_the_order():
    plate, cup = disc(30, 30, 25), disc(30, 30, 8)
    objects = detections.from_masks(torch.stack([cup, plate * (1 - cup), disc(5, 60, 3)]), [])
    assert occluder_selection.surrounding(objects, cup[None]) == [1]
    assert occluder_selection.surrounding(objects, objects.masks[1:2]) == []
    half = plate * (1 - cup) * (torch.arange(plate.shape[1]) < 30)
    beside = detections.from_masks(torch.stack([cup, half]), [])
    assert occluder_selection.surrounding(beside, cup[None]) == []


def inpainted_scene(size: int = SIZE):
    """Objects cup (the query), plate on its left and bowl on its right; the query's mask; and the
    inpainted pixels: the left half of the query and a strip of the plate."""

    def box(left, top, right, bottom):
        mask = torch.zeros(size, size)
        mask[top * size // 64 : bottom * size // 64, left * size // 64 : right * size // 64] = 1
        return mask

    objects = detections.from_masks(
        torch.stack([box(20, 20, 44, 44), box(4, 16, 20, 48), box(44, 24, 56, 40)]),
        ["cup", "plate", "bowl"],
    )
    return objects, objects.masks[:1].float(), box(18, 12, 32, 52)[None]


SIZES = pytest.mark.parametrize("size", [64, 128, 512, 1024])


@SIZES
def test_an_object_that_touches_the_query_only_at_inpainted_pixels_is_an_occluder(size):
    objects, query, inpainted = inpainted_scene(size)
    contacts = occluder_selection.inpainted_contacts(objects, query, inpainted)
    assert contacts.tolist() == [False, True, False]
    unsure = torch.full((3, 3), 0.3)
    order = occluder_selection.order_inpainted(objects, unsure, query, inpainted)
    mask, chosen = occluder_selection.occluders(objects, order, query, 0.5)
    assert chosen == [1] and torch.equal(mask[0] > 0, objects.masks[1])
    assert occluder_selection.occluders(objects, unsure, query, 0.5)[1] == []


@SIZES
@pytest.mark.parametrize("behind, counts", [(0.02, False), (0.2, True), (float("nan"), True)])
def test_an_order_that_is_sure_is_not_overruled_by_an_inpainted_contact(size, behind, counts):
    objects, query, inpainted = inpainted_scene(size)
    order = torch.full((3, 3), behind)
    order = occluder_selection.order_inpainted(objects, order, query, inpainted)
    assert (occluder_selection.occluders(objects, order, query, 0.5)[1] == [1]) is counts


@SIZES
def test_a_hint_overrides_an_inpainted_contact(size):
    objects, query, inpainted = inpainted_scene(size)
    order = occluder_selection.order_inpainted(objects, torch.zeros(3, 3), query, inpainted)
    plate, nothing = objects.masks[1:2].float(), torch.zeros_like(query)
    objects, order = occluder_hints.apply_hints(objects, order, query, nothing, plate)
    assert occluder_selection.occluders(objects, order, query, 0.5)[1] == []


def test_order_inpainted_changes_no_other_entry():
    objects, query, inpainted = inpainted_scene()
    given = 0.1 + 0.9 * torch.rand(3, 3)  # none is believed
    given[0, 2] = given[2, 0] = float("nan")
    given.fill_diagonal_(float("nan"))
    before = given.clone()
    order = occluder_selection.order_inpainted(objects, given, query, inpainted)
    assert order[1, 0] == 1
    expected = before.clone()
    expected[1, 0] = 1
    assert torch.equal(order.nan_to_num(-1), expected.nan_to_num(-1))
    assert torch.equal(given.nan_to_num(-1), before.nan_to_num(-1))  # the input stays
    untouched = occluder_selection.order_inpainted(objects, given, query, inpainted * 0)
    assert torch.equal(untouched.nan_to_num(-1), before.nan_to_num(-1))


def test_order_inpainted_refuses_another_query_or_order():
    objects, query, inpainted = inpainted_scene()
    with pytest.raises(BadInput, match="matches none of the 3 objects"):
        occluder_selection.order_inpainted(
            objects, torch.zeros(3, 3), disc(5, 60, 3)[None], inpainted
        )
    with pytest.raises(BadInput, match="covers 2 objects, but 3 were given"):
        occluder_selection.order_inpainted(objects, torch.zeros(2, 2), query, inpainted)


@SIZES
def test_a_contact_at_a_corner_does_not_count(size):
    objects, query, inpainted = inpainted_scene(size)
    objects.masks[1, : 43 * size // 64] = 0
    assert not occluder_selection.inpainted_contacts(objects, query, inpainted).any()
    objects.masks[1] = 0
    assert not occluder_selection.inpainted_contacts(objects, query, inpainted).any()


def test_an_object_that_is_inpainted_at_the_contact_itself_is_left_out():
    objects, query, inpainted = inpainted_scene(128)
    inpainted[0, :, 8:40] = 1  # the plate is visible nowhere near the query
    assert not occluder_selection.inpainted_contacts(objects, query, inpainted).any()


UNSURE = 0.3


def contacts_node(graph, original, crop):
    """Order Inpainted Contacts on the inpainted scene, with an order that is unsure."""
    objects, query, _ = inpainted_scene()
    return graph.add(
        "AmodalOrderInpaintedContacts",
        objects=graph.value("objects", objects),
        order=graph.value("order", torch.full((3, 3), UNSURE)),
        modal_mask=graph.value("query", query),
        image=graph.value("image", IMAGE),
        original_image=graph.value("original", original),
        crop=graph.value("crop", crop),
    )


@pytest.mark.parametrize("passes_before, in_front", [(0, UNSURE), (1, 1.0)])
def test_inpainted_contacts_count_from_pass_2_on(host, graph, passes_before, in_front):
    """In a crop of half the side, on a canvas that has grown at the left and the top."""
    _, _, inpainted = inpainted_scene()
    original = torch.rand(1, 100, 120, 3)
    original[:, 30:94, 20:84] = torch.where(inpainted[..., None] > 0, 1 - IMAGE, IMAGE)
    box = (36, 38, 100, 102)
    canvas = Canvas((120, 100), (136, 108), (16, 8), (box,) * passes_before)
    node = contacts_node(graph, original, Crop(canvas, box, (SIZE, SIZE)))
    expected = torch.full((3, 3), UNSURE)
    expected[1, 0] = in_front
    assert torch.equal(host.run(graph.keep(order=node[0])).values["order"], expected)


WHOLE = Canvas((SIZE, SIZE), (SIZE, SIZE), inpainted=((0, 0, SIZE, SIZE),))


def test_another_original_picture_is_refused(host, graph):
    crop = Crop(WHOLE, (0, 0, SIZE, SIZE), (SIZE, SIZE))
    node = contacts_node(graph, torch.rand(1, 8, 8, 3), crop)
    message = "Order Inpainted Contacts.*'original_image' has 8x8.*Loop Start"
    with pytest.raises(Failed, match=message):
        host.run(graph.keep(order=node[0]))


def test_a_crop_of_other_objects_is_refused(host, graph):
    crop = Crop(WHOLE, (0, 0, SIZE, SIZE), (32, 32))
    node = contacts_node(graph, IMAGE, crop)
    message = "Order Inpainted Contacts.*'crop' is not the crop of these objects"
    with pytest.raises(Failed, match=message):
        host.run(graph.keep(order=node[0]))


def report_of(host, graph, masks, labels, order) -> OcclusionReport:
    """Select Occluders' report on the first of the objects."""
    select = graph.add(
        "AmodalSelectOccluders",
        image=graph.value("image", IMAGE),
        objects=graph.value("objects", detections.from_masks(torch.stack(masks), labels)),
        order=graph.value("order", order),
        modal_mask=graph.value("query", masks[0][None]),
    )
    report = host.run(graph.keep(report=select[1])).values["report"]
    return OcclusionReport(**asdict(report))  # the host imports the pack under another name


def test_the_report_names_occluders_and_objects_that_only_surround(host, graph):
    cup, plate = disc(30, 30, 8), disc(30, 30, 25)
    spoon = plate * (1 - cup) * (torch.arange(SIZE) < 24)
    order = torch.zeros(3, 3)
    order[1, 0] = 1
    masks = [cup, spoon, plate * (1 - cup) * (1 - spoon)]
    report = report_of(host, graph, masks, ["cup", "spoon", "plate"], order)
    assert report == OcclusionReport(occluders=("spoon",), surrounding=("plate",))


def test_labels_are_reported_as_they_are(host, graph):
    """Commas and parentheses in a label are part of it."""
    yarn = disc(36, 32, 8)
    order = torch.zeros(2, 2)
    order[1, 0] = 1
    labels = ["cat", "yarn, red (wool)"]
    report = report_of(host, graph, [disc(26, 32, 12) * (1 - yarn), yarn], labels, order)
    assert report == OcclusionReport(occluders=("yarn, red (wool)",))


def test_an_occluder_that_lies_on_the_query_leaves_its_modal_mask():
    """A couch whose mask includes the cat on it."""
    couch, cat = torch.zeros(2, 64, 64)
    couch[20:60, 4:60], cat[25:40, 20:40] = 1, 1
    found = detections.from_masks(torch.stack([couch, cat]), ["couch", "cat"])
    objects = detections.with_query(found, couch[None])
    order = torch.tensor([[float("nan"), 0.05], [0.95, float("nan")]])
    mask, chosen = occluder_selection.occluders(objects, order, couch[None], 0.5)
    assert chosen == [1] and torch.equal(mask[0], cat)
    visible = occluder_selection.visible_part(objects, couch[None], chosen)
    assert torch.equal(visible[0], couch * (1 - cat))
    mask, chosen = occluder_selection.occluders(objects, 1 - order, couch[None], 0.5)
    assert chosen == [] and not mask.any()
    assert torch.equal(occluder_selection.visible_part(objects, couch[None], chosen), couch[None])
