"""The borders of a drawing's subgraphs: which links cross them, under which names."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tools.workflows.drawing import Drawing

Source = tuple[str, int]  # a node's name and the number of its output
EXPOSED = ""  # in place of the node's name: the source is an exposed widget, by its number


@dataclass(frozen=True)
class Socket:
    """An input of a node or of a subgraph. value: of its widget, while nothing is linked to it."""

    name: str
    kind: str
    source: Source | None = None
    widget: bool = False
    value: object = None


class Borders:
    """Inputs and outputs of every subgraph of a drawing.

    sockets: the inputs of every node. outputs: the names and types of every node's outputs.
    """

    def __init__(self, draw: Drawing, sockets: dict[str, list[Socket]], outputs: dict):
        self.draw, self.outputs_of = draw, outputs
        self.exposures = {
            pair: (number, name)
            for number, (name, pairs) in enumerate(draw.exposed.items())
            for pair in pairs
        }
        self.ranks: dict[tuple[str, str], list[Source]] = {}  # (subgraph, side) -> order of slots
        self.sockets = {
            node: [self.exposed(node, socket) for socket in drawn]
            for node, drawn in sockets.items()
        }

    def exposed(self, node: str, socket: Socket) -> Socket:
        """The socket, fed by the widget that the drawing exposes for it, if any."""
        if (node, socket.name) in self.exposures and socket.source is None:
            return replace(socket, source=(EXPOSED, self.exposures[node, socket.name][0]))
        return socket

    def inputs(self, item: str) -> list[Socket]:
        """The inputs of a node or of a subgraph: first those without a widget.

        Those of a subgraph come in the order of what feeds them, the nearest first.
        """
        if item not in self.draw.subgraphs:
            return self.sockets[item]
        scope = self.draw.scope(item)
        return sorted(self.needs(item), key=lambda socket: self.place(item, scope, socket))

    def needs(self, item: str) -> list[Socket]:
        """The same in no particular order."""
        if item not in self.draw.subgraphs:
            return self.sockets[item]
        inside, found, taken = self.draw.within(item), {}, set()
        for child in self.draw.items(item):
            for socket in self.needs(child):
                source = socket.source
                if source is None or source in found or source[0] in inside:
                    continue
                name = unique(self.name(child, socket), taken)
                found[source] = replace(socket, name=name)
        return list(found.values())

    def place(self, item: str, scope: str | None, socket: Socket) -> tuple:
        """Sorts the inputs of a subgraph that lies in a scope."""
        origin = self.origin(scope, socket.source)
        if origin is None:  # an exposed widget
            return socket.widget, True, socket.source[1]
        origin_item, slot = origin
        rank = self.ranks.get((item, "inputs"), ())
        if socket.source in rank and not socket.widget:
            return False, False, 0, rank.index(socket.source)
        order = list(self.draw.nodes)
        drawn = max(map(order.index, self.nodes_of(origin_item)), default=-1)
        return socket.widget, False, -drawn, slot

    def nodes_of(self, item: str | None) -> set[str]:
        if item is None:
            return set()
        return self.draw.within(item) if item in self.draw.subgraphs else {item}

    def name(self, child: str, socket: Socket) -> str:
        """What an input of a subgraph is called, from the input of a child that it feeds."""
        node, slot = socket.source
        if node == EXPOSED:
            return list(self.draw.exposed)[slot]
        widget = self.exposures.get((child, socket.name))
        return widget[1] if widget else self.draw.names.get((node, slot), socket.name)

    def outputs(self, item: str) -> list[Source]:
        """The outputs of a subgraph, as outputs of the nodes in it that are used outside of it."""
        inside = self.draw.within(item)
        used = {
            socket.source
            for node, sockets in self.sockets.items()
            if node not in inside
            for socket in sockets
            if socket.source is not None and socket.source[0] in inside
        }
        rank = self.ranks.get((item, "outputs"))
        if rank:
            return rank
        order = list(self.draw.nodes)
        return sorted(used, key=lambda source: (order.index(source[0]), source[1]))

    def rank(self, item: str, orders: dict[str, list[int]]):
        """Sets the order of a subgraph's slots: the old numbers of those that have no widget."""
        inputs, outputs = [socket.source for socket in self.inputs(item)], self.outputs(item)
        self.ranks[item, "inputs"] = [inputs[slot] for slot in orders["inputs"]]
        self.ranks[item, "outputs"] = [outputs[slot] for slot in orders["outputs"]]

    def output_names(self, item: str) -> list[tuple[str, str]]:
        """Name and type of each output of a node or of a subgraph."""
        if item not in self.draw.subgraphs:
            return self.outputs_of[item]
        taken: set[str] = set()
        named = []
        for source in self.outputs(item):
            name, kind = self.outputs_of[source[0]][source[1]]
            named.append((unique(self.draw.names.get(source, name), taken), kind))
        return named

    def origin(self, scope: str | None, source: Source) -> tuple[str | None, int] | None:
        """Where a link in a scope begins: (item, output number), (None, input number) for the
        scope's own input, or None for an exposed widget at the top level."""
        for item in self.draw.items(scope):
            if item == source[0]:
                return item, source[1]
            if item in self.draw.subgraphs and source[0] in self.draw.within(item):
                return item, self.outputs(item).index(source)
        if scope is None:
            return None
        sources = [socket.source for socket in self.inputs(scope)]
        return None, sources.index(source)

    def sources(self, item: str) -> list[str]:
        """The items of the same scope that an item is linked to."""
        scope, found = self.draw.scope(item), []
        for socket in self.inputs(item):
            origin = self.origin(scope, socket.source) if socket.source else None
            if origin and origin[0] is not None:
                found.append(origin[0])
        return found


def unique(name: str, taken: set[str]) -> str:
    """The name, with a number after it if it is taken; takes it."""
    number, result = 1, name
    while result in taken:
        number += 1
        result = f"{name} {number}"
    taken.add(result)
    return result
