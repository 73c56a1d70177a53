"""The kinds of scenes. Each is a function that places a query and what hides it on a Desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .desk import Desk, Impossible, cut, hidden_by
from .scenes import Scene

SIZES = ((512, 512), (640, 480), (768, 1024), (1024, 768), (1600, 1200))
DEV, REPORT = 1_000_000, 2_000_000  # seeds for choosing rules, and for the figures
ATTEMPTS = 300
SEEDS = {"dev": DEV, "report": REPORT}


@dataclass(frozen=True)
class Kind:
    """title: for tables. sizes: pictures (width, height) in turn. draw(desk) places the layers.

    side: the query's longer side as a fraction of the picture's shorter side. beyond: the
    picture's border cuts it off.
    """

    title: str
    draw: Callable[[Desk], None]
    sizes: tuple[tuple[int, int], ...] = SIZES
    side: tuple[float, float] = (0.35, 0.5)
    beyond: bool = False


def hidden(low: float, high: float, bystanders: int = 3) -> Callable[[Desk], None]:
    def draw(desk: Desk) -> None:
        desk.place_query()
        desk.hide(low, high)
        desk.add_bystanders(int(desk.rng.integers(bystanders + 1)))

    return draw


def alone(desk: Desk) -> None:
    desk.place_query()


def crowd(count: int) -> Callable[[Desk], None]:
    """`count` objects, half of them behind the query, a part in front of one another."""

    def draw(desk: Desk) -> None:
        desk.place_query()
        desk.hide(0.25, 0.55)
        desk.add_behind((count - 2) // 2)
        desk.add_bystanders(count - 1 - len(desk.behind) - len(desk.front), among_themselves=True)

    return draw


def split(desk: Desk) -> None:
    """A pole across the middle: two halves of similar size remain."""
    desk.place_query()
    x0, y0, x1, y1 = desk.query.box
    for _ in range(40):
        pole = desk.pole(2.2 * desk.side, desk.side * desk.rng.uniform(0.07, 0.14))
        desk.front = [desk.at(pole, desk.middle + desk.rng.uniform(-0.1, 0.1, 2) * desk.side)]
        parts, count = ndimage.label(cut(desk.query, desk.front))
        areas = sorted(np.bincount(parts.ravel())[1:], reverse=True)
        if count > 1 and areas[1] > 0.25 * areas[0] and sum(areas[:2]) > 0.95 * sum(areas):
            desk.add_bystanders(int(desk.rng.integers(3)))
            return
    raise Impossible


def two_layers(desk: Desk) -> None:
    """Something hides the query; another thing lies on it there, and on the query beneath."""
    desk.place_query()
    desk.hide(0.3, 0.55)
    first = desk.front[0]
    both = desk.query_in(first.box) & first.mask
    ys, xs = np.nonzero(both)
    at = np.array([first.x + xs.mean(), first.y + ys.mean()])
    for _ in range(40):
        second = desk.thing(desk.side * desk.rng.uniform(0.3, 0.5))
        layer = desk.at(second, at + desk.rng.uniform(-0.1, 0.1, 2) * desk.side)
        extra = hidden_by(desk.query, [first, layer]) - hidden_by(desk.query, [first])
        if hidden_by(desk.query, [layer]) > 0.06 and extra < 0.03:
            desk.front.append(layer)
            return
    raise Impossible


def border(desk: Desk) -> None:
    side = int(desk.rng.integers(4))
    desk.push_out([[(-1, 0), (1, 0), (0, -1), (0, 1)][side]], 0.15, 0.45)
    desk.add_bystanders(int(desk.rng.integers(3)))


def two_borders(desk: Desk) -> None:
    x, y = desk.rng.choice([-1, 1], 2)
    desk.push_out([(x, 0), (0, y)], 0.3, 0.6)
    desk.add_bystanders(int(desk.rng.integers(3)))


def kin(desk: Desk) -> None:
    """Two more of the query's kind touch it without hiding it; something else hides it."""
    desk.place_query()
    desk.hide(0.2, 0.45)
    for direction in desk.rng.permutation([(-1, 0), (1, 0), (0, 1), (0, -1)])[:3]:
        if sum(layer.name == desk.query.name for layer in desk.behind) < 2:
            desk.add_twin(direction)
    if not desk.behind:
        raise Impossible


def lying(desk: Desk) -> None:
    """Something small lies on the query, wholly within its outline: a cat on a couch."""
    desk.place_query()
    for _ in range(60):
        thing = desk.thing(desk.side * desk.rng.uniform(0.3, 0.5))
        layer = desk.at(thing, desk.middle + desk.rng.uniform(-0.15, 0.15, 2) * desk.side)
        inside = (desk.query_in(layer.box) & layer.mask).sum() / layer.mask.sum()
        if inside > 0.99 and hidden_by(desk.query, [layer]) > 0.06:
            desk.front.append(layer)
            desk.add_bystanders(int(desk.rng.integers(3)))
            return
    raise Impossible


def gray(desk: Desk) -> None:
    desk.grayed = True
    hidden(0.25, 0.55)(desk)


LARGE = ((2400, 1800), (3000, 2000), (4000, 2500))

KINDS = {
    "alone": Kind("one object, nothing hides it", alone),
    "hidden-10": Kind("hidden 8 to 15 %", hidden(0.08, 0.15)),
    "hidden-30": Kind("hidden 25 to 35 %", hidden(0.25, 0.35)),
    "hidden-50": Kind("hidden 45 to 55 %", hidden(0.45, 0.55)),
    "hidden-70": Kind("hidden 65 to 75 %", hidden(0.65, 0.75)),
    "hidden-90": Kind("hidden 85 to 92 %", hidden(0.85, 0.92), side=(0.4, 0.55)),
    "wide": Kind("wide picture, 3:1", hidden(0.25, 0.6), ((1536, 512), (2304, 768)), (0.5, 0.8)),
    "tall": Kind("tall picture, 1:3", hidden(0.25, 0.6), ((512, 1536), (768, 2304)), (0.5, 0.8)),
    "crowd": Kind("eighty objects", crowd(80), ((1600, 1200), (2000, 1500)), (0.25, 0.35)),
    "split": Kind("split in two by a pole", split),
    "two-layers": Kind("behind two layers", two_layers),
    "border": Kind("cut by one border", border, beyond=True),
    "two-borders": Kind("cut by two borders", two_borders, beyond=True),
    "kin": Kind("next to others of its kind", kin),
    "small": Kind("small in a large picture", hidden(0.25, 0.55, 6), LARGE, (0.05, 0.09)),
    "gray": Kind("gray on gray", gray),
    "lying": Kind("another object lies on it", lying),
    "scale": Kind("4000 x 3000, sixty objects", crowd(60), ((4000, 3000),), (0.2, 0.3)),
}


def make_scene(kind: str, number: int, seeds: str, source, size=None) -> Scene:
    """Scene `number` (0, 1, ...) of a kind. size: (width, height) instead of the kind's own.

    seeds: "dev" for choosing rules, "report" for figures. The same words give the same scene.
    """
    spec, seed = KINDS[kind], SEEDS[seeds] + number
    size = size or spec.sizes[number % len(spec.sizes)]
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, list(KINDS).index(kind), attempt])
        desk = Desk(rng, source, size, rng.uniform(*spec.side) * min(size), spec.beyond)
        try:
            spec.draw(desk)
            return desk.scene(kind, number, seed)
        except Impossible:
            continue
    raise Impossible(f"no scene of kind {kind} at {size} from these cut-outs")
