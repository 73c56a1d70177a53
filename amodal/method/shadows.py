"""Shadows and reflections of the occluders, which call them back in (section 5).

What is removed with an occluder must include the traces that it leaves on the ground (our
addition). Two kinds are looked for in the picture itself, without a model:

- A shadow: ground that touches the occluder, darker than the ground around it by a near-constant
  factor and of the same chromaticity.
- A reflection: ground below the occluder that differs from the ground around it as the occluder
  does, upside down.

Assumptions: most of the ground in sight is lit, and changes smoothly beside its texture; the light
comes from above, so that no shadow reaches higher than what casts it; they are no longer than the
occluder; ground that mirrors is level. Other objects must be known, for a dark gray thing beside
the occluder looks just like a shadow.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..core import mask_ops
from . import smooth_fill
from .known_background import quantile

RIM = 1 / 64  # of the larger side: edges of objects mix their colours with the ground's
DARKER = 0.12  # the least darkening, as a difference of natural logarithms
NOISE = 3.0  # the least darkening in robust standard deviations of the lit ground
TINT = (0.06, 0.2)  # channels may darken differently by so much, plus this part of the darkening
DEEP = 0.6  # of the deepest darkening: the core of a shadow, without its soft edge
EVEN = (0.06, 0.2)  # the core's pixels may differ by so much, plus this part of the darkening
PURE = 0.7  # the part of a dark region that must have the ground's chromaticity
LEAST = 1 / 1000  # of the picture: the smallest trace
ASTRAY = 0.1  # the part of a shadow that may lie farther away than the longest, or above
LONGEST = 1.0  # of the occluder's larger side: how far a shadow reaches
ALIKE = 0.75  # the least correlation of a reflection with the occluder upside down
SHOWS = 0.12  # the least strength of a reflection, 0..1
FLOOR = 1 / 64  # added to colours before their logarithm
SURROUNDINGS = 1 / 32  # of the larger side: pixels of the object this near decide together
PALETTE = 512  # colours of the lit object that are compared with
COMMON = 0.08  # the part of the palette that must be as near, for a colour to count as one of it
FAR = 1.0  # a difference of logarithms beyond which colours are just different
CLEARER = 0.05  # by how much nearer the lit up colours must be
ROUNDS = 3


@dataclass(frozen=True)
class Traces:
    """What the occluders leave on the ground.

    shadow and reflection [1, H, W], 0 or 1. light [3]: the part of the colours 0..1 that a shadow
    leaves in each channel; ones without a shadow.
    """

    shadow: torch.Tensor
    reflection: torch.Tensor
    light: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        return torch.maximum(self.shadow, self.reflection)


def on_ground(
    image: torch.Tensor,
    occluder_mask: torch.Tensor,
    modal_mask: torch.Tensor,
    others: torch.Tensor | None = None,
) -> Traces:
    """The occluders' shadow and reflection on the ground of image [1, H, W, 3].

    All masks are [1, H, W], 0 or 1. The ground is what neither the occluders, nor the object, nor
    `others` (further objects, and pixels that show nothing) cover.
    """
    objects = torch.maximum(occluder_mask, modal_mask)
    objects = objects if others is None else torch.maximum(objects, others)
    rim = max(1, round(RIM * max(image.shape[1:3])))
    ground = mask_ops.dilate(objects, rim)[0] < 0.5
    if not occluder_mask.any() or int(ground.sum()) < LEAST * ground.numel():
        return nothing(image)
    scene = Ground(image[0].movedim(-1, 0), ground, rim)
    occluder = occluder_mask[0] > 0.5
    shadow, light = shadow_of(scene, occluder)
    reflection = reflection_of(scene, occluder)
    free = 1 - objects[0]
    return Traces((shadow * free)[None], (reflection * free)[None], light)


def nothing(image: torch.Tensor) -> Traces:
    """No traces in image [1, H, W, 3]."""
    empty = image.new_zeros(1, *image.shape[1:3])
    return Traces(empty, empty, image.new_ones(3))


class Ground:
    """The picture [3, H, W], where it shows the ground [H, W], and what the ground would be."""

    def __init__(self, picture: torch.Tensor, known: torch.Tensor, rim: int):
        self.picture, self.known, self.rim = picture, known, rim
        self.plane = smooth_fill.fitted_plane(picture, known).clamp(0, 1)
        off = logs(picture) - logs(self.plane)
        self.spread = deviation(off.mean(0)[known])

    def without(self, area: torch.Tensor) -> torch.Tensor:
        """The picture [3, H, W] with an area [H, W] of the ground filled from its surroundings."""
        removed = ~self.known | area
        image = self.picture.movedim(0, -1)[None]
        return smooth_fill.smooth(image, removed[None].float())[0].movedim(-1, 0)


def shadow_of(scene: Ground, occluder: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(mask [H, W], light [3]) of the occluder's shadow; zeros and ones if there is none."""
    least = max(DARKER, NOISE * scene.spread)
    first = (logs(scene.picture) - logs(scene.plane)).mean(0) < -least
    zone = mask_ops.dilate((first & scene.known).float(), 2 * scene.rim) > 0.5
    off = logs(scene.picture) - logs(scene.without(zone))
    darkening = -off.mean(0)
    tint = (off + darkening).abs().amax(0)
    pure = tint < TINT[0] + TINT[1] * darkening
    x0, y0, x1, y1 = mask_ops.object_box(occluder)
    limit = LONGEST * max(x1 - x0, y1 - y0)
    near = mask_ops.distance_to(occluder.float(), limit)
    near[: max(0, y0 - scene.rim)] = limit + 1  # above it
    found = torch.zeros_like(darkening)
    for part in parts_of(scene.known & (darkening > least)):
        touches = float(near[part].min()) <= scene.rim + 2
        astray = float((near[part] > limit).float().mean())
        is_pure = float(pure[part].float().mean()) >= PURE
        if touches and astray < ASTRAY and is_pure and is_even(darkening[part]):
            found[part] = 1
    if not found.any():
        return found, scene.picture.new_ones(3)
    core = (found > 0.5) & (darkening > DEEP * quantile(darkening[found > 0.5], 0.9))
    light = off[:, core].median(1).values.exp()
    return with_edge(scene, found, darkening > least / 2), light


def is_even(darkening: torch.Tensor) -> bool:
    """Are the pixels [n] of a dark region darkened alike, but for a soft edge?"""
    core = darkening[darkening > DEEP * quantile(darkening, 0.9)]
    return deviation(core) < EVEN[0] + EVEN[1] * float(core.median())


def with_edge(scene: Ground, found: torch.Tensor, less_dark: torch.Tensor) -> torch.Tensor:
    """The shadow [H, W] with its soft edge, and with the rim of objects beside it."""
    around = mask_ops.dilate(found, scene.rim + 1) > 0.5
    return (around & (less_dark | ~scene.known)).float()


def reflection_of(scene: Ground, occluder: torch.Tensor) -> torch.Tensor:
    """Mask [H, W] of the occluder's reflection in the ground; zeros if there is none."""
    box = mask_ops.object_box(occluder)
    lines = range(box[3] - 2, box[3] + 3)
    seen = filter(None, (mirrored_at(scene, occluder, line) for line in lines))
    best, mask = max(seen, key=lambda one: one[0], default=(0.0, None))
    return mask.float() if best >= ALIKE else torch.zeros(occluder.shape)


def mirrored_at(scene: Ground, occluder: torch.Tensor, line: int) -> tuple | None:
    """(correlation, mask [H, W]) of the ground with the occluder upside down below row `line`."""
    height = occluder.shape[0]
    rows = min(line, height - line)
    if rows <= 0:
        return None
    mask, picture = torch.zeros_like(occluder), torch.zeros_like(scene.picture)
    mask[line : line + rows] = occluder[line - rows : line].flip(0)
    picture[:, line : line + rows] = scene.picture[:, line - rows : line].flip(1)
    shown = mask & scene.known
    if int(shown.sum()) < LEAST * mask.numel():
        return None
    ground = scene.without(mask_ops.dilate(mask.float(), scene.rim) > 0.5)
    is_, would = (scene.picture - ground)[:, shown], (picture - ground)[:, shown]
    both = float((is_ * would).sum())
    strength = both / max(float(would.square().sum()), 1e-6)
    alike = both / max(float(is_.norm() * would.norm()), 1e-6)
    return (alike, mask) if strength >= SHOWS else None


def logs(colours: torch.Tensor) -> torch.Tensor:
    return (colours + FLOOR).log()


def deviation(values: torch.Tensor) -> float:
    """Robust standard deviation: 1.48 times the median distance from the median."""
    return 1.4826 * float((values - values.median()).abs().median()) if len(values) else 0.0


def parts_of(mask: torch.Tensor) -> list[torch.Tensor]:
    """The connected parts of a mask [H, W], less small ones."""
    from scipy.ndimage import label

    numbers, _ = label(mask.cpu().numpy(), structure=[[1] * 3] * 3)
    numbers = torch.from_numpy(numbers)
    areas = torch.bincount(numbers.flatten())
    areas[0] = 0
    large = (areas >= max(1, LEAST * mask.numel())).nonzero()[:, 0]
    return [numbers == number for number in large]


def on_object(
    image: torch.Tensor, modal_mask: torch.Tensor, occluder_mask: torch.Tensor, traces: Traces
) -> torch.Tensor:
    """[1, H, W]: where the occluders' shadow falls on the object's visible pixels.

    It is looked for only where the ground shows a shadow, whose light is taken to hold here too.
    A pixel is in shadow if its colour, lit up, is nearer to the colours of the object far from the
    occluders than as it is, on the whole of its surroundings. Image [1, H, W, 3], masks [1, H, W].
    """
    shade = torch.zeros_like(modal_mask)
    inside = modal_mask[0] > 0.5
    if not traces.shadow.any() or not inside.any():
        return shade
    source = torch.maximum(occluder_mask, traces.shadow)
    away = mask_ops.distance_to(source, max(image.shape[1:3]))[0]
    lit = inside & (away >= away[inside].median())
    colours = logs(image[0])
    lighter = colours - (traces.light + FLOOR).log()
    radius = max(1, round(SURROUNDINGS * max(image.shape[1:3])))
    for _ in range(ROUNDS):
        palette = some(colours[lit])
        gain = torch.zeros(inside.shape)
        gain[inside] = farness(colours[inside], palette) - farness(lighter[inside], palette)
        found = inside & (mean_within(gain, inside, radius) > CLEARER)
        lit = inside & ~found
        if not lit.any():
            return shade
    shade[0] = mask_ops.connected_to(found.float(), source[0], bridge=radius)
    return shade * modal_mask


def relit(image: torch.Tensor, shade: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
    """image [1, H, W, 3] with the light [3] given back where shade [1, H, W] is 1."""
    return torch.lerp(image, (image / light).clamp(0, 1), shade[..., None])


def some(colours: torch.Tensor) -> torch.Tensor:
    """At most PALETTE of the colours [n, 3], evenly chosen."""
    return colours[:: max(1, -(-len(colours) // PALETTE))]


def farness(colours: torch.Tensor, palette: torch.Tensor) -> torch.Tensor:
    """[n]: the distance of each of the colours [n, 3] to the nearest one of a palette [m, 3]."""
    near = 1 + int(COMMON * (len(palette) - 1))
    parts = [torch.cdist(p, palette).kthvalue(near, 1).values for p in colours.split(65536)]
    return torch.cat(parts).clamp(max=FAR)


def mean_within(values: torch.Tensor, inside: torch.Tensor, radius: int) -> torch.Tensor:
    """The mean of values [H, W] in a square around each pixel, of the pixels `inside` alone."""
    both = torch.stack([values * inside, inside.float()])[:, None]
    sums = F.avg_pool2d(both, 2 * radius + 1, 1, radius)[:, 0]
    return sums[0] / sums[1].clamp(min=1e-6)
