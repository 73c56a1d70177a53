"""Writes a drawing in the host's API format."""

from __future__ import annotations

from tools.workflows.drawing import Drawing
from tools.workflows.node_schemas import default_of, is_widget, specs


def api_format(draw: Drawing, schemas: dict) -> dict:
    """{id: {class_type, inputs, _meta}}, with the values of all widgets; without subgraphs.

    schemas: {class: {"input", "output", "output_name", "display_name"}}, as the host sends them.
    """
    numbers = {name: str(i + 1) for i, name in enumerate(draw.nodes)}
    prompt = {}
    for name, node in draw.nodes.items():
        inputs = {}
        for key, spec in specs(schemas[node["class_type"]]).items():
            value = node["inputs"].get(key, default_of(spec) if is_widget(spec) else None)
            if isinstance(value, list):
                value = [numbers[value[0]], value[1]]
            if value is not None:
                inputs[key] = value
        title = draw.titles.get(name) or schemas[node["class_type"]]["display_name"]
        prompt[numbers[name]] = {
            "class_type": node["class_type"],
            "inputs": inputs,
            "_meta": {"title": title},
        }
        if name in draw.models:
            prompt[numbers[name]]["_meta"]["models"] = draw.models[name]
    return prompt
