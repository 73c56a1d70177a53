"""Real photographs through every stage that needs no pretrained net, in the real host.

The photographs are scikit-learn's (china.jpg, flower.jpg); masks are made by colour and by hand.
With AMODAL_PICTURES set to a folder, a sheet of what each stage made is left there to look at.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from amodal.core import mask_ops

SIZE = 512


def photograph(name: str) -> torch.Tensor:
    from sklearn.datasets import load_sample_image

    return torch.from_numpy(load_sample_image(name) / np.float32(255)).float()[None]


def flower():
    """The flower, of which a bar hides a part; the flower is not green."""
    image = photograph("flower.jpg")
    red = (image[0, ..., 0] > image[0, ..., 1] + 0.15).float()
    seed = torch.zeros_like(red)
    seed[200:230, 320:350] = 1
    whole = mask_ops.fill_holes(mask_ops.connected_to(red, seed * red), red.numel() // 20)
    bar = torch.zeros_like(red)
    bar[130:175, 150:560] = 1
    return image, whole * (1 - bar), bar


def roof():
    """A part of the temple at the picture's left border, hidden by a post of another colour."""
    image = photograph("china.jpg")
    body, post = torch.zeros(image.shape[1:3]), torch.zeros(image.shape[1:3])
    body[150:300, 0:240] = 1
    post[100:380, 120:150] = 1
    image[0][post > 0] = torch.tensor([0.1, 0.3, 0.6])
    return image, body * (1 - post), post


SCENES = {"flower": flower, "roof": roof}


def stages(graph, image, modal, occluder, method="smooth"):
    """The shipped graph's stages without diffusion: the empty background stands for the result."""
    image = graph.value(f"photograph {float(image.sum()):.1f}", image)
    both = graph.value(f"masks {float(modal.sum())}", torch.stack([modal, occluder]))
    query = graph.value(f"modal {float(modal.sum())}", modal[None])
    pad = graph.add("AmodalPadIfTouching", modal_mask=query)
    sides = {side: pad[i] for i, side in enumerate(("left", "top", "right", "bottom"))}
    crop = graph.add("AmodalCropToObject", image=image, modal_mask=query, size=SIZE, **sides)
    found = graph.add("AmodalObjectsFromMasks", masks=both, labels="query, occluder")
    order = graph.add(
        "AmodalOrderObjects",
        image=image,
        objects=found,
        modal_mask=query,
        order_model=graph.add("AmodalBorderOrder"),
    )
    chosen = graph.add(
        "AmodalSelectOccluders", image=image, objects=order[1], order=order, modal_mask=query
    )
    occluders = graph.add("TestCropLike", mask=chosen[0], crop=crop[3])
    check = graph.add(
        "AmodalCheckOcclusion",
        occluder_mask=occluders,
        padding_mask=crop[2],
        modal_mask=crop[1],
        touching=pad[4],
        names=chosen[1],
        sides=pad[5],
        dilate=0.03,
    )
    gray = graph.add("AmodalSwapBackground", image=crop[0], modal_mask=crop[1], background="gray")
    plate = graph.add(
        "AmodalRemoveObjects",
        image=crop[0],
        modal_mask=crop[1],
        occluder_mask=occluders,
        padding_mask=crop[2],
        method=method,
    )
    pasted = graph.add(
        "AmodalPasteBack",
        image=image,
        modal_mask=query,
        crop=crop[3],
        completed=plate,
        amodal_mask=crop[1],
        inpaint_mask=check,
        feather=0.01,
    )
    result = graph.add(
        "AmodalTrimAndOverlay",
        image=pasted,
        amodal_mask=pasted[1],
        canvas=pasted[2],
        original_image=image,
        edge=1.5,
    )
    graph.keep(
        crop=crop[0],
        modal=crop[1],
        beyond=crop[2],
        names=chosen[1],
        picture=chosen[2],
        inpaint=check,
        gray=gray,
        plate=plate,
        removed=plate[1],
        canvas=pasted[0],
        map=pasted[2],
        object=result[0],
        overlay=result[3],
        sides=pad[5],
    )


class TestCropLike:
    """A mask of the picture in a crop, as a detection in the crop would give it."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MASK",), "crop", "test"
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"mask": ("MASK", {}), "crop": ("AMODAL_CROP", {})}}

    def crop(self, mask, crop):
        import sys

        from tools.host.inprocess import host

        module = sys.modules[host().pack["AmodalCropToObject"].__module__]
        return (module.cropping.take(mask[..., None].repeat(1, 1, 1, 3), mask, crop)[1],)


@pytest.fixture(params=SCENES)
def photo(request):
    return request.param, *SCENES[request.param]()


def test_a_photograph_passes_every_stage_without_a_net(host, graph, photo):
    name, image, modal, occluder = photo
    host.classes["TestCropLike"] = TestCropLike
    stages(graph, image, modal, occluder)
    values = host.run(graph).values
    leave(name, values)
    assert values["names"] == "occluder"
    assert ("left" in values["sides"]) == (name == "roof")
    assert values["crop"].shape == values["plate"].shape == (1, SIZE, SIZE, 3)
    seen, removed = values["modal"] > 0.5, values["removed"] > 0.5
    assert torch.equal(values["gray"][seen], values["crop"][seen])
    assert (values["gray"][~seen] == 0.5).all()
    assert torch.equal(values["plate"][~removed], values["crop"][~removed])
    assert (removed | ~seen).all() and values["inpaint"].any()
    x, y = values["map"].offset
    height, width = image.shape[1:3]
    kept = values["canvas"][0, y : y + height, x : x + width]
    changed = (kept != image[0]).any(-1)
    near = mask_ops.dilate(occluder, 30) > 0.5
    if name == "roof":
        near[:, :40] = True  # where the picture is cut, what is beyond it is painted too
    assert not (changed & ~near).any() and changed.any()
    assert values["overlay"].shape[1:3] == values["canvas"].shape[1:3]
    assert values["object"].shape[-1] == 4


def leave(name: str, values: dict) -> None:
    """A sheet of the stages, where AMODAL_PICTURES says."""
    folder = os.environ.get("AMODAL_PICTURES")
    if not folder:
        return
    from PIL import Image

    def shown(picture):
        picture = picture.float()
        if picture.ndim == 3:
            picture = picture[..., None].expand(*picture.shape, 3)
        pixels = (picture[0, ..., :3].clamp(0, 1).numpy() * 255).round().astype(np.uint8)
        return Image.fromarray(pixels).resize((320, 320 * pixels.shape[0] // pixels.shape[1]))

    names = ("picture", "crop", "inpaint", "gray", "plate", "canvas", "overlay")
    pictures = [shown(values[one]) for one in names]
    sheet = Image.new("RGB", (320 * len(names), max(one.height for one in pictures)))
    for index, one in enumerate(pictures):
        sheet.paste(one, (320 * index, 0))
    Path(folder).mkdir(parents=True, exist_ok=True)
    sheet.save(Path(folder) / f"{name}.png")
