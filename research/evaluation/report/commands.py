"""What the commands of the evaluation share of their options."""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

from ..runner import MAKES_FIGURES, ROOT, SHOWS_FIGURES

HERE = ("--out", "--workers")  # of this machine alone: they change no figure but seconds
PLACES = ("--art", "--coco", "--pictures", "--models", "--metrics")  # differ from one to another


def told(command: str, words: list[str]) -> str:
    """The command with its words, for a report: without what is of this machine alone, and
    FOLDER or FILE for its paths."""
    kept, left = [], iter(words)
    for word in left:
        name, sign, path = word.partition("=")
        if name not in (*HERE, *PLACES):
            kept.append(word)
            continue
        if not sign:
            path = next(left, "")
        if name in PLACES:
            kept += [name, "FILE" if Path(path).suffix else "FOLDER"]
    return " ".join([command, *kept])


def commit() -> str:
    """`commit 1a2b3c4, ` of this clone, and whether what makes figures differs from it; "" where it
    is none."""
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
    """The commands that were begun in this folder for the same records, the last one last.

    when: the command's date and commit; of: what records of the same kind share, the state of the
    code and the scenes' seed, say.
    """
    path = out / "commands.txt"
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    begun = f"`{command}` on "
    lines = [one for one in before if not (one.startswith(begun) and one.endswith(of))]
    lines.append(f"{begun}{when}{of}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [one for one in lines if one.endswith(of)]


def parser(command: str, about: str, folder: str) -> argparse.ArgumentParser:
    """Of a command that says `about` of itself and writes into output/`folder`."""
    top = argparse.ArgumentParser(
        prog=command, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--seed", type=int, default=0, help="of the scenes")
    top.add_argument("--workers", type=int, default=os.cpu_count(), help="0: in this process")
    top.add_argument("--out", type=Path, default=ROOT / "output" / folder)
    return top
