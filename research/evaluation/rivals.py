"""SSSD, a rival of Table 1, on the scenes of the evaluation, beside the methods' kept records.

    python -m research.evaluation.rivals --scenes 12 --order 24

SSSD's records are kept in OUT as each run ends, so an interrupted run resumes. The other methods'
records are those of `results/evaluation/evaluation.csv`, on the same scenes.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from amodal.batch import lines
from amodal.core.text import write_text
from amodal.measures import statistics

from . import instructed, methods, runner, scenarios, sssd, unseen_art

OUT = Path(".cache") / "rivals"
KEPT = Path(__file__).parents[1] / "results" / "evaluation" / "evaluation.csv"
OTHERS = ("removal", "naive", "mixed")
FIGURES = ("cell", "number", "method", "amodal_iou", "occluded_iou", "spurious", "success")


def completed(tasks: list[runner.Task], out: Path) -> list[dict]:
    """The records of the tasks, in order; those missing from `out` are run in this process."""
    path = out / "records.jsonl"
    state = runner.state_of_code()
    made = {record["key"]: record for record in lines.read(path)}
    for task in tasks:
        key = task.key(state)
        if key not in made:
            made[key] = runner.run(task, out / "pictures", state)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(lines.as_line(made[key]))
    return [made[task.key(state)] for task in tasks]


def kept(scenes: int) -> list[dict]:
    """The kept records of OTHERS on the first scenes of each kind."""
    with KEPT.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] in OTHERS and not row["k"]]
    return [
        {
            **{name: row[name] for name in ("cell", "method")},
            **{name: float(row[name]) for name in ("amodal_iou", "occluded_iou", "spurious")},
            "number": int(row["number"]),
            "success": row["success"] == "True",
        }
        for row in rows
        if row["cell"] in scenarios.CELLS and int(row["number"]) < scenes and row["seed"] == "0"
    ]


def table(records: list[dict]) -> str:
    """Success and mean amodal IoU of each method, with 95 % intervals, for each kind of scene.

    The last column says that no net on stickers removes by instruction.
    """
    names = [name for name in (*OTHERS, "sssd") if any(r["method"] == name for r in records)]
    titles = ["scenes", *(methods.METHODS[name] for name in names)]
    titles.append(": ".join(instructed.NOT_ON_STICKERS))
    rows = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for cell, title in [*((c.name, c.title) for c in scenarios.CELLS.values()), (None, "all")]:
        group = [r for r in records if cell in (None, r["cell"])]
        cells = [figures([r for r in group if r["method"] == name]) for name in names]
        rows.append(f"| {' | '.join([title, *cells, '-'])} |")
    return "\n".join(rows)


def figures(records: list[dict]) -> str:
    """Success and mean amodal IoU with their intervals, and the number of scenes."""
    if not records:
        return ""
    share = statistics.share([record["success"] for record in records])
    iou = statistics.mean([record["amodal_iou"] for record in records])
    success = "{:.0%} ({:.0%} to {:.0%})".format(*share)
    return f"{success}, {{:.2f}} ({{:.2f}} to {{:.2f}}); {len(records)}".format(*iou)


def order_models() -> dict:
    """Order models as their loader nodes give them, by name."""
    from tools.host.inprocess import Graph

    started = runner.host()
    sssd.put_files()
    graph = Graph()
    graph.keep(
        stickers=graph.add("AmodalStickerOrder")[0],
        borders=graph.add("AmodalBorderOrder")[0],
        sssd=graph.add("AmodalLoadMaskModel", file=sssd.MASKS)[0],
    )
    return started.run(graph).values


def order_table(scenes: int) -> str:
    """Neighbours in scenes of stickers whose order each model knows, given the true modal masks."""
    import numpy as np
    import torch

    art = unseen_art.ART["art-seen"]
    rows = ["| order model | pairs | both answers right | the nearer one recognised |", "|---" * 4]
    rows[-1] += "|"
    drawn = [art.scene(number, 0) for number in range(scenes)]
    for name, model in order_models().items():
        counts = []
        for scene in drawn:
            image = torch.from_numpy(scene.image.copy()).float()
            masks = np.stack([scene.modal(i) for i in range(len(scene.layers))])
            chance = unseen_art.ordering_of(model, image, torch.from_numpy(masks).float())
            counts.append(unseen_art.order_figures(scene, chance))
        shares = [
            "{:.0%} ({:.0%} to {:.0%})".format(
                *statistics.ratio([c[hit] for c in counts], [c[of] for c in counts])
            )
            for hit, of in (("right", "pairs"), ("front", "over"))
        ]
        pairs = sum(c["pairs"] for c in counts)
        rows.append(f"| {' | '.join([name, str(pairs), *shares])} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=12, help="scenes of each kind")
    parser.add_argument("--order", type=int, default=24, help="scenes for the order models")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    every = [(number, cell) for number in range(options.scenes) for cell in scenarios.CELLS]
    records = completed([runner.Task(cell, n, "sssd") for n, cell in every], options.out)
    both = kept(options.scenes) + [{name: r[name] for name in FIGURES} for r in records]
    parts = [table(both)] + ([order_table(options.order)] if options.order else [])
    write_text(options.out / "rivals.md", "\n\n".join(parts) + "\n")
    write_text(options.out / "rivals.jsonl", "\n".join(map(json.dumps, records)) + "\n")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
