"""The widget values of the shipped editor files, held against the host's node schemas.

The editor saves the values of a node's widgets by position. One value too many or too few shifts
all that follow.
"""

import json

import pytest

from amodal.app import editor_file, workflow
from tools.workflows.make_workflows import schemas_of

FILES = sorted(workflow.FOLDER.parent.glob("*.json"))
PYTHON = {"INT": int, "FLOAT": (int, float), "STRING": str, "BOOLEAN": bool, "COMBO": str}
SEEDS = ("seed", "noise_seed")


@pytest.fixture(scope="module")
def schemas(real_host):
    return schemas_of(real_host.classes, {})


def widgets_of(schema: dict) -> list[tuple[str, object]]:
    """The editor's widgets of a node: (name, Python type of the value), in order.

    Both front ends add "control after generate" where the schema says so and, if it says nothing,
    to inputs called seed or noise_seed.
    """
    widgets = []
    for group in ("required", "optional"):
        for name, spec in schema["input"].get(group, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            kind = "COMBO" if isinstance(spec[0], list) else spec[0]
            if kind not in PYTHON or options.get("forceInput"):
                continue
            widgets.append((name, PYTHON[kind]))
            control = options.get("control_after_generate")
            if control if control is not None else name in SEEDS:
                widgets.append(("control after generate", str))
            if options.get("image_upload"):
                widgets.append(("upload", str))
    return widgets


def all_nodes(saved: dict) -> list[dict]:
    inner = saved.get("definitions", {}).get("subgraphs", [])
    return [node for graph in (saved, *inner) for node in graph["nodes"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_has_one_value_of_the_right_type_for_each_widget(file, schemas):
    for node in all_nodes(json.loads(file.read_text())):
        if node["type"] not in schemas:
            continue
        widgets, values = widgets_of(schemas[node["type"]]), node["widgets_values"]
        assert len(values) == len(widgets), (node["title"], widgets, values)
        for value, (name, kind) in zip(values, widgets):
            assert isinstance(value, kind), (node["title"], name, value)


def test_only_seeds_of_a_whole_run_change_by_themselves(schemas):
    """A stage's own seed that did would run its part of the graph anew at every Run."""
    changing = {
        (kind, name)
        for kind, schema in schemas.items()
        if kind.startswith("Amodal")
        for (name, _), (after, _) in zip(widgets_of(schema), [*widgets_of(schema)[1:], ("", None)])
        if after == "control after generate"
    }
    assert changing == {
        ("AmodalCompletion", "seed"),
        ("AmodalPassSeed", "seed"),
        ("AmodalStickerScene", "seed"),
        ("AmodalLoadItem", "index"),
    }


def test_the_reader_takes_each_value_for_its_widget(schemas):
    """Also for inputs called seed that have no control after generate."""
    for kind, schema in schemas.items():
        if not kind.startswith("Amodal"):
            continue
        widgets = widgets_of(schema)
        node = {"type": kind, "widgets_values": [f"value {i}" for i in range(len(widgets))]}
        expected = {
            name: f"value {i}"
            for i, (name, _) in enumerate(widgets)
            if name not in ("control after generate", "upload")
        }
        assert editor_file.widget_values(node, schema) == expected, kind
