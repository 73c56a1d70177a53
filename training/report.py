"""Training curves, and a contact sheet of random scenes completed by the shipped weights.

    python -m training.report --out output/training [--scenes 30]

Writes curves.png, completions.png and completions.txt. The curves come from the training's own
state in .training/ where there is one, else from training/curves.json (`--export` rewrites that
file from the state).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from . import completions
from .run import ROOT, STATE

CURVES = Path(__file__).with_name("curves.json")
RUNS = ("autoencoder", "decoder", "diffusion", "segmenter", "order")
TILE, GAP, LINE = 128, 6, 18
COLUMNS = ("picture", "autoencoder", "detected", "completed", "truth")


def logs() -> dict[str, list[dict]]:
    """What each run noted: {run: [{"step", "minute", figure: value, ...}]}."""
    found = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    for path in (STATE / f"{name}.pt" for name in RUNS):
        if not path.exists():
            continue
        log = torch.load(path, weights_only=True, mmap=True, map_location="cpu").get("log")
        if log:
            found[path.stem] = log
    return found


def export(found: dict[str, list[dict]]) -> None:
    rows = ",\n".join(
        f' "{name}": [\n  ' + ",\n  ".join(json.dumps(entry) for entry in log) + "\n ]"
        for name, log in found.items()
    )
    CURVES.write_text("{\n" + rows + "\n}\n")


def draw_curves(found: dict[str, list[dict]], path: Path) -> None:
    """One panel for each run; its figures over minutes of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(4.2 * len(found), 3.4), squeeze=False)
    for panel, (name, log) in zip(panels[0], found.items()):
        for key in (k for k in log[-1] if k not in ("step", "minute", "items")):
            points = [(entry["minute"], entry[key]) for entry in log if key in entry]
            panel.plot(*zip(*points), label=key)
        panel.set_title(f"{name}, {log[-1]['step']} steps")
        panel.set_xlabel("minutes")
        panel.legend()
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def add_pictures(result: completions.Result, vae, segmenter) -> None:
    """What the autoencoder and the segmenter make of the scene."""
    image = torch.from_numpy(result.scene.image.copy())
    result.pictures["picture"] = result.scene.image
    result.pictures["autoencoder"] = vae.decode(vae.encode(image[None]))[0].numpy()
    shown = result.scene.image * 0.4
    objects = segmenter.detect(image)
    for number, mask in enumerate(objects.masks):
        colour = np.array([(0.9, 0.3, 0.2), (0.2, 0.6, 0.9), (0.3, 0.8, 0.3)][number % 3])
        shown += 0.6 * mask.numpy()[..., None] * colour
    result.pictures["detected"] = shown.clip(0, 1)
    result.pictures["labels"] = ", ".join(objects.labels)


def draw_sheet(results: list[completions.Result], path: Path) -> None:
    """Two scenes to a line, a line of text under each."""
    width, height = len(COLUMNS) * (TILE + GAP) + 4 * GAP, TILE + 2 * LINE
    page = Image.new("RGB", (2 * width, LINE + -(-len(results) // 2) * height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    for number, result in enumerate(results):
        x, y = number % 2 * width, LINE + number // 2 * height
        for column, name in enumerate(COLUMNS):
            at = (x + column * (TILE + GAP), y)
            if number < 2:
                draw.text((at[0], 2), name, "black", font=font)
            if name in result.pictures:
                page.paste(tile(result.pictures[name]), at)
        draw.text((x, y + TILE + 3), line(number, result), "black", font=font)
    page.save(path)


def line(number: int, result: completions.Result) -> str:
    return (
        f"{number} {result.scene.word}, {result.scene.hidden():.0%} hidden: whole "
        f"{result.whole:.2f}, hidden {result.hidden:.2f}, colour {result.colour:.3f}, M^k "
        f"{result.mask_k:.2f}, {result.passes} passes. {result.status}"
    )[:112]


def tile(picture: np.ndarray) -> Image.Image:
    """As large as fits a tile; transparent parts on a chequered ground."""
    rows, columns = np.mgrid[:TILE, :TILE] // 8
    ground = np.where((rows + columns) % 2, 225, 255).astype(np.uint8)
    page = Image.fromarray(ground).convert("RGB")
    image = Image.fromarray((picture.clip(0, 1) * 255).round().astype(np.uint8)).convert("RGBA")
    image.thumbnail((TILE, TILE), Image.Resampling.BICUBIC)
    page.paste(image, ((TILE - image.width) // 2, (TILE - image.height) // 2), image)
    return page


def report(count: int, out: Path) -> None:
    host = completions.host()
    import hosting

    graph = hosting.Graph()
    checkpoint = graph.add("AmodalStickerCheckpoint")
    segmenter = graph.add("AmodalStickerSegmenter")
    models = host.run(graph.keep(vae=checkpoint[2], segmenter=segmenter[0])).values
    results = []
    for number in range(count):
        results.append(completions.complete(number))
        add_pictures(results[-1], models["vae"], models["segmenter"])
        print(line(number, results[-1]), flush=True)
        write(results, out)
    print(completions.summary(results))


def write(results: list[completions.Result], out: Path) -> None:
    """The sheet and the figures so far: a run that is stopped leaves what it has."""
    lines = [line(number, result) for number, result in enumerate(results)]
    text = "\n".join([completions.summary(results), "", *lines])
    (out / "completions.txt").write_text(text + "\n")
    draw_sheet(results, out / "completions.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "training")
    parser.add_argument("--scenes", type=int, default=30, help="0: only the curves")
    parser.add_argument("--export", action="store_true", help="rewrite training/curves.json")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found = logs()
    if options.export:
        export(found)
    if found:
        draw_curves(found, options.out / "curves.png")
    if options.scenes:
        report(options.scenes, options.out)
    print(f"The pictures are in {options.out}")
