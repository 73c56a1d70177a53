"""Every shipped workflow in the real front end: dropped, drawn, run by the Run button, saved."""

import json

import pytest

from amodal.app import workflow
from tools.host import browser
from tools.workflows.drawings import editor_file, titles

NAMES = list(titles())
NOTE = "MarkdownNote"
NEEDS_WEIGHTS = {  # files of several GB that are no part of the pack
    *("amodal_completion", "photograph_flux_fill_sam3", "photograph_sdxl"),
    *("photograph_by_instruction", "novel_view"),
}
BOXES = """() => app.graph.nodes.map((node) => ({
  title: node.title, at: [...node.pos], size: [...node.size],
}))"""

pytestmark = [
    *browser.needs_browser,
    pytest.mark.parametrize("name", NAMES),
]


@pytest.fixture
def page(chromium, running):
    page = browser.open_editor(chromium, running.url)
    yield page
    page.close()


def opened(page, name) -> dict:
    file = editor_file(name)
    nodes = json.loads(file.read_text())["nodes"]
    return browser.drop(page, file.name, "application/json", file.read_bytes(), len(nodes))


def test_it_opens_as_its_api_form_and_saves_back_unchanged(page, client, name):
    api = json.loads((workflow.FOLDER / f"{name}.json").read_text())
    prompt = opened(page, name)
    read = workflow.load(editor_file(name), lambda: client.get("/object_info"))
    assert {i: n["class_type"] for i, n in read.items()} == {
        i: n["class_type"] for i, n in prompt.items()
    }
    assert browser.plain(read) == browser.plain(prompt)
    assert browser.plain(prompt) == browser.plain(api)
    saved = page.evaluate(browser.SAVED)
    assert browser.plain(browser.drop_workflow(page, saved)) == browser.plain(api)
    notes = [node for node in saved["nodes"] if node["type"] == NOTE]
    assert notes and all(node["widgets_values"][0] for node in notes)


def assert_apart(page) -> None:
    """No two nodes overlap as the editor draws them, title bars included."""
    boxes = [
        (
            one["title"],
            one["at"][0],
            one["at"][1] - 30,
            one["at"][0] + one["size"][0],
            one["at"][1] + one["size"][1],
        )
        for one in page.evaluate(BOXES)
    ]
    for number, (title, left, top, right, bottom) in enumerate(boxes):
        for other, x0, y0, x1, y1 in boxes[number + 1 :]:
            apart = right <= x0 or x1 <= left or bottom <= y0 or y1 <= top
            assert apart, (title, other)


def test_the_run_button_runs_it_and_what_it_shows_has_room(page, name):
    opened(page, name)
    assert_apart(page)
    if name in NEEDS_WEIGHTS:
        pytest.skip("its models come from elsewhere; tests/nodes/ runs its graph")
    ends = browser.press_run(page)
    assert "id" in ends, ends
    page.wait_for_timeout(1500)
    assert_apart(page)
