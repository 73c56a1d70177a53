"""One pass of mask analysis, backgrounds, pasting and result through the real host's executor."""

import analysis
import pytest
import torch
from analysis import ByColour, disc, near, scene

from amodal.core import mask_ops


def whole_pass(graph, x=20, image=None, mask=None):
    """A pass whose diffusion model paints the truth: what comes back, by name."""
    default = scene(x)
    image = graph.value("image", default[0] if image is None else image)
    mask = graph.value("mask", default[1] if mask is None else mask)
    at = analysis.analysis(graph, image, mask)
    check = graph.add(
        "AmodalCheckOcclusion",
        occluder_mask=at["hiding"][0],
        padding_mask=at["crop"][2],
        modal_mask=at["crop"][1],
        touching=at["pad"][4],
        names=at["hiding"][1],
        sides=at["pad"][5],
        dilate=0.03,
    )
    plate = graph.add(
        "AmodalRemoveObjects",
        image=at["crop"][0],
        modal_mask=at["crop"][1],
        occluder_mask=at["hiding"][0],
        padding_mask=at["crop"][2],
    )
    graph.keep(
        pads=at["pad"][5],
        crop_image=at["crop"][0],
        crop_mask=at["crop"][1],
        beyond=at["crop"][2],
        crop=at["crop"][3],
        table=at["order"][2],
        occluders=at["hiding"][0],
        names=at["hiding"][1],
        inpaint=check[0],
        reason=check[2],
        plate=plate,
        swapped=graph.add(
            "AmodalSwapBackground", image=at["crop"][0], modal_mask=at["crop"][1], background="gray"
        ),
    )
    return image, mask, at, check


def test_the_plate_is_hidden_by_the_ball_and_cut_at_the_left(host, graph):
    whole_pass(graph)
    values = host.run(graph).values
    assert values["pads"] == "left" and values["names"] == "ball"
    assert values["reason"] == "hidden by ball; cut at the left"
    assert "plate hides ball 0.00, ball hides plate 1.00" in values["table"]
    assert values["crop_image"].shape == (1, 128, 128, 3)
    assert (
        mask_ops.iou(values["occluders"][0], near(values["crop_image"][0], (0.9, 0.2, 0.2))) > 0.9
    )
    assert not (values["occluders"] * values["crop_mask"]).any()
    assert values["beyond"].any() and (values["inpaint"] >= values["beyond"]).all()
    assert bool((values["swapped"][values["crop_mask"] < 0.5] == 0.5).all())
    plate = values["plate"] - torch.tensor(analysis.BACKGROUND)
    assert plate.abs().max() < 0.02  # nothing of the plate, the ball or the padding is left


def test_pasting_back_and_the_result(host, graph):
    image, mask, at, check = whole_pass(graph)
    plan_of = host.run(graph).values["crop"]
    x0, y0, x1, y1 = plan_of.box
    pad = plan_of.offset[0]
    side = x1 - x0
    truth = disc(20 + pad - x0, 50 + plan_of.offset[1] - y0, 30, (side, side))
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
        status=amodal[1],
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
    assert values["status"].startswith("segmented")
    assert (values["x"], values["y"]) == (-pad, 0)
    whole = disc(20 + pad, 50, 30, (96, 128 + pad))
    assert mask_ops.iou(values["amodal"][0], whole) > 0.97
    assert values["object"].shape == (1, 96, 128 + pad, 4)
    assert abs(values["trimmed"].shape[1] - 59) <= 2
    picture = scene()[0]
    free = values["object"][:, :, pad:, 3] == 0
    assert torch.equal(values["overlay"][:, :, pad:][free], picture[free])
    corner = values["pasted"][0, :20, pad + 80 :]  # far from everything painted
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
    assert values["occluded"] is False and values["reason"] == "nothing hides the object"
    assert "inpaint" not in values and values["names"] == ""


def odd_inputs():
    image, mask = scene()
    alpha = torch.ones(*image.shape[:3], 1)
    big = torch.nn.functional.interpolate(mask[None], (192, 256))[0]
    yield "RGBA", torch.cat([image, alpha], -1), mask
    yield "2-D mask", image, mask[0]
    yield "mask of another size", image, big
    yield "soft mask", image, mask * 0.9
    yield "mask with a channel", image, mask[:, None]
    yield "half precision", image.half(), mask.half()


@pytest.mark.parametrize("name,image,mask", odd_inputs(), ids=[o[0] for o in odd_inputs()])
def test_odd_pictures_and_masks_simply_work(host, graph, name, image, mask):
    whole_pass(graph, image=image, mask=mask)
    values = host.run(graph).values
    assert values["names"] == "ball" and values["pads"] == "left"
    assert values["inpaint"].shape == (1, 128, 128)


SIZES = [((8, 8), 1), ((8, 8), 3), ((9, 40), 1), ((9, 40), 3), ((300, 400), 1), ((3000, 4000), 8)]


@pytest.mark.parametrize(
    "size,part", SIZES, ids=[f"{w}x{h}, 1 of {part}" for (h, w), part in SIZES]
)
def test_pictures_of_any_size_are_cropped_and_pasted(host, graph, size, part):
    """An object in the upper left corner, of so large a part of each side; 1 is a full mask."""
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
    graph.keep(sides=at["pad"][5], crop=at["crop"][0], canvas=paste[0], trimmed=end[1])
    values = host.run(graph).values
    assert values["sides"] == ("left, top, right, bottom" if part == 1 else "left, top")
    assert values["crop"].shape == (1, 128, 128, 3)
    assert values["canvas"].shape[1] > size[0] and values["canvas"].shape[2] > size[1]
    assert values["canvas"].dtype == torch.float32
    assert values["trimmed"].shape[-1] == 4


def test_nothing_detected_is_said_and_stops_only_what_needs_masks(host, graph):
    found = graph.add(
        "AmodalDetectObjects",
        image=graph.value("image", scene()[0]),
        threshold=1.0,
        segmenter=graph.value("by colour", ByColour()),
    )
    graph.keep(objects=found[0], count=found[3], overlay=found[4], labels=found[2])
    values = host.run(graph).values
    assert values["count"] == 0 and len(values["objects"]) == 0 and values["labels"] == ""
    assert torch.equal(values["overlay"], scene()[0])
    graph.keep(masks=found[1], count_too=found[3])
    run = host.run(graph)
    said = [data["exception_message"] for event, data in run.events if event == "execution_error"]
    assert len(said) == 1 and "nothing detected" in said[0] and "Remedy:" in said[0]
    assert "masks" not in run.values and run.values["count_too"] == 0


def test_objects_from_other_nodes_and_depth_take_the_same_way(host, graph):
    image, mask = scene()
    parts = torch.cat([mask, near(image, analysis.COLOURS["ball"])])
    found = graph.add(
        "AmodalObjectsFromMasks", masks=graph.value("parts", parts), labels="plate\nball"
    )
    picked = graph.add("AmodalPickObject", objects=found, words="plate")
    depth = torch.where(parts[1][..., None] > 0, 0.9, 0.3).expand(1, *parts.shape[1:], 3)
    links = {}
    for near_is, picture in (("bright", depth), ("dark", 1 - depth), ("dark", depth)):
        order = graph.add(
            "AmodalOrderFromDepth",
            depth=graph.value(f"{near_is} {len(links)}", picture),
            objects=found,
            near=near_is,
            modal_mask=picked,
        )
        links[f"names {len(links)}"] = graph.add(
            "AmodalSelectOccluders",
            image=graph.value("image", image),
            objects=order[1],
            order=order[0],
            modal_mask=picked,
        )[1]
    graph.keep(label=picked[1], **links)
    values = host.run(graph).values
    assert values["label"] == "plate"
    assert [values[name] for name in links] == ["ball", "ball", ""]


def test_the_empty_mask_of_a_file_without_transparency_counts_as_none(host, graph):
    found = graph.add(
        "AmodalDetectObjects",
        image=graph.value("image", scene()[0]),
        segmenter=graph.value("by colour", ByColour()),
    )
    none = graph.value("no alpha", torch.zeros(1, 64, 64))
    graph.keep(
        label=graph.add("AmodalPickObject", objects=found, modal_mask=none, point="118,10")[1]
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


def test_each_pass_looks_at_the_object_as_it_has_become(host, graph):
    """The crop of the second pass is larger than the first one's, around the grown mask."""
    small = torch.zeros(1, 64, 64)
    small[:, 24:40, 24:40] = 1
    image = graph.value("noise", torch.rand(1, 64, 64, 3))
    start = graph.add("AmodalLoopStart", image=image, modal_mask=graph.value("small square", small))
    crop = graph.add(
        "AmodalCropToObject",
        image=start[1],
        modal_mask=start[2],
        canvas=start[3],
        left=0,
        top=0,
        right=0,
        bottom=0,
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
        reason="hidden",
        image=pasted[0],
        amodal_mask=pasted[1],
        canvas=pasted[2],
        max_passes=2,
    )
    values = host.run(graph.keep(canvas=end[2], passes=end[4])).values
    first, second = values["canvas"].painted
    assert values["passes"] == 2
    assert all(a >= b for a, b in zip(first[:2], second[:2]))
    assert second[2] - second[0] > first[2] - first[0]
