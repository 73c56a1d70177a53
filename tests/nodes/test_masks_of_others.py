"""Masks of other nodes as modal masks: background removers, SEGS, detectors; of every number type.

A host without RemoveBackground has a stand-in with the same sockets.
"""

from types import SimpleNamespace

import pytest
import stand_ins
import torch

from tools.host.inprocess import Failed

IMAGE, MASKS = stand_ins.scene()
FRONT = MASKS[1] > 0


class RemovesAllButRed:
    """In the place of a background removal model: a soft mask of the red box."""

    def encode_image(self, image):
        assert image.ndim == 4
        return FRONT.float()[None] * 0.9 + 0.05


class StandInRemoveBackground:
    """In the place of the host's RemoveBackground: its sockets and its one call."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MASK",), "execute", "test"

    @classmethod
    def INPUT_TYPES(cls):
        sockets = {"bg_removal_model": ("BACKGROUND_REMOVAL", {}), "image": ("IMAGE", {})}
        return {"required": sockets}

    def execute(self, bg_removal_model, image):
        return (bg_removal_model.encode_image(image),)


@pytest.fixture
def remover(host, graph, monkeypatch):
    if "RemoveBackground" not in host.classes:
        monkeypatch.setitem(host.classes, "RemoveBackground", StandInRemoveBackground)
    return graph.add(
        "RemoveBackground",
        bg_removal_model=graph.value("remover", RemovesAllButRed()),
        image=graph.value("boxes", IMAGE[None]),
    )


def test_the_foreground_of_a_background_remover_is_the_object(host, graph, remover):
    picked = graph.add("AmodalPickObject", modal_mask=remover, words="red box")
    objects = graph.add("AmodalObjectsFromMasks", masks=remover, labels="red box")
    graph.keep(mask=picked, label=picked[1], objects=objects)
    values = host.run(graph).values
    assert torch.equal(values["mask"][0] > 0.5, FRONT) and values["label"] == "red box"
    assert torch.equal(values["objects"].masks[0], FRONT)


KINDS = {
    "half": lambda mask: mask.half(),
    "bfloat16": lambda mask: mask.bfloat16(),
    "double": lambda mask: mask.double(),
    "bool": lambda mask: mask > 0.5,
    "bytes": lambda mask: (mask * 255).byte(),
    "flat": lambda mask: mask[0],
}


@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_every_number_type_are_the_same_object(host, graph, kind):
    mask = graph.value(f"mask {kind}", KINDS[kind](MASKS[1:]))
    picked = graph.add("AmodalPickObject", modal_mask=mask)
    objects = graph.add("AmodalObjectsFromMasks", masks=mask)
    crop = graph.add(
        "AmodalCropToObject", image=graph.value("boxes", IMAGE[None]), modal_mask=mask, size=64
    )
    graph.keep(mask=picked, objects=objects, crop=crop[1])
    values = host.run(graph).values
    assert torch.equal(values["mask"][0] > 0.5, FRONT)
    assert torch.equal(values["objects"].masks[0], FRONT)
    assert values["crop"].dtype == torch.float32 and values["crop"].max() == 1


@pytest.mark.parametrize("segments", [[], ()])
def test_empty_segs_are_no_objects(host, graph, segments):
    segs = graph.value(f"segs {type(segments).__name__}", ((96, 128), segments))
    graph.keep(objects=graph.add("AmodalObjectsFromMasks", segs=segs))
    found = host.run(graph).values["objects"]
    assert len(found) == 0 and found.masks.shape == (0, 96, 128)


def test_no_objects_to_pick_from_say_so_by_name(host, graph):
    objects = graph.add("AmodalObjectsFromMasks", segs=graph.value("none", ((96, 128), [])))
    graph.keep(mask=graph.add("AmodalPickObject", objects=objects))
    with pytest.raises(Failed, match="Pick Object.*'objects' is empty"):
        host.run(graph)


def test_segs_of_a_detector_become_the_object_with_its_label(host, graph):
    part = SimpleNamespace(
        cropped_mask=MASKS[1][30:90, 50:115].numpy(),
        crop_region=(50, 30, 115, 90),
        label="red box",
        confidence=0.8,
    )
    segs = graph.value("segs", ((96, 128), [part]))
    objects = graph.add("AmodalObjectsFromMasks", segs=segs)
    picked = graph.add("AmodalPickObject", objects=objects, words="red box")
    graph.keep(objects=objects, mask=picked)
    values = host.run(graph).values
    assert torch.equal(values["mask"][0] > 0.5, FRONT)
    assert values["objects"].scores.tolist() == pytest.approx([0.8])
