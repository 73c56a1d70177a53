"""Real photographs through every stage that needs no pretrained model, in the real host.

The photographs come from scikit-learn (china.jpg, flower.jpg); the masks are made by colour and by
hand. If AMODAL_PICTURES names a folder, a sheet with the pictures of each stage is saved there.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from amodal.core import mask_ops
from amodal.core.canvas import cut_crop

SIZE = 512


def photograph(name: str) -> torch.Tensor:
    from sklearn.datasets import load_sample_image

    return torch.from_numpy(load_sample_image(name) / np.float32(255)).float()[None]


def flower():
    """A flower, found by its red colour; a bar hides a part of it."""
    image = photograph("flower.jpg")
    red = (image[0, ..., 0] > image[0, ..., 1] + 0.15).float()
    seed = torch.zeros_like(red)
    seed[200:230, 320:350] = 1
    whole = mask_ops.fill_holes(mask_ops.connected_to(red, seed * red), red.numel() // 20)
    bar = torch.zeros_like(red)
    bar[130:175, 150:560] = 1
    return image, whole * (1 - bar), bar


def roof():
    """A part of the temple at the picture's left border; a blue post hides a part of it."""
    image = photograph("china.jpg")
    body, post = torch.zeros(image.shape[1:3]), torch.zeros(image.shape[1:3])
    body[150:300, 0:240] = 1
    post[100:380, 120:150] = 1
    image[0][post > 0] = torch.tensor([0.1, 0.3, 0.6])
    return image, body * (1 - post), post


SCENES = {"flower": flower, "roof": roof}


def stages(graph, image, modal, occluder, method="smooth"):
    """The shipped graph's stages without diffusion; the background takes the result's place."""
    image = graph.value(f"photograph {float(image.sum()):.1f}", image)
    both = graph.value(f"masks {float(modal.sum())}", torch.stack([modal, occluder]))
    query = graph.value(f"modal {float(modal.sum())}", modal[None])
    padding = graph.add("AmodalPadIfTouching", modal_mask=query)
    crop = graph.add(
        "AmodalCropToObject", image=image, modal_mask=query, padding=padding, size=SIZE
    )
    objects = graph.add("AmodalObjectsFromMasks", masks=both, labels="query, occluder")
    order = graph.add(
        "AmodalOrderObjects",
        image=image,
        objects=objects,
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
        occlusion=chosen[1],
        padding=padding,
        dilate=0.03,
    )
    gray = graph.add("AmodalSwapBackground", image=crop[0], modal_mask=crop[1], background="gray")
    background = graph.add(
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
        completed=background,
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
        occlusion=chosen[1],
        picture=chosen[2],
        inpaint_mask=check,
        gray=gray,
        background=background,
        removed=background[1],
        canvas=pasted[0],
        map=pasted[2],
        object=result[0],
        overlay=result[3],
        padding=padding,
    )


class TestCropLike:
    """Cuts a mask of the picture to a crop, as a detection in the crop would give it."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MASK",), "crop", "test"
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"mask": ("MASK", {}), "crop": ("AMODAL_CROP", {})}}

    def crop(self, mask, crop):
        return (cut_crop(mask[..., None].repeat(1, 1, 1, 3), mask, crop)[1],)


@pytest.fixture(params=SCENES)
def photo(request):
    return request.param, *SCENES[request.param]()


def test_a_photograph_passes_every_stage_without_a_pretrained_model(host, graph, photo):
    name, image, modal, occluder = photo
    host.classes["TestCropLike"] = TestCropLike
    stages(graph, image, modal, occluder)
    values = host.run(graph).values
    save_sheet(name, values)
    assert values["occlusion"].occluders == ("occluder",)
    assert ("left" in values["padding"].sides) == (name == "roof")
    assert values["crop"].shape == values["background"].shape == (1, SIZE, SIZE, 3)
    seen, removed = values["modal"] > 0.5, values["removed"] > 0.5
    assert torch.equal(values["gray"][seen], values["crop"][seen])
    assert (values["gray"][~seen] == 0.5).all()
    assert torch.equal(values["background"][~removed], values["crop"][~removed])
    assert (removed | ~seen).all() and values["inpaint_mask"].any()
    x, y = values["map"].offset
    height, width = image.shape[1:3]
    kept = values["canvas"][0, y : y + height, x : x + width]
    changed = (kept != image[0]).any(-1)
    near = mask_ops.dilate(occluder, 30) > 0.5
    if name == "roof":
        near[:, :40] = True  # next to the padding at the left, which is inpainted too
    assert not (changed & ~near).any() and changed.any()
    assert values["overlay"].shape[1:3] == values["canvas"].shape[1:3]
    assert values["object"].shape[-1] == 4


def save_sheet(name: str, values: dict) -> None:
    """Saves the pictures of the stages side by side, if AMODAL_PICTURES names a folder."""
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

    names = ("picture", "crop", "inpaint_mask", "gray", "background", "canvas", "overlay")
    pictures = [shown(values[stage]) for stage in names]
    sheet = Image.new("RGB", (320 * len(names), max(picture.height for picture in pictures)))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (320 * index, 0))
    Path(folder).mkdir(parents=True, exist_ok=True)
    sheet.save(Path(folder) / f"{name}.png")
