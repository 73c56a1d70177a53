"""From the runs of a scene to its row of the contact sheet, and their distance to the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.app.headless import Completion
from amodal.stickers import scenes
from amodal.stickers.closeness import Closeness, closeness

from . import contact_sheet
from .stories import Story

HEADS = [
    ("the picture", 1),
    ("plain inpainting", 1),
    ("mixed context", 3),
    ("the object alone", 1),
    ("over the picture", 1),
    ("the truth", 1),
]
COMPLETED, OVERLAY = "completed.png", "overlay.png"
ON_GRAY = "on_gray.png"
SEEDS, OVERLAYS, TESTS = "seeds", "overlays", "tests"  # pictures of the best of several seeds


@dataclass(frozen=True)
class Frame:
    """The square that all pictures of a row show, in pixels of the scene's picture."""

    x: int
    y: int
    side: int

    def view(self, picture: Image.Image, x: int = 0, y: int = 0) -> Image.Image:
        """What the frame shows of a picture whose corner is at (x, y), on transparency."""
        page = Image.new("RGBA", (self.side, self.side))
        page.paste(picture, (x - self.x, y - self.y))
        return page


def frame_of(done: Completion) -> Frame:
    """The smallest square around the canvas of a result."""
    x, y = offset(done)
    width, height = Image.open(done.files[COMPLETED]).size
    side = max(width, height)
    return Frame(x - (side - width) // 2, y - (side - height) // 2, side)


def offset(done: Completion) -> tuple[int, int]:
    """(x, y) of the canvas' corner in the picture, at most 0; (0, 0) if the run shows none."""
    x, y = done.result["offset"][0] if done.result["offset"] else (0, 0)
    return x, y


def compare(scene: scenes.Scene, done: Completion) -> Closeness:
    """How close the completed object is to the truth."""
    return closeness(scene, on_sheet(scene, done))


def on_sheet(scene: scenes.Scene, done: Completion) -> np.ndarray:
    """The completed object, moved from its canvas to the scene's sheet: [2S, 2S, 4], 0..1."""
    edge = scene.size // 2
    sheet = Frame(-edge, -edge, 2 * scene.size)
    picture = Image.open(done.files[COMPLETED]).convert("RGBA")
    return np.asarray(sheet.view(picture, *offset(done)), np.float32) / 255


def is_whole(done: Completion) -> bool:
    """Whether a run gave an object and pictures of how it was painted."""
    return COMPLETED in done.files and bool(done.passes or pictures(done, SEEDS))


def row(
    story: Story, scene: scenes.Scene, plain: Completion, mixed: Completion
) -> contact_sheet.Row:
    """The row of a scene whose runs both gave an object.

    What hides the object is shown of the plain run, whose first pass finds the same.
    """
    frame, at, edge = frame_of(mixed), offset(mixed), -scene.size // 2
    truth = frame.view(to_picture(scene.truth_sheet), edge, edge)
    tiles: list[tuple[str, Image.Image | None]] = [
        ("", frame.view(to_picture(scene.image))),
        (overlap(scene, plain), frame.view(Image.open(plain.passes[-1]), *offset(plain))),
        (caption(scene), Image.open(plain.hides[0])),
        *(judged(mixed) if story.count > 1 else steps(mixed, frame)),
        (overlap(scene, mixed), frame.view(Image.open(mixed.files[COMPLETED]), *at)),
        ("", frame.view(in_its_picture(mixed), *at)),
        ("", truth),
    ]
    return contact_sheet.Row(story.title, story.line, tiles)


def overlap(scene: scenes.Scene, done: Completion) -> str:
    """The caption below a result."""
    return f"overlap {compare(scene, done).amodal_iou:.0%}"


def caption(scene: scenes.Scene) -> str:
    """What the colours mean in the picture of what hides the object."""
    is_cut = scene.amodal_sheet().sum() > scene.amodal().sum()
    return "gray: outside" if is_cut else "red hides green"


def steps(done: Completion, frame: Frame) -> list[tuple[str, Image.Image | None]]:
    """Two tiles: the first pass and the last, or the only pass before and after its step k."""
    passes = [Image.open(path) for path in done.passes]
    count, grew = len(passes), passes[0].size != passes[-1].size
    last = frame.view(passes[-1], *offset(done))
    if count > 1 and not grew:  # else the place of the first canvas is not known
        first = frame.view(passes[0], *offset(done))
        return [("after pass 1", first), (f"after pass {count}", last)]
    after = "then in the picture" if count == 1 else f"after {count} passes"
    return [("first on gray", Image.open(done.files[ON_GRAY])), (after, last)]


def judged(done: Completion) -> list[tuple[str, Image.Image | None]]:
    """Two tiles: the completions of all seeds, and the tests that chose one of them."""
    best = chosen(done)
    seeds, tests = (pictures(done, name) for name in (SEEDS, TESTS))
    return [
        (f"from {len(seeds)} seeds", contact_sheet.mosaic(seeds, best)),
        ("what grows, in red", contact_sheet.mosaic(tests, best)),
    ]


def in_its_picture(done: Completion) -> Image.Image:
    """The picture with the completed object, or with that of the best seed."""
    if OVERLAY in done.files:
        return Image.open(done.files[OVERLAY])
    return pictures(done, OVERLAYS)[chosen(done)]


def chosen(done: Completion) -> int:
    """The index of the best seed."""
    return int(done.result["report"][0])


def pictures(done: Completion, name: str) -> list[Image.Image]:
    """NAME.png, NAME_2.png, ... of a result."""
    paths: list[Path] = []
    while (part := f"{name}_{len(paths) + 1}.png" if paths else f"{name}.png") in done.files:
        paths.append(done.files[part])
    return [Image.open(path) for path in paths]


def to_picture(pixels: np.ndarray) -> Image.Image:
    """A picture from [H, W, 3 or 4] float, clipped to 0..1."""
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
