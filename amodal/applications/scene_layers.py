"""A picture taken apart into whole objects before a clean background, and put together again.

Layers lie from back to front; the first is the plate, which covers the picture. Composed unmoved
they give the picture back: to the bit where alpha is 0 or 1, and up to rounding at soft edges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ..core import mask_ops

STEPS = 255  # alpha takes one of so many steps, as it has in a file
PLATE = "background"


@dataclass(frozen=True, eq=False)
class Layer:
    """image [h, w, 4] (RGBA, straight alpha) with its top left corner at (x, y) of the picture.

    It may reach beyond the picture, and hold what is hidden there.
    """

    image: torch.Tensor
    x: int
    y: int
    name: str

    @property
    def alpha(self) -> torch.Tensor:
        return self.image[..., 3]

    def on(self, size: tuple[int, int]) -> torch.Tensor:
        """The layer on a picture of (height, width): [H, W, 4], transparent elsewhere."""
        page = self.image.new_zeros(*size, 4)
        shown, part = self.shared(size)
        page[shown] = self.image[part]
        return page

    def shared(self, size: tuple[int, int]) -> tuple[tuple, tuple]:
        """The slices of a picture of (height, width) that it covers, and its own slices there."""
        spans = []
        for start, length, limit in zip((self.y, self.x), self.image.shape, size):
            low = min(max(0, start), limit)
            high = max(low, min(limit, start + length))
            spans.append((slice(low, high), slice(low - start, high - start)))
        (rows, own_rows), (columns, own_columns) = spans
        return (rows, columns), (own_rows, own_columns)

    def moved(self, x: int, y: int) -> Layer:
        """The layer moved by (x, y) pixels."""
        return replace(self, x=self.x + x, y=self.y + y)

    def covering(self, mask: torch.Tensor) -> Layer:
        """The layer with transparent margins, so that it covers a mask [H, W] of the picture."""
        box = mask_ops.box_of(mask)
        if box is None:
            return self
        height, width = self.alpha.shape
        margins = (
            self.x - box[0],
            box[2] - self.x - width,
            self.y - box[1],
            box[3] - self.y - height,
        )
        left, right, top, bottom = (max(0, margin) for margin in margins)
        image = F.pad(self.image.movedim(-1, 0), (left, right, top, bottom)).movedim(0, -1)
        return replace(self, image=image, x=self.x - left, y=self.y - top)

    def trimmed(self) -> Layer:
        """The layer cut to the box of what is not wholly transparent."""
        box = mask_ops.box_of(self.alpha > 0)
        if box is None:
            return replace(self, image=self.image[:1, :1])
        x0, y0, x1, y1 = box
        return replace(self, image=self.image[y0:y1, x0:x1], x=self.x + x0, y=self.y + y0)


def depth_order(order: torch.Tensor) -> list[int]:
    """The objects of P [n, n] (see core/types.py) from back to front.

    Each is hidden by what follows, as far as the order has no circle; a circle is broken where the
    probabilities are weakest. Objects that hide nothing keep their order.
    """
    known = torch.nan_to_num(order.double(), nan=0.0)
    over = (known - known.T).clamp(min=0)
    left = list(range(len(over)))
    result = []
    while left:
        hides = [float(over[i, left].sum()) for i in left]
        result.append(left.pop(min(range(len(left)), key=hides.__getitem__)))
    return result


def largest(layers: list[Layer], most: int) -> list[int]:
    """The numbers of the `most` largest layers, in their order."""
    areas = [float(layer.alpha.sum()) for layer in layers]
    ranked = sorted(range(len(layers)), key=lambda number: -areas[number])
    return sorted(ranked[:most])


def taken_apart(
    picture: torch.Tensor,
    plate: torch.Tensor,
    objects: list[Layer],
    modal_masks: torch.Tensor,
    linear: bool = False,
) -> list[Layer]:
    """The plate and the objects as layers that give the picture [H, W, 3] back.

    plate [H, W, 3] is the picture without the objects, which lie from back to front; modal_masks
    [n, H, W] are their visible pixels in the picture. A visible pixel is the topmost there: nothing
    in front of it is opaque. Beyond an object's outline, the colour of its soft edge is what its
    alpha needs; where none would do, alpha is raised. linear: for a program that blends in linear
    light.
    """
    size = picture.shape[0], picture.shape[1]
    objects = [layer.covering(mask) for layer, mask in zip(objects, modal_masks)]
    owner = torch.zeros(size, dtype=torch.long)
    for number, mask in enumerate(modal_masks, 1):
        owner[mask > 0.5] = number
    alphas = [cleared(layer.on(size)[..., 3], owner, i) for i, layer in enumerate(objects, 1)]
    top = torch.zeros(size, dtype=torch.long)
    for number, alpha in enumerate(alphas, 1):
        top[alpha > 0] = number
    ground = torch.where((top == 0)[..., None], picture, plate)
    below, wanted = in_light(ground, linear), in_light(picture, linear)
    result = [Layer(with_alpha(ground, torch.ones(size)), 0, 0, PLATE)]
    for number, (layer, alpha) in enumerate(zip(objects, alphas), 1):
        colours = layer.on(size)[..., :3]
        shown = top == number
        alpha = torch.where(shown & (alpha < 1), feasible(alpha, wanted, below), alpha)
        needed = (wanted - (1 - alpha)[..., None] * below) / alpha.clamp(min=1 / STEPS)[..., None]
        needed = from_light(needed.clamp(0, 1), linear)
        needed = torch.where((alpha == 1)[..., None], picture, needed)
        colours = torch.where(shown[..., None], needed, colours)
        below = blended(below, in_light(colours, linear), alpha)
        result.append(put_back(layer, with_alpha(colours, alpha)).trimmed())
    return result


def cleared(alpha: torch.Tensor, owner: torch.Tensor, number: int) -> torch.Tensor:
    """Alpha [H, W] of object `number`: present where it is visible, never opaque before another.

    owner [H, W] is the number of the object visible at each pixel, 0 for none. Values are whole
    steps of 1 / STEPS.
    """
    alpha = torch.where((owner < number) & (alpha >= 0.5), 0, alpha)
    alpha = torch.where((owner == number) & (alpha < 0.5), 1, alpha)
    return (alpha * STEPS).round() / STEPS


def feasible(alpha: torch.Tensor, wanted: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """The least alpha [H, W] from `alpha` on with which some colour before `below` [H, W, 3] gives
    `wanted`; where alpha is 0 it stays so."""
    brighter = (wanted - below) / (1 - below).clamp(min=1e-6)
    darker = (below - wanted) / below.clamp(min=1e-6)
    least = torch.maximum(brighter, darker).amax(-1).clamp(0, 1)
    least = ((least * STEPS - 1e-3).ceil() / STEPS).clamp(0, 1)
    return torch.where(alpha > 0, torch.maximum(alpha, least), alpha)


def put_back(layer: Layer, page: torch.Tensor) -> Layer:
    """The layer with its part inside the picture taken from a page [H, W, 4]."""
    shown, part = layer.shared((page.shape[0], page.shape[1]))
    image = layer.image.clone()
    image[part] = page[shown]
    return replace(layer, image=image)


def with_alpha(colours: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    return torch.cat([colours, alpha[..., None]], -1)


def composed(layers: list[Layer], size: tuple[int, int], linear: bool = False) -> torch.Tensor:
    """The picture [H, W, 3] of layers from back to front; black where none covers it."""
    picture = layers[0].image.new_zeros(*size, 3)
    for layer in layers:
        shown, part = layer.shared(size)
        image = layer.image[part]
        under, over = in_light(picture[shown], linear), in_light(image[..., :3], linear)
        mixed = from_light(blended(under, over, image[..., 3]), linear)
        mixed = torch.where(image[..., 3:] == 1, image[..., :3], mixed)
        picture[shown] = torch.where(image[..., 3:] == 0, picture[shown], mixed)
    return picture


def blended(under: torch.Tensor, over: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """`over` before `under` [H, W, 3]; to the bit where alpha [H, W] is 0 or 1."""
    return over * alpha[..., None] + under * (1 - alpha[..., None])


def in_light(colours: torch.Tensor, linear: bool) -> torch.Tensor:
    """sRGB values 0 to 1 as linear light, if `linear`."""
    if not linear:
        return colours
    high = ((colours.clamp(min=0) + 0.055) / 1.055) ** 2.4
    return torch.where(colours <= 0.04045, colours / 12.92, high)


def from_light(light: torch.Tensor, linear: bool) -> torch.Tensor:
    """The inverse of `in_light`."""
    if not linear:
        return light
    high = 1.055 * light.clamp(min=0) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light * 12.92, high)
