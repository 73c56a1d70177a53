"""The paper's tables 1 to 3 and figures 8 and 9, and ours in the sticker world beside them.

    nox -s paper -- --per-cell 100                   # all of it: hours on a CPU
    nox -s paper -- --per-cell 2 --objects 4 --steps 10 --trials 1 --counterfactuals 1   # minutes
    nox -s paper -- --per-cell 20 --inputs FOLDER              # the scenes for another program
    nox -s paper -- --per-cell 20 --results NAME=FOLDER        # and its results in the tables
    nox -s paper -- --coco instances_val2017.json --pictures val2017   # photographs
    nox -s paper -- --truth FOLDER --results NAME=FOLDER       # a data set of your own
    nox -s paper -- --amodal coco-a ANNOTATIONS PREDICTIONS    # amodal masks

Every finished scene is a line of OUT/records.jsonl. Records of `nox -s evaluate` in the same folder
are used, and an interrupted run resumes. --coco, --truth and --amodal have options of their own:
add --help to them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from dataclasses import asdict
from pathlib import Path

from amodal.core.errors import BadInput
from amodal.core.text import encodable, write_text
from amodal.measures import statistics

from .. import instructed, outside_scenes, rules, runner
from ..methods import GROUNDS
from ..scenarios import CELLS
from . import amodal_report, claims, commands, curate, photograph_report
from .plots import draw_bars, draw_curve
from .tables import (
    CO_OCCURRING,
    K_CURVE,
    SHIPPED_K,
    headed,
    number,
    percent,
    pool,
    row,
)

SCENES = tuple(cell for cell in CELLS if cell != "border")
OTHERS = {
    "--amodal": amodal_report,
    "--coco": photograph_report,
    "--truth": photograph_report,
}


def main(words: list[str] | None = None) -> None:
    given = sys.argv[1:] if words is None else words
    for option, other in OTHERS.items():
        if any(word.split("=")[0] == option for word in given):
            other.main(words)
            return
    options = parser().parse_args(words)
    try:
        if options.inputs:
            count = outside_scenes.write_inputs(scenes(options), options.inputs)
            print(encodable(f"{count} scenes in {options.inputs}"))
            return
        options.out.mkdir(parents=True, exist_ok=True)
        others = outside_scenes.records_of(options.results, scenes(options), options)
    except BadInput as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    records = runner.run_all(tasks(options), options) + others
    table = curated(options)
    command = commands.for_report("nox -s paper --", sys.argv[1:] if words is None else words)
    write(records, table, options, command, str(datetime.date.today()))
    print(encodable(f"\n{options.out / 'paper.md'}"))


def parser() -> argparse.ArgumentParser:
    top = commands.parser("nox -s paper --", __doc__, "paper")
    top.add_argument(
        "--per-cell", type=int, default=100, help="scenes of each kind for tables 1 and 2"
    )
    top.add_argument(
        "--sweep",
        type=int,
        default=None,
        help="scenes for each point of figures 8 and 9; default: half of --per-cell",
    )
    top.add_argument("--objects", type=int, default=100, help="objects in each set of Table 3")
    top.add_argument("--trials", type=int, default=3, help="trials of Table 3")
    top.add_argument("--counterfactuals", type=int, default=4, help="for each object of Table 3")
    top.add_argument("--steps", type=int, default=50, help="N; k follows")
    commands.add_results(top)
    top.add_argument(
        "--inputs",
        type=Path,
        help="write the scenes of tables 1 and 2 there as a data set, no more",
    )
    return top


def scenes(options) -> list[runner.Task]:
    """A task for each scene of tables 1 and 2."""
    return [
        runner.Task(cell, number, "", options.seed, None, options.steps)
        for number in range(options.per_cell)
        for cell in SCENES
    ]


def tasks(options) -> list[runner.Task]:
    """Scene by scene, so that the records are balanced at any time."""
    sweep = options.sweep or -(-options.per_cell // 2)
    wanted = []

    def add(cell: str, number: int, method: str, k: float | None = None) -> None:
        wanted.append(runner.Task(cell, number, method, options.seed, k, options.steps))

    for n in range(max(options.per_cell, sweep)):
        if n < options.per_cell:
            for cell in SCENES:
                for method in (*claims.RIVALS, *claims.TABLES):
                    add(cell, n, method)
        if n < sweep:
            for k in K_CURVE:
                add("companion-hard", n, "mixed", runner.step_of(k, options.steps))
            add("companion-hard", n, runner.RULES)
            for ground in GROUNDS:
                add(SCENES[n % len(SCENES)], n // len(SCENES), f"ground-{ground}")
    return list(dict.fromkeys(wanted))


def curated(options) -> dict:
    """Table 3's figures by the number of counterfactuals; writes OUT/curation/."""
    words = [
        "--objects",
        options.objects,
        "--trials",
        options.trials,
        "--counterfactuals",
        options.counterfactuals,
        "--seed",
        options.seed,
        "--workers",
        options.workers,
        "--made-steps",
        options.steps,
        "--steps",
        max(2, options.steps // 4),
        "--out",
        options.out / "curation",
    ]
    inner = curate.parser().parse_args([str(word) for word in words])
    return curate.write(curate.measure(inner), inner)


def write(records: list[dict], table: dict, options, command: str, date: str) -> None:
    """paper.md, paper.json and the plots."""
    out = options.out
    claimed = [*claims.of_records(records), *claims.of_curation(table)]
    draw(records, out)
    parts = [
        "# The paper's evaluation",
        f"`{command}` on {date}; sticker models, through the real host's executor. The paper's "
        "figures are for photographs, Stable Diffusion 2 and other measures. Only which method "
        "wins can be compared. Brackets hold 95 % intervals.",
        claims.agreement(claimed),
        table_1(records),
        table_2(records),
        (out / "curation" / "curation.md")
        .read_text(encoding="utf-8")
        .strip()
        .replace("# Table 3", "## Table 3", 1),
        figure_8(records),
        figure_9(records),
    ]
    write_text(out / "paper.md", "\n\n".join(parts) + "\n")
    kept = [{**asdict(claim), "verdict": claim.verdict} for claim in claimed]
    write_text(out / "paper.json", json.dumps(kept, indent=1))


def table_1(records: list[dict]) -> str:
    lines = [
        "## Table 1: methods",
        "",
        *headed(
            "the paper (COCO)", "easy: CLIP", "DreamSim", "LPIPS", "hard: CLIP", "DreamSim", "LPIPS"
        ),
    ]
    for name, both in claims.PAPER_1.items():
        lines.append(row([name, *(f"{value:.3f}" for case in both for value in case)]))
    lines += [
        "",
        *headed(
            "ours",
            "hidden",
            "n",
            "ST-LPIPS",
            "amodal IoU",
            "occluded IoU",
            "colour error",
            "success",
        ),
    ]
    for title, cells in (("20-50 %", claims.EASY), ("50-80 %", claims.HARD)):
        for method, name in claims.compared_methods(records).items():
            rows = pool(records, cells, method)
            if rows:
                means = [
                    number(statistics.mean([r[name] for r in rows]))
                    for name in ("perceptual", "amodal_iou", "occluded_iou", "colour")
                ]
                lines.append(
                    row(
                        [
                            name,
                            title,
                            str(len(rows)),
                            *means,
                            percent(claims.success(rows)),
                        ]
                    )
                )
    lines.append(row([*instructed.NOT_ON_STICKERS, *["-"] * 6]))
    return "\n".join(lines)


def table_2(records: list[dict]) -> str:
    lines = [
        "## Table 2: successes",
        "",
        *headed(
            "",
            "occluder not top co-occurring: paper",
            "ours",
            "top co-occurring: paper",
            "ours",
            "ours, a spurious object",
        ),
    ]
    for method, paper in claims.second_table(records).items():
        cells = [claims.title(method, records)]
        for theirs, names in zip(paper, (claims.OTHER, CO_OCCURRING)):
            rows = pool(records, names, method)
            cells += [theirs, percent(claims.success(rows)) if rows else "-"]
        last = pool(records, CO_OCCURRING, method)
        lines.append(row([*cells, percent(claims.spurious(last)) if last else "-"]))
    return "\n".join(lines)


def figure_8(records: list[dict]) -> str:
    lines = [
        "## Figure 8, left: the swapped background",
        "",
        "The paper: gray +20 points over the original background, forest -16, sky -9.",
        "",
        *headed("background", "n", "success"),
    ]
    for ground, values in claims.grounds(records).items():
        count = str(len(claims.grounded(records, ground)))
        lines.append(row([ground, count, percent(values) if values else "-"]))
    lines += [
        "",
        "![backgrounds](figure_8_backgrounds.png)",
        "",
        "## Figure 8, right: the step k at which contexts mix",
        "",
        "The paper: most first successes at k = 20 of 50. On scenes whose co-occurring "
        "occluder hides 50-80 %.",
        "",
        *headed("k of 50", "n", "success", "a spurious object"),
    ]
    for k, rows in steps(records):
        lines.append(
            row(
                [
                    str(k),
                    str(len(rows)),
                    percent(claims.success(rows)),
                    percent(claims.spurious(rows)),
                ]
            )
        )
    return "\n".join([*lines, "", "![step k](figure_8_steps.png)"])


def steps(records: list[dict]) -> list[tuple[int, list[dict]]]:
    """(k of 50, records) of every k, on the scenes of the sweep."""
    every = [(k, claims.at_step(records, k)) for k in sorted({*K_CURVE, SHIPPED_K})]
    most = max((len(rows) for k, rows in every if k != SHIPPED_K), default=0)
    return [(k, rows[:most]) for k, rows in every if rows[:most]]


def levels(records: list[dict]) -> dict[str, tuple]:
    rows = claims.compared(records)
    return {
        title: statistics.mean([r["rules"][rule] for r in rows])
        for rule, title in rules.RULES.items()
        if rows
    }


def figure_9(records: list[dict]) -> str:
    lines = [
        "## Figure 9: the level whose features are clustered",
        "",
        "The paper: level 3 of the decoder outlines the object best. IoU of M^k with the true "
        "amodal mask:",
        "",
        *headed("rule", "IoU"),
    ]
    lines += [row([title, number(values)]) for title, values in levels(records).items()]
    return "\n".join([*lines, "", "![rules](figure_9.png)"])


def draw(records: list[dict], out: Path) -> None:
    points = steps(records)
    draw_curve(
        out / "figure_8_steps.png",
        "step k of 50 at which contexts mix",
        {
            "success": [(k, claims.success(rows)) for k, rows in points],
            "a spurious object": [(k, claims.spurious(rows)) for k, rows in points],
        },
    )
    grounds = {name: values for name, values in claims.grounds(records).items() if values}
    draw_bars(out / "figure_8_backgrounds.png", "success", grounds)
    draw_bars(out / "figure_9.png", "IoU of M^k with the true amodal mask", levels(records))


if __name__ == "__main__":
    main()
