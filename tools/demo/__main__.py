"""Completes six partly hidden stickers in a real ComfyUI; writes pictures to output/demo/.

It draws scenes with known ground truth, runs them through the shipped workflows without a browser,
with plain inpainting and with mixed context, and compares both with the hidden part. Exit status:
0 if all six were completed, else 3.

    nox -s demo [-- FOLDER]
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from amodal.app import headless
from amodal.app.client import Client, RunError
from amodal.app.host import Host, HostError
from amodal.stickers import scenes
from amodal.stickers.closeness import Closeness
from tools.demo import contact_sheet, prompts, rows
from tools.demo.progress import Progress
from tools.demo.stories import STORIES, Story

OUT = Path(__file__).resolve().parents[2] / "output" / "demo"
TITLE = "Amodal completion by progressive mixed context diffusion"
LINE = (
    "Each object is partly hidden. Plain inpainting (one pass) often paints its companion: what "
    "usually stands in front of it in the training pictures.\n"
    "Mixed context paints the object first on plain gray, then in the picture. "
    "Chosen scenes, not retouched. Overlap: IoU with the true shape."
)


@dataclass
class Outcome:
    """A scene after its runs. The two measures are None unless both runs gave an object."""

    row: contact_sheet.Row
    status: str
    ok: bool = False
    plain: Closeness | None = None
    mixed: Closeness | None = None


def main(out: Path = OUT) -> int:
    """Runs all scenes, writes their folders and contact_sheet.png; returns the exit status.

    Raises HostError if ComfyUI does not start.
    """
    started = time.monotonic()
    for story in STORIES:
        shutil.rmtree(out / story.folder, ignore_errors=True)
    progress = Progress(len(STORIES))
    progress.show("Starting ComfyUI")
    outcomes = []
    with Host() as host:
        client = Client(host.url)
        for story in STORIES:
            progress.scene(story.title)
            outcomes.append(run_story(client, story, out / story.folder, progress))
            progress.done(outcomes[-1].status)
    progress.close()
    for story, outcome in zip(STORIES, outcomes):
        if not outcome.ok:
            print(f"{story.title}: {outcome.status}", file=sys.stderr)
    page = contact_sheet.sheet(TITLE, LINE, rows.HEADS, [outcome.row for outcome in outcomes])
    page.save(out / "contact_sheet.png", optimize=True)
    took = f"{time.monotonic() - started:.0f} s"
    print(f"{out / 'contact_sheet.png'}: {len(outcomes)} scenes in {took}; {means(outcomes)}")
    return 0 if all(outcome.ok for outcome in outcomes) else 3


def means(outcomes: list[Outcome]) -> str:
    """The mean amodal IoU of both methods in words."""
    pairs = [(o.plain.amodal_iou, o.mixed.amodal_iou) for o in outcomes if o.plain and o.mixed]
    if not pairs:
        return "none was completed"
    plain, mixed = np.mean(pairs, 0)
    return f"mean IoU with the truth: plain inpainting {plain:.2f}, mixed context {mixed:.2f}"


def run_story(client: Client, story: Story, folder: Path, progress: Progress) -> Outcome:
    """Runs one scene and stores its pictures in `folder`, those of plain inpainting in plain/."""
    started = time.monotonic()
    scene = story.scene()
    folder.mkdir(parents=True)
    rows.to_picture(scene.image).save(folder / "input.png")
    rows.to_picture(scene.truth_sheet).save(folder / "truth.png")
    picture = client.upload(folder / "input.png")
    about = {"picture": "input.png", "seed": story.seed}
    try:
        progress.run("plain inpainting")
        prompt = prompts.plain(picture, scene.word, story.seed)
        by_plain = {**about, "workflow": prompts.PLAIN.name}
        plain = headless.complete(client, prompt, folder / "plain", by_plain, progress)
        progress.run("mixed context")
        prompt, name = prompts.mixed(picture, scene.word, story.seed), prompts.MIXED.name
        if story.count > 1:
            prompt = prompts.best(picture, scene.word, story.seed, story.count)
            name = prompts.BEST.name
        mixed = headless.complete(client, prompt, folder, {**about, "workflow": name}, progress)
    except RunError as error:  # continue with the next scene
        return failed(story, scene, f"failed at {error.node}: {error}")
    if not (rows.is_whole(plain) and rows.is_whole(mixed)):
        return failed(story, scene, mixed.result["status"])
    for done, place in ((plain, folder / "plain"), (mixed, folder)):
        note_truth(scene, done, place)
    status = ", ".join(dict.fromkeys(mixed.result["statuses"]))
    return Outcome(
        rows.row(story, scene, plain, mixed),
        f"{status} in {time.monotonic() - started:.0f} s",
        mixed.ok,
        rows.compare(scene, plain),
        rows.compare(scene, mixed),
    )


def note_truth(scene: scenes.Scene, done: headless.Completion, folder: Path) -> None:
    """Adds to result.json how close the object comes to the truth."""
    close = rows.compare(scene, done)
    done.result["against_truth"] = {k: round(v, 4) for k, v in asdict(close).items()}
    (folder / "result.json").write_text(json.dumps(done.result, indent=2) + "\n")


def failed(story: Story, scene: scenes.Scene, why: str) -> Outcome:
    """The outcome without a completion: the picture and the truth."""
    nothing = [("", None)] * (sum(span for _, span in rows.HEADS) - 2)
    shown = [("", rows.to_picture(scene.image)), *nothing, ("", rows.to_picture(scene.truth))]
    return Outcome(contact_sheet.Row(story.title, why, shown), why)


if __name__ == "__main__":
    try:
        raise SystemExit(main(*map(Path, sys.argv[1:2])))
    except (RunError, HostError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(3) from None
