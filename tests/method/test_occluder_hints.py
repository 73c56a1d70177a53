"""Occluders marked by hand: points become masks, masks reach each pass, and go before the order."""

import analysis
import pytest
import torch

from amodal.core import canvas, detections
from amodal.core.errors import BadInput
from amodal.core.types import Crop
from amodal.method import occluder_hints, occluder_selection

SIZE = (96, 128)


def box(x0, y0, x1, y1, size=SIZE) -> torch.Tensor:
    mask = torch.zeros(1, *size)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def found() -> detections.Objects:
    """A query, two others beside it, and one far away."""
    parts = [box(40, 30, 80, 60), box(80, 30, 100, 60), box(20, 30, 40, 60), box(0, 90, 9, 96)]
    return detections.from_masks(torch.cat(parts), ["query", "right", "left", "far"])


def test_marks_are_points_and_not_takes_one_back():
    read = occluder_hints.as_marks("0.25,0.5; not 90,40;\n", SIZE)
    assert read == [((32.0, 48.0), True), ((90.0, 40.0), False)]
    assert occluder_hints.as_marks(" ", SIZE) == []


def test_marks_become_masks_in_front_and_behind():
    front, behind = occluder_hints.by_hand(found(), "90,40; not 30,40", found().masks[:1])
    assert torch.equal(front, found().masks[1:2]) and torch.equal(behind, found().masks[2:3])


def test_of_two_marks_on_one_object_the_later_counts():
    front, behind = occluder_hints.by_hand(found(), "90,40; not 85,35", found().masks[:1])
    assert not front.any() and torch.equal(behind, found().masks[1:2])


def test_the_query_hides_nothing_of_itself():
    for mask in occluder_hints.by_hand(found(), "50,40", found().masks[:1]):
        assert not mask.any()


def test_without_marks_nothing_need_be_detected():
    for mask in occluder_hints.by_hand(None, "", box(0, 0, 5, 5)):
        assert mask.shape == (1, *SIZE) and not mask.any()


@pytest.mark.parametrize(
    "given, text, said",
    [
        (None, "1,1", "there are none. Remedy: connect Detect Objects"),
        (found(), "60,5", r"'occluders' \(60, 5\) hits no detected object.*0: query"),
        (found(), "not so", "'occluders' 'so' is not a point"),
    ],
)
def test_a_mark_on_nothing_is_refused(given, text, said):
    with pytest.raises(BadInput, match=said):
        occluder_hints.by_hand(given, text, found().masks[:1])


def test_a_mask_of_the_picture_lies_in_the_crop_where_the_picture_does():
    view = Crop((128, 96), (160, 96), offset=(32, 0), box=(62, 20, 126, 84), size=(128, 128))
    seen = canvas.of_original(box(40, 30, 80, 60), view)  # on the canvas 72..112, 30..60
    assert torch.equal(seen, box(20, 20, 100, 80, (128, 128)))


def test_what_was_painted_over_is_no_longer_there():
    view = Crop((128, 96), (128, 96), box=(40, 0, 128, 88), size=(88, 88))
    query, front = box(0, 30, 50, 60, (88, 88)), box(80, 30, 128, 60)
    whole = occluder_hints.unpainted(front, view, query)
    assert torch.equal(whole, box(40, 30, 88, 60, (88, 88)))
    later = view.but(painted=((0, 0, 90, 96),))
    assert torch.equal(occluder_hints.unpainted(front, later, query), box(50, 30, 88, 60, (88, 88)))
    apart = occluder_hints.unpainted(front, later, box(0, 30, 40, 60, (88, 88)))
    assert not apart.any()  # what is left does not touch the object: it hides nothing of it


def test_marks_go_before_the_order():
    given, query = found(), found().masks[:1]
    table = occluder_selection.unknown(4)
    table[1, 0], table[2, 0] = 0.9, 0.1
    assert occluder_selection.occluders(given, table, query, 0.5)[1] == [1]
    mask, chosen = occluder_selection.occluders(
        given, table, query, 0.5, front=given.masks[2:3], behind=given.masks[1:2]
    )
    assert chosen == [2] and torch.equal(mask, given.masks[2:3])


def test_what_was_marked_is_an_occluder_though_it_is_not_detected():
    given = detections.from_masks(found().masks[:1], ["query"])
    front = box(80, 30, 100, 60)
    more, table = occluder_hints.with_marked(given, occluder_selection.unknown(1), front)
    assert more.labels == ["query", occluder_hints.LABEL] and table.shape == (2, 2)
    assert more.boxes[1].tolist() == [80, 30, 100, 60]
    mask, chosen = occluder_selection.occluders(more, table, given.masks, 0.5, front)
    assert chosen == [1] and torch.equal(mask, front)
    assert occluder_hints.with_marked(found(), table, front)[0].labels == found().labels


class NothingInFront:
    """An order model to which everything is free."""

    def order(self, image, masks, pairs):
        table = occluder_selection.unknown(len(masks))
        for i, j in pairs:
            table[i, j] = table[j, i] = 0.0
        return table


def picked(graph, occluders: str, height: int = 96):
    """The scene at a height of so many pixels, and Pick Object on its plate."""
    image, _ = analysis.scene()
    size = (height, height * 4 // 3)
    image = torch.nn.functional.interpolate(image.movedim(-1, 1), size, mode="nearest")
    image = graph.value(f"scene {height}", image.movedim(1, -1))
    segmenter = graph.value("by colour", analysis.ByColour())
    objects_ = graph.add("AmodalDetectObjects", image=image, segmenter=segmenter)
    pick = graph.add("AmodalPickObject", objects=objects_, words="plate", occluder_hints=occluders)
    return image, pick


BALL = "0.34,0.62"


@pytest.mark.parametrize("height", [96, 192])
def test_a_mark_survives_a_change_of_size(host, graph, height):
    _, pick = picked(graph, f"{BALL}; not 0.92,0.1", height)
    values = host.run(graph.keep(front=pick[2], behind=pick[3])).values
    share = values["front"].mean(), values["behind"].mean()
    _, mask = analysis.scene()
    assert float(share[0]) == pytest.approx(float(analysis.disc(44, 60, 14).mean()), rel=0.02)
    assert float(share[1]) == pytest.approx(float(analysis.disc(118, 10, 7).mean()), rel=0.02)
    assert values["front"].shape == (1, height, height * 4 // 3)


def passes(graph, occluders: str, order_model):
    """A loop whose body paints nothing that is seen, but calls what it is asked to paint the
    object; in what is left of the picture the segmenter finds the ball again in every pass."""
    image, pick = picked(graph, occluders)
    start = graph.add("AmodalLoopStart", image=image, modal_mask=pick)
    crop_ = graph.add(
        "AmodalCropToObject", image=start[1], modal_mask=start[2], canvas=start[3], size=128
    )
    seen = graph.add("AmodalDetectObjects", image=crop_[0], segmenter=graph.value("by colour"))
    table = graph.add(
        "AmodalOrderObjects",
        image=crop_[0],
        objects=seen,
        modal_mask=crop_[1],
        order_model=graph.value(type(order_model).__name__, order_model),
    )
    hiding = graph.add(
        "AmodalSelectOccluders",
        image=crop_[0],
        objects=table[1],
        order=table,
        modal_mask=crop_[1],
        front=pick[2],
        behind=pick[3],
        crop=crop_[3],
    )
    check = graph.add(
        "AmodalCheckOcclusion",
        occluder_mask=hiding,
        padding_mask=crop_[2],
        modal_mask=crop_[1],
        touching=False,
        names=hiding[1],
        dilate=0.0,
    )
    grown = graph.add(
        "MaskComposite", destination=crop_[1], source=check, x=0, y=0, operation="add"
    )
    back = graph.add(
        "AmodalPasteBack",
        image=start[1],
        modal_mask=start[2],
        crop=crop_[3],
        completed=crop_[0],
        amodal_mask=grown,
        inpaint_mask=check,
    )
    end = graph.add(
        "AmodalLoopEnd",
        loop=start,
        occluded=check[1],
        reason=check[2],
        image=back,
        amodal_mask=back[1],
        canvas=back[2],
        max_passes=6,
    )
    return graph.keep(status=end[3], passes=end[4], report=end[5], mask=end[1])


def test_what_was_marked_hides_the_object_until_it_is_painted_over(host, graph):
    values = host.run(passes(graph, BALL, NothingInFront())).values
    assert (values["status"], values["passes"]) == ("completed", 1)
    assert values["report"].startswith("pass 1: hidden by ball")
    ball = analysis.disc(44, 60, 14)
    assert (values["mask"][0] * ball).sum() > 0.9 * ball.sum()


def test_without_a_mark_the_order_decides(host, graph):
    assert host.run(passes(graph, "", NothingInFront())).values["passes"] == 0


def test_what_was_marked_as_no_occluder_is_none_in_any_pass(host, graph):
    values = host.run(passes(graph, f"not {BALL}", analysis.BallInFront())).values
    assert (values["status"], values["passes"]) == ("nothing to complete", 0)


def test_a_crop_that_is_not_the_images_is_refused(host, graph):
    from tools.host.inprocess import Failed

    loop = passes(graph, BALL, NothingInFront())
    select = next(n for n in loop.prompt.values() if n["class_type"] == "AmodalSelectOccluders")
    select["inputs"]["crop"] = graph.value("whole", Crop.whole(128, 96)).first
    with pytest.raises(Failed, match="Select Occluders.*'crop' is not the one of this image"):
        host.run(loop)
