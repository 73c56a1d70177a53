"""Completes three occluded stickers in a real ComfyUI; writes pictures to output/demo/.

It draws scenes with known ground truth, runs them through the shipped workflow without a browser,
and compares the result with the hidden part. Exit status: 0 if all three were completed, else 3.

    nox -s demo [-- FOLDER]
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.app import headless, workflow
from amodal.app.client import Client, RunError
from amodal.app.host import Host, HostError
from amodal.stickers import scenes
from amodal.stickers.closeness import Closeness, closeness
from tools.demo import contact_sheet

ROOT = Path(__file__).resolve().parents[2]

OUT = ROOT / "output" / "demo"
SEED = 1


@dataclass(frozen=True)
class Story:
    """One scene of the demo; `arguments` are those of scenes.make_scene."""

    folder: str
    title: str
    seed: int
    arguments: dict

    def scene(self) -> scenes.Scene:
        return scenes.make_scene(self.seed, **self.arguments)


STORIES = (
    Story(
        "easy",
        "Something in front",
        0,
        {"query": "fish", "occluder": "other", "hidden": (0.25, 0.4)},
    ),
    Story(
        "co-occurring",
        "A co-occurring occluder in front",
        0,
        {"query": "camera", "occluder": "co-occurring", "hidden": (0.3, 0.45)},
    ),
    Story(
        "cut",
        "Cut off by the border",
        0,
        {"query": "watermelon", "occluder": None, "cut": "right", "hidden": (0.3, 0.5)},
    ),
)


def main(out: Path = OUT) -> int:
    """Runs all scenes, writes their folders and contact_sheet.png; returns the exit status.

    Raises HostError if ComfyUI does not start.
    """
    started = time.monotonic()
    for story in STORIES:
        shutil.rmtree(out / story.folder, ignore_errors=True)
    print("Starting ComfyUI ...", flush=True)
    rows: list[contact_sheet.Row] = []
    scores: list[Closeness] = []
    status = 0
    with Host() as host:
        client = Client(host.url)
        for story in STORIES:
            row, close, ok = run_story(client, story, out / story.folder)
            rows.append(row)
            scores.append(close)
            status = status if ok else 3
    mean = Closeness(*np.mean([astuple(close) for close in scores], 0))
    took = f"{time.monotonic() - started:.0f} s"
    page = contact_sheet.sheet(
        "Amodal completion by progressive mixed context diffusion",
        f"Three scenes outside the training data, completed in ComfyUI in {took} including its "
        f"start. On average: {mean}.",
        rows,
    )
    page.save(out / "contact_sheet.png")
    print(f"{out / 'contact_sheet.png'}: {len(rows)} scenes in {took}; against the truth: {mean}")
    return status


def run_story(
    client: Client, story: Story, folder: Path
) -> tuple[contact_sheet.Row, Closeness, bool]:
    """Runs one scene and stores its pictures in `folder`.

    Returns its row of the contact sheet, how close it came to the truth, and whether it completed.
    """
    scene = story.scene()
    folder.mkdir(parents=True)
    to_picture(scene.image).save(folder / "input.png")
    to_picture(scene.truth_sheet).save(folder / "truth.png")
    template = workflow.load(workflow.STICKERS, lambda: client.get("/object_info"))
    prompt = workflow.fill(
        template, client.upload(folder / "input.png"), words=scene.word, seed=SEED
    )
    about = {"picture": "input.png", "workflow": workflow.STICKERS.name, "seed": SEED}
    try:
        with headless.Bar(f"{story.title} ({scene.word})", prompt) as bar:
            done = headless.complete(client, prompt, folder, about, bar)
    except RunError as error:  # continue with the next scene
        print(f"failed at {error.node}: {error}", file=sys.stderr)
        return failed(story, scene, f"failed at {error.node}")
    if not set(headless.TITLES) <= set(done.files):
        return failed(story, scene, done.result["status"])
    close = compare(scene, done)
    done.result["against_truth"] = {k: round(v, 4) for k, v in asdict(close).items()}
    (folder / "result.json").write_text(json.dumps(done.result, indent=2) + "\n")
    return row_of(story, scene, done, close), close, done.ok


def failed(
    story: Story, scene: scenes.Scene, why: str
) -> tuple[contact_sheet.Row, Closeness, bool]:
    """The return value of `run_story` if there is no completion."""
    pictures = [("the picture", to_picture(scene.image)), ("truth", to_picture(scene.truth_sheet))]
    return contact_sheet.Row(story.title, why, pictures), Closeness(0, 0, 1), False


def compare(scene: scenes.Scene, done: headless.Completion) -> Closeness:
    """How close the completed object is to the truth."""
    return closeness(scene, on_sheet(scene, done, "completed.png"))


def on_sheet(scene: scenes.Scene, done: headless.Completion, name: str) -> np.ndarray:
    """A picture of the result, moved from its canvas to the scene's sheet: [2S, 2S, 4], 0..1."""
    picture = np.asarray(Image.open(done.files[name]).convert("RGBA"), np.float32) / 255
    x, y = offset(done)
    sheet = Image.new("RGBA", (2 * scene.size,) * 2)
    sheet.paste(to_picture(picture), (scene.size // 2 + x, scene.size // 2 + y))
    return np.asarray(sheet, np.float32) / 255


def offset(done: headless.Completion) -> tuple[int, int]:
    """(x, y) of the canvas' corner in the picture, at most 0."""
    x, y = done.result["offset"][0]
    return x, y


def row_of(
    story: Story, scene: scenes.Scene, done: headless.Completion, close: Closeness
) -> contact_sheet.Row:
    """The row of a completed scene: from the picture, pass by pass, to the truth."""
    result = done.result
    hidden = f"{scene.word}, {scene.hidden():.0%} hidden"
    row = contact_sheet.Row(
        story.title,
        f"{hidden}. {result['status'].capitalize()} after {result['passes']} "
        f"pass{'es' if result['passes'] != 1 else ''} in {result['seconds']['total']:.1f} s. "
        f"{close}.",
    )
    row.tiles.append(("the picture", to_picture(scene.image)))
    for path in done.hides[:1]:
        row.tiles.append(("what hides it", Image.open(path)))
    for number, path in enumerate(done.passes[:3], start=1):
        row.tiles.append((f"after pass {number}", Image.open(path)))
    row.tiles.append(("the object", Image.open(done.files["completed.png"])))
    row.tiles.append(("in its picture", Image.open(done.files["overlay.png"])))
    row.tiles.append(("truth", to_picture(truth_on_canvas(scene, done))))
    return row


def truth_on_canvas(scene: scenes.Scene, done: headless.Completion) -> np.ndarray:
    """The true sheet, cropped to the canvas of the result."""
    x, y = (scene.size // 2 + shift for shift in offset(done))
    width, height = Image.open(done.files["completed.png"]).size
    return scene.truth_sheet[max(0, y) : y + height, max(0, x) : x + width]


def to_picture(pixels: np.ndarray) -> Image.Image:
    """A picture from [H, W, 3 or 4] float, clipped to 0..1."""
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


if __name__ == "__main__":
    try:
        raise SystemExit(main(*map(Path, sys.argv[1:2])))
    except (RunError, HostError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(3) from None
