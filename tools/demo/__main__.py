"""Completes three occluded stickers in a real ComfyUI and leaves the story in output/demo/.

Scenes with known ground truth are drawn, run through the shipped workflow headless, and compared
with what was hidden. Exit status 0 when all three were completed, else 3.

    nox -s demo [-- FOLDER]
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.app import headless, workflow
from amodal.app.client import Client, RunError
from amodal.app.host import Host, HostError
from amodal.stickers import scenes
from research.evaluation.figures import Closeness, closeness
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
        "companion",
        "Its usual companion in front",
        0,
        {"query": "camera", "occluder": "companion", "hidden": (0.3, 0.45)},
    ),
    Story(
        "cut",
        "Cut off by the border",
        0,
        {"query": "watermelon", "occluder": None, "cut": "right", "hidden": (0.3, 0.5)},
    ),
)


def main(out: Path = OUT) -> int:
    started = time.monotonic()
    for story in STORIES:
        shutil.rmtree(out / story.folder, ignore_errors=True)
    print("Starting ComfyUI ...", flush=True)
    rows, found, status = [], [], 0
    with Host() as host:
        client = Client(host.url)
        for story in STORIES:
            row, close, ok = tell(client, story, out / story.folder)
            rows.append(row)
            found.append(close)
            status = status if ok else 3
    mean = Closeness(*np.mean([(c.whole, c.hidden, c.colour) for c in found], 0))
    took = f"{time.monotonic() - started:.0f} s"
    page = contact_sheet.sheet(
        "Amodal completion by progressive mixed context diffusion",
        f"Three scenes the models never saw, completed in ComfyUI in {took}, its start included. "
        f"On average: {mean}.",
        rows,
    )
    page.save(out / "contact_sheet.png")
    print(f"{out / 'contact_sheet.png'}: {len(rows)} scenes in {took}; against the truth: {mean}")
    return status


def tell(client: Client, story: Story, folder: Path) -> tuple[contact_sheet.Row, Closeness, bool]:
    """Runs one scene, stores its pictures; its row, how close it came, whether it completed."""
    scene = story.scene()
    folder.mkdir(parents=True)
    to_picture(scene.image).save(folder / "input.png")
    to_picture(scene.truth_sheet).save(folder / "truth.png")
    template = workflow.load(workflow.DEFAULT, lambda: client.get("/object_info"))
    prompt = workflow.fill(
        template, client.upload(folder / "input.png"), words=scene.word, seed=SEED
    )
    about = {"picture": "input.png", "workflow": workflow.DEFAULT.name, "seed": SEED}
    try:
        with headless.Bar(f"{story.title} ({scene.word})", prompt) as bar:
            done = headless.complete(client, prompt, folder, about, bar)
    except RunError as error:  # the other scenes go on
        print(f"failed at {error.node}: {error}", file=sys.stderr)
        return nothing(story, scene, f"failed at {error.node}")
    if not set(headless.TITLES) <= set(done.files):
        return nothing(story, scene, done.result["status"])
    close = compare(scene, done)
    done.result["against_truth"] = {k: round(v, 4) for k, v in asdict(close).items()}
    (folder / "result.json").write_text(json.dumps(done.result, indent=2) + "\n")
    return row_of(story, scene, done, close), close, done.ok


def nothing(story: Story, scene, why: str) -> tuple[contact_sheet.Row, Closeness, bool]:
    """What `tell` gives where there is no completion."""
    pictures = [("the picture", to_picture(scene.image)), ("truth", to_picture(scene.truth_sheet))]
    return contact_sheet.Row(story.title, why, pictures), Closeness(0, 0, 1), False


def compare(scene: scenes.Scene, done: headless.Completion) -> Closeness:
    """How close the completed object came to the truth."""
    return closeness(scene, on_sheet(scene, done, "completed.png"))


def on_sheet(scene: scenes.Scene, done: headless.Completion, name: str) -> np.ndarray:
    """A result [2S, 2S, 4] float 0..1, moved from its canvas to the scene's sheet."""
    picture = np.asarray(Image.open(done.files[name]).convert("RGBA"), np.float32) / 255
    x, y = offset(done)
    sheet = Image.new("RGBA", (2 * scene.size,) * 2)
    sheet.paste(to_picture(picture), (scene.size // 2 + x, scene.size // 2 + y))
    return np.asarray(sheet, np.float32) / 255


def offset(done: headless.Completion) -> tuple[int, int]:
    """Where the canvas' corner lies in the picture, at or below zero."""
    numbers = [int(word) for word in re.findall(r"-?\d+", done.result["offset"])]
    return (numbers[0], numbers[1]) if len(numbers) >= 2 else (0, 0)


def row_of(story, scene, done, close: Closeness) -> contact_sheet.Row:
    result = done.result
    hidden = f"{scene.word}, {scene.hidden():.0%} hidden"
    row = contact_sheet.Row(
        story.title,
        f"{hidden}. {result['status'].split(':')[0].capitalize()} after {result['passes']} "
        f"pass{'es' if result['passes'] != 1 else ''} in {result['seconds']['total']:.1f} s. "
        f"{close}.",
    )
    row.tiles.append(("the picture", to_picture(scene.image)))
    for path in done.hides[:1]:
        row.tiles.append((reason(result["report"]), Image.open(path)))
    for number, path in enumerate(done.passes[:3], start=1):
        row.tiles.append((f"after pass {number}", Image.open(path)))
    row.tiles.append(("the object", Image.open(done.files["completed.png"])))
    row.tiles.append(("in its picture", Image.open(done.files["overlay.png"])))
    row.tiles.append(("truth", to_picture(truth_on_canvas(scene, done))))
    return row


def reason(report: list[str]) -> str:
    """What hides the object, from the loop's line about pass 1: "pass 1: hidden by yarn; ..."."""
    return report[0].split(": ", 1)[-1].split(";")[0] if report else "what hides it"


def truth_on_canvas(scene: scenes.Scene, done: headless.Completion) -> np.ndarray:
    """The truth's sheet, cut to the canvas of the result."""
    x, y = (scene.size // 2 + shift for shift in offset(done))
    width, height = Image.open(done.files["completed.png"]).size
    return scene.truth_sheet[max(0, y) : y + height, max(0, x) : x + width]


def to_picture(pixels: np.ndarray) -> Image.Image:
    """[H, W, 3 or 4] float 0..1."""
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


if __name__ == "__main__":
    try:
        raise SystemExit(main(*map(Path, sys.argv[1:2])))
    except (RunError, HostError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(3) from None
