"""Bad pictures, masks, words and points: the error names node, input and remedy."""

import analysis
import pytest
import torch
from analysis import SIZE, ByColour, scene

from amodal.core.types import Canvas
from tools.host.inprocess import Failed, Graph

IMAGE, MASK = scene()
NAN = torch.where(torch.arange(SIZE[1])[:, None] == 7, float("nan"), IMAGE)
NO_MASK = torch.zeros(1, *SIZE)


def crop(graph, image=IMAGE, mask=MASK, **inputs):
    return graph.add(
        "AmodalCropToObject",
        image=graph.value("image", image),
        modal_mask=graph.value("mask", mask),
        **inputs,
    )


def detect(graph, image=IMAGE, **inputs):
    segmenter = graph.value("by colour", ByColour())
    return graph.add(
        "AmodalDetectObjects", image=graph.value("image", image), segmenter=segmenter, **inputs
    )


def pick(graph, **inputs):
    return graph.add("AmodalPickObject", objects=detect(graph), **inputs)


def occluders(graph, mask):
    """Select Occluders with another mask than the one that the objects were ordered with."""
    at = analysis.analysis(graph, graph.value("image", IMAGE), graph.value("mask", MASK))
    return graph.add(
        "AmodalSelectOccluders",
        image=at["crop"][0],
        objects=at["order"][1],
        order=at["order"][0],
        modal_mask=graph.value("other mask", mask),
    )


def paste(graph, image=IMAGE, completed=None, **links):
    """Paste Back of an unchanged crop; `links` replace the links of its inputs."""
    cut = crop(graph)
    inputs = {
        "image": graph.value("canvas", image),
        "modal_mask": graph.value("mask", MASK),
        "crop": cut[3],
        "completed": cut if completed is None else graph.value("completed", completed),
        "amodal_mask": cut[1],
        "inpaint_mask": cut[2],
    }
    return graph.add("AmodalPasteBack", **{**inputs, **links})


def trim(graph, image=IMAGE, mask=MASK, original=IMAGE):
    return graph.add(
        "AmodalTrimAndOverlay",
        image=graph.value("image", image),
        amodal_mask=graph.value("mask", mask),
        original_image=graph.value("picture", original),
    )


def swap(graph, image=IMAGE, mask=MASK, background="gray"):
    return graph.add(
        "AmodalSwapBackground",
        image=graph.value("image", image),
        modal_mask=graph.value("mask", mask),
        background=background,
    )


def segment(graph, image=IMAGE, mask=MASK):
    return graph.add(
        "AmodalSegmentObject",
        image=graph.value("image", image),
        modal_mask=graph.value("mask", mask),
        inpaint_mask=graph.value("inpaint", NO_MASK),
        segmenter=graph.value("by colour", ByColour()),
    )


def remove(graph, image=IMAGE, occluders=NO_MASK):
    return graph.add(
        "AmodalRemoveObjects",
        image=graph.value("image", image),
        modal_mask=graph.value("mask", MASK),
        occluder_mask=graph.value("occluders", occluders),
    )


def pad(graph, mask=MASK):
    return graph.add("AmodalPadIfTouching", modal_mask=graph.value("mask", mask))


CASES = {
    "crop: empty mask": (lambda g: crop(g, mask=NO_MASK), "Crop To Object", "modal_mask", "empty"),
    "crop: NaN": (lambda g: crop(g, image=NAN), "Crop To Object", "image", "NaN"),
    "crop: batch": (
        lambda g: crop(g, image=IMAGE.repeat(2, 1, 1, 1)),
        "Crop To Object",
        "image",
        "batch of 2",
    ),
    "crop: several masks": (
        lambda g: crop(g, mask=MASK.repeat(3, 1, 1)),
        "Crop To Object",
        "modal_mask",
        "batch of 3",
    ),
    "crop: two channels": (
        lambda g: crop(g, image=IMAGE[..., :2]),
        "Crop To Object",
        "image",
        "[1, 96, 128, 2]",
    ),
    "crop: size": (lambda g: crop(g, size=100), "Crop To Object", "size", "multiple of 8"),
    "crop: 0 to 255": (lambda g: crop(g, image=IMAGE * 255), "Crop To Object", "image", "up to"),
    "crop: other canvas": (
        lambda g: crop(g, canvas=g.value("canvas", Canvas.whole(30, 40))),
        "Crop To Object",
        "canvas",
        "30x40",
    ),
    "pad: empty mask": (lambda g: pad(g, NO_MASK), "Pad If Touching", "modal_mask", "empty"),
    "pad: not a mask": (lambda g: pad(g, IMAGE), "Pad If Touching", "modal_mask", "shape"),
    "detect: NaN": (lambda g: detect(g, NAN), "Detect Objects", "image", "NaN"),
    "pick: unknown word": (lambda g: pick(g, words="zebra"), "Pick Object", "words", "0: plate"),
    "pick: no object there": (
        lambda g: pick(g, point="64,94"),
        "Pick Object",
        "point",
        "no detected object",
    ),
    "pick: outside": (lambda g: pick(g, point="900,2"), "Pick Object", "point", "128x96"),
    "pick: not a point": (lambda g: pick(g, point="here"), "Pick Object", "point", "120,84"),
    "pick: index": (lambda g: pick(g, index=9), "Pick Object", "index", "too large"),
    "pick: nothing": (lambda g: g.add("AmodalPickObject"), "Pick Object", "objects", "connect"),
    "pick: nothing detected": (
        lambda g: g.add("AmodalPickObject", objects=detect(g, threshold=1.0)),
        "Pick Object",
        "objects",
        "nothing was detected",
    ),
    "pick: empty mask": (
        lambda g: pick(g, modal_mask=g.value("none", NO_MASK)),
        "Pick Object",
        "modal_mask",
        "empty",
    ),
    "labels": (
        lambda g: g.add("AmodalObjectsFromMasks", masks=g.value("mask", MASK), labels="a, b"),
        "Objects From Masks",
        "labels",
        "2 words for 1",
    ),
    "occluders: other mask": (
        lambda g: occluders(g, analysis.disc(5, 5, 3)[None]),
        "Select Occluders",
        "modal_mask",
        "IoU",
    ),
    "paste: other canvas": (
        lambda g: paste(g, image=torch.rand(1, 200, 200, 3)),
        "Paste Back",
        "image",
        "200x200",
    ),
    "paste: NaN": (lambda g: paste(g, completed=NAN[:, :, :96]), "Paste Back", "completed", "NaN"),
    "trim: other picture": (
        lambda g: trim(g, original=IMAGE[:, :50]),
        "Trim And Overlay",
        "original_image",
        "128x50",
    ),
    "trim: empty mask": (
        lambda g: trim(g, mask=NO_MASK),
        "Trim And Overlay",
        "amodal_mask",
        "empty",
    ),
    "swap: no own background": (
        lambda g: swap(g, background="image"),
        "Swap Background",
        "own_background",
        "not connected",
    ),
    "swap: batches": (
        lambda g: swap(g, IMAGE.repeat(3, 1, 1, 1), MASK.repeat(2, 1, 1)),
        "Swap Background",
        "modal_mask",
        "batch of 2 against 3",
    ),
    "segment: empty mask": (
        lambda g: segment(g, mask=NO_MASK),
        "Segment Object",
        "modal_mask",
        "empty",
    ),
    "segment: NaN": (lambda g: segment(g, NAN), "Segment Object", "image", "NaN"),
    "remove: NaN": (lambda g: remove(g, NAN), "Remove Objects", "image", "NaN"),
    "remove: NaN in a mask": (
        lambda g: remove(g, occluders=NAN[..., 0]),
        "Remove Objects",
        "occluder_mask",
        "NaN",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_names_node_input_and_remedy_and_the_host_stays_usable(host, graph, name):
    build, node, input_name, words = CASES[name]
    graph.keep(out=build(graph))
    with pytest.raises(Failed) as error:
        host.run(graph)
    message = str(error.value)
    assert node in message and f"input '{input_name}'" in message and "Remedy:" in message
    assert words in message
    good = Graph()
    good.keep(padding=good.add("AmodalPadIfTouching", modal_mask=good.value("good", MASK))[0])
    assert host.run(good).values["padding"].sides == ("left",)


def test_a_canvas_cannot_take_the_place_of_a_crop(host, graph):
    start = graph.add(
        "AmodalLoopStart", image=graph.value("image", IMAGE), modal_mask=graph.value("mask", MASK)
    )
    graph.keep(out=paste(graph, crop=start[3]))
    with pytest.raises(
        Failed, match="crop, received_type.AMODAL_CANVAS. mismatch input_type.AMODAL_CROP"
    ):
        host.run(graph)
