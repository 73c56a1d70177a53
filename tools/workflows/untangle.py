"""Orders the inputs and outputs of subgraphs so that fewer wires cross."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from tools.workflows.wires import curve, ends

KEYS = {"inputs": "target", "outputs": "origin"}  # side of a node -> end of its links
STEPS = 12  # straight pieces of which a wire is made here


def untangled(nodes: list[dict], links: list[dict], movable: set[int]) -> dict:
    """{(node id, "inputs" or "outputs"): the old numbers of its slots in their new order}.

    nodes, links: of one level of a workflow file. movable: the nodes whose slots have no fixed
    order; their inputs with widgets stay.

    Swaps two slots of a node as long as that leaves fewer crossings.
    """
    by_id = {node["id"]: node for node in nodes}
    wires = Wires(by_id, [x for x in links if {x["origin_id"], x["target_id"]} <= set(by_id)])
    orders = {(i, side): list(range(free(by_id[i], side))) for i in movable for side in KEYS}
    best, before = wires.crossings(), None
    while best != before:
        before = best
        for place, order in orders.items():
            for one, other in combinations(range(len(order)), 2):
                wires.swap(place, one, other)
                if wires.crossings() < best:
                    best = wires.crossings()
                    order[one], order[other] = order[other], order[one]
                else:
                    wires.swap(place, one, other)
    return orders


def free(node: dict, side: str) -> int:
    """How many slots can change places."""
    return sum("widget" not in slot for slot in node[side])


class Wires:
    """The wires of a level, and how often each two of them cross."""

    def __init__(self, by_id: dict, links: list[dict]):
        self.by_id, self.links = by_id, [dict(link) for link in links]
        self.lines = np.zeros((len(links), STEPS + 1, 2))
        self.crossed = np.zeros((len(links), len(links)), int)
        self.draw(range(len(links)))

    def crossings(self) -> int:
        return int(self.crossed.sum()) // 2

    def swap(self, place: tuple, one: int, other: int) -> None:
        """Exchanges two slots of a node."""
        node, side = place
        end, exchanged, moved = KEYS[side], {one: other, other: one}, []
        for number, link in enumerate(self.links):
            slot = link[f"{end}_slot"]
            if link[f"{end}_id"] == node and slot in exchanged:
                link[f"{end}_slot"] = exchanged[slot]
                moved.append(number)
        self.draw(moved)

    def draw(self, numbers) -> None:
        """Draws some wires anew."""
        for number in numbers:
            self.lines[number] = curve(*ends(self.by_id, self.links[number]), STEPS)
        source = np.array([(x["origin_id"], x["origin_slot"]) for x in self.links]).reshape(-1, 2)
        for number in numbers:
            counted = crossings(self.lines[number], self.lines)
            counted[(source == source[number]).all(1)] = 0
            self.crossed[number] = self.crossed[:, number] = counted


def crossings(line, lines):
    """How often a line [points, 2] crosses each of the lines [n, points, 2]."""
    a, b = line[:-1, None], line[1:, None]
    points = lines.reshape(1, -1, 2)
    right = side_of(a, b, points).reshape(len(a), *lines.shape[:2])
    c, d = lines[:, None, :-1], lines[:, None, 1:]
    left = side_of(c, d, line[None, :, None])
    split = (right[..., :-1] * right[..., 1:] < 0).transpose(1, 0, 2)
    return (split & (left[:, :-1] * left[:, 1:] < 0)).sum((1, 2))


def side_of(a, b, points):
    """On which side of the line through a and b the points lie, as a sign."""
    along, to = b - a, points - a
    return along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
