"""The removed background: the picture without the object and its occluders (section 3.5).

`smooth` needs no model. It fits a plane to the known pixels and adds a harmonic (membrane)
interpolation of the residual. Plain and gradient backgrounds come out nearly exact; learned
inpainters do better on textured ones.
"""

import torch
import torch.nn.functional as F

from ..core import interrupts, mask_ops

STRANGE = (4.0, 0.04)  # a residual above this many medians plus this much: another object
MINORITY = 0.3  # strange pixels are ignored while they are fewer than this part of the known


def removed_mask(
    modal_mask: torch.Tensor,
    occluder_mask: torch.Tensor,
    padding_mask: torch.Tensor | None,
    dilate: float,
) -> torch.Tensor:
    """What to remove, [1, H, W]: object, occluders and padding, dilated.

    All masks are [1, H, W], 0 or 1; `dilate` is a fraction of the larger side. The object goes
    too, so that nothing of it is left in the background.
    """
    removed = torch.maximum(modal_mask, occluder_mask)
    if padding_mask is not None:
        removed = torch.maximum(removed, padding_mask)
    return mask_ops.dilate(removed, round(dilate * max(modal_mask.shape[-2:])))


def smooth(image: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """image [1, H, W, 3] with the pixels of removed [1, H, W] filled in; the others stay.

    All gray where no pixel is known.
    """
    known = removed[0] <= 0.5
    if bool(known.all()):
        return image
    if not bool(known.any()):
        return torch.full_like(image, 0.5)
    picture = image[0].movedim(-1, 0)
    plane = fitted_plane(picture, known)
    left_over = picture - plane
    source = background_only(left_over, known)
    filled = membrane((left_over * source)[None], source[None, None].float())[0] + plane
    return torch.where(known, picture, filled.clamp(0, 1)).movedim(0, -1)[None]


def background_only(left_over: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """The known pixels [H, W] without other objects, whose colours must not bleed into the hole.

    left_over [C, H, W] is the residual of the plane. Where a large part of the picture is off the
    plane, it is not an object, and every known pixel is kept.
    """
    error = left_over.abs().amax(0)
    medians, least = STRANGE
    strange = known & (error > medians * error[known].median() + least)
    count, total = int(strange.sum()), int(known.sum())
    if not count or count > MINORITY * total:
        return known
    around = mask_ops.dilate(strange.float(), max(1, max(known.shape) // 100)) > 0.5
    source = known & ~around
    return source if int(source.sum()) > (1 - 2 * MINORITY) * total else known


def fitted_plane(picture: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """a + b x + c y for each channel of [C, H, W], fitted to the known pixels [H, W].

    The fit is repeated three times with less weight on large residuals, so that another object in
    the picture does not tilt the plane.
    """
    height, width = known.shape
    rows, columns = known.nonzero(as_tuple=True)
    step = max(1, len(rows) // 8192)
    rows, columns = rows[::step], columns[::step]

    def basis(y, x):
        return torch.stack([torch.ones_like(x), x / width - 0.5, y / height - 0.5], -1)

    points = basis(rows.float(), columns.float())
    values = picture[:, rows, columns].T
    if len(points) < 16:
        return values.mean(0)[:, None, None].expand_as(picture)
    weight = torch.ones(len(points), 1)
    for _ in range(3):
        normal = points.T @ (points * weight) + 1e-4 * torch.eye(3)
        solution = torch.linalg.solve(normal, points.T @ (values * weight))
        error = (values - points @ solution).abs().amax(1, keepdim=True)
        weight = 1 / (1 + (error / (error.median() + 1e-3)) ** 2)
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    return (basis(y, x) @ solution).movedim(-1, 0)


def membrane(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """values [1, C, H, W], interpolated harmonically where known [1, 1, H, W] is 0.

    Coarse to fine: the known pixels are averaged at half the size and filled there, which gives
    the first guess at this size; a few relaxations then smooth it. Nothing flows across the
    picture's border.
    """
    height, width = values.shape[-2:]
    if min(height, width) > 2 and not bool(known.all()):
        weight = F.avg_pool2d(known, 2, ceil_mode=True)
        half = F.avg_pool2d(values * known, 2, ceil_mode=True) / weight.clamp(min=1e-6)
        guess = membrane(half * (weight > 0), (weight > 0).float())
        guess = F.interpolate(guess, size=(height, width), mode="bilinear", align_corners=False)
    else:
        guess = (values * known).sum((2, 3), keepdim=True) / known.sum().clamp(min=1)
        guess = guess.expand_as(values)
    filled = torch.where(known > 0, values, guess)
    for _ in range(relaxations(max(height, width)) if not bool(known.all()) else 0):
        interrupts.check()
        around = F.pad(filled, (1, 1, 1, 1), mode="replicate")
        mean = (
            around[..., 1:-1, :-2]
            + around[..., 1:-1, 2:]
            + around[..., :-2, 1:-1]
            + around[..., 2:, 1:-1]
        ) / 4
        filled = torch.where(known > 0, values, mean)
    return filled


def relaxations(side: int) -> int:
    """Relaxations at a level: most on small ones, which settle long waves at little cost."""
    return max(4, min(48, 2048 // side))
