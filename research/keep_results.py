"""Copies an evaluation's reports and pictures from output/ to research/results/ and docs/images/.

    python -m research.keep_results output/evaluation  # evaluation.md, .json, .csv, sheets, plots
    python -m research.keep_results output/paper       # paper.md, .json, curation.json, plots

Sheets become JPEG. Remarks that a person writes between a report's first paragraph and its first
heading are kept.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from PIL import Image

from amodal.core.text import write_text

ROOT = Path(__file__).resolve().parents[1]
RESULTS, DOCS = ROOT / "research" / "results", ROOT / "docs" / "images"
CELLS = "cells.png"  # the sheet that the README shows
PLOTS = ("dose.png", "k.png", "figure_8_backgrounds.png", "figure_8_steps.png", "figure_9.png")


def main(out: Path) -> None:
    reports = [name for name in ("evaluation", "paper") if (out / f"{name}.json").exists()]
    if not reports:
        raise SystemExit(f"{out}: no evaluation.json or paper.json; run nox -s evaluate first")
    for report in reports:
        keep(out, report)


def keep(out: Path, report: str) -> None:
    """Writes results/<report>.md, and its data and pictures to results/<report>/."""
    folder = RESULTS / report
    folder.mkdir(parents=True, exist_ok=True)
    paper = report == "paper"
    for name in (f"{report}.json", f"{report}.csv", *(["curation/curation.json"] if paper else [])):
        if (out / name).exists():
            shutil.copyfile(out / name, folder / Path(name).name)
    for path in sorted(out.glob("*.png")):
        if path.name in PLOTS:
            if path.name.startswith("figure") == paper:
                shutil.copyfile(path, folder / path.name)
        elif not paper:
            place = DOCS / "evaluation.jpg" if path.name == CELLS else folder / f"{path.stem}.jpg"
            Image.open(path).convert("RGB").save(place, quality=80)
    text = (out / f"{report}.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\(([\w-]+\.png)\)", lambda link: f"]({placed(link[1], report)})", text)
    kept = RESULTS / f"{report}.md"
    added = remarks(kept.read_text(encoding="utf-8")) if kept.exists() else ""
    if added:
        text = with_remarks(text, added)
        print(f"Remarks kept from the previous report. Do they still hold?\n\n{added}\n")
    write_text(kept, text)
    print(kept.relative_to(ROOT))


def placed(picture: str, report: str) -> str:
    """The link from results/ to a picture of the report."""
    if picture == CELLS:
        return "../../docs/images/evaluation.jpg"
    return f"{report}/{picture if picture in PLOTS else Path(picture).with_suffix('.jpg')}"


def remarks(text: str) -> str:
    """The text between the first paragraph below the title and the first heading."""
    head = text.split("\n## ")[0].split("\n\n", 2)
    return head[2].strip() if len(head) > 2 else ""


def with_remarks(text: str, added: str) -> str:
    head, sign, rest = text.partition("\n## ")
    return f"{head.strip()}\n\n{added}\n{sign}{rest}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
