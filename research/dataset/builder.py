"""Writes a set of pseudo-occluded objects. An item depends only on its number and the seed.

    OUT/dataset.json       plan and source of the set
    OUT/manifest.jsonl     a line for each item, in order
    OUT/picture, truth, modal, amodal, occluder/<item>.png

The same command writes the same bytes, also after an interruption.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from amodal.batch import crews, locks
from amodal.batch.engine import Crew, Engine, Task, in_order
from amodal.core.errors import BadInput
from amodal.core.files import parsed
from amodal.core.text import write_text
from amodal.measures import dataset_item

from .occlusion import LEVELS, occlude

PAIRS = ("random", "co-occurring")  # the category of the occluder
TRIES = 60  # pairs to try for one item, with another query every fifth time
FOLDERS = dataset_item.PICTURES + dataset_item.MASKS


@dataclass(frozen=True)
class Plan:
    """What to make.

    easy, hard: numbers of items. pairs: the occluder's category is any ("random") or the one most
    often seen with the query's ("co-occurring"). A source with fewer than least_categories
    is refused.
    """

    easy: int
    hard: int
    seed: int = 0
    pairs: str = "random"
    least_categories: int = 55

    def items(self) -> list[tuple[str, int]]:
        """(level, number) of all items, easy and hard alternating."""
        both = [(level, n) for level in LEVELS for n in range(getattr(self, level))]
        return sorted(both, key=lambda item: (item[1], item[0]))


class Maker:
    """Makes the items of a plan from a source. Raises BadInput if the source is too small."""

    def __init__(self, source, plan: Plan):
        self.source, self.plan = source, plan
        self.by_category: dict[str, list] = {}
        for entry in source.objects:
            self.by_category.setdefault(entry.category, []).append(entry)
        self.categories = self.queries()
        if len(self.categories) < max(1, plan.least_categories):
            raise BadInput(
                "annotations",
                f"hold whole objects of {len(self.categories)} categories that can be paired",
                f"give more pictures, or --least-categories {len(self.categories)}",
            )

    def queries(self) -> list[str]:
        """Categories that have an occluder, in the order of this seed."""
        names = sorted(self.by_category)
        if self.plan.pairs == "co-occurring":
            front = self.source.co_occurring
            names = [name for name in names if front.get(name) in self.by_category]
        elif len(names) < 2:
            names = []
        return [str(n) for n in np.random.default_rng([self.plan.seed, 1]).permutation(names)]

    def item(self, level: str, number: int):
        """(line of the manifest, pictures by folder). Categories take turns, objects are random."""
        rng = np.random.default_rng([self.plan.seed, 2, list(LEVELS).index(level), number])
        category = self.categories[number % len(self.categories)]
        for attempt in range(TRIES):
            if attempt % 5 == 0:
                query = drawn(rng, self.by_category[category])
                whole = self.source.load(query)
            front = drawn(rng, self.by_category[self.front_of(category, rng)])
            pasted = occlude(whole, self.source.load(front), level, rng)
            if pasted is not None:
                return self.line(level, number, query, front, pasted), pictures(whole, pasted)
        raise BadInput(
            "annotations",
            f"hold no pair of matching size for item {number} ({level}, {category})",
            "give more pictures",
        )

    def front_of(self, category: str, rng) -> str:
        if self.plan.pairs == "co-occurring":
            return self.source.co_occurring[category]
        others = [name for name in self.categories if name != category]
        return others[rng.integers(len(others))]

    def line(self, level, number, query, front, pasted) -> dict:
        return {
            "item": name_of(level, number),
            "level": level,
            "number": number,
            "seed": self.plan.seed,
            "category": query.category,
            "query": asdict(query),
            "occluder": asdict(front),
            "co_occurring": self.source.co_occurring.get(query.category),
            "hidden": round(pasted.hidden, 6),
            "scale": round(pasted.scale, 6),
            "corner": list(pasted.corner),
            "size": list(pasted.amodal.shape[::-1]),
        }


def name_of(level: str, number: int) -> str:
    return f"{level}-{number:05d}"


def drawn(rng, entries: list):
    return entries[rng.integers(len(entries))]


def pictures(whole, pasted) -> dict[str, np.ndarray]:
    masks = {name: getattr(pasted, name) for name in ("modal", "amodal", "occluder")}
    grays = {name: mask.astype(np.uint8) * 255 for name, mask in masks.items()}
    return {"picture": pasted.picture, "truth": whole.picture, **grays}


def build(source, plan: Plan, out: Path, workers: int = 1, quiet: bool = False) -> list[dict]:
    """Writes the missing items and returns the manifest's lines.

    Raises BadInput if the source cannot give the set, or if `out` holds another one or is in use.
    """
    from tqdm import tqdm

    maker = Maker(source, plan)
    with alone_in(out) as manifest:
        make_folders(out, {"plan": asdict(plan), **source.about})
        lines = kept(manifest, plan)
        todo = plan.items()[len(lines) :]
        bar = tqdm(total=len(lines) + len(todo), initial=len(lines), unit="item", disable=quiet)
        with bar:
            for line in made(maker, todo, out, workers):
                manifest.write(as_line(line))
                manifest.flush()
                lines.append(line)
                bar.update()
    return lines


@contextlib.contextmanager
def alone_in(out: Path) -> Iterator[BinaryIO]:
    """The open manifest of a folder that this process holds. Raises BadInput if another does.

    The system's lock on the manifest ends with the process, also with a killed one.
    """
    out.mkdir(parents=True, exist_ok=True)
    with open(out / dataset_item.MANIFEST, "a+b") as manifest:
        try:
            locks.hold(manifest)
        except OSError:
            raise BadInput(
                "out",
                f"{out} is in use: another process makes a data set there",
                "wait until it is done, or choose another folder",
            ) from None
        yield manifest


def made(maker: Maker, todo: list, out: Path, workers: int) -> Iterator[dict]:
    """The items' lines in order; their pictures are written first. Raises BadInput."""
    tasks = [Task(name_of(*item), (item,)) for item in todo]
    engine = Engine(functools.partial(crew, maker, out, workers))
    with contextlib.closing(engine.run(tasks)) as outcomes:
        for outcome in in_order(tasks, outcomes):
            if outcome.fault:
                raise outcome.fault.error()
            yield outcome.result


def crew(maker: Maker, out: Path, workers: int) -> Crew:
    make = functools.partial(writer, maker, out)
    return crews.Here(make) if workers == 1 else crews.Processes(workers, make)


def writer(maker: Maker, out: Path, slot: int):
    """The function that makes an item, in its worker."""
    return functools.partial(write, maker, out)


def write(maker: Maker, out: Path, item: tuple[str, int]) -> dict:
    line, images = maker.item(*item)
    for folder, pixels in images.items():
        Image.fromarray(pixels).save(out / folder / f"{line['item']}.png", compress_level=1)
    return line


def make_folders(out: Path, about: dict) -> None:
    """Makes the parts of the folder. Raises BadInput if it holds another set."""
    path, text = out / "dataset.json", json.dumps(about, indent=1) + "\n"
    if path.exists() and path.read_bytes() != text.encode():
        raise BadInput("out", f"{out} holds another set", "choose an empty folder")
    for folder in FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def as_line(line: dict) -> bytes:
    """An item's line of the manifest."""
    return (json.dumps(line) + "\n").encode()


def kept(manifest: BinaryIO, plan: Plan) -> list[dict]:
    """The lines of an earlier run, one for each item up to the first one that is missing.

    Lines that were cut short or damaged, doubled lines and all lines after a gap are removed from
    the file.
    """
    found: dict[str, dict] = {}
    manifest.seek(0)
    for text in manifest.read().splitlines():
        with contextlib.suppress(ValueError):
            line = parsed(text)
            dataset_item.check(Path(manifest.name).parent, line)
            found.setdefault(line["item"], line)
    names = (name_of(*item) for item in plan.items())
    lines = list(itertools.takewhile(bool, map(found.get, names)))
    manifest.truncate(0)
    manifest.write(b"".join(map(as_line, lines)))
    return lines


def read(out: Path) -> list[dict]:
    """The manifest's lines of a finished set, with `files`: the paths of its pictures.

    Raises BadInput if the manifest or one of its lines is not valid.
    """
    lines = dataset_item.manifest(out)
    for line in lines:
        dataset_item.check(out, line)
    return [
        line | {"files": {name: out / name / f"{line['item']}.png" for name in FOLDERS}}
        for line in lines
    ]
