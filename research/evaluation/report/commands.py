"""Options and provenance that the evaluation's commands share."""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

from amodal.core.text import encodable, write_text

from ..runner import MAKES_FIGURES, ROOT, SHOWS_FIGURES

HERE = ("--out", "--workers")  # options that change no figure except seconds
PLACES = (
    "--art",
    "--coco",
    "--pictures",
    "--models",
    "--metrics",
    "--truth",
)  # paths of one machine


def for_report(command: str, words: list[str]) -> str:
    """The command for a report: without the options in HERE, and with FOLDER or FILE for paths."""
    kept, left = [], iter(words)
    for word in left:
        name, sign, path = word.partition("=")
        if name not in (*HERE, *PLACES):
            kept.append(without_path(word))
            continue
        if not sign:
            path = next(left, "")
        if name in PLACES:
            kept += [name, "FILE" if Path(path).suffix else "FOLDER"]
    return " ".join([command, *kept])


def without_path(word: str) -> str:
    """A word of a command, with FOLDER or FILE for a path that exists: also of NAME=PATH."""
    name, sign, path = word.rpartition("=")
    if word.startswith("--") or not path or not Path(path).exists():
        return word
    return f"{name}{sign}{'FOLDER' if Path(path).is_dir() else 'FILE'}"


def commit() -> str:
    """`commit 1a2b3c4, `, with a note if files that make figures differ from it; "" without git."""
    left_out = [f":(exclude){folder}" for folder in SHOWS_FIGURES]
    try:
        head = git("rev-parse", "--short", "HEAD")
        changed = git("status", "--porcelain", "--", *MAKES_FIGURES, *left_out)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"commit {head}{' with changes' if changed else ''}, "


def git(*words: str) -> str:
    run = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def history(out: Path, command: str, when: str, of: str) -> list[str]:
    """Adds this command to OUT/commands.txt; gives all commands of the same records, oldest first.

    when: the command's date and commit. of: what the records share, such as the state of the code
    and the seed of the scenes.
    """
    path = out / "commands.txt"
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    start = encodable(f"`{command}` on ")
    lines = [line for line in before if not (line.startswith(start) and line.endswith(of))]
    lines.append(f"{start}{when}{of}")
    write_text(path, "\n".join(lines) + "\n")
    return [line for line in lines if line.endswith(of)]


def add_results(top: argparse.ArgumentParser) -> None:
    """The option for results of other programs: see research/evaluation/outside.py."""
    top.add_argument(
        "--results",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FOLDER",
        help="results of other programs: a folder with a cut-out NAME.png (RGBA) for each item, "
        "and offsets.json",
    )


def parser(command: str, about: str, folder: str) -> argparse.ArgumentParser:
    """The parser of a command described by `about`, which writes to output/`folder`."""
    top = argparse.ArgumentParser(
        prog=command, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--seed", type=int, default=0, help="seed of the scenes")
    top.add_argument("--workers", type=int, default=os.cpu_count(), help="processes; 0: this one")
    top.add_argument("--out", type=Path, default=ROOT / "output" / folder)
    return top
