"""The shipped workflow and its results in the real front end, in a real browser."""

import base64
import io
import json
import os
import shutil

import pytest
from PIL import Image

from amodal import headless, workflow

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
SHIPPED = workflow.FOLDER.parent / workflow.DEFAULT.name
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.InstalledVersion": "1.32.9",
    "Comfy.Workflow.Persist": False,
}
DROP = """async ([name, type, coded]) => {
  const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  const canvas = document.querySelector("#graph-canvas");
  for (const kind of ["dragover", "drop"])
    canvas.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true }));
}"""
RUN_ENDS = """() => new Promise((done) => {
  app.api.addEventListener("execution_success", (e) => done({ id: e.detail.prompt_id }));
  app.api.addEventListener("execution_error", (e) => done({ error: e.detail }));
})"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ,
        reason="no Chromium: install it (Debian: apt-get install chromium) to run browser tests",
    ),
]


@pytest.fixture(scope="module")
def browser():
    if "CI" not in os.environ:  # there a missing package is a failure
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, running):
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    for name, value in SETTINGS.items():
        page.request.post(f"{running.url}/settings/{name}", data=json.dumps(value))
    page.goto(running.url)
    page.wait_for_function("window.LiteGraph?.registered_node_types?.AmodalLoopEnd && app.graph")
    yield page
    page.close()


def drop(page, name: str, kind: str, content: bytes, nodes: int) -> dict:
    """Drops a file on the canvas; the prompt that the front end makes of what it opens."""
    page.evaluate("() => app.graph.clear()")
    page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])
    page.wait_for_function("(n) => app.graph.nodes.length === n", arg=nodes)
    return page.evaluate("async () => (await app.graphToPrompt()).output")


def press_run(page) -> None:
    """The Run button; where a dialog of the front end lies over it, what the button calls."""
    from playwright.sync_api import TimeoutError as Covered

    try:
        page.get_by_test_id("queue-button").first.click(timeout=8000)
    except Covered:
        page.evaluate("() => { app.queuePrompt(0); }")


def plain(prompt: dict) -> dict:
    """Classes and inputs by node id, less what the front end's own preview widgets add."""
    return {
        i: (node["class_type"], {k: v for k, v in node["inputs"].items() if k != "preview"})
        for i, node in prompt.items()
    }


def test_a_dropped_workflow_runs_and_its_saved_picture_opens_it_again(page, client):
    saved = json.loads(SHIPPED.read_text())
    opened = drop(
        page, SHIPPED.name, "application/json", SHIPPED.read_bytes(), len(saved["nodes"])
    )
    assert plain(opened) == plain(json.loads(workflow.DEFAULT.read_text()))
    page.evaluate(f"() => {{ window.ends = ({RUN_ENDS})(); }}")
    press_run(page)
    ends = page.evaluate("() => window.ends")
    assert "id" in ends, ends
    outputs = client.get(f"/history/{ends['id']}")[ends["id"]]["outputs"]
    shown = outputs[workflow.need(json.loads(workflow.DEFAULT.read_text()), "Completed object")]
    address = "/view?" + "&".join(f"{key}={value}" for key, value in shown["images"][-1].items())
    picture = page.request.get(page.url.rstrip("/") + address).body()
    assert Image.open(io.BytesIO(picture)).mode == "RGBA"
    again = drop(page, "completed.png", "image/png", picture, len(saved["nodes"]))
    assert plain(again) == plain(opened)


def test_a_picture_from_the_command_line_opens_its_graph(page, client, picture, mask, tmp_path):
    names = client.upload(picture), client.upload(mask)
    prompt = workflow.fill(workflow.load(workflow.DEFAULT, dict), names[0], mask=names[1], seed=3)
    done = headless.complete(client, prompt, tmp_path, {})
    content = done.files["completed.png"].read_bytes()
    opened = drop(page, "completed.png", "image/png", content, len(prompt))
    assert plain(opened) == plain(prompt)
