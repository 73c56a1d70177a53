"""Nets that know a made-up world by its colours, in the place of nets whose weights are not here.

What stands around the net (sizes, batches, both ways round, labels, boxes) is the pack's own code.
"""

import torch

from amodal.models.grounding_dino import Found

WORDS = ["green box", "red box"]


def scene(height: int = 96, width: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    """An image [H, W, 3] and the modal masks [2, H, W] of a green box and a red one before it."""
    masks = torch.zeros(2, height, width)
    masks[0, 20:70, 15:75] = 1
    masks[1, 40:85, 55:110] = 1
    masks[0] *= 1 - masks[1]
    image = torch.full((height, width, 3), 0.5)
    image[masks[0] > 0] = torch.tensor([0.1, 0.9, 0.1])
    image[masks[1] > 0] = torch.tensor([0.9, 0.1, 0.1])
    return image, masks


class RedHidesGreen(torch.nn.Module):
    """InstaOrderNet's form: [B, 5, H, W] -> [B, 2]; what is redder hides what is greener."""

    def __init__(self):
        super().__init__()
        self.sharp = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, x):
        redness = x[:, 2:3] - x[:, 3:4]
        one, two = (
            (redness * x[:, [side]]).sum((1, 2, 3)) / x[:, side].sum((1, 2)).clamp(min=1)
            for side in (0, 1)
        )
        return torch.stack([two - one, one - two], 1) * self.sharp


COLOURS = {"green box": 1, "red box": 0}  # the channel that is bright


def coloured(image: torch.Tensor, channel: int) -> torch.Tensor:
    """The pixels [H, W] of an image [H, W, 3] where this channel stands out."""
    others = [c for c in range(3) if c != channel]
    return image[..., channel] > image[..., others].amax(-1) + 0.3


class FindsColours:
    """In the place of grounding_dino.Detector: a box for each word whose colour is there."""

    def find(self, image, words):
        boxes, names = [], []
        for word in words:
            ys, xs = torch.nonzero(coloured(image, COLOURS[word]), as_tuple=True)
            if len(xs):
                boxes.append([int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1])
                names.append(word)
        boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        return Found(boxes, torch.full((len(names),), 0.6), names)


class CutsColours:
    """In the place of sam.Masker: the commonest bright colour in a box or at a point."""

    def masks(self, image, *, boxes=None, points=None, several=False):
        found = []
        for prompt in boxes if points is None else points:
            place = torch.zeros(image.shape[:2], dtype=torch.bool)
            if points is None:
                x1, y1, x2, y2 = prompt.int().tolist()
                place[y1:y2, x1:x2] = True
            else:
                for x, y in prompt.int().tolist():
                    place[y, x] = True
            every = [coloured(image, channel) for channel in range(3)]
            best = max(every, key=lambda mask: int((mask & place).sum()))
            found.append(best if (best & place).any() else torch.zeros_like(best))
        masks = torch.stack(found)[:, None].repeat(1, 3 if several else 1, 1, 1)
        return masks, masks.flatten(2).any(-1).float() * 0.9


class FillsBox(torch.nn.Module):
    """PCNet-M's form: [B, 2, S, S] -> [B, 2, S, S]; every shape is the box around what is seen."""

    side = 64

    def __init__(self):
        super().__init__()
        self.sharp = torch.nn.Parameter(torch.tensor(8.0))

    def forward(self, x):
        shown = x[:, 0] > 0.5
        rows, columns = (between(shown.any(axis, keepdim=True), 3 - axis) for axis in (2, 1))
        inside = (rows & columns).float() * 2 - 1
        return torch.stack([-inside, inside], 1) * self.sharp


def between(seen: torch.Tensor, axis: int) -> torch.Tensor:
    """True from the first to the last True along an axis."""
    after, before = (each.float().cummax(axis).values for each in (seen, seen.flip(axis)))
    return (after * before.flip(axis)) > 0
