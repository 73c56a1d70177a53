"""Table 3: does the rule of section 3.6 separate complete from incomplete objects?

    python -m research.evaluation.curate --objects 100 --trials 3 --counterfactuals 4
    python -m research.evaluation.curate --objects 8 --trials 1 --counterfactuals 1 --steps 10

The second command takes a minute. Thresholds are fitted on one set of objects and tested on
another. Half of each set is complete; half of the incomplete objects are failures of the methods.
Writes OUT/curation.md, .json and thresholds.json. Judge Completion reads thresholds from
models/amodal_curation/. An interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import numpy as np

from amodal.core.text import encodable, write_text
from amodal.method import curation

from .. import counterfactuals, runner
from . import commands
from .tables import headed, row

SETS = {"validation": 101, "test": 102}  # added to the seed of the scenes
PAPER = {"accuracy": 0.70, "precision": 0.68, "recall": 0.68}
PEOPLE = {"accuracy": 0.83, "precision": 0.75, "recall": 0.99}
MOST_TRIES = 12  # completions to try for each one needed


def main(words: list[str] | None = None) -> None:
    options = parser().parse_args(words)
    found = measure(options)
    write(found, options)
    print(encodable(f"\n{options.out / 'curation.md'}"))


def parser() -> argparse.ArgumentParser:
    top = commands.parser("python -m research.evaluation.curate", __doc__, "curation")
    top.add_argument("--objects", type=int, default=100, help="in each set; a multiple of 4")
    top.add_argument("--trials", type=int, default=3, help="repetitions with other noise")
    top.add_argument("--counterfactuals", type=int, default=4, help="for each object and trial")
    top.add_argument("--steps", type=int, default=12, help="sampling steps of a counterfactual")
    top.add_argument("--made-steps", type=int, default=50, help="sampling steps of a completion")
    return top


def measure(options) -> dict[str, list[dict]]:
    """{set: objects}; an object is its record with `trials`, a list of measures."""
    chosen = {name: objects(name, options) for name in SETS}
    todo = {}
    for name, group in chosen.items():
        for record in group:
            todo |= trials(name, record, options)
    made = counterfactuals.test_all(todo, options)
    for name, group in chosen.items():
        for record in group:
            record["trials"] = [made[key] for key in trials(name, record, options) if key in made]
        chosen[name] = [record for record in group if len(record["trials"]) == options.trials]
    return chosen


def trials(name: str, record: dict, options) -> dict[str, tuple]:
    """{key: words} of each trial of an object of the set, for `counterfactuals.test_all`."""
    state, at, todo = (
        runner.state_of_code(),
        counterfactuals.Origin(**record["origin"]),
        {},
    )
    for trial in range(options.trials):
        words = (at.name, record["word"], 1 + trial, options.counterfactuals, options.steps)
        todo[json.dumps([state, name, *words])] = words
    return todo


def objects(name: str, options) -> list[dict]:
    """The set's objects: a quarter each of true objects, cuts, complete and incomplete completions.

    Completions are made until there are enough of both kinds; the first ones are taken.
    """
    seed, quarter = options.seed + SETS[name], max(1, options.objects // 4)

    def recorded(origins: list) -> list[dict]:
        return list(counterfactuals.make_all(origins, options, f"{name}: objects").values())

    exact = recorded(
        [counterfactuals.given(kind, n, seed) for kind in ("whole", "cut") for n in range(quarter)]
    )
    made, tried, block = {True: [], False: []}, 0, max(6, 2 * (options.workers or 1))
    while min(map(len, made.values())) < quarter and tried < MOST_TRIES * quarter:
        for record in recorded(
            [counterfactuals.made(tried + i, seed, options.made_steps) for i in range(block)]
        ):
            if record["complete"] is not None:
                made[record["complete"]].append(record)
        tried += block
    return [*exact, *made[True][:quarter], *made[False][:quarter]]


def scores(group: list[dict], trial: int, count: int) -> tuple[list, list, list]:
    """(extensions, distances, labels) of a set, from the first `count` counterfactuals."""
    means = [counterfactuals.averages(record["trials"][trial], count) for record in group]
    return [g for g, _ in means], [d for _, d in means], [record["complete"] for record in group]


def rated(gained, distance, complete, limits: curation.Thresholds) -> dict[str, float]:
    """Accuracy, precision and recall of the rule for the class "complete"."""
    decided = [
        curation.decided(g, d, limits.extension, limits.border).complete
        for g, d in zip(gained, distance)
    ]
    both = sum(a and b for a, b in zip(decided, complete))
    return {
        "accuracy": sum(a == b for a, b in zip(decided, complete)) / len(complete),
        "precision": both / sum(decided) if any(decided) else 0.0,
        "recall": both / max(1, sum(complete)),
    }


def mean_of(rows: list[dict]) -> dict[str, float]:
    return {name: float(np.mean([r[name] for r in rows])) for name in rows[0]}


def results(sets: dict, trials: int, most: int) -> dict:
    """{counterfactuals: {"validation", "test", "paper's thresholds": figures, "thresholds"}}.

    Each trial fits its own thresholds. "thresholds" are fitted on all trials of the validation set.
    """
    table = {}
    for count in sorted({1, *(n for n in (2, 4, 8) if n < most), most}):
        rows: dict[str, list[dict]] = {"validation": [], "test": [], "paper's thresholds": []}
        pooled: tuple[list, list, list] = ([], [], [])
        for trial in range(trials):
            fitted_on = scores(sets["validation"], trial, count)
            tried_on = scores(sets["test"], trial, count)
            limits = curation.fit(*fitted_on)
            rows["validation"].append(rated(*fitted_on, limits))
            rows["test"].append(rated(*tried_on, limits))
            rows["paper's thresholds"].append(rated(*tried_on, curation.Thresholds()))
            for all_, one in zip(pooled, fitted_on):
                all_.extend(one)
        table[count] = {name: mean_of(trials) for name, trials in rows.items()}
        table[count]["thresholds"] = asdict(curation.fit(*pooled))
        table[count]["objects"] = len(sets["test"])
    return table


def by_source(sets: dict, count: int, limits: curation.Thresholds) -> dict[str, tuple[int, int]]:
    """{source: (correctly decided, all)} on the test set, in all trials."""
    table: dict[str, tuple[int, int]] = {}
    for record in sets["test"]:
        kind = record["origin"]["kind"]
        title = (
            kind
            if kind in ("whole", "cut")
            else (f"{kind}, {'complete' if record['complete'] else 'incomplete'}")
        )
        right, total = table.get(title, (0, 0))
        for trial in record["trials"]:
            means = counterfactuals.averages(trial, count)
            said = curation.decided(*means, limits.extension, limits.border).complete
            right, total = right + (said == record["complete"]), total + 1
        table[title] = right, total
    return dict(sorted(table.items()))


NAMES = ("accuracy", "precision", "recall")


def markdown(sets: dict, table: dict, options) -> str:
    sizes = {name: len(group) for name, group in sets.items()}
    real = {
        name: sum(one["origin"]["kind"] not in ("whole", "cut") for one in group)
        for name, group in sets.items()
    }
    most = max(table)
    lines = [
        "# Table 3: counterfactual curation",
        "",
        f"{sizes['test']} objects ({real['test']} of them made by the methods), after fitting on "
        f"{sizes['validation']} others ({real['validation']}); mean of {options.trials} trials.",
        "",
        *headed("", *NAMES),
        figures_row("people (the paper's)", PEOPLE),
        figures_row("the paper's rule, Stable Diffusion 2", PAPER),
    ]
    for count, figures in table.items():
        many = f"{count} counterfactual{'s' if count > 1 else ''}"
        lines.append(figures_row(f"our rule, {many}", figures["test"]))
    lines += [
        figures_row(f"the same on the validation set, {most}", table[most]["validation"]),
        figures_row(f"the paper's thresholds, {most}", table[most]["paper's thresholds"]),
        figures_row("chance", dict.fromkeys(NAMES, 0.5)),
        "",
    ]
    limits = curation.Thresholds(**table[most]["thresholds"])
    lines.append(
        f"Thresholds fitted: extension {limits.extension:.3f}, border {limits.border:.3f}."
    )
    lines += ["", *headed("test objects", "decided correctly")]
    for kind, (right, total) in by_source(sets, most, limits).items():
        lines.append(row([kind, f"{right} of {total}"]))
    return "\n".join(lines) + "\n"


def figures_row(title: str, figures: dict) -> str:
    return row([title, *(f"{figures[name]:.2f}" for name in NAMES)])


def write(sets: dict, options) -> dict:
    """Writes table, figures and thresholds; returns the figures."""
    table = results(sets, options.trials, options.counterfactuals)
    most = max(table)
    write_text(options.out / "curation.md", markdown(sets, table, options))
    write_text(options.out / "curation.json", json.dumps(table, indent=1))
    curation.write_thresholds(
        options.out / "thresholds.json",
        curation.Thresholds(**table[most]["thresholds"]),
        model="sticker models",
        counterfactuals=most,
        objects=len(sets["validation"]),
        steps=options.steps,
        trials=options.trials,
        accuracy=round(table[most]["validation"]["accuracy"], 3),
    )
    return table


if __name__ == "__main__":
    main()
