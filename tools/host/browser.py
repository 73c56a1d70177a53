"""The host's editor in a real browser: opening it in one of its modes, dropping files, running."""

from __future__ import annotations

import base64
import json
import os
import shutil
import uuid

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
NEWEST = os.environ.get("AMODAL_FRONTEND")  # the folder `static` of another front end's package
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
    "Comfy.Minimap.Visible": False,  # it lies over the canvas
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
# Without what is undefined, which would become null on the way here and make the file invalid.
SAVED = "() => JSON.parse(JSON.stringify(app.graph.serialize()))"
SHOW = """(kind) => {
  const node = app.graph.nodes.find((one) => one.comfyClass === kind);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [400 - node.pos[0], 120 - node.pos[1]];
  app.canvas.setDirty(true, true);
}"""

needs_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ,
        reason="no Chromium: install it (Debian: apt-get install chromium) to run browser tests",
    ),
]
needs_newest = pytest.mark.skipif(
    not NEWEST,
    reason="no second front end: pip install --no-deps --target DIR "
    "comfyui-frontend-package==1.58.1, and set AMODAL_FRONTEND to "
    "DIR/comfyui_frontend_package/static",
)


def open_editor(chromium, url: str, vue: bool = False, language: str = "en"):
    """A page with the editor, in the classic canvas or with Vue nodes, the pack's nodes loaded."""
    page = chromium.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(15000)
    chosen = {"Comfy.VueNodes.Enabled": vue, "Comfy.Locale": language}
    for name, value in {**SETTINGS, **chosen}.items():
        page.request.post(f"{url}/settings/{name}", data=json.dumps(value))
    page.goto(url)
    wait_until_ready(page)
    assert page.evaluate("() => Boolean(LiteGraph.vueNodesMode)") == vue
    return page


def wait_until_ready(page) -> None:
    page.wait_for_function(
        "window.LiteGraph?.registered_node_types?.AmodalLoopEnd && window.app?.graph"
    )


def wait_until_unblocked(page) -> None:
    """The front end covers the page while it loads, and lets the cover fade out. Whoever has it
    load something else meanwhile, as only a program can, leaves a cover that never goes away."""
    page.wait_for_function("() => !document.querySelector('.p-blockui-mask')")


def drop(page, name: str, kind: str, content: bytes, nodes: int) -> dict:
    """Drops a file on the canvas; the prompt that the front end makes of what it opens."""
    wait_until_unblocked(page)
    page.evaluate("() => { window.before = app.graph.nodes[0]; }")
    page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])
    page.wait_for_function(
        "(n) => app.graph.nodes.length === n && app.graph.nodes[0] !== window.before", arg=nodes
    )
    wait_until_unblocked(page)
    return page.evaluate("async () => (await app.graphToPrompt()).output")


def drop_prompt(page, prompt: dict) -> dict:
    """Opens a prompt in API format as a workflow, every node in a place of its own."""
    drop(page, "prompt.json", "application/json", json.dumps(prompt).encode(), len(prompt))
    workflow = {**page.evaluate(SAVED), "id": str(uuid.uuid4())}
    for number, node in enumerate(workflow["nodes"]):
        node["pos"] = [number * 450, 0]
    return drop_workflow(page, workflow)


def drop_workflow(page, workflow: dict) -> dict:
    """`drop` of what the editor saves."""
    content = json.dumps(workflow).encode()
    return drop(page, "workflow.json", "application/json", content, len(workflow["nodes"]))


def plain(prompt: dict) -> dict:
    """Classes and inputs by node id, less what the front end's own preview widgets add."""
    return {
        i: (node["class_type"], {k: v for k, v in node["inputs"].items() if k != "preview"})
        for i, node in prompt.items()
    }


def press_run(page) -> dict:
    """Presses the Run button and waits for the run's end: {"id": ...} or {"error": ...}."""
    page.evaluate(RUN_ENDS)
    page.get_by_test_id("queue-button").first.click()
    return page.evaluate("() => window.ends")


def show(page, kind: str) -> None:
    """Brings the first node of a class into view, at full size."""
    page.evaluate(SHOW, kind)
    page.wait_for_timeout(200)


def at(locator, x: float, y: float) -> tuple[float, float]:
    """A point of the page, at fractions of an element."""
    box = locator.bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]
