"""The shipped workflow and its results in the real front end, in a real browser."""

import io
import json

import pytest
from PIL import Image

from amodal.app import headless, workflow
from tools.host.browser import drop, needs_browser, open_editor, plain, press_run
from tools.workflows.drawings import editor_file

SHIPPED = editor_file(workflow.STICKERS.stem)

pytestmark = needs_browser


@pytest.fixture
def page(chromium, running):
    page = open_editor(chromium, running.url)
    yield page
    page.close()


def test_a_dropped_workflow_runs_and_its_saved_picture_opens_it_again(page, client):
    saved = json.loads(SHIPPED.read_text())
    opened = drop(page, SHIPPED.name, "application/json", SHIPPED.read_bytes(), len(saved["nodes"]))
    assert plain(opened) == plain(json.loads(workflow.STICKERS.read_text()))
    ends = press_run(page)
    assert "id" in ends, ends
    outputs = client.get(f"/history/{ends['id']}")[ends["id"]]["outputs"]
    shown = outputs[workflow.need(json.loads(workflow.STICKERS.read_text()), "Completed object")]
    address = "/view?" + "&".join(f"{key}={value}" for key, value in shown["images"][-1].items())
    picture = page.request.get(page.url.rstrip("/") + address).body()
    assert Image.open(io.BytesIO(picture)).mode == "RGBA"
    again = drop(page, "completed.png", "image/png", picture, len(saved["nodes"]))
    assert plain(again) == plain(opened)


def test_a_picture_from_the_command_line_opens_its_graph(page, client, picture, mask, tmp_path):
    names = client.upload(picture), client.upload(mask)
    prompt = workflow.fill(workflow.load(workflow.STICKERS, dict), names[0], mask=names[1], seed=3)
    done = headless.complete(client, prompt, tmp_path, {})
    content = done.files["completed.png"].read_bytes()
    opened = drop(page, "completed.png", "image/png", content, len(prompt))
    assert plain(opened) == plain(prompt)
