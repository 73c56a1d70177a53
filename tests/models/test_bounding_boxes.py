"""What core's detectors give: masks of several or no objects, and boxes with scores."""

import pytest
import torch

from amodal.core.errors import BadInput
from amodal.models import bounding_boxes
from tools.host.inprocess import Failed

BOX = {"x": 2, "y": 2, "width": 4, "height": 4}


@pytest.mark.parametrize("nested", (False, True))
def test_scores_and_labels_are_read(nested):
    boxes = [
        {**BOX, "score": 0.25, "label": "cat"},
        {**BOX, "metadata": {"label": "mug"}},
        {**BOX, "score": 1},
    ]
    labels, scores = bounding_boxes.read([boxes] if nested else boxes, 3)
    assert labels == ["cat", "mug", "object 3"] and scores.tolist() == [0.25, 1, 1]


@pytest.mark.parametrize("boxes", ("box", 3, [3], [[["x"]]], [None], [{**BOX, "score": "high"}]))
def test_anything_else_is_refused(boxes):
    with pytest.raises(BadInput, match="bboxes"):
        bounding_boxes.read(boxes, 1)


@pytest.mark.parametrize("score", (float("nan"), float("inf"), -0.1, 1.1, True, 10**400))
def test_scores_outside_0_to_1_are_refused(score):
    with pytest.raises(BadInput, match="score"):
        bounding_boxes.read([{**BOX, "score": score}], 1)


def objects(host, graph, **inputs):
    node = graph.add("AmodalObjectsFromMasks", **inputs)
    return host.run(graph.keep(objects=node[0])).values["objects"]


def test_masks_and_boxes_of_a_detector_become_objects(host, graph):
    masks = torch.zeros(2, 16, 16)
    masks[0, 2:6, 2:6] = masks[1, 8:12, 8:14] = 1
    boxes = [[{**BOX, "score": 0.5}, {**BOX, "score": 0.75, "label": "mug"}]]
    found = objects(
        host, graph, masks=graph.value("m", masks), bboxes=graph.value("b", boxes), labels="cat"
    )
    assert found.labels == ["cat", "mug"] and found.scores.tolist() == [0.5, 0.75]
    assert found.masks.dtype == torch.bool and torch.equal(found.masks.float(), masks)


def test_another_number_of_boxes_is_refused(host, graph):
    with pytest.raises(Failed, match="Objects From Masks.*'bboxes' has 2 boxes for 1 masks"):
        masks = graph.value("m", torch.ones(1, 8, 8))
        objects(host, graph, masks=masks, bboxes=graph.value("b", [BOX, BOX]))


def test_no_masks_are_no_objects(host, graph):
    found = objects(host, graph, masks=graph.value("m", torch.zeros(0, 96, 128)))
    assert len(found) == 0 and found.masks.shape == (0, 96, 128)


def test_no_mask_elsewhere_says_what_to_do(host, graph):
    image = graph.add("EmptyImage", width=32, height=32, batch_size=1, color=0)
    mask = graph.value("m", torch.zeros(0, 32, 32))
    node = graph.add("AmodalCropToObject", image=image, modal_mask=mask)
    with pytest.raises(Failed, match="Crop To Object.*no mask: nothing was found.*Objects From"):
        host.run(graph.keep(end=node))
