"""A stand-in for the diffusion model: paints the truth, or what such models paint by mistake."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image
from scipy import ndimage

from . import faults
from .scenes import Layer, Scene, scaled
from .stage import Content, redrawn, truth_of

CHANGE = 0.12  # how much of its side an object is painted too small, or too large
SHIFT = (14, -10, 12)  # of 255
SOFT = 0.02  # of the object's side: width of a soft edge


def content_of(scene: Scene, fault: str) -> Content:
    """What is painted: by `fault`, one of faults.PAINTER, or the truth for any other word."""
    made = {
        "again": again,
        "too-small": too_small,
        "too-large": too_large,
        "second": second,
        "shift": shifted,
        "soft": soft,
    }
    return made.get(fault, truth_of)(scene)


def again(scene: Scene) -> Content:
    content = redrawn(scene, scene.layers, ())
    return replace(content, amodal=scene.amodal)


def too_small(scene: Scene) -> Content:
    return resized(scene, -CHANGE)


def too_large(scene: Scene) -> Content:
    return resized(scene, CHANGE)


def resized(scene: Scene, change: float) -> Content:
    """The hidden part ends earlier or later than it should; the visible part stays."""
    query = scene.layers[scene.query]
    side = max(query.rgba.shape[:2])
    pad = int(abs(change) * side) + 2
    rgba = np.pad(query.rgba, ((pad, pad), (pad, pad), (0, 0)))
    mask = rgba[..., 3] > 127
    distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    wanted = distance > -change * side / 2
    nearest = ndimage.distance_transform_edt(~mask, return_indices=True)[1]
    grown = np.dstack([rgba[tuple(nearest)][..., :3], wanted.astype(np.uint8) * 255])
    layer = replace(query, rgba=grown, x=query.x - pad, y=query.y - pad)
    layer.rgba[visible_in(scene, layer) & mask] = rgba[visible_in(scene, layer) & mask]
    layers = [layer if i == scene.query else one for i, one in enumerate(scene.layers)]
    return redrawn(scene, layers, scene.hiders)


def visible_in(scene: Scene, layer: Layer) -> np.ndarray:
    """[h, w] bool: where the query is visible, in a layer's pixels."""
    from .scenes import overlap

    seen = np.zeros(layer.rgba.shape[:2], bool)
    there, here = overlap(scene.shape, layer)
    seen[here] = scene.modal[there]
    return seen


def second(scene: Scene) -> Content:
    """A smaller thing of the occluder's looks is painted where the occluder was."""
    model = scene.layers[scene.hiders[0] if scene.hiders else scene.query]
    rgba = scaled(Image.fromarray(model.rgba), 0.4 * max(model.rgba.shape[:2]), 30, True)
    hidden = scene.amodal & ~scene.modal
    ys, xs = np.nonzero(hidden if hidden.any() else scene.amodal)
    layer = Layer(
        model.label, model.name, rgba,
        int(xs.mean()) - rgba.shape[1] // 2, int(ys.mean()) - rgba.shape[0] // 2,
    )  # fmt: skip
    content = redrawn(scene, [*scene.layers, layer], scene.hiders)
    return replace(content, amodal=scene.amodal)


def shifted(scene: Scene) -> Content:
    picture = (scene.truth.astype(np.int16) + SHIFT).clip(0, 255).astype(np.uint8)
    return replace(truth_of(scene), picture=picture)


def soft(scene: Scene) -> Content:
    query = scene.layers[scene.query]
    pad = int(4 * SOFT * max(query.rgba.shape[:2])) + 1
    rgba = np.pad(query.rgba, ((pad, pad), (pad, pad), (0, 0)))
    nearest = ndimage.distance_transform_edt(rgba[..., 3] <= 127, return_indices=True)[1]
    alpha = ndimage.gaussian_filter(rgba[..., 3].astype(np.float32), pad / 4)
    blurred = np.dstack([rgba[tuple(nearest)][..., :3], alpha.astype(np.uint8)])
    layer = replace(query, rgba=blurred, x=query.x - pad, y=query.y - pad)
    layers = [layer if i == scene.query else one for i, one in enumerate(scene.layers)]
    return redrawn(scene, layers, scene.hiders)


assert set(faults.PAINTER) == {"again", "too-small", "too-large", "second", "shift", "soft"}
