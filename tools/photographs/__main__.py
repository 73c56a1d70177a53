"""Runs photographs through the shipped workflows that this machine has the models of.

    nox -s photographs -- FOLDER [--workflow NAME ...] [--most 10] [--server URL]

Writes output/photographs/: report.md with pictures, statuses, seconds and the peak of memory of
each stage, records.jsonl, and a folder for each workflow and photograph. A failure is a row too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from amodal.app import doctor, headless, photographs, workflow
from amodal.app.client import Client
from amodal.app.host import Host, HostError
from amodal.app.run import RunError
from amodal.core.errors import BadInput
from tools.photographs import report
from tools.photographs.watch import Watch

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
FAILED = "failed"


def main(words: list[str] | None = None) -> int:
    """The command; returns 0, or 2 where there is nothing to run."""
    options = parser().parse_args(words)
    try:
        files = pictures_of(options.folder, options.most)
        with contextlib.ExitStack() as stack:
            url = options.server or stack.enter_context(Host()).url
            client = Client(url)
            found = doctor.about(client)
            paths = chosen(client, found, options.workflow)
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "records.jsonl").unlink(missing_ok=True)  # of an earlier run
            records = [recorded(client, path, file, options) for path in paths for file in files]
    except (BadInput, HostError, RunError) as error:
        print(error, file=sys.stderr)
        return 2
    command = shlex.join(["nox", "-s", "photographs", "--", *(words or sys.argv[1:])])
    print(report.write(options.out, found, command, records))
    return 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nox -s photographs --", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, help="of photographs")
    parser.add_argument("--workflow", nargs="+", metavar="NAME", help="default: all that can run")
    parser.add_argument("--object", metavar="WORDS", help="default: the largest object")
    parser.add_argument("--most", type=int, default=10, help="photographs (default: 10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("output") / "photographs")
    parser.add_argument("--server", default=os.environ.get("AMODAL_SERVER"), metavar="URL")
    return parser


def pictures_of(folder: Path, most: int) -> list[Path]:
    """The first pictures of a folder, by name. Raises BadInput if there is none."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [file for file in files if file.suffix.lower() in PICTURES][:most]
    if not found:
        raise BadInput("folder", f"{folder} holds no picture", "name a folder of photographs")
    return found


def chosen(client: Client, found: doctor.Host, names: list[str] | None) -> list[Path]:
    """The named workflows, or all for photographs. Raises BadInput if none of them can run."""
    paths = [workflow.named(Path(name)) for name in names or ()] or photographs.shipped()
    for path in paths:
        if not path.is_file():
            raise BadInput("workflow", f"{path} is no shipped one", "see `nox -s run -- doctor`")
    verdicts = {path: doctor.verdict(client, found, path) for path in paths}
    for path, verdict in verdicts.items():
        if not verdict.runs:
            lacking = [*verdict.nodes, *(file["name"] for file in verdict.files)]
            print(f"{path.stem} cannot run: it lacks {', '.join(lacking)}", flush=True)
    able = [path for path, verdict in verdicts.items() if verdict.runs]
    if not able:
        raise BadInput("workflow", "none can run here", "see `nox -s run -- doctor`")
    return able


def recorded(client: Client, path: Path, file: Path, options: argparse.Namespace) -> dict:
    """Runs one photograph through a workflow; its record, which is added to records.jsonl too."""
    out = options.out / path.stem / file.stem
    out.mkdir(parents=True, exist_ok=True)
    picture = shutil.copy(file, out / f"photograph{file.suffix.lower()}")
    record = {
        "workflow": path.stem,
        "photograph": file.name,
        "picture": str(Path(picture).relative_to(options.out)),
    }
    record |= completed(client, path, file, out, options)
    with (options.out / "records.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(record) + "\n")
    print(f"{path.stem}, {file.name}: {record['status']} {record['words']}".rstrip(), flush=True)
    return record


def completed(client: Client, path: Path, file: Path, out: Path, options) -> dict:
    """Status, files, seconds and memory of a run; a failure has its reason as words."""
    record = {"overlay": None, "completed": None, "seconds": None, "by_stage": {}, "peaks": {}}
    try:
        template = workflow.load(path, lambda: client.get("/object_info"))
        prompt = workflow.fill(
            template, client.upload(file), words=options.object, seed=options.seed
        )
        with Watch(client, prompt) as watch:
            done = headless.complete(client, prompt, out, {"photograph": file.name}, watch)
    except (RunError, BadInput) as error:
        return record | {"status": FAILED, "words": str(error)}
    result = done.result
    shown = {
        name.removesuffix(".png"): str(place.relative_to(options.out))
        for name, place in done.files.items()
        if name in ("overlay.png", "completed.png")
    }
    warnings = sorted({code for codes in result["warnings"] for code in codes})
    return (
        record
        | shown
        | {
            "status": result["status"],
            "words": ", ".join([*warnings, *result["messages"]]),
            "seconds": result["seconds"]["total"],
            "by_stage": result["seconds"]["by_stage"],
            "peaks": watch.peaks,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
