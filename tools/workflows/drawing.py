"""A workflow as it is drawn: its nodes, the groups and subgraphs they lie in, titles and notes."""

from __future__ import annotations

from dataclasses import dataclass

from amodal.models import pretrained


@dataclass(frozen=True)
class Subgraph:
    """A part of the graph that the editor shows as one node. `color`, `bgcolor`: that node's."""

    title: str
    color: str
    bgcolor: str


COLUMN_HEIGHT = 1376  # in pixels


class Drawing:
    """Collects nodes as the host's GraphBuilder does, and a title and a place for each."""

    def __init__(self, groups: dict, stacks: tuple, rows: tuple = ()):
        """groups: key -> (title, colour). stacks: tuples of keys, from left to right; the groups
        of one tuple lie below each other. rows: the groups in which every link runs to the right.
        """
        self.groups, self.stacks, self.rows = groups, stacks, rows
        self.nodes, self.places, self.titles, self.notes = {}, {}, {}, {}
        self.models, self.subgraphs, self.columns = {}, {}, {}
        self.exposed, self.names = {}, {}
        self.fields, self.shown = {}, ()
        self.editor_lists_models = False  # not the pack's own list of missing files
        self.column_height = COLUMN_HEIGHT  # in pixels; what does not fit goes into the next column

    def node(self, kind: str, name: str, **inputs) -> Ref:
        """Adds a node of class `kind`. Inputs are values or links; None leaves an input open."""
        inputs = {key: value for key, value in inputs.items() if value is not None}
        self.nodes[name] = {"class_type": kind, "inputs": inputs}
        return Ref(name)

    def place(self, group: str, *names: str, column: int = 0):
        """Puts nodes into a group, or into a subgraph. Names that are not drawn are ignored.

        column: none of them lies left of this column of the group.
        """
        for name in names:
            if name in self.nodes:
                self.places[name] = group
                self.columns[name] = column

    def subgraph(self, key: str, look: Subgraph, inside: str, column: int = 0):
        """Folds the nodes placed in `key` into a subgraph, which lies in `inside`."""
        if key in self.places.values():
            self.subgraphs[key] = look
            self.places[key] = inside
            self.columns[key] = column

    def expose(self, name: str, *inputs: tuple[str, str]):
        """Makes an input of their subgraphs of (node, input) pairs that no link feeds. Those with
        a widget have one and the same value."""
        self.exposed[name] = [pair for pair in inputs if pair[0] in self.nodes]

    def call(self, **names: str):
        """Names outputs where they cross the border of a subgraph: NODE__SLOT="name"."""
        for output, name in names.items():
            node, _, slot = output.rpartition("__")
            self.names[node.replace("__", "-"), int(slot)] = name

    def form(self, fields: dict[tuple[str, str], tuple], *shown: str):
        """What the editor's App mode asks for and shows.

        fields: (node or subgraph, widget) -> its name in words, or (name, height in pixels) of a
        widget that the pack's JavaScript adds. shown: the nodes whose pictures are the result.
        """
        self.fields, self.shown = fields, shown

    def note(self, group: str, text: str):
        """Adds a Markdown note above the nodes of a group or a subgraph."""
        self.notes[group] = text

    def title(self, **titles: str):
        """Sets titles by node name, with `__` for `-`. Ignores names that are not drawn."""
        titles = {name.replace("__", "-"): title for name, title in titles.items()}
        self.titles.update({name: title for name, title in titles.items() if name in self.nodes})

    def model(self, name: str, *files: str):
        """Sets the published files of a loader node. js/missing_models.js lists missing ones, or
        the editor itself does, with `editor_lists_models`."""
        self.models[name] = [
            {
                "name": model.file,
                "url": model.url,
                "directory": model.folder,
                "size": model.size,
            }
            for model in map(pretrained.named, files)
        ]

    def scope(self, item: str) -> str | None:
        """The subgraph that a node or a subgraph lies directly in; None for the top level."""
        return self.places[item] if self.places[item] in self.subgraphs else None

    def items(self, scope: str | None) -> list[str]:
        """The nodes and subgraphs that lie directly in a subgraph, or at the top level."""
        return [item for item in self.places if self.scope(item) == scope]

    def within(self, scope: str | None) -> set[str]:
        """The nodes in a subgraph, at any depth."""
        inside = set()
        for item in self.items(scope):
            inside |= self.within(item) if item in self.subgraphs else {item}
        return inside


class Ref:
    """A drawn node; `out` gives links to its outputs."""

    def __init__(self, name: str):
        self.name = name

    def out(self, slot: int):
        return [self.name, slot]
