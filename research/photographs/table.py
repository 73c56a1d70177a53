"""The report: kinds of scenes x faults, before and after, as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean

from . import faults, kinds
from .runner import WHOLE

Records = list[dict]
PERFECT_IOU = 0.98  # the least amodal IoU with perfect parts
MOST_SECONDS, MOST_MEGABYTES = 10, 2000  # a pass of the largest scene, without the nets
MOST_UNTRUE, LEAST_WHOLE = 0.01, 0.95  # with all faults of the segmenter together
ARROW = " -> "


def iou(record: dict) -> float:
    """The amodal IoU; 0 for a run that ended in an error. What was painted counts as the truth."""
    return record["iou_painted"] or 0.0


def per_pass(record: dict) -> float:
    return record["seconds"] / max(1, record["passes"])


def share(wanted: Callable[[dict], bool]) -> Callable[[Records], float]:
    return lambda records: mean(wanted(record) for record in records)


MEASURES: dict[str, tuple[Callable[[Records], float], str]] = {
    "mean IoU": (lambda records: mean(map(iou, records)), "{:.3f}"),
    "least IoU": (lambda records: min(map(iou, records)), "{:.3f}"),
    "whole": (share(lambda r: iou(r) >= WHOLE), "{:.0%}"),
    "status true": (share(lambda r: r["true"]), "{:.0%}"),
    "says done": (share(lambda r: r["status"] in ("completed", "nothing to complete")), "{:.0%}"),
    "stray pixels": (lambda records: max(r["strayed"] or 0 for r in records), "{:.0f}"),
    "passes": (lambda records: mean(r["passes"] for r in records), "{:.1f}"),
    "s a pass": (lambda records: max(map(per_pass, records)), "{:.1f}"),
    "MB": (lambda records: max(r["megabytes"] for r in records), "{:.0f}"),
}


def cell(measure: str, before: Records, after: Records) -> str:
    """'0.912 -> 0.991'; the part whose records are missing is left out."""
    value, form = MEASURES[measure]
    return ARROW.join(form.format(value(part)) if part else "?" for part in (before, after))


def comparable(before: Records, after: Records) -> list[Records]:
    """Both without the runs that only one of them has, where they share any."""
    shared = {run_of(r) for r in before} & {run_of(r) for r in after}
    if not shared:
        return [before, after]
    return [[r for r in part if run_of(r) in shared] for part in (before, after)]


def run_of(record: dict) -> tuple:
    return tuple(record.get(name) for name in ("kind", "number", "fault", "seeds"))


def rows_of(named: dict[str, Callable[[dict], bool]], before: Records, after: Records):
    """Rows of all measures, one for each group of records that is not empty."""
    for name, wanted in named.items():
        parts = comparable(*([r for r in part if wanted(r)] for part in (before, after)))
        if any(parts):
            count = len(parts[1] or parts[0])
            yield [name, str(count), *(cell(measure, *parts) for measure in MEASURES)]


def table(head: list[str], rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def report(command: str, before: Records, after: Records) -> str:
    head = ["scenes", *MEASURES]
    perfect = [[r for r in part if r["fault"] == faults.PERFECT] for part in (before, after)]
    by_kind = {spec.title: of("kind", name) for name, spec in kinds.KINDS.items()}
    by_fault = {faults.title_of(name): of("fault", name) for name in faults.EVERY}
    return "\n".join(
        [
            "# The chain on photographs, without the nets",
            "",
            f"`{command}`. Each cell: before{ARROW}after. {ABOUT}",
            "",
            "## Goals",
            "",
            table(["goal", "before", "after"], goals(before, after)),
            "",
            "## Perfect parts, by kind of scene",
            "",
            table(["kind", *head], rows_of(by_kind, *perfect)),
            "",
            "## Faults, over all kinds",
            "",
            table(["fault", *head], rows_of(by_fault, before, after)),
            "",
            "## Mean IoU by kind and fault",
            "",
            matrix(before, after),
            "",
        ]
    )


ABOUT = (
    "*IoU* is that of the result and the whole object as the painter shows it; a run that ends in "
    f"an error counts as 0. *Whole*: an IoU of at least {WHOLE}. *Status true*: the run does not "
    "say that it is done unless the object is whole. *Stray pixels*: the most pixels in any run "
    "that changed outside the inpaint masks and their feather. Seconds (of the processor, for each "
    "painted pass, all mask analysis included) and megabytes (peak) are the largest of any run, "
    "without the stand-ins. Where both were measured, both columns are of the same scenes."
)


def of(key: str, value: str) -> Callable[[dict], bool]:
    return lambda record: record[key] == value


def matrix(before: Records, after: Records) -> str:
    shown = [name for name in faults.EVERY if any(r["fault"] == name for r in [*before, *after])]
    rows = []
    for kind in kinds.KINDS:
        parts = [[r for r in records if r["kind"] == kind] for records in (before, after)]
        if any(parts):
            cells = []
            for name in shown:
                both = comparable(*([r for r in p if r["fault"] == name] for p in parts))
                cells.append(cell("mean IoU", *both))
            rows.append([kind, *(("" if c == f"?{ARROW}?" else c) for c in cells)])
    return table(["", *shown], rows)


def goals(before: Records, after: Records):
    for title, wanted, reached in GOALS:
        states = []
        for records in (before, after):
            chosen = [r for r in records if wanted(r)]
            states.append(reached(chosen) if chosen else "?")
        yield [title, *states]


def verdict(good: bool, text: str) -> str:
    return f"{'yes' if good else '**no**'}, {text}"


def is_large(record: dict) -> bool:
    return record["kind"] == "scale" and record["fault"] == faults.PERFECT


def perfect_iou(records: Records) -> str:
    low = [r for r in records if iou(r) < PERFECT_IOU]
    return verdict(not low, f"{len(records) - len(low)} of {len(records)}")


def perfect_status(records: Records) -> str:
    untrue = sum(not r["true"] for r in records)
    return verdict(not untrue, f"{untrue} untrue of {len(records)}")


def whole_together(records: Records) -> str:
    value = MEASURES["whole"][0](records)
    return verdict(value >= LEAST_WHOLE, f"{value:.0%} of {len(records)}")


def untrue_together(records: Records) -> str:
    value = 1 - MEASURES["status true"][0](records)
    return verdict(value <= MOST_UNTRUE, f"{value:.1%} of {len(records)}")


def quick(records: Records) -> str:
    most = max(map(per_pass, records))
    return verdict(most < MOST_SECONDS, f"{most:.1f} s")


def lean(records: Records) -> str:
    most = max(r["megabytes"] for r in records)
    return verdict(most < MOST_MEGABYTES, f"{most:.0f} MB")


def nothing_strays(records: Records) -> str:
    runs = sum(bool(r["strayed"]) for r in records)
    return verdict(not runs, f"{runs} of {len(records)} runs with a stray pixel")


GOALS = (
    (f"perfect parts: IoU of at least {PERFECT_IOU}", of("fault", "perfect"), perfect_iou),
    ("perfect parts: every status true", of("fault", "perfect"), perfect_status),
    (f"all segmenter faults: {LEAST_WHOLE:.0%} whole", of("fault", "together"), whole_together),
    (f"the same: at most {MOST_UNTRUE:.0%} untrue", of("fault", "together"), untrue_together),
    (f"4000 x 3000: under {MOST_SECONDS} s a pass", is_large, quick),
    (f"4000 x 3000: under {MOST_MEGABYTES} MB", is_large, lean),
    ("no pixel changes outside masks and feather", lambda record: True, nothing_strays),
)
