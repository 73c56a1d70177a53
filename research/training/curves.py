"""Training curves: read from the training's state, kept in curves.json, drawn."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from amodal.core.text import write_text

from .run import STATE

CURVES = Path(__file__).with_name("curves.json")
RUNS = ("autoencoder", "diffusion", "segmenter", "order")


def logs() -> dict[str, list[dict]]:
    """{run: [{"step", "minute", figure: value, ...}]} from .training/, or else from curves.json."""
    notes = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    notes = {name: notes[name] for name in RUNS if name in notes}
    for path in (STATE / f"{name}.pt" for name in RUNS):
        if not path.exists():
            continue
        log = torch.load(path, weights_only=True, mmap=True, map_location="cpu").get("log")
        if log:
            notes[path.stem] = log
    return notes


def export(notes: dict[str, list[dict]]) -> None:
    """Rewrites curves.json, with a line for each entry."""
    rows = ",\n".join(
        f' "{name}": [\n  ' + ",\n  ".join(json.dumps(entry) for entry in log) + "\n ]"
        for name, log in notes.items()
    )
    write_text(CURVES, "{\n" + rows + "\n}\n")


def draw(notes: dict[str, list[dict]], path: Path) -> None:
    """Writes one panel for each run, with its figures over minutes of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(notes), figsize=(4.2 * len(notes), 3.4), squeeze=False)
    for panel, (name, log) in zip(panels[0], notes.items()):
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
