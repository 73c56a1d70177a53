"""Pictures of a correspondence: colours by position, lines, one object drawn onto the other."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..core import validate, visualize
from ..core.validate import Size
from . import correspondence
from .correspondence import Field
from .framing import Frame

CORNERS = (  # of the first object's square: top left, top right, bottom left, bottom right
    ((0.95, 0.25, 0.2), (0.98, 0.85, 0.15)),
    ((0.35, 0.25, 0.95), (0.1, 0.85, 0.55)),
)
UNMATCHED = 0.6  # gray
STRENGTH = 0.75  # of the colours over the object's own shades


def colours_at(points: torch.Tensor) -> torch.Tensor:
    """The colours [..., 3] of points [..., 2], (x, y) from 0 to 1 in the first object's square."""
    x, y = points[..., :1].clamp(0, 1), points[..., 1:].clamp(0, 1)
    (left, right), (low, high) = (map(torch.tensor, row) for row in CORNERS)
    above, below = torch.lerp(left, right, x), torch.lerp(low, high, x)
    return torch.lerp(above, below, y)


def pixels_of(frame: Frame, size: Size, cells: int) -> torch.Tensor:
    """The middles [H, W, 2] of the pixels of a picture of (height, width), in cells of a frame."""
    y, x = torch.meshgrid(*(torch.arange(length) + 0.5 for length in size), indexing="ij")
    return (torch.stack([x, y], -1) - torch.tensor([frame.x, frame.y])) * (cells / frame.side)


def in_pixels(points: torch.Tensor, frame: Frame, cells: int) -> torch.Tensor:
    """Points (x, y) [..., 2] in cells of a frame as pixels of its picture."""
    return points * (frame.side / cells) + torch.tensor([frame.x, frame.y])


def maps(first, second, there: Field, back: Field, tolerances: tuple[float, float]):
    """Both objects, squares [S, S, 4], in the colours of the first one's points: two [S, S, 4].

    there and back are the fields between them. A pixel is gray where the way to the other object
    and back ends further than the tolerance away, in cells.
    """
    cells = len(there.inside)
    places = pixels_of(Frame(0, 0, len(first)), validate.size_of(first[..., 3]), cells)
    _, _, cycle = correspondence.at(there, places)
    targets, _, cycle_back = correspondence.at(back, places)
    return (
        coloured(first, colours_at(places / cells), cycle <= tolerances[0]),
        coloured(second, colours_at(targets / cells), cycle_back <= tolerances[1]),
    )


def coloured(picture: torch.Tensor, colours: torch.Tensor, sure: torch.Tensor) -> torch.Tensor:
    """RGBA [H, W, 4] in colours [H, W, 3] with its own shades; gray where it is not `sure`."""
    shade = picture[..., :3].mean(-1, keepdim=True)
    plain = torch.where(sure[..., None], colours, torch.tensor(UNMATCHED))
    return torch.cat([torch.lerp(shade.expand_as(plain), plain, STRENGTH), picture[..., 3:]], -1)


def warped(
    first: torch.Tensor, frame: Frame, second: torch.Tensor, other_frame: Frame, back: Field
) -> torch.Tensor:
    """The first object's colours in the second one's shape: RGBA [H, W, 4] of the second's size.

    first and second are RGBA, `back` is the field from the second object to the first.
    """
    cells = len(back.inside)
    size = validate.size_of(second[..., 3])
    targets, _, _ = correspondence.at(back, pixels_of(other_frame, size, cells))
    height, width = first.shape[:2]
    places = in_pixels(targets, frame, cells) / torch.tensor([width, height]) * 2 - 1
    colours = F.grid_sample(
        without_edge(first).movedim(-1, 0)[None],
        places[None],
        padding_mode="border",
        align_corners=False,
    )
    alpha = second[..., 3:]
    return torch.cat([colours[0].movedim(0, -1) * (alpha > 0), alpha], -1)


def without_edge(picture: torch.Tensor) -> torch.Tensor:
    """The colours [H, W, 3] of RGBA [H, W, 4]; beyond its solid part those of the nearest of it."""
    from scipy.ndimage import distance_transform_edt

    alpha = picture[..., 3]
    faint = (alpha < min(0.9, float(alpha.max()))).numpy()
    rows, columns = distance_transform_edt(faint, return_distances=False, return_indices=True)
    return picture[torch.from_numpy(rows).long(), torch.from_numpy(columns).long(), :3]


def side_by_side(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Two RGBA squares [S, S, 4] on white, one beside the other: [S, 2 S, 3]."""
    both = torch.cat([first, second], 1)
    return torch.lerp(torch.ones_like(both[..., :3]), both[..., :3], both[..., 3:])


def lines(first: torch.Tensor, second: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """Both squares [S, S, 4] side by side with a line between each pair: [S, 2 S, 3].

    pairs: rows of (x, y, x on the second, y), in fractions of the squares.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    page, side = side_by_side(first, second), len(first)
    image = Image.fromarray((page * 255).round().byte().numpy())
    draw = ImageDraw.Draw(image)
    wide = max(1, side // 256)
    for number, (x, y, u, v) in enumerate((pairs * side).tolist()):
        colour = tuple(round(255 * part) for part in visualize.colour(number))
        draw.line([(x, y), (u + side, v)], colour, wide)
        for end in ((x, y), (u + side, v)):
            draw.circle(end, 2 * wide + 1, colour, "white")
    return torch.from_numpy(np.asarray(image).copy()).float() / 255
