"""The shipped workflows among the host's templates: served, shown with their pictures, opened."""

import json
from urllib.parse import quote

import pytest
from PIL import Image

from amodal.app import workflow
from tools.host.browser import needs_browser, open_editor, plain, wait_until_unblocked
from tools.workflows.drawings import APPS, titles

FOLDER = workflow.FOLDER.parent
NAMES = sorted([*titles().values(), *APPS.values()])
PACK = "amodal_completion"
TITLE = titles()["sweep_steps"]
DRAWN = """([card, width, height]) => [...card.querySelectorAll("img")].some(
  (one) => one.complete && one.naturalWidth === width && one.naturalHeight === height)"""
LOADED = "(count) => app.graph.nodes.length === count"


def test_every_workflow_and_its_picture_are_served_as_a_template(client):
    assert sorted(client.get("/workflow_templates")[PACK]) == NAMES
    for name in NAMES:
        for kind in ("json", "jpg"):
            served = client.read(f"/api/workflow_templates/{PACK}/{quote(name)}.{kind}")
            assert served == (FOLDER / f"{name}.{kind}").read_bytes()


@pytest.mark.parametrize("name", APPS)
def test_a_form_is_read_as_its_workflow(client, name):
    schemas = client.get("/object_info")
    graph, form = (
        workflow.load(FOLDER / f"{title}.json", lambda: schemas)
        for title in (titles()[name], APPS[name])
    )
    assert form == graph


@pytest.mark.parametrize("title", [pytest.param(TITLE, marks=needs_browser)])
def test_a_template_shows_its_picture_and_opens(chromium, running, title):
    page = open_editor(chromium, running.url)
    page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    page.get_by_role("dialog").get_by_text(PACK, exact=True).first.click()
    card = page.get_by_test_id(f"template-workflow-{title}")
    card.scroll_into_view_if_needed()  # pictures are loaded when they are seen
    with Image.open(FOLDER / f"{title}.jpg") as picture:
        page.wait_for_function(DRAWN, arg=[card.element_handle(), *picture.size])
    card.click()
    file = json.loads((FOLDER / f"{title}.json").read_text())
    page.wait_for_function(LOADED, arg=len(file["nodes"]))
    wait_until_unblocked(page)
    opened = page.evaluate("async () => (await app.graphToPrompt()).output")
    api = json.loads((workflow.FOLDER / "sweep_steps.json").read_text())
    assert plain(opened) == plain(api)
    page.close()
