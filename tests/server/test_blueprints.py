"""The blueprints of the node library: served by the host, and whole."""

import json

import pytest

from amodal.app import workflow
from amodal.app.editor_file import from_editor
from tools.workflows.drawings.blueprints import BLUEPRINTS

FOLDER = workflow.FOLDER.parents[1] / "subgraphs"
PACK = "custom_nodes.amodal_completion"


def test_the_host_serves_each_blueprint(client):
    served = {
        about["name"]: client.get(f"/global_subgraphs/{key}")
        for key, about in client.get("/global_subgraphs").items()
        if about["info"]["node_pack"] == PACK
    }
    assert set(served) == set(BLUEPRINTS) == {path.stem for path in FOLDER.glob("*.json")}
    for name, about in served.items():
        assert about["data"] == (FOLDER / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_a_blueprint_is_one_subgraph_of_nodes_that_the_host_has(client, name):
    saved = json.loads((FOLDER / f"{name}.json").read_text())
    (node,) = saved["nodes"]
    definitions = {each["id"]: each for each in saved["definitions"]["subgraphs"]}
    assert node["type"] in definitions
    prompt = from_editor(saved, client.get("/object_info"))
    inner = sum(
        each["type"] not in definitions and each["type"] != "MarkdownNote"
        for definition in definitions.values()
        for each in definition["nodes"]
    )
    assert len(prompt) == inner >= 3
    assert all(key.startswith(f"{node['id']}:") for key in prompt)
    used = {each["type"] for each in [node, *(n for d in definitions.values() for n in d["nodes"])]}
    assert set(definitions) <= used


def test_the_whole_method_as_a_blueprint_names_no_object_of_a_picture():
    (node,) = json.loads((FOLDER / "Complete an object (Amodal).json").read_text())["nodes"]
    widgets = [slot["name"] for slot in node["inputs"] if "widget" in slot]
    values = dict(zip(widgets, node["widgets_values"]))
    assert values["object"] == values["names_to_search"] == values["point"] == ""
