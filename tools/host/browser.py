"""Drives the host's editor in a real browser: opens it, drops files on it, runs workflows."""

from __future__ import annotations

import base64
import json
import os
import shutil
import uuid

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
NEWEST = os.environ.get("AMODAL_FRONTEND")  # the folder `static` of a newer front-end package
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.InstalledVersion": "1.32.9",
    "Comfy.Workflow.Persist": False,
    "Comfy.Minimap.Visible": False,  # it covers a part of the canvas
    "Comfy.VueNodes.AutoScaleLayout": False,
}
DROP = """async ([name, type, coded]) => {
  const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  const canvas = document.querySelector("#graph-canvas");
  for (const kind of ["dragover", "drop"])
    canvas.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true }));
}"""
RUN_ENDS = """() => { window.ends = new Promise((done) => {
  app.api.addEventListener("execution_success", (e) => done({ id: e.detail.prompt_id }));
  app.api.addEventListener("execution_error", (e) => done({ error: e.detail }));
}); }"""
# The detour through JSON drops undefined values. They would become null and make the file invalid.
SAVED = "() => JSON.parse(JSON.stringify(app.graph.serialize()))"
SHOW = """(kind) => {
  const node = app.canvas.graph.nodes.find(({ comfyClass }) => comfyClass === kind);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [400 - node.pos[0], 120 - node.pos[1]];
  app.canvas.setDirty(true, true);
}"""

ENTER = """(titles) => {
  let graph = app.rootGraph ?? app.graph;
  for (const title of titles) graph = graph.nodes.find((node) => node.title === title).subgraph;
  app.canvas.setGraph(graph);
}"""

needs_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ,
        reason="no Chromium: install it (Debian: apt-get install chromium) to run browser tests",
    ),
    pytest.mark.flaky(reruns=1),  # a busy machine delays a page; a fault fails both times
]
needs_newest = pytest.mark.skipif(
    not NEWEST,
    reason="no second front end: pip install --no-deps --target DIR "
    "comfyui-frontend-package==1.58.1, and set AMODAL_FRONTEND to "
    "DIR/comfyui_frontend_package/static",
)


def open_editor(chromium, url: str, vue: bool = False, language: str = "en"):
    """A page with the editor and the pack's nodes, with the classic canvas or with Vue nodes."""
    page = chromium.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(60000)
    chosen = {"Comfy.VueNodes.Enabled": vue, "Comfy.Locale": language}
    for name, value in {**SETTINGS, **chosen}.items():
        page.request.post(f"{url}/settings/{name}", data=json.dumps(value))
    page.goto(url)
    wait_until_ready(page)
    assert page.evaluate("() => Boolean(LiteGraph.vueNodesMode)") == vue
    return page


def wait_until_ready(page) -> None:
    """Waits until the editor has loaded the pack's nodes."""
    page.wait_for_function(
        "window.LiteGraph?.registered_node_types?.AmodalLoopEnd && window.app?.graph"
    )


def wait_until_unblocked(page) -> None:
    """Waits until the front end has removed the cover over the page.

    It covers the page while it loads a file. If the next file is loaded before the cover has faded
    out, which only a program does, the cover stays forever.
    """
    page.wait_for_function("() => !document.querySelector('.p-blockui-mask')")


def drop(page, name: str, kind: str, content: bytes, nodes: int) -> dict:
    """Drops a file on the canvas; returns the prompt that the front end makes from it.

    nodes: the number of nodes in the file.
    """
    wait_until_unblocked(page)
    page.evaluate("() => { window.before = app.graph.nodes[0]; }")
    page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])
    page.wait_for_function(
        "(n) => app.graph.nodes.length === n && app.graph.nodes[0] !== window.before", arg=nodes
    )
    wait_until_unblocked(page)
    return page.evaluate("async () => (await app.graphToPrompt()).output")


def drop_prompt(page, prompt: dict) -> dict:
    """Opens a prompt in API format as a workflow, with the nodes side by side."""
    drop(page, "prompt.json", "application/json", json.dumps(prompt).encode(), len(prompt))
    workflow = {**page.evaluate(SAVED), "id": str(uuid.uuid4())}
    for number, node in enumerate(workflow["nodes"]):
        node["pos"] = [number * 450, 0]
    return drop_workflow(page, workflow)


def drop_workflow(page, workflow: dict) -> dict:
    """Opens a workflow in the format that the editor saves."""
    content = json.dumps(workflow).encode()
    return drop(page, "workflow.json", "application/json", content, len(workflow["nodes"]))


def plain(prompt: dict) -> dict:
    """Classes and inputs by node id, without the inputs of the front end's preview widgets, and
    without the subgraphs in the ids: "64:58:17" is 17."""

    def own(value):
        return [value[0].split(":")[-1], value[1]] if isinstance(value, list) else value

    return {
        i.split(":")[-1]: (
            node["class_type"],
            {k: own(v) for k, v in node["inputs"].items() if k != "preview"},
        )
        for i, node in prompt.items()
    }


def add_by_search(page, text: str, title: str) -> None:
    """Searches for nodes by a text, as a double click on the canvas does, and adds one of them.

    The front end reads the library of nodes after the page is ready, and searches it only when the
    text changes. So this types the text again until the title is found.
    """
    box = page.locator("input:focus")
    found = page.get_by_role("option").filter(has_text=title).first
    for _ in range(20):
        if box.count():
            box.fill("")
            box.press_sequentially(text)
        else:
            page.mouse.dblclick(800, 800)
        page.wait_for_timeout(1000)
        if found.count():
            break
    found.click()


def press_run(page) -> dict:
    """Presses the Run button and waits for the run's end: {"id": ...} or {"error": ...}."""
    page.evaluate(RUN_ENDS)
    page.get_by_test_id("queue-button").first.click()
    return page.evaluate("() => window.ends")


def enter(page, *titles: str) -> None:
    """Opens the subgraph node with the first title, in it that with the second, and so on."""
    page.evaluate(ENTER, list(titles))
    page.wait_for_timeout(300)


def show(page, kind: str) -> None:
    """Scrolls to the first node of a class, at full size."""
    page.evaluate(SHOW, kind)
    page.wait_for_timeout(200)


def at(locator, x: float, y: float) -> tuple[float, float]:
    """Page coordinates of the point at the fractions (x, y) of an element that no longer moves."""
    box, before = locator.bounding_box(), None
    while box != before:
        locator.page.wait_for_timeout(50)
        box, before = locator.bounding_box(), box
    return box["x"] + x * box["width"], box["y"] + y * box["height"]
