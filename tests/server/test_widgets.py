"""What holds for all of the pack's widgets: nothing of them is saved, and none is needed."""

import json

import pytest
from graphs import growing, one_node, picking
from widgets import CAT, PROMPT, click_on, detect, reload

from amodal.app.client import Client
from tools.host.browser import (
    SAVED,
    drop_prompt,
    drop_workflow,
    needs_browser,
    plain,
    press_run,
    show,
    wait_until_ready,
)

pytestmark = needs_browser
FIXED = """() => {
  for (const { widgets } of app.graph.nodes)
    for (const widget of widgets ?? [])
      if (widget.name === "control_after_generate") widget.value = "fixed";
}"""
COUNT = """() => { window.ran = [];
  app.api.addEventListener("executing", ({ detail }) =>
    window.ran.push(app.graph.getNodeById(detail)?.comfyClass)); }"""


def test_nothing_of_the_widgets_is_saved_or_sent(page):
    prompt = growing()
    assert plain(drop_prompt(page, prompt)) == plain(prompt)
    saved = page.evaluate(SAVED)
    values = {one["type"]: one.get("widgets_values") for one in saved["nodes"]}
    assert values["AmodalLoopEnd"] == [6] and values["AmodalTrimAndOverlay"] == [1.5, 0.002]
    assert "amodal_film" not in json.dumps(saved)


def test_a_saved_workflow_opens_without_the_packs_javascript(page):
    prompt = drop_prompt(page, picking())
    detect(page)
    click_on(page, CAT)
    prompt, saved = page.evaluate(PROMPT), page.evaluate(SAVED)
    page.route("**/extensions/amodal_completion/*.js", lambda route: route.abort())
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    wait_until_ready(page)
    assert plain(drop_workflow(page, saved)) == plain(prompt)
    assert not page.locator(".amodal-outer").count()
    assert "id" in press_run(page)


@pytest.fixture(scope="module")
def resending(running):
    """Skips the test on a host that does not send what cached nodes show."""
    info = Client(running.url).get("/object_info/AmodalLoopEnd")["AmodalLoopEnd"]
    if not info.get("has_intermediate_output"):
        pytest.skip("needs a newer ComfyUI (0.19); AMODAL_COMFYUI may name one")


@pytest.mark.parametrize(
    "prompt, kind, rows",
    [(growing(), "AmodalLoopEnd", 1), (one_node(), "AmodalCompletion", 2)],
    ids=["loop", "one node"],
)
def test_a_cached_run_fills_the_widgets(resending, page, prompt, kind, rows):
    drop_prompt(page, prompt)
    page.evaluate(FIXED)
    press_run(page)
    page.route("**/history?max_items=*", lambda route: route.fulfill(json={}))
    reload(page)
    show(page, kind)
    assert not page.locator(".amodal-film figure").count()
    page.evaluate(COUNT)
    press_run(page)
    page.locator(".amodal-film figure:visible").nth(1).wait_for()
    assert kind not in page.evaluate("() => window.ran")
    assert page.locator(".amodal-film section:visible").count() == rows
    assert page.locator(".amodal-film .stage.done:visible").count() == rows
    if kind == "AmodalLoopEnd":
        show(page, "AmodalTrimAndOverlay")
        assert page.locator(".amodal-slider .stage:visible").count() == 1
    else:
        assert page.get_by_text("Compare 2 completions").is_visible()
