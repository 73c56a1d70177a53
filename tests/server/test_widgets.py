"""What holds for all of the pack's widgets: nothing of them is saved, and none is needed."""

import json

from graphs import growing, picking
from widgets import CAT, PROMPT, click_on, detect

from tools.host.browser import (
    SAVED,
    drop_prompt,
    drop_workflow,
    needs_browser,
    plain,
    press_run,
    wait_until_ready,
)

pytestmark = needs_browser


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
