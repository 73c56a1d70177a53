"""What the host says of a node's inputs and outputs, and the values that a drawing gives them."""

from __future__ import annotations

from amodal.app.editor_file import WIDGETS
from tools.workflows.nesting import Socket


def specs(schema: dict) -> dict:
    return {**schema["input"].get("required", {}), **schema["input"].get("optional", {})}


def kind_of(spec) -> str:
    return "COMBO" if isinstance(spec[0], list) else spec[0]


def options_of(spec) -> dict:
    return spec[1] if len(spec) > 1 else {}


def is_widget(spec) -> bool:
    return kind_of(spec) in WIDGETS and not options_of(spec).get("forceInput")


def default_of(spec):
    options = options_of(spec)
    if "default" in options:
        return options["default"]
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    empty = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
    return choices[0] if choices else empty.get(kind_of(spec))


def sockets_of(node: dict, schema: dict) -> list[Socket]:
    """All inputs of a node in the editor's order: those without a widget, then the widgets."""
    found = []
    for key, spec in specs(schema).items():
        value = node["inputs"].get(key)
        source = tuple(value) if isinstance(value, list) else None
        shown = default_of(spec) if source or value is None else value
        widget = is_widget(spec)
        found.append(Socket(key, kind_of(spec), source, widget, shown if widget else None))
    return sorted(found, key=lambda socket: socket.widget)


def values_of(node: dict, schema: dict) -> list:
    """The values of a node's widgets, with those of the widgets that the editor adds."""
    values = []
    for key, spec in specs(schema).items():
        if not is_widget(spec):
            continue
        value = node["inputs"].get(key)
        values.append(default_of(spec) if value is None or isinstance(value, list) else value)
        if options_of(spec).get("control_after_generate"):
            values.append("fixed")
        if options_of(spec).get("image_upload"):
            values.append("image")
    return values


def outputs_of(schema: dict) -> list[tuple[str, str]]:
    """Name and type of each output of a node."""
    return [
        (name, kind if isinstance(kind, str) else "COMBO")
        for name, kind in zip(schema["output_name"], schema["output"])
    ]
