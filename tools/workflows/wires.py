"""How tangled a workflow file looks: crossings of wires, wires behind nodes, and the zoom."""

from __future__ import annotations

import math
from itertools import combinations
from typing import NamedTuple

from tools.workflows.layout import BARS, NODE_TITLE, ROW, WIDGET, WINDOW

KEYS = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
STEPS = 24  # straight pieces of which a curve is made
Point = tuple[float, float]


class Looks(NamedTuple):
    """crossings: how often two wires of different outputs cross. behind: how often a wire runs
    behind a node that it does not end at. zoom: the scale at which the window shows all."""

    nodes: int
    crossings: int
    behind: int
    zoom: float


def looks(nodes: list[dict], links: list) -> Looks:
    """nodes: of one level of a workflow file. links: of that level, as lists or as objects; those
    to a subgraph's own panels are left out."""
    by_id = {node["id"]: node for node in nodes}
    wires = {}
    for link in map(as_object, links):
        if link["origin_id"] in by_id and link["target_id"] in by_id:
            wires[tuple(link[key] for key in KEYS[1:])] = curve(*ends(by_id, link))
    crossings = sum(
        crossed(wires[one], wires[other])
        for one, other in combinations(wires, 2)
        if one[:2] != other[:2]
    )
    behind = sum(
        any(inside(point, node) for point in points)
        for (origin, _, target, _), points in wires.items()
        for node in nodes
        if node["id"] not in (origin, target)
    )
    return Looks(len(nodes), crossings, behind, zoom(nodes))


def as_object(link) -> dict:
    return link if isinstance(link, dict) else dict(zip(KEYS, link))


def ends(by_id: dict, link: dict) -> tuple[Point, Point]:
    """Where a wire begins and ends on the canvas."""
    return (
        output_place(by_id[link["origin_id"]], link["origin_slot"]),
        input_place(by_id[link["target_id"]], link["target_slot"]),
    )


def zoom(nodes: list[dict]) -> float:
    """The largest scale at which the window shows all nodes beside the editor's bars."""
    corners = [(*node["pos"], *node["size"]) for node in nodes]
    width = max(x + w for x, _, w, _ in corners) - min(x for x, *_ in corners)
    height = max(y + h for _, y, _, h in corners) - min(y for _, y, *_ in corners) + NODE_TITLE
    return min(1.0, (WINDOW[0] - BARS[0]) / width, (WINDOW[1] - BARS[1]) / height)


def output_place(node: dict, slot: int) -> Point:
    (x, y), (width, _) = node["pos"], node["size"]
    return x + width, y + (slot + 0.7) * ROW


def input_place(node: dict, slot: int) -> Point:
    """Inputs with a widget lie below the others, on their widgets."""
    x, y = node["pos"]
    plain = [number for number, one in enumerate(node["inputs"]) if "widget" not in one]
    if slot in plain:
        return x, y + (plain.index(slot) + 0.7) * ROW
    widgets = [number for number, one in enumerate(node["inputs"]) if "widget" in one]
    rows = max(len(plain), len(node["outputs"]))
    return x, y + rows * ROW + (widgets.index(slot) + 0.7) * WIDGET


def curve(start: Point, end: Point, steps: int = STEPS) -> list[Point]:
    """The points of a wire as the editor draws it: a cubic curve that leaves to the right."""
    bend = math.dist(start, end) / 4
    (x0, y0), (x3, y3) = start, end
    x1, x2 = x0 + bend, x3 - bend
    points = []
    for step in range(steps + 1):
        t = step / steps
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        points.append((a * x0 + b * x1 + c * x2 + d * x3, (a + b) * y0 + (c + d) * y3))
    return points


def crossed(one: list[Point], other: list[Point]) -> int:
    """How often two lines of straight pieces cross."""
    return sum(
        apart(a, b, c, d) and apart(c, d, a, b)
        for a, b in zip(one, one[1:])
        for c, d in zip(other, other[1:])
    )


def apart(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Do c and d lie on different sides of the line through a and b?"""
    sides = [(b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) for p in (c, d)]
    return sides[0] * sides[1] < 0


def inside(point: Point, node: dict) -> bool:
    (x, y), (width, height) = node["pos"], node["size"]
    return x < point[0] < x + width and y - NODE_TITLE < point[1] < y + height
