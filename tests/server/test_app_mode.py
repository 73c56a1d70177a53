"""App mode of the newest front end: the main workflow as a form."""

import json

import pytest
from widgets import CANVAS, CAT, click_on, point, wait_for_objects

from amodal.app import workflow
from tools.host.browser import RUN_ENDS, drop, needs_browser, needs_newest, open_editor
from tools.workflows.drawings import APPS, WORKFLOWS, titles

pytestmark = [*needs_browser, needs_newest]
NAME = workflow.STICKERS.stem
QUICK = {"steps": 2, "k": 1, "max_passes": 1}
SET = """(values) => {
  for (const node of app.graph.nodes)
    for (const widget of node.widgets ?? []) {
      if (!(widget.name in values)) continue;
      widget.value = values[widget.name];
      widget.callback?.(widget.value);
    }
}"""
LABELS = ("Picture", "Object", "Names to search for", "Seed", "Steps", "Most passes")


@pytest.fixture
def page(chromium, running_newest):
    page = open_editor(chromium, running_newest.url)
    # The front end greets whoever opens a form for the first time.
    greeting = page.get_by_test_id("coach-landing-overlay")
    page.add_locator_handler(greeting, lambda: page.keyboard.press("Escape"))
    yield page
    page.close()


def opened(page, title: str) -> None:
    file = WORKFLOWS / f"{title}.json"
    nodes = json.loads(file.read_text())["nodes"]
    drop(page, file.name, "application/json", file.read_bytes(), len(nodes))


def test_the_main_workflow_opens_as_a_graph_one_click_away_from_its_form(page):
    opened(page, titles()[NAME])
    page.wait_for_timeout(1000)
    assert page.locator("#graph-canvas").is_visible()
    assert not page.get_by_text("Names to search for", exact=True).count()
    page.get_by_role("button", name="Enter app mode").click()
    for label in LABELS:
        page.get_by_text(label, exact=True).first.wait_for()
    page.locator(CANVAS).wait_for()


def test_the_form_completes_the_object_that_is_clicked(page):
    opened(page, APPS[NAME])
    for label in LABELS:
        page.get_by_text(label, exact=True).first.wait_for()
    page.locator(CANVAS).wait_for()  # the picture is there before anything has run
    page.locator(".amodal-picker:visible").get_by_text("Detect", exact=True).click()
    wait_for_objects(page)
    click_on(page, CAT)
    assert point(page) != ""
    page.evaluate(SET, QUICK)
    page.evaluate(RUN_ENDS)
    page.get_by_role("button", name="Run", exact=True).last.click()
    ends = page.evaluate("() => window.ends")
    assert "id" in ends, ends
    page.locator("img[src*='completed_']").first.wait_for()
