"""SEGS, the Impact Pack's type, as objects."""

from collections import namedtuple

import numpy as np
import pytest
import torch

from amodal.core.errors import BadInput
from amodal.models import impact_segs
from tools.host.inprocess import Failed

SEG = namedtuple(  # its fields and their order in the Impact Pack
    "SEG",
    "cropped_image cropped_mask confidence crop_region bbox label control_net_wrapper",
    defaults=[None],
)
SIZE = (30, 40)


def seg(region, label="cup", confidence=0.9, mask=None) -> SEG:
    if mask is None:
        mask = np.ones((region[3] - region[1], region[2] - region[0]), np.float32)
    return SEG(None, mask, confidence, region, region, label)


def box(x0, y0, x1, y1) -> torch.Tensor:
    mask = torch.zeros(SIZE)
    mask[y0:y1, x0:x1] = 1
    return mask


def test_masks_keep_their_place_label_and_confidence():
    soft = torch.tensor([[0.2, 0.6, 1.0], [0.0, 0.4, 0.9]])
    found = impact_segs.as_objects(
        (
            SIZE,
            [
                seg([5, 6, 15, 12]),
                seg((20, 10, 23, 12), "cat", np.array([0.7], np.float32), soft),
            ],
        )
    )
    assert torch.equal(found.masks[0], box(5, 6, 15, 12))
    assert torch.equal(found.masks[1, 10:12, 20:23], torch.tensor([[0.0, 1, 1], [0, 0, 1]]))
    assert found.masks[1].sum() == 3
    assert found.labels == ["cup", "cat"] and found.scores.tolist() == pytest.approx([0.9, 0.7])
    assert found.boxes.tolist() == [[5, 6, 15, 12], [21, 10, 23, 12]]


@pytest.mark.parametrize(
    ("region", "inside"),
    [
        ([-4, -3, 6, 5], (0, 0, 6, 5)),
        ([35, 25, 50, 34], (35, 25, 40, 30)),
        ([-2, 10, 45, 12], (0, 10, 40, 12)),
    ],
)
def test_masks_beyond_the_edge_are_cut(region, inside):
    corner = np.ones((region[3] - region[1], region[2] - region[0]), bool)
    corner[-region[1] if region[1] < 0 else 0, -region[0] if region[0] < 0 else 0] = False
    wanted = box(*inside)
    wanted[inside[1], inside[0]] = 0  # one pixel, to tell a shifted mask from a cut one
    found = impact_segs.as_objects((SIZE, [seg(region, mask=corner)]))
    assert torch.equal(found.masks[0], wanted)


@pytest.mark.parametrize("region", [[-9, -9, -2, -2], [40, 3, 48, 9], [3, 33, 8, 39]])
def test_masks_outside_the_picture_are_dropped(region):
    found = impact_segs.as_objects((SIZE, [seg(region), seg([1, 1, 4, 4], "cat")]))
    assert found.labels == ["cat"]


def test_no_detections_are_no_objects():
    found = impact_segs.as_objects((SIZE, []))
    assert len(found) == 0 and found.masks.shape == (0, *SIZE) and found.boxes.shape == (0, 4)


def test_missing_labels_are_numbered_and_words_replace_labels():
    found = (SIZE, [seg([0, 0, 3, 3], "", None), seg([4, 4, 9, 9]), seg([9, 9, 12, 12], None)])
    made = impact_segs.as_objects(found)
    assert made.labels == ["object 1", "cup", "object 3"]
    assert made.scores.tolist() == pytest.approx([1, 0.9, 0.9])
    assert impact_segs.as_objects(found, ["vase", "mug"]).labels == ["vase", "mug", "object 3"]
    with pytest.raises(BadInput, match="4 words for 3 masks"):
        impact_segs.as_objects(found, ["a", "b", "c", "d"])


@pytest.mark.parametrize(
    "wrong",
    [
        torch.ones(1, *SIZE),
        "SEGS",
        (SIZE, [seg([4, 4, 4, 9])]),
        (SIZE, ["SEG"]),
        (SIZE, [seg([0, 0, 3], mask=np.ones((3, 3)))]),
        None,
    ],
)
def test_other_values_than_segs_are_refused(wrong):
    with pytest.raises(BadInput, match="'segs' is not SEGS.*Remedy"):
        impact_segs.as_objects(wrong)


def test_mask_values_outside_the_range_are_refused():
    with pytest.raises(BadInput, match="'segs' holds values up to 255"):
        impact_segs.as_objects((SIZE, [seg([0, 0, 3, 3], mask=np.full((3, 3), 255, np.uint8))]))


def test_the_node_takes_masks_or_segs(host, graph):
    some = graph.value("segs", (SIZE, [seg([5, 6, 15, 12], "bowl"), seg([20, 1, 30, 20])]))
    made = graph.add("AmodalObjectsFromMasks", segs=some)
    picked = graph.add("AmodalPickObject", objects=made, words="bowl")
    values = host.run(graph.keep(objects=made, mask=picked, label=picked[1])).values
    assert torch.equal(values["mask"][0], box(5, 6, 15, 12)) and values["label"] == "bowl"
    assert values["objects"].labels == ["bowl", "cup"]


@pytest.mark.parametrize("both", [True, False])
def test_the_node_wants_one_of_the_two(host, graph, both):
    given = (
        {
            "masks": graph.value("some masks", box(1, 1, 5, 5)[None]),
            "segs": graph.value("some segs", (SIZE, [seg([5, 6, 15, 12])])),
        }
        if both
        else {}
    )
    graph.keep(objects=graph.add("AmodalObjectsFromMasks", **given))
    with pytest.raises(Failed, match="Objects From Masks.*'masks'.*Remedy: connect one of the two"):
        host.run(graph)
