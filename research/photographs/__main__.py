"""nox -s chain: proves the shipped workflow on photograph-like scenes, without any weights."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
from functools import cache
from pathlib import Path

from amodal.core.errors import BadInput
from amodal.core.text import write_text
from research import records

from . import art, faults, kinds, runner, sheet, table

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "research" / "results"
BEFORE = RESULTS / "photograph_chain_before.jsonl"
MAKES_FIGURES = ("amodal", "nodes", "workflows/api", "research/photographs")
SHOWS_FIGURES = ("__main__.py", "table.py", "sheet.py")
SLOW = ("crowd", "scale", "small")  # kinds that run with perfect parts alone, unless named


def main(words: list[str]) -> None:
    options = parsed(words)
    try:
        if not options.coco:
            art.Stamps(options.art)
    except BadInput as error:
        raise SystemExit(str(error)) from None
    options.out.mkdir(parents=True, exist_ok=True)
    todo = {task.key(state_of_code()): (task,) for task in planned(options)}
    path = options.out / "records.jsonl"
    made = list(records.complete(todo, runner.run, path, options.workers, "scenes").values())
    command = " ".join(["nox -s chain --", shlex.join(words)]).removesuffix(" -- ")
    text = table.report(command, records.read(options.before), made)
    place = RESULTS if options.keep else options.out
    write_text(place / "photograph_chain.md", text)
    if options.keep:
        lines = [json.dumps({k: v for k, v in one.items() if k != "key"}) for one in made]
        write_text(RESULTS / "photograph_chain.jsonl", "\n".join(lines) + "\n")
    if options.sheet:
        source = runner.source(options.source)
        scenes = [kinds.make_scene(kind, 0, options.seeds, source) for kind in options.kinds]
        sheet.contact_sheet(scenes).save(options.out / "scenes.png")
    print(text)


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s chain --", description=__doc__)
    add = parser.add_argument
    add("--kinds", nargs="+", choices=kinds.KINDS, default=None, metavar="KIND", help="of scenes")
    add("--faults", nargs="*", choices=faults.EVERY, default=None, metavar="FAULT", help="of parts")
    add("--scenes", type=int, default=3, help="of each kind, with perfect parts")
    add("--fault-scenes", type=int, default=1, help="of each kind, for each fault")
    add("--seeds", choices=kinds.SEEDS, default="dev", help="report: for figures, not for choices")
    add("--art", type=Path, help="folder with Debian's tuxpaint-stamps-default unpacked")
    add("--coco", type=Path, help="COCO annotations, for cut-outs of your own")
    add("--pictures", type=Path, help="the folder of their pictures")
    add("--workers", type=int, default=0, help="processes; each needs 3 GB")
    add("--out", type=Path, default=ROOT / "output" / "chain")
    add("--before", type=Path, default=BEFORE, help="records to compare with")
    add("--as-before", action="store_true", help="run exactly the scenes and faults of --before")
    add("--keep", action="store_true", help="write to research/results")
    add("--sheet", action="store_true", help="draw the first scene of each kind: OUT/scenes.png")
    options = parser.parse_args(words)
    if bool(options.coco) != bool(options.pictures):
        parser.error("--coco and --pictures belong together")
    options.source = (str(options.coco), str(options.pictures)) if options.coco else "stamps"
    options.named = options.kinds is not None
    options.kinds = options.kinds or list(kinds.KINDS)
    options.faults = list(faults.EVERY) if options.faults is None else options.faults
    return options


def planned(options) -> list[runner.Task]:
    """Perfect parts first; then scene by scene with each fault; what takes long at the end."""
    if options.as_before:
        done = records.read(options.before)
        tasks = [runner.Task(r["kind"], r["number"], r["fault"], r["seeds"]) for r in done]
        return sorted(tasks, key=lambda task: task.kind in SLOW)
    common = dict(seeds=options.seeds, source=options.source)
    tasks = []
    if faults.PERFECT in options.faults:
        tasks += [
            runner.Task(kind, number, **common)
            for number in range(options.scenes)
            for kind in options.kinds
            if number == 0 or kind not in SLOW
        ]
    tasks += [
        runner.Task(kind, number, fault, **common)
        for number in range(options.fault_scenes)
        for fault in options.faults
        for kind in options.kinds
        if fault != faults.PERFECT and (options.named or kind not in SLOW)
    ]
    return sorted(tasks, key=lambda task: task.kind in SLOW)


@cache
def state_of_code() -> str:
    """A digest of the code and workflows that decide what a record holds."""
    digest = hashlib.sha256()
    for folder in MAKES_FIGURES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".json") and path.name not in SHOWS_FIGURES:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    main(sys.argv[1:])
