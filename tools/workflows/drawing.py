"""A workflow as it is drawn: its nodes, and a title, a group and notes for them."""

from __future__ import annotations

from amodal.models import pretrained


class Drawing:
    """Collects nodes as the host's GraphBuilder does, and a title and a group for each."""

    def __init__(self, groups: dict, stacks: tuple):
        """groups: key -> (title, colour). stacks: tuples of keys, from left to right; the groups
        of one tuple lie below each other."""
        self.groups, self.stacks = groups, stacks
        self.nodes, self.places, self.titles, self.notes = {}, {}, {}, {}
        self.models = {}

    def node(self, kind: str, name: str, **inputs) -> Ref:
        """Adds a node of class `kind`. Inputs are values or links; None leaves an input open."""
        inputs = {key: value for key, value in inputs.items() if value is not None}
        self.nodes[name] = {"class_type": kind, "inputs": inputs}
        return Ref(name)

    def place(self, group: str, *names: str):
        """Puts nodes into a group. Names of nodes that are not drawn are ignored."""
        self.places.update({name: group for name in names if name in self.nodes})

    def note(self, group: str, text: str):
        """Adds a Markdown note above the nodes of a group."""
        self.notes[group] = text

    def title(self, **titles: str):
        """Sets titles by node name, with `__` for `-`. Ignores names that are not drawn."""
        titles = {name.replace("__", "-"): title for name, title in titles.items()}
        self.titles.update({name: title for name, title in titles.items() if name in self.nodes})

    def model(self, name: str, *files: str):
        """Sets the published files of a loader node; the editor offers them for download."""
        self.models[name] = [
            {"name": model.file, "url": model.url, "directory": model.folder}
            for model in map(pretrained.named, files)
        ]

    def sources(self, name: str) -> list[str]:
        """Names of the nodes that a node is linked to."""
        inputs = self.nodes[name]["inputs"].values()
        return [value[0] for value in inputs if isinstance(value, list)]


class Ref:
    """A drawn node; `out` gives links to its outputs."""

    def __init__(self, name: str):
        self.name = name

    def out(self, slot: int):
        return [self.name, slot]
