"""How many points are matched rightly between hidden, completed and whole objects (PCK).

    python -m research.applications.correspondence --pairs 60 --seed 1

Each pair of `pairs` is completed once by Amodal Completion, with its true modal masks, and kept
under OUT. Without the state "completed" nothing is completed, and it is quick. A point is right if
it is found within 0.1 of the second object's larger side from its true place (PCK@0.1). `--noise`,
`--levels` and `--cells` take several values, to be compared on development pairs (`--seed 0`).
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from amodal.applications import correspondence, framing
from amodal.core.text import write_text
from amodal.measures import statistics
from amodal.stickers.scenes import Scene

from . import pairs

OUT = Path(".cache") / "correspondence"
WITHIN = 0.1  # of the second object's larger side
STATES = ("occluded", "completed", "truth")
PARTS = ("all", "visible", "hidden")  # of the points: visible in both scenes, or not
SHIPPED = {  # as in the workflow with the one node
    "point": "",
    "prompt": "a photo of a {label}",
    "negative": "",
    "count": 1,
    "steps": 50,
    "k": 20.0,
    "cfg": 2.5,
    "mask_rule": "automatic",
    "size": 128,
    "max_passes": 6,
    "context": 0.5,
}
MARGIN = 0.1  # of the square around an object


@dataclass(frozen=True)
class Settings:
    """What the features depend on; see `of_diffusion` in nodes/object_features.py."""

    noise: float
    levels: str
    cells: int
    ensemble: int = 8

    def __str__(self) -> str:
        return f"noise {self.noise:g}, level {self.levels}, {self.cells} cells"


# --- objects -------------------------------------------------------------------------------------


@cache
def host():
    """The in-process host with the sticker models loaded, and the values of their loaders."""
    from tools.host import inprocess

    started, graph = inprocess.host(), inprocess.Graph()
    checkpoint = graph.add("AmodalStickerCheckpoint")
    words = graph.add("CLIPTextEncode", clip=checkpoint[1], text="")
    graph.keep(model=checkpoint[0], clip=checkpoint[1], vae=checkpoint[2], positive=words[0])
    return started, started.run(graph).values


def completed(scene: Scene, seed: int) -> np.ndarray:
    """The query completed by Amodal Completion: RGBA [2S, 2S, 4] on the scene's sheet."""
    from tools.host import inprocess

    started, graph = host()[0], inprocess.Graph()
    checkpoint = graph.add("AmodalStickerCheckpoint")
    name = f"{scene.word} {seed}"
    done = graph.add(
        "AmodalCompletion",
        model=checkpoint[0],
        clip=checkpoint[1],
        vae=checkpoint[2],
        segmenter=graph.add("AmodalStickerSegmenter"),
        order_model=graph.add("AmodalStickerOrder"),
        image=graph.value(f"picture {name}", torch.from_numpy(scene.image)[None].float()),
        modal_mask=graph.value(f"mask {name}", torch.from_numpy(scene.modal())[None].float()),
        **SHIPPED,
        words=scene.word,
        seed=seed,
    )
    graph.keep(object=done[0], x=done[6], y=done[7])
    values = started.run(graph).values
    return on_sheet(values["object"][0].numpy(), values["x"], values["y"])


def on_sheet(rgba: np.ndarray, x: int, y: int) -> np.ndarray:
    """RGBA [h, w, 4] on a sheet [2S, 2S, 4]; (x, y) is its corner in the picture's pixels."""
    sheet = np.zeros((2 * pairs.SIZE, 2 * pairs.SIZE, 4), np.float32)
    edge = pairs.SIZE // 2
    top, left = max(0, y + edge), max(0, x + edge)
    part = rgba[
        top - y - edge : 2 * pairs.SIZE - y - edge, left - x - edge : 2 * pairs.SIZE - x - edge
    ]
    sheet[top : top + part.shape[0], left : left + part.shape[1]] = part
    return sheet


def objects_of(pair: pairs.Pair, number: int, seed: int, out: Path, states) -> dict[str, list]:
    """The two objects of a pair in each of some STATES, before the second one is moved."""
    every = {
        "occluded": [
            on_sheet(np.dstack([scene.image, scene.modal()]).astype(np.float32), 0, 0)
            for scene in pair.scenes
        ],
        "truth": [scene.layers[scene.query].rgba for scene in pair.scenes],
    }
    if "completed" in states:
        every["completed"] = completed_pair(pair, number, seed, out)
    return {state: every[state] for state in states}


def completed_pair(pair: pairs.Pair, number: int, seed: int, out: Path) -> list[np.ndarray]:
    """Both objects of a pair completed, each RGBA [2S, 2S, 4]; made once."""
    path = out / "completed" / f"{seed}-{number}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = [completed(scene, 1 + 2 * number + i) for i, scene in enumerate(pair.scenes)]
        np.savez_compressed(path, *[(rgba * 255).round().astype(np.uint8) for rgba in made])
    with np.load(path) as kept:
        return [kept[name].astype(np.float32) / 255 for name in kept.files]


# --- measure -------------------------------------------------------------------------------------


def matched(objects: list[np.ndarray], places: np.ndarray, settings: Settings) -> np.ndarray:
    """Where places [n, 2] of the first of two objects [2S, 2S, 4] are found on the second."""
    tensors = [torch.from_numpy(rgba) for rgba in objects]
    frames = [framing.frame_of(rgba[..., 3], MARGIN) for rgba in tensors]
    squares = torch.stack(
        [framing.cut_out(rgba, frame, pairs.SIZE) for rgba, frame in zip(tensors, frames)]
    )
    maps = features_of(framing.on_ground(squares, 0.5), settings)
    first, second = (
        correspondence.object_of([group], square[..., 3], settings.cells)
        for group, square in zip(maps, squares)
    )
    there, _ = correspondence.match(first, second)
    cells = settings.cells
    corner = torch.tensor([frames[0].x, frames[0].y])
    points = (torch.from_numpy(places).float() - corner) / frames[0].side * cells
    targets, _, _ = correspondence.at(there, points)
    corner = torch.tensor([frames[1].x, frames[1].y])
    return (targets / cells * frames[1].side + corner).numpy()


def features_of(pictures: torch.Tensor, settings: Settings) -> list[list[torch.Tensor]]:
    """The maps of each of the pictures [2, S, S, 3]."""
    started, models = host()
    package = sys.modules[started.classes["AmodalCompletion"].__module__].__package__
    module = importlib.import_module(f"{package}.object_features")
    with torch.inference_mode():
        return module.of_diffusion(
            models["model"],
            models["vae"],
            models["positive"],
            pictures,
            settings.noise,
            settings.levels,
            settings.ensemble,
            0,
        )


def measured(number: int, seed: int, every: list[Settings], out: Path, states=STATES) -> list[dict]:
    """A record for each setting: the share of right points in each state and part."""
    pair = pairs.pair(number, seed)
    objects = objects_of(pair, number, seed, out, states)
    seen = objects_of(pair, number, seed, out, ["occluded"])["occluded"]
    here, there = pair.places()
    elsewhere = pairs.moved(seen[1], pair.turn, pair.scale)
    visible = pairs.shown(seen[0][..., 3], here) & pairs.shown(elsewhere[..., 3], there)
    parts = dict(zip(PARTS, (np.ones(len(here), bool), visible, ~visible)))
    whole = pairs.moved(pair.scenes[1].layers[pair.scenes[1].query].rgba, pair.turn, pair.scale)
    whole = whole[..., 3] > 0.5
    side = max(np.ptp(line.nonzero()[0]) + 1 for line in (whole.any(0), whole.any(1)))
    records = []
    for settings in every:
        record = {"number": number, "word": pair.word, "settings": str(settings)}
        for state, (first, second) in objects.items():
            both = [first, pairs.moved(second, pair.turn, pair.scale)]
            right = np.linalg.norm(matched(both, here, settings) - there, axis=1) <= WITHIN * side
            record |= {
                f"{state} {name}": float(right[kept].mean())
                for name, kept in parts.items()
                if kept.any()
            }
        records.append(record)
    return records


# --- report --------------------------------------------------------------------------------------


def table(records: list[dict], states=STATES) -> str:
    """PCK in each state and part, with 95 % intervals over pairs, and what completing gains."""
    titles = ["points", *states, *(["gain of completing"] if "completed" in states else [])]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for part in PARTS:
        rows = [r for r in records if f"{states[0]} {part}" in r]
        columns = {state: [row[f"{state} {part}"] for row in rows] for state in states}
        cells = [interval(values) for values in columns.values()]
        if "completed" in states:
            gains = zip(columns["occluded"], columns["completed"])
            cells.append(interval([after - before for before, after in gains]))
        lines.append(f"| {part} ({len(rows)} pairs) | {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(values: list[float]) -> str:
    middle, low, high = statistics.mean(values)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.26])
    parser.add_argument("--levels", nargs="+", default=["paper"])
    parser.add_argument("--cells", type=int, nargs="+", default=[32])
    parser.add_argument("--states", nargs="+", choices=STATES, default=STATES)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    every = [
        Settings(*values)
        for values in itertools.product(options.noise, options.levels, options.cells)
    ]
    records = []
    for number in tqdm(range(options.pairs)):
        records += measured(number, options.seed, every, options.out, options.states)
    path = options.out / f"records-{options.seed}.jsonl"
    write_text(path, "\n".join(map(json.dumps, records)) + "\n")
    for settings in every:
        of_setting = [record for record in records if record["settings"] == str(settings)]
        print(f"\n{settings}\n\n{table(of_setting, options.states)}")


if __name__ == "__main__":
    main()
