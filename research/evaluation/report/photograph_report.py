"""The paper's tables 1 and 2 on photographs, and the paper's own beside them.

    nox -s paper -- --coco instances_val2017.json --pictures val2017 --per-cell 100

`photographs` makes the records. Measures whose package or weights are missing are not taken; the
report names them.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

from amodal.app import workflow
from amodal.core.errors import BadInput
from amodal.core.text import encodable, write_text
from amodal.measures import metrics, statistics

from .. import instructed, photographs, runner
from ..pasted import ALWAYS
from . import claims, commands
from .tables import headed, number, percent, row

TAKEN = ("CLIP", "DreamSim", "LPIPS")  # the paper's measures
ALSO = ("perceptual", "amodal_iou", "occluded_iou", "colour")


def main(words: list[str] | None = None) -> None:
    options = chosen(words)
    try:
        if options.inputs:
            count = photographs.write_inputs(options, options.inputs)
            print(encodable(f"{count} items in {options.inputs}"))
            return
        records, settings = photographs.measure(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    command = commands.for_report("nox -s paper --", sys.argv[1:] if words is None else words)
    path = options.out / "paper.md"
    write_text(path, markdown(records, settings, command, str(datetime.date.today())))
    print(encodable(f"\n{path}"))


def chosen(words: list[str] | None) -> argparse.Namespace:
    """The options; ends the program as argparse does where they do not fit each other."""
    top = parser()
    options = top.parse_args(words)
    if options.coco and not options.pictures:
        top.error("--coco needs --pictures")
    if options.truth and options.methods is None:
        options.methods = []
    if options.methods == [] and not (options.results or options.inputs):
        top.error("nothing to do: it needs --results or --methods")
    return options


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="nox -s paper --",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = top.add_mutually_exclusive_group(required=True)
    source.add_argument("--coco", type=Path, help="instances_*.json")
    source.add_argument("--truth", type=Path, help="a data set as nox -s dataset writes it")
    top.add_argument("--pictures", type=Path, help="folder of COCO's pictures")
    top.add_argument(
        "--workflow",
        type=Path,
        default=workflow.FOLDER / "amodal_completion.json",
        help="in API format, with the node titles of the shipped one",
    )
    top.add_argument(
        "--models",
        type=Path,
        help="ComfyUI's models folder; default: that of AMODAL_COMFYUI",
    )
    top.add_argument(
        "--metrics",
        type=Path,
        help="folder with the weights of CLIP, DreamSim and LPIPS; default: amodal_metrics in "
        "--models",
    )
    top.add_argument(
        "--per-cell",
        type=int,
        default=100,
        help="items with 20-50 %% hidden and with 50-80 %% hidden, of random pairs and of "
        "co-occurring ones",
    )
    top.add_argument(
        "--methods",
        nargs="*",
        choices=[*photographs.METHODS, *photographs.BY_CHOICE],
        help="default: none with --truth; with --coco all, those by instruction if their nets are "
        "there; none: the option alone",
    )
    top.add_argument("--inputs", type=Path, help="only write the items there, as a data set")
    top.add_argument(
        "--instruct",
        default=instructed.CHECKPOINT,
        help="an InstructPix2Pix checkpoint, for the method instruct",
    )
    top.add_argument(
        "--edit",
        type=Path,
        default=instructed.EDITOR,
        help="a workflow in API format with an edit model, for the method edit; with the node "
        "titles of the shipped one",
    )
    commands.add_results(top)
    top.add_argument("--steps", type=int, help="N; k follows; default: the workflow's")
    top.add_argument("--seed", type=int, default=0, help="seed of the items")
    top.add_argument("--workers", type=int, default=0, help="processes; 0: this one")
    top.add_argument("--out", type=Path, default=runner.ROOT / "output" / "paper_photographs")
    return top


def markdown(records: list[dict], settings: photographs.Settings, command: str, date: str) -> str:
    missing = [name for name in metrics.MODELS if name not in settings.measures]
    left_out = f" Not measured, for want of package or weights: {', '.join(missing)}."
    failed = sum(record["status"] == runner.FAILED for record in records)
    about = (
        f"`{command}` on {date}; through the real host's executor. A success is an amodal IoU of "
        "at least 0.85 (in the paper people decided); spurious objects are not looked for. "
        f"Brackets hold 95 % intervals.{left_out if missing else ''} Of {len(records)} runs "
        f"{failed} failed; they count as their visible part.{without_nets(settings)}"
    )
    claimed = claims.of_tables(records)
    measured = any(claim.gain is not None for claim in claimed)
    parts = [
        "# The paper's tables 1 and 2 on photographs",
        about,
        claims.agreement(claimed) if measured else "",
        table_1(records),
        table_2(records),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def without_nets(settings: photographs.Settings) -> str:
    """Which methods were left out, in a sentence."""
    names = [instructed.TITLES[method] for method in settings.left_out]
    return f" Not run, because their nets are not there: {', '.join(names)}." if names else ""


def table_1(records: list[dict]) -> str:
    lines = ["## Table 1: methods", "", *headed("the paper (COCO)", "hidden", *TAKEN)]
    for name, both in claims.PAPER_1.items():
        for title, values in zip(("20-50 %", "50-80 %"), both):
            lines.append(row([name, title, *(f"{value:.3f}" for value in values)]))
    lines += [
        "",
        *headed(
            "ours",
            "hidden",
            "n",
            *TAKEN,
            ALWAYS,
            "amodal IoU",
            "occluded IoU",
            "colour error",
            "success",
        ),
    ]
    for title, cells in (("20-50 %", claims.EASY), ("50-80 %", claims.HARD)):
        for method, name in claims.compared_methods(records).items():
            rows = claims.pool(records, cells, method)
            if rows:
                means = [mean(rows, name) for name in (*TAKEN, *ALSO)]
                success = percent(claims.success(rows))
                lines.append(row([name, title, str(len(rows)), *means, success]))
    return "\n".join(lines)


def mean(rows: list[dict], name: str) -> str:
    return number(statistics.mean([r[name] for r in rows])) if name in rows[0] else "-"


def table_2(records: list[dict]) -> str:
    lines = [
        "## Table 2: successes",
        "",
        *headed(
            "",
            "occluder not top co-occurring: paper",
            "ours",
            "n",
            "top co-occurring: paper",
            "ours",
            "n",
        ),
    ]
    for method, theirs in claims.second_table(records).items():
        cells = [claims.title(method, records)]
        for share, names in zip(theirs, (claims.OTHER, claims.CO_OCCURRING)):
            rows = claims.pool(records, names, method)
            ours = percent(claims.success(rows)) if rows else "-"
            cells += [share, ours, str(len(rows))]
        lines.append(row(cells))
    return "\n".join(lines)
