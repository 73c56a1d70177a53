"""A scene of plain discs, with a perfect segmenter and order model, for tests in the host."""

import torch

from amodal.core import detections
from amodal.method import occluder_selection

SIZE = (96, 128)  # height, width
COLOURS = {"plate": (0.2, 0.7, 0.3), "ball": (0.9, 0.2, 0.2), "far": (0.1, 0.2, 0.9)}
BACKGROUND = (0.7, 0.6, 0.5)


def disc(x, y, radius, size=SIZE):
    ys, xs = torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij")
    return ((xs - x) ** 2 + (ys - y) ** 2 < radius**2).float()


def scene(x=20):
    """A plate (cut off at the left by default), a ball in front of it, another object far away."""
    parts = {"far": disc(118, 10, 7), "plate": disc(x, 50, 30), "ball": disc(x + 24, 60, 14)}
    image = torch.tensor(BACKGROUND).expand(*SIZE, 3)
    for name, mask in parts.items():
        image = torch.where(mask[..., None] > 0, torch.tensor(COLOURS[name]), image)
    return image[None].clone(), (parts["plate"] * (1 - parts["ball"]))[None]


def near(image, colour):
    return ((image - torch.tensor(colour)).abs().amax(-1) < 0.12).float()


class ByColour:
    """A segmenter that knows the scene's objects by their colours."""

    def detect(self, image, words=None, threshold=0.5):
        names = [n for n in words or COLOURS if n in COLOURS]
        masks = [near(image, COLOURS[n]) for n in names]
        empty = torch.zeros(0, *image.shape[:2])
        if not names or threshold > 0.99:
            return detections.Objects(empty.bool(), [], torch.zeros(0), torch.zeros(0, 4))
        return detections.from_masks(torch.stack(masks), names)

    def segment(self, image, *, box=None, points=None, prior_mask=None, label=None, painted=None):
        return near(image, COLOURS[label or "plate"])


class BallInFront:
    """An order model by which red objects hide all others."""

    def order(self, image, masks, pairs):
        red = [float(image[mask > 0.5][:, 0].mean()) > 0.8 for mask in masks]
        table = occluder_selection.unknown(len(masks))
        for i, j in pairs:
            table[i, j], table[j, i] = float(red[i] and not red[j]), float(red[j] and not red[i])
        return table


def analysis(graph, image, mask, **crop_inputs):
    """Links of the first half of a pass: padding, crop, detection, order, occluders."""
    padding = graph.add("AmodalPadIfTouching", modal_mask=mask)
    crop = graph.add(
        "AmodalCropToObject",
        image=image,
        modal_mask=mask,
        padding=padding,
        size=128,
        **crop_inputs,
    )
    objects = graph.add(
        "AmodalDetectObjects", image=crop[0], segmenter=graph.value("by colour", ByColour())
    )
    order = graph.add(
        "AmodalOrderObjects",
        image=crop[0],
        objects=objects[0],
        modal_mask=crop[1],
        order_model=graph.value("ball in front", BallInFront()),
    )
    select = graph.add(
        "AmodalSelectOccluders", image=crop[0], objects=order[1], order=order[0], modal_mask=crop[1]
    )
    return {
        "padding": padding,
        "crop": crop,
        "objects": objects,
        "order": order,
        "select": select,
    }
