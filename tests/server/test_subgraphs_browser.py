"""Subgraphs in the real front ends: the same pixels as the flat form, nothing run twice, and the
blueprints in the node library."""

import io
import json

import numpy as np
import pytest
from graphs import empty_cache
from PIL import Image

from amodal.app import workflow
from amodal.app.client import with_query
from tools.host.browser import (
    add_by_search,
    drop_workflow,
    needs_browser,
    open_editor,
    plain,
    press_run,
)
from tools.workflows.drawings import editor_file
from tools.workflows.drawings.blueprints import BLUEPRINTS

pytestmark = needs_browser
SUBGRAPHS = workflow.FOLDER.parents[1] / "subgraphs"
QUICK = {"steps": 2, "k": 1, "values": "1"}  # values: of a sweep over k
MAIN = "amodal_completion_stickers"
# Widgets by name, also of subgraph nodes.
SET = """(values) => {
  for (const node of app.graph.nodes)
    for (const widget of node.widgets ?? []) {
      const linked = node.inputs?.some((one) => one.widget?.name === widget.name && one.link);
      if (!(widget.name in values) || linked) continue;
      widget.value = values[widget.name];
      widget.callback?.(widget.value);
    }
}"""
WATCH = """() => {
  window.executed = [];
  app.api.addEventListener("executing", ({ detail }) => detail && window.executed.push(detail));
}"""
FOLDED = """() => app.graph.nodes.filter((node) => node.subgraph).map((node) =>
  node.widgets.map(({ name, value }) => [name, value]))"""


@pytest.fixture
def editor(chromium, running):
    page = open_editor(chromium, running.url)
    yield page
    page.close()


def opened(page, name: str, **values) -> dict:
    """Opens a shipped workflow with other values of its widgets; its prompt."""
    drop_workflow(page, json.loads(editor_file(name).read_text()))
    page.evaluate(SET, values)
    return page.evaluate("async () => (await app.graphToPrompt()).output")


@pytest.mark.parametrize("name", [MAIN, "sweep_steps", "best_of_seeds"])
def test_a_second_run_executes_nothing(editor, name):
    prompt = opened(editor, name, **QUICK)
    first = press_run(editor)
    assert "id" in first, first
    editor.evaluate(WATCH)
    second = press_run(editor)
    assert "id" in second, second
    again = editor.evaluate("async () => (await app.graphToPrompt()).output")
    assert plain(again) == plain(prompt)
    # The front end sends what PreviewAny shows as an input of it, so that one runs once more.
    anew = editor.evaluate("() => window.executed")
    assert {prompt[node]["class_type"] for node in anew} <= {"PreviewAny"}


def pictures(client, outputs: dict) -> dict:
    """The pixels of all pictures that a run showed, by the node's own number."""
    found = {}
    for node, output in outputs.items():
        shown = [
            np.asarray(Image.open(io.BytesIO(client.read(with_query("/view", image)))))
            for image in output.get("images", ())
        ]
        found.setdefault(node.split(".")[-1].split(":")[-1], []).extend(shown)
    return found


def test_the_subgraphs_loop_and_give_the_pixels_of_the_flat_form(editor, client):
    """Their nodes have ids like 64:58:17, which the loop clones for each pass."""
    flat = json.loads((workflow.FOLDER / f"{MAIN}.json").read_text())
    for node in flat.values():
        node["inputs"].update({k: v for k, v in QUICK.items() if k in node["inputs"]})
        if node["class_type"] == "AmodalLoopEnd":
            node["inputs"]["max_passes"] = 2
    prompt = opened(editor, MAIN, max_passes=2, **QUICK)
    assert plain(prompt) == plain(flat)
    assert any(key.count(":") == 2 for key in prompt)
    ends = press_run(editor)
    assert "id" in ends, ends
    nested = pictures(client, client.get(f"/history/{ends['id']}")[ends["id"]]["outputs"])
    empty_cache(client)
    again = client.run(flat)
    history = client.get(f"/history/{again.prompt_id}")[again.prompt_id]
    expected = pictures(client, history["outputs"])
    assert set(nested) == set(expected) and sum(map(len, nested.values())) >= 5
    for node, shown in expected.items():
        assert len(nested[node]) == len(shown)
        for one, other in zip(nested[node], shown):
            assert np.array_equal(one, other), node


@pytest.mark.parametrize("title", BLUEPRINTS)
def test_a_blueprint_is_found_by_search_and_added_with_its_widgets(editor, title):
    add_by_search(editor, title.removesuffix(" (Amodal)"), title)
    editor.wait_for_function("() => app.graph.nodes.some((node) => node.subgraph)")
    (shown,) = editor.evaluate(FOLDED)
    saved = json.loads((SUBGRAPHS / f"{title}.json").read_text())["nodes"][0]
    names = [slot["name"] for slot in saved["inputs"] if "widget" in slot]
    assert shown == [list(pair) for pair in zip(names, saved["widgets_values"])]


def test_a_blueprint_keeps_its_texts_through_saving(editor):
    """Every text of the blueprint that holds the whole method, in it and on it."""
    add_by_search(editor, "Complete an object", "Complete an object (Amodal)")
    editor.wait_for_function("() => app.graph.nodes.some((node) => node.subgraph)")
    before = editor.evaluate("async () => (await app.graphToPrompt()).output")
    saved = editor.evaluate("() => JSON.parse(JSON.stringify(app.graph.serialize()))")
    drop_workflow(editor, saved)
    after = editor.evaluate("async () => (await app.graphToPrompt()).output")
    assert texts(after) == texts(before)
    assert "a photo of a {label}" in texts(before).values()


def texts(prompt: dict) -> dict:
    """The texts of a prompt's nodes, by node and input."""
    return {
        (node["class_type"], number.split(":")[-1], name): value
        for number, node in prompt.items()
        for name, value in node["inputs"].items()
        if isinstance(value, str)
    }
