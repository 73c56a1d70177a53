"""The editor in Chinese and Japanese: titles, inputs and outputs of the pack's nodes as its locale
files have them, in the classic canvas and with Vue nodes, and wide enough to be read.

In the newest front end: 1.32.9 loads a language after the packs' words for it, and loses them."""

import json

import pytest
from graphs import picking
from widgets import CAT, click_on, detect, point

from amodal.app.host import ROOT
from tools.host.browser import drop_prompt, needs_browser, needs_newest, open_editor

pytestmark = [*needs_browser, needs_newest]
SHOWN = """(kind) => {
  const node = app.graph.nodes.find((one) => one.comfyClass === kind);
  const name = (one) => one.localized_name ?? one.label ?? one.name;
  return { title: node.constructor.title, inputs: node.inputs.map(name),
    widgets: node.widgets.map((one) => one.label ?? one.name), outputs: node.outputs.map(name) };
}"""
CROWDED = """() => {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "14px Arial";
  const wide = (socket) => pen.measureText(socket?.localized_name ?? socket?.name ?? "").width;
  const crowded = ({ inputs, outputs, size }) => {
    const left = inputs.filter((socket) => !socket.widget);
    return left.some((socket, row) => wide(socket) + wide(outputs[row]) + 50 > size[0]);
  };
  return app.graph.nodes.filter(crowded).map((node) => node.comfyClass);
}"""


@pytest.mark.parametrize("vue", [False, True], ids=["classic", "vue"])
@pytest.mark.parametrize("language", ["zh", "ja"])
def test_nodes_speak_the_editors_language(chromium, running_newest, language, vue):
    page = open_editor(chromium, running_newest.url, vue, language)
    drop_prompt(page, picking())
    detect(page)
    file = ROOT / "locales" / language / "nodeDefs.json"
    words = json.loads(file.read_text(encoding="utf-8"))["AmodalPickObject"]
    shown = page.evaluate(SHOWN, "AmodalPickObject")
    assert shown["title"] == words["display_name"]
    names = {name: one["name"] for name, one in words["inputs"].items()}
    assert {names["objects"], names["modal_mask"], names["image"]} <= set(shown["inputs"])
    assert {names["point"], names["occluder_hints"]} <= set(shown["widgets"])
    assert shown["outputs"] == [one["name"] for one in words["outputs"].values()]
    assert page.evaluate(CROWDED) == []
    click_on(page, CAT)  # widgets are found by their names, not by what is shown
    assert point(page)
    page.close()
