"""Neighbours, order, and the query's occluders."""

import math

import pytest
import torch

from amodal.core import detections
from amodal.core.errors import BadInput
from amodal.core.types import Crop
from amodal.method import occluder_selection

SIZE = 64


def disc(x, y, radius):
    ys, xs = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return ((xs - x) ** 2 + (ys - y) ** 2 < radius**2).float()


def scene():
    """A disc, one in front of it, one far away."""
    front = disc(36, 32, 8)
    query = disc(26, 32, 12) * (1 - front)
    return detections.from_masks(
        torch.stack([query, front, disc(58, 5, 4)]), ["cat", "yarn", "key"]
    )


class Recorder:
    """An order model that answers with what it was told, and keeps what it was asked."""

    def __init__(self, table):
        self.table, self.calls = table, []

    def order(self, image, masks, pairs):
        self.calls.append((image.shape, masks.shape, pairs))
        result = occluder_selection.unknown(len(masks))
        for i, j in pairs:
            result[i, j], result[j, i] = self.table[i][j], self.table[j][i]
        return result


def test_only_neighbours_are_compared_all_in_one_call():
    model = Recorder([[0, 0.1, 0], [0.9, 0, 0], [0, 0, 0]])
    table = occluder_selection.by_model(model, torch.rand(1, SIZE, SIZE, 3), scene(), 0.03)
    assert model.calls == [((SIZE, SIZE, 3), (3, SIZE, SIZE), [(0, 1)])]
    assert table[1, 0] == pytest.approx(0.9) and table[0, 1] == pytest.approx(0.1)
    assert torch.isnan(table).sum() == 7


def test_without_neighbours_the_model_is_not_asked():
    model = Recorder([])
    far = detections.from_masks(torch.stack([disc(8, 8, 4), disc(56, 56, 4)]), [])
    assert torch.isnan(
        occluder_selection.by_model(model, torch.rand(1, SIZE, SIZE, 3), far, 0.03)
    ).all()
    assert occluder_selection.by_model(
        model, torch.rand(1, SIZE, SIZE, 3), scene_of(0), 0.03
    ).shape == (0, 0)
    assert model.calls == []


def scene_of(count):
    return detections.from_masks(
        torch.ones(count, SIZE, SIZE) if count else torch.zeros(1, 8, 8), []
    )


@pytest.mark.parametrize("gap", [0, 1, 2, 4, 6])
def test_reach_is_a_distance_between_the_masks(gap):
    one, other = torch.zeros(SIZE, SIZE), torch.zeros(SIZE, SIZE)
    one[20:40, 10:20] = 1
    other[20:40, 20 + gap : 30 + gap] = 1
    found = detections.from_masks(torch.stack([one, other]), [])
    reach = 3 / math.hypot(SIZE, SIZE)
    assert bool(occluder_selection.neighbours(found, reach)) == (gap + 1 <= 3)  # pixel centres


@pytest.mark.parametrize("bright_is_near", [True, False])
def test_depth_orders_where_the_objects_meet(bright_is_near):
    found = scene()
    depth = torch.full((SIZE, SIZE), 0.2)
    slope = torch.linspace(0.9, 0.4, SIZE).expand(SIZE, SIZE)
    depth = torch.where(found.masks[0] > 0, slope, depth)
    depth = torch.where(found.masks[1] > 0, 0.74, depth)
    assert depth[found.masks[0] > 0].max() > 0.74  # the cat's far side is nearer than the yarn
    if not bright_is_near:
        depth = 1 - depth
    picture = depth[None, ..., None].expand(1, SIZE, SIZE, 3)
    table = occluder_selection.by_depth(picture, found, 0.03, bright_is_near)
    assert table[1, 0] > 0.9 and float(table[0, 1] + table[1, 0]) == pytest.approx(1)
    assert torch.isnan(table[2]).all() and torch.isnan(table[:, 2]).all()


def test_flat_depth_is_undecided():
    table = occluder_selection.by_depth(torch.full((1, SIZE, SIZE, 3), 0.5), scene(), 0.03, True)
    assert table[0, 1] == 0.5 and table[1, 0] == 0.5


def test_occluders_are_the_nearer_ones_less_the_query():
    found = scene()
    modal = torch.maximum(found.masks[:1], disc(34, 32, 3)[None])
    found = detections.with_query(found, modal)
    table = occluder_selection.unknown(3)
    table[1, 0], table[0, 1] = 0.8, 0.6  # mutual occlusion is allowed
    mask, chosen = occluder_selection.occluders(found, table, modal, 0.5)
    assert chosen == [1] and found.labels[1] == "yarn"
    assert torch.equal(mask[0], found.masks[1]) and not (mask * modal).any()
    none, chosen = occluder_selection.occluders(found, table, modal, 0.9)
    assert chosen == [] and none.shape == modal.shape and not none.any()


def test_several_occluders_are_united():
    found = detections.from_masks(
        torch.stack([disc(32, 32, 10), disc(46, 32, 6), disc(18, 32, 6)]), []
    )
    found = detections.with_query(found, found.masks[:1])
    table = occluder_selection.unknown(3)
    table[1, 0] = table[2, 0] = 0.99
    mask, chosen = occluder_selection.occluders(found, table, found.masks[:1], 0.5)
    assert chosen == [1, 2]
    assert torch.equal(mask[0], torch.maximum(found.masks[1], found.masks[2]))


def test_a_mask_that_is_none_of_the_objects_is_refused():
    with pytest.raises(BadInput, match="is none of the 3 objects"):
        occluder_selection.occluders(
            scene(), occluder_selection.unknown(3), disc(5, 60, 3)[None], 0.5
        )


def test_an_order_of_other_objects_is_refused():
    with pytest.raises(BadInput, match="of 2 objects, not of these 3"):
        occluder_selection.occluders(scene(), occluder_selection.unknown(2), scene().masks[:1], 0.5)


def test_the_order_in_words():
    found, table = scene(), occluder_selection.unknown(3)
    assert occluder_selection.table(found, table) == "no two objects are neighbours"
    table[0, 1], table[1, 0] = 0.02, 0.97
    assert occluder_selection.table(found, table) == "cat hides yarn 0.02, yarn hides cat 0.97"


def test_objects_that_surround_the_query_are_told_whoever_is_in_front():
    plate, cup = disc(30, 30, 25), disc(30, 30, 8)
    found = detections.from_masks(torch.stack([cup, plate * (1 - cup), disc(5, 60, 3)]), [])
    assert occluder_selection.surrounding(found, cup[None]) == [1]
    assert occluder_selection.surrounding(found, found.masks[1:2]) == []
    half = plate * (1 - cup) * (torch.arange(plate.shape[1]) < 30)
    beside = detections.from_masks(torch.stack([cup, half]), [])
    assert occluder_selection.surrounding(beside, cup[None]) == []


def painted_scene(size: int = SIZE):
    """Left to right: a plate, the query (painted on the left, seen on the right), a bowl; and what
    is painted: the left half of the query and a little of the plate."""

    def box(left, top, right, bottom):
        mask = torch.zeros(size, size)
        mask[top * size // 64 : bottom * size // 64, left * size // 64 : right * size // 64] = 1
        return mask

    given = detections.from_masks(
        torch.stack([box(20, 20, 44, 44), box(4, 16, 20, 48), box(44, 24, 56, 40)]),
        ["cup", "plate", "bowl"],
    )
    return given, given.masks[:1], box(18, 12, 32, 52)[None]


@pytest.mark.parametrize("size", [64, 128, 512, 1024])
def test_what_meets_the_query_only_where_it_was_painted_hides_it(size):
    given, query, painted = painted_scene(size)
    in_front = torch.zeros(3, 3)  # the model: nothing hides anything
    assert occluder_selection.met_in_paint(given, query, painted).tolist() == [False, True, False]
    hidden, chosen = occluder_selection.occluders(given, in_front, query, 0.5, painted=painted)
    assert chosen == [1] and torch.equal(hidden[0], given.masks[1])
    assert occluder_selection.occluders(given, in_front, query, 0.5)[1] == []
    assert (
        occluder_selection.occluders(
            given, in_front, query, 0.5, behind=given.masks[1:2], painted=painted
        )[1]
        == []
    )


@pytest.mark.parametrize("size", [64, 128, 512, 1024])
def test_a_touch_at_a_corner_tells_nothing(size):
    given, query, painted = painted_scene(size)
    given.masks[1, : 43 * size // 64] = 0
    assert not occluder_selection.met_in_paint(given, query, painted).any()
    given.masks[1] = 0
    assert not occluder_selection.met_in_paint(given, query, painted).any()


def test_what_is_painted_itself_where_they_meet_does_not_hide_it():
    given, query, painted = painted_scene(128)
    painted[0, :, 8:40] = 1  # the plate is seen nowhere near the query
    assert not occluder_selection.met_in_paint(given, query, painted).any()


@pytest.mark.parametrize("passes_before, names", [(0, ""), (1, "plate")])
def test_only_later_passes_look_at_what_was_painted(host, graph, passes_before, names):
    """In a crop of half the side, on a canvas that has grown at the left and the top."""
    given, query, painted = painted_scene()
    image = torch.rand(1, SIZE, SIZE, 3)
    original = torch.rand(1, 100, 120, 3)
    original[:, 30:94, 20:84] = torch.where(painted[..., None] > 0, 1 - image, image)
    view = Crop(
        (120, 100),
        (136, 108),
        offset=(16, 8),
        box=(36, 38, 100, 102),
        size=(SIZE, SIZE),
        painted=((36, 38, 100, 102),) * passes_before,
    )
    select = graph.add(
        "AmodalSelectOccluders",
        image=graph.value("crop", image),
        objects=graph.value("objects", given),
        order=graph.value("order", torch.zeros(3, 3)),
        modal_mask=graph.value("query", query),
        picture=graph.value("original", original),
        crop=graph.value(f"{passes_before} before", view),
    )
    assert host.run(graph.keep(names=select[1])).values["names"] == names


def test_a_picture_that_is_not_the_crops_original_is_refused(host, graph):
    from tools.host.inprocess import Failed

    given, query, _ = painted_scene()
    view = Crop(
        (SIZE, SIZE),
        (SIZE, SIZE),
        box=(0, 0, SIZE, SIZE),
        size=(SIZE, SIZE),
        painted=((0, 0, SIZE, SIZE),),
    )
    select = graph.add(
        "AmodalSelectOccluders",
        image=graph.value("crop", torch.rand(1, SIZE, SIZE, 3)),
        objects=graph.value("objects", given),
        order=graph.value("order", torch.zeros(3, 3)),
        modal_mask=graph.value("query", query),
        picture=graph.value("small", torch.rand(1, 8, 8, 3)),
        crop=graph.value("view", view),
    )
    with pytest.raises(Failed, match="Select Occluders.*'picture' of 8x8.*Loop Start"):
        host.run(graph.keep(names=select[1]))


def test_what_surrounds_beside_an_occluder_is_named_in_brackets(host, graph):
    cup, plate = disc(30, 30, 8), disc(30, 30, 25)
    spoon = plate * (1 - cup) * (torch.arange(SIZE) < 24)
    given = detections.from_masks(
        torch.stack([cup, spoon, plate * (1 - cup) * (1 - spoon)]), ["cup", "spoon", "plate"]
    )
    table = torch.zeros(3, 3)
    table[1, 0] = 1
    select = graph.add(
        "AmodalSelectOccluders",
        image=graph.value("table", torch.rand(1, SIZE, SIZE, 3)),
        objects=graph.value("set", given),
        order=graph.value("spoon in front", table),
        modal_mask=graph.value("cup", cup[None]),
    )
    assert host.run(graph.keep(names=select[1])).values["names"] == "spoon, (plate)"
