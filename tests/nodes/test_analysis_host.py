"""One pass of mask analysis, backgrounds, pasting and result in the real host's executor."""

import analysis
import pytest
import torch
from analysis import ByColour, disc, near, scene

from amodal.core import mask_ops
from amodal.method.loop import describe


def whole_pass(graph, x=20, image=None, mask=None):
    """The mask analysis of a pass, with the results kept by name.

    Returns links: image, mask, the dict of `analysis.analysis`, and Check Occlusion.
    """
    default = scene(x)
    image = graph.value("image", default[0] if image is None else image)
    mask = graph.value("mask", default[1] if mask is None else mask)
    at = analysis.analysis(graph, image, mask)
    check = graph.add(
        "AmodalCheckOcclusion",
        occluder_mask=at["select"][0],
        padding_mask=at["crop"][2],
        modal_mask=at["crop"][1],
        occlusion=at["select"][1],
        padding=at["padding"],
        dilate=0.03,
    )
    background = graph.add(
        "AmodalRemoveObjects",
        image=at["crop"][0],
        modal_mask=at["crop"][1],
        occluder_mask=at["select"][0],
        padding_mask=at["crop"][2],
    )
    graph.keep(
        padding=at["padding"],
        touching=at["padding"][5],
        crop_image=at["crop"][0],
        crop_mask=at["crop"][1],
        padding_mask=at["crop"][2],
        crop=at["crop"][3],
        table=at["order"][2],
        occluder_mask=at["select"][0],
        selected=at["select"][1],
        inpaint_mask=check[0],
        occlusion=check[2],
        background=background,
        swapped=graph.add(
            "AmodalSwapBackground", image=at["crop"][0], modal_mask=at["crop"][1], background="gray"
        ),
    )
    return image, mask, at, check


def test_the_plate_is_hidden_by_the_ball_and_cut_at_the_left(host, graph):
    whole_pass(graph)
    values = host.run(graph).values
    assert values["padding"].sides == ("left",) and values["touching"] is True
    assert values["selected"].occluders == ("ball",)
    assert describe(values["occlusion"]) == "hidden by ball; cut at the left"
    assert "plate hides ball 0.00, ball hides plate 1.00" in values["table"]
    assert values["crop_image"].shape == (1, 128, 128, 3)
    assert (
        mask_ops.iou(values["occluder_mask"][0], near(values["crop_image"][0], (0.9, 0.2, 0.2)))
        > 0.9
    )
    assert not (values["occluder_mask"] * values["crop_mask"]).any()
    assert values["padding_mask"].any()
    assert (values["inpaint_mask"] >= values["padding_mask"]).all()
    assert bool((values["swapped"][values["crop_mask"] < 0.5] == 0.5).all())
    difference = values["background"] - torch.tensor(analysis.BACKGROUND)
    assert difference.abs().max() < 0.02  # the plate, the ball and the padding are gone


def test_pasting_back_and_the_result(host, graph):
    """The true plate, painted into the crop, comes back in place on the grown canvas."""
    image, mask, at, check = whole_pass(graph)
    crop = host.run(graph).values["crop"]
    x0, y0, x1, _ = crop.box
    pad, top = crop.canvas.offset
    side = x1 - x0
    truth = disc(20 + pad - x0, 50 + top - y0, 30, (side, side))
    truth = torch.nn.functional.interpolate(truth[None, None], (128, 128), mode="bilinear")[0]
    painted = torch.where(
        truth[..., None] > 0.5,
        torch.tensor(analysis.COLOURS["plate"]),
        torch.tensor(analysis.BACKGROUND),
    )
    completed = graph.value("completed", painted)
    amodal = graph.add(
        "AmodalSegmentObject",
        image=completed,
        modal_mask=at["crop"][1],
        inpaint_mask=check[0],
        segmenter=graph.value("by colour", ByColour()),
        label="plate",
    )
    paste = graph.add(
        "AmodalPasteBack",
        image=image,
        modal_mask=mask,
        crop=at["crop"][3],
        completed=completed,
        amodal_mask=amodal,
        inpaint_mask=check[0],
    )
    end = graph.add(
        "AmodalTrimAndOverlay",
        image=paste[0],
        amodal_mask=paste[1],
        canvas=paste[2],
        original_image=image,
    )
    graph.keep(
        explanation=amodal[1],
        canvas=paste[2],
        pasted=paste[0],
        object=end[0],
        trimmed=end[1],
        amodal=end[2],
        overlay=end[3],
        x=end[4],
        y=end[5],
    )
    values = host.run(graph).values
    assert values["explanation"].startswith("segmented")
    assert (values["x"], values["y"]) == (-pad, 0)
    whole = disc(20 + pad, 50, 30, (96, 128 + pad))
    assert mask_ops.iou(values["amodal"][0], whole) > 0.97
    assert values["object"].shape == (1, 96, 128 + pad, 4)
    assert abs(values["trimmed"].shape[1] - 59) <= 2
    picture = scene()[0]
    free = values["object"][:, :, pad:, 3] == 0
    assert torch.equal(values["overlay"][:, :, pad:][free], picture[free])
    corner = values["pasted"][0, :20, pad + 80 :]  # far from the inpainted area
    assert torch.equal(corner, picture[0, :20, 80:])


def test_a_free_object_has_nothing_to_paint(host, graph):
    mask = disc(64, 50, 30)[None]
    image = torch.where(
        mask[..., None] > 0,
        torch.tensor(analysis.COLOURS["plate"]),
        torch.tensor(analysis.BACKGROUND),
    )
    *_, check = whole_pass(graph, image=image, mask=mask)
    graph.keep(occluded=check[1])
    values = host.run(graph).values
    assert values["occluded"] is False
    said = describe(values["occlusion"])
    assert said == "nothing hides the object (looked for everything the segmenter knows)"
    assert "inpaint_mask" not in values and values["selected"].occluders == ()
    assert values["padding"].amounts == (0, 0, 0, 0) and values["touching"] is False


def unusual_inputs() -> dict:
    """name -> (image, mask) in shapes and types that other nodes give."""
    image, mask = scene()
    alpha = torch.ones(*image.shape[:3], 1)
    return {
        "RGBA": (torch.cat([image, alpha], -1), mask),
        "2-D mask": (image, mask[0]),
        "mask of another size": (
            image,
            torch.nn.functional.interpolate(mask[None], (192, 256))[0],
        ),
        "soft mask": (image, mask * 0.9),
        "mask with a channel": (image, mask[:, None]),
        "half precision": (image.half(), mask.half()),
    }


@pytest.mark.parametrize("name", unusual_inputs())
def test_unusual_pictures_and_masks_are_accepted(host, graph, name):
    image, mask = unusual_inputs()[name]
    whole_pass(graph, image=image, mask=mask)
    values = host.run(graph).values
    assert values["selected"].occluders == ("ball",) and values["padding"].sides == ("left",)
    assert values["inpaint_mask"].shape == (1, 128, 128)


SIZES = [((8, 8), 1), ((8, 8), 3), ((9, 40), 1), ((9, 40), 3), ((300, 400), 1), ((3000, 4000), 8)]


@pytest.mark.parametrize(
    "size,part", SIZES, ids=[f"{w}x{h}, 1 of {part}" for (h, w), part in SIZES]
)
def test_pictures_of_any_size_are_cropped_and_pasted(host, graph, size, part):
    """An object in the upper left corner that takes 1/`part` of each side; 1 is a full mask."""
    picture, area = torch.full((1, *size, 3), 0.4), torch.zeros(1, *size)
    area[:, : size[0] // part, : size[1] // part] = 1
    image, mask = graph.value("image", picture), graph.value("mask", area)
    at = analysis.analysis(graph, image, mask)
    paste = graph.add(
        "AmodalPasteBack",
        image=image,
        modal_mask=mask,
        crop=at["crop"][3],
        completed=at["crop"][0],
        amodal_mask=at["crop"][1],
        inpaint_mask=at["crop"][2],
    )
    end = graph.add(
        "AmodalTrimAndOverlay",
        image=paste[0],
        amodal_mask=paste[1],
        canvas=paste[2],
        original_image=image,
    )
    graph.keep(padding=at["padding"], crop=at["crop"][0], canvas=paste[0], trimmed=end[1])
    values = host.run(graph).values
    sides = ("left", "top", "right", "bottom") if part == 1 else ("left", "top")
    assert values["padding"].sides == sides
    assert values["crop"].shape == (1, 128, 128, 3)
    assert values["canvas"].shape[1] > size[0] and values["canvas"].shape[2] > size[1]
    assert values["canvas"].dtype == torch.float32
    assert values["trimmed"].shape[-1] == 4


def test_no_detection_stops_only_the_nodes_that_need_masks(host, graph):
    detected = graph.add(
        "AmodalDetectObjects",
        image=graph.value("image", scene()[0]),
        threshold=1.0,
        segmenter=graph.value("by colour", ByColour()),
    )
    graph.keep(objects=detected[0], count=detected[3], overlay=detected[4], labels=detected[2])
    values = host.run(graph).values
    assert values["count"] == 0 and len(values["objects"]) == 0 and values["labels"] == ""
    assert torch.equal(values["overlay"], scene()[0])
    graph.keep(masks=detected[1], count_too=detected[3])
    run = host.run(graph)
    errors = [data["exception_message"] for event, data in run.events if event == "execution_error"]
    assert len(errors) == 1 and "nothing detected" in errors[0] and "Remedy:" in errors[0]
    assert "masks" not in run.values and run.values["count_too"] == 0


def test_objects_from_masks_and_order_from_depth_select_the_same_occluder(host, graph):
    image, mask = scene()
    parts = torch.cat([mask, near(image, analysis.COLOURS["ball"])])
    objects = graph.add(
        "AmodalObjectsFromMasks", masks=graph.value("parts", parts), labels="plate\nball"
    )
    picked = graph.add("AmodalPickObject", objects=objects, words="plate")
    depth = torch.where(parts[1][..., None] > 0, 0.9, 0.3).expand(1, *parts.shape[1:], 3)
    links = {}
    for near_is, picture in (("bright", depth), ("dark", 1 - depth), ("dark", depth)):
        order = graph.add(
            "AmodalOrderFromDepth",
            depth=graph.value(f"{near_is} {len(links)}", picture),
            objects=objects,
            near=near_is,
            modal_mask=picked,
        )
        links[f"occlusion {len(links)}"] = graph.add(
            "AmodalSelectOccluders",
            image=graph.value("image", image),
            objects=order[1],
            order=order[0],
            modal_mask=picked,
        )[1]
    graph.keep(label=picked[1], **links)
    values = host.run(graph).values
    assert values["label"] == "plate"
    assert [values[name].occluders for name in links] == [("ball",), ("ball",), ()]


def test_an_empty_64x64_mask_counts_as_not_connected(host, graph):
    """Load Image gives such a mask for a file without transparency."""
    detected = graph.add(
        "AmodalDetectObjects",
        image=graph.value("image", scene()[0]),
        segmenter=graph.value("by colour", ByColour()),
    )
    none = graph.value("no alpha", torch.zeros(1, 64, 64))
    graph.keep(
        label=graph.add("AmodalPickObject", objects=detected, modal_mask=none, point="118,10")[1]
    )
    assert host.run(graph).values["label"] == "far"


def test_backgrounds_take_batches(host, graph):
    image, mask = scene()
    graph.keep(
        out=graph.add(
            "AmodalSwapBackground",
            image=graph.value("images", image.repeat(3, 1, 1, 1)),
            modal_mask=graph.value("mask", mask),
            background="noise",
            seed=4,
        )
    )
    out = host.run(graph).values["out"]
    assert out.shape == (3, *analysis.SIZE, 3)
    assert torch.equal(out[1][mask[0] > 0], image[0][mask[0] > 0])


def test_each_pass_crops_around_the_amodal_mask_of_the_last(host, graph):
    """The crop of the second pass is larger than the first, because the mask has grown."""
    small = torch.zeros(1, 64, 64)
    small[:, 24:40, 24:40] = 1
    image = graph.value("noise", torch.rand(1, 64, 64, 3))
    start = graph.add("AmodalLoopStart", image=image, modal_mask=graph.value("small square", small))
    crop = graph.add(
        "AmodalCropToObject",
        image=start[1],
        modal_mask=start[2],
        canvas=start[3],
        context=0.3,
        size=64,
    )
    grown = graph.add("GrowMask", mask=crop[1], expand=8, tapered_corners=False)
    pasted = graph.add(
        "AmodalPasteBack",
        image=start[1],
        modal_mask=start[2],
        crop=crop[3],
        completed=crop[0],
        amodal_mask=grown,
        inpaint_mask=grown,
        feather=0.0,
    )
    end = graph.add(
        "AmodalLoopEnd",
        loop=start,
        occluded=True,
        image=pasted[0],
        amodal_mask=pasted[1],
        canvas=pasted[2],
        max_passes=2,
    )
    values = host.run(graph.keep(canvas=end[2], passes=end[4])).values
    first, second = values["canvas"].inpainted
    assert values["passes"] == 2
    assert all(a >= b for a, b in zip(first[:2], second[:2]))
    assert second[2] - second[0] > first[2] - first[0]
