"""Is the best of several seeds by the score of section 3.6 better than one seed?

    python -m research.evaluation.best --scenes 50 --seeds 4

Hard scenes, completed with several seeds; each completion is judged by its counterfactuals alone.
What the choice by score gains is held against an oracle that knows the truth.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from amodal.measures import statistics
from amodal.method import curation

from .. import counterfactuals
from . import commands
from .claims import HARD
from .tables import headed, percent, row

SEED = 103  # added to the seed of the scenes: apart from those that thresholds are fitted on
SHIPPED = curation.SHIPPED / "stickers.json"


def main(words: list[str] | None = None) -> None:
    options = parser().parse_args(words)
    scenes = measure(options)
    (options.out / "best.md").write_text(markdown(scenes, options.seeds), encoding="utf-8")
    print(f"\n{options.out / 'best.md'}")


def parser() -> argparse.ArgumentParser:
    top = commands.parser("python -m research.evaluation.best", __doc__, "best")
    top.add_argument(
        "--scenes", type=int, default=50, help="half of them with its co-occurring occluder"
    )
    top.add_argument("--seeds", type=int, default=4, help="completions of each")
    top.add_argument("--counterfactuals", type=int, default=2, help="of each completion")
    top.add_argument("--steps", type=int, default=50, help="of a completion's sampling")
    return top


def measure(options) -> list[list[dict]]:
    """For each scene its completions: {"success", "score"}; scenes that failed are left out."""
    made = counterfactuals.make_all(origins(options), options, "completions")
    steps = max(2, options.steps // 4)
    judged = counterfactuals.test_all(
        {
            key: (
                counterfactuals.Origin(**one["origin"]).name,
                one["word"],
                1,
                options.counterfactuals,
                steps,
            )
            for key, one in made.items()
            if "failed" not in one
        },
        options,
    )
    limits = curation.read_thresholds(SHIPPED)
    scenes: dict[tuple, list[dict]] = {}
    for key, test in judged.items():
        success, origin = made[key]["success"], made[key]["origin"]
        score = curation.decided(
            *counterfactuals.averages(test), limits.extension, limits.border
        ).score
        scene = scenes.setdefault((origin["cell"], origin["number"]), [])
        scene.append({"success": success, "score": score})
    return [scene for scene in scenes.values() if len(scene) == options.seeds]


def origins(options) -> list[counterfactuals.Origin]:
    """Scene by scene, seed by seed."""
    found = []
    for number in range(options.scenes):
        first = counterfactuals.Origin(
            "mixed", HARD[number % 2], number // 2, options.seed + SEED, steps=options.steps
        )
        found += [replace(first, noise=noise) for noise in range(1, options.seeds + 1)]
    return found


def outcome(scenes: list[list[dict]]) -> dict[str, list[bool]]:
    """Success on each scene: of the first seed, the best by score, and of any (the oracle)."""
    best = [group[curation.ranked([one["score"] for one in group])[0]] for group in scenes]
    return {
        "one seed": [group[0]["success"] for group in scenes],
        "best by score": [one["success"] for one in best],
        "oracle": [any(one["success"] for one in group) for group in scenes],
    }


def markdown(scenes: list[list[dict]], seeds: int) -> str:
    if not scenes:
        return "# Best of several seeds\n\nNo scene was completed.\n"
    found = outcome(scenes)
    shares = {name: statistics.share(hits) for name, hits in found.items()}
    lines = [
        "# Best of several seeds",
        "",
        f"{len(scenes)} scenes with 50-80 % hidden, {seeds} seeds each, mixed context.",
        "",
        *headed("choice", "success"),
    ]
    lines += [row([name, percent(values)]) for name, values in shares.items()]
    gain, room = (shares[name][0] - shares["one seed"][0] for name in ("best by score", "oracle"))
    part = f"{gain / room:.0%} of the oracle's gain" if room else "the oracle gains nothing"
    lines += [
        "",
        f"The choice by score gains {100 * gain:+.0f} points: {part} "
        f"(McNemar p {statistics.mcnemar(found['one seed'], found['best by score']):.2g}).",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
