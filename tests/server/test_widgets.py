"""The pack's widgets in the real editor, by mouse: in the classic canvas and with Vue nodes, in the
host's own front end and in the newest."""

import json

import pytest
from browser import (
    SAVED,
    at,
    drop_prompt,
    drop_workflow,
    needs_browser,
    needs_newest,
    open_editor,
    press_run,
    show,
    wait_until_ready,
)
from graphs import growing, node, one_node, picking, selecting

from amodal.client import Client

pytestmark = needs_browser
# Places in the example picture as the picker shows it.
CAT, YARN, BACKGROUND = (0.5, 0.5), (0.5, 0.7), (0.25, 0.95)
FRAMES = ".amodal-film figure:visible"
STAGE = ".amodal-slider .stage:visible"
CANVAS = ".amodal-picker canvas:visible"
PROMPT = "async () => (await app.graphToPrompt()).output"


@pytest.fixture(
    params=[
        "classic", "vue", pytest.param("newest classic", marks=needs_newest),
        pytest.param("newest vue", marks=needs_newest),
    ]
)
def page(request, chromium):
    host = request.getfixturevalue("running_newest" if "newest" in request.param else "running")
    # or nodes that the test before this one ran are cached, and tell the widgets nothing
    Client(host.url).post("/free", {"free_memory": True})
    page = open_editor(chromium, host.url, vue="vue" in request.param)
    page.broken = []
    page.on("pageerror", lambda error: page.broken.append(str(error)))
    yield page
    ours = [error for error in page.broken if "amodal" in error.lower()]
    page.close()
    assert not ours


def words(page) -> str:
    return page.locator(".amodal-picker .words:visible").inner_text()


def point(page) -> str:
    return next(n for n in page.evaluate(PROMPT).values() if n["class_type"] == "AmodalPickObject")[
        "inputs"
    ]["point"]


def detect(page) -> None:
    show(page, "AmodalPickObject")
    page.locator(".amodal-picker:visible").get_by_text("Detect", exact=True).click()
    page.locator(CANVAS).wait_for()


def click_on(page, place) -> None:
    page.mouse.move(*at(page.locator(CANVAS), *place))
    page.mouse.click(*at(page.locator(CANVAS), *place))


def undo(page) -> None:
    page.mouse.click(1100, 800)  # the bare canvas takes the keys
    page.keyboard.press("Control+z")
    page.wait_for_timeout(800)


def to_another_tab_and_back(page) -> None:
    """Opens a second workflow, and the first one again by its tab."""
    tabs = page.locator(".workflow-tabs .p-togglebutton, [data-testid=workflow-tab]")
    here = tabs.count() - 1
    drop_prompt(page, {"1": node("PrimitiveInt", value=1)})
    assert not page.locator(".amodal-outer:visible").count()
    tabs.nth(here).click()
    page.wait_for_function("() => app.graph.nodes.length > 1")
    page.wait_for_timeout(500)


def reload(page) -> dict:
    """The page anew, with the same workflow, of which only the host's history knows more."""
    saved = page.evaluate(SAVED)
    page.on("dialog", lambda dialog: dialog.accept())  # leave, though something is not saved
    page.reload()
    wait_until_ready(page)
    return drop_workflow(page, saved)


def test_a_click_picks_the_object(page):
    drop_prompt(page, picking())
    detect(page)
    page.mouse.move(*at(page.locator(CANVAS), *BACKGROUND))
    assert words(page) == "click the object to complete"
    page.mouse.move(*at(page.locator(CANVAS), *CAT))
    assert words(page).startswith("cat 0.")
    assert point(page) == ""
    click_on(page, BACKGROUND)
    assert point(page) == ""
    click_on(page, CAT)
    x, y = (float(part) for part in point(page).split(","))
    assert abs(x - 0.5) < 0.02 and abs(y - 0.5) < 0.02
    history = page.evaluate(
        "async () => (await (await app.api.fetchApi('/history?max_items=1')).json())"
    )
    (run,) = history.values()
    assert [*run["outputs"]] == ["4.detect"]  # nothing behind it has run
    undo(page)
    assert point(page) == ""
    show(page, "AmodalPickObject")
    click_on(page, CAT)  # the node is a new one
    assert point(page) != ""
    assert "id" in press_run(page)
    page.locator(".amodal-picker:visible").get_by_text("Clear", exact=True).click()
    assert point(page) == ""


def occluders(page) -> str:
    return next(n for n in page.evaluate(PROMPT).values() if n["class_type"] == "AmodalPickObject")[
        "inputs"
    ]["occluders"]


def shift_click_on(page, place) -> None:
    page.keyboard.down("Shift")
    click_on(page, place)
    page.keyboard.up("Shift")


def colour_at(page, place) -> list[int]:
    """How many of 255 the canvas shows in red, green and blue there."""
    return page.locator(CANVAS).evaluate(
        """(canvas, [x, y]) => { const box = canvas.getBoundingClientRect();
          const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
          const at = (part, side, whole) => (part - 0.5) * side / scale + whole / 2;
          return [...canvas.getContext("2d").getImageData(at(x, box.width, canvas.width),
            at(y, box.height, canvas.height), 1, 1).data.slice(0, 3)]; }""",
        list(place),
    )


def test_shift_and_click_marks_an_occluder_by_hand(page):
    drop_prompt(page, picking())
    detect(page)
    click_on(page, CAT)
    chosen, plain = point(page), colour_at(page, YARN)
    shift_click_on(page, YARN)
    assert words(page).endswith("marked: hides it") and point(page) == chosen
    x, y = (float(part) for part in occluders(page).split(","))
    assert abs(x - YARN[0]) < 0.06 and abs(y - YARN[1]) < 0.02
    red = colour_at(page, YARN)
    assert red[0] > plain[0] + 30 and red[2] < plain[2] - 20
    shift_click_on(page, CAT)  # the object itself hides nothing of itself
    shift_click_on(page, BACKGROUND)
    assert occluders(page) == f"{x:.5f},{y:.5f}"
    assert "id" in press_run(page)
    reload(page)
    show(page, "AmodalPickObject")
    page.locator(CANVAS).wait_for()
    page.wait_for_timeout(500)
    assert occluders(page) == f"{x:.5f},{y:.5f}" and colour_at(page, YARN) == red
    shift_click_on(page, YARN)
    assert occluders(page) == f"not {x:.5f},{y:.5f}"
    assert words(page).endswith("marked: does not hide it")
    assert colour_at(page, YARN) not in (red, plain)
    shift_click_on(page, YARN)
    assert occluders(page) == "" and colour_at(page, YARN)[0] < red[0] - 20
    undo(page)
    assert occluders(page).startswith("not")
    show(page, "AmodalPickObject")
    click_on(page, YARN)  # what is completed is no occluder
    assert occluders(page) == "" and point(page) != chosen


def test_what_can_be_picked_is_still_there_later(page):
    drop_prompt(page, picking())
    detect(page)
    click_on(page, CAT)
    chosen = point(page)
    to_another_tab_and_back(page)
    show(page, "AmodalPickObject")
    page.mouse.move(*at(page.locator(CANVAS), *CAT))
    assert words(page).startswith("cat 0.") and point(page) == chosen
    reload(page)
    show(page, "AmodalPickObject")
    page.locator(CANVAS).wait_for()
    page.mouse.move(*at(page.locator(CANVAS), *CAT))
    assert words(page).startswith("cat 0.") and point(page) == chosen


def test_a_point_that_hits_nothing_does_not_hide_what_there_is(page):
    drop_prompt(page, picking(point="0.01,0.01"))
    detect(page)
    click_on(page, CAT)
    assert "id" in press_run(page)


def test_nothing_to_detect_with_is_said_in_the_node(page):
    prompt = picking()
    prompt["4"]["inputs"].pop("objects")
    drop_prompt(page, prompt)
    show(page, "AmodalPickObject")
    page.locator(".amodal-picker:visible").get_by_text("Detect", exact=True).click()
    page.locator(".amodal-picker .failed:visible").wait_for()
    assert "connect Detect Objects" in words(page)


def test_nothing_detected_is_said_in_the_node(page):
    prompt = picking()
    prompt["3"]["inputs"]["threshold"] = 1.0
    drop_prompt(page, prompt)
    show(page, "AmodalPickObject")
    page.locator(".amodal-picker:visible").get_by_text("Detect", exact=True).click()
    page.locator(".amodal-picker .failed:visible").wait_for()
    assert "nothing was detected" in words(page)


def test_the_film_grows_with_every_pass(page):
    drop_prompt(page, growing())
    show(page, "AmodalLoopEnd")
    page.evaluate("""() => { window.seen = [];
      app.api.addEventListener("amodal.pass", () => window.seen.push(
        document.querySelectorAll(".amodal-film figure").length)); }""")
    assert "id" in press_run(page)
    assert page.evaluate("() => window.seen") == [1, 2, 2]
    assert page.locator(FRAMES).all_inner_texts() == ["1\nenclosed by yarn", "2\nenclosed by yarn"]
    title = page.locator(FRAMES).first.get_attribute("title")
    assert title.startswith("pass 1: enclosed by yarn; mask changed")
    assert page.locator(".amodal-film .stage:visible").inner_text().startswith("completed")
    for later in (to_another_tab_and_back, change_and_undo, reload):
        later(page)
        show(page, "AmodalLoopEnd")
        page.locator(FRAMES).first.wait_for()
        assert page.locator(FRAMES).count() == 2
        loaded = "(all) => all.every((one) => one.complete && one.naturalWidth === 128)"
        page.wait_for_timeout(300)
        assert page.locator(f"{FRAMES} img").evaluate_all(loaded)


WATCH_BAR = """() => { window.bars = [];
  app.api.addEventListener("amodal.stage", () => setTimeout(() => {
    const bar = document.querySelector(".amodal-run:not([hidden])");
    if (bar) window.bars.push([bar.innerText, parseFloat(bar.querySelector(".fill").style.width)]);
  })); }"""


def test_the_one_node_shows_a_row_for_each_seed_and_one_bar_for_both(page):
    drop_prompt(page, one_node())
    show(page, "AmodalCompletion")
    page.evaluate(WATCH_BAR)
    ends = press_run(page)
    assert "id" in ends, ends
    bars = page.evaluate("() => window.bars")
    said = " | ".join(text for text, _ in bars)
    assert "pass 1 of at most 1: looking for what hides the object" in said
    assert "pass 1 of at most 1, step 1 of 4: the object on the swapped background" in said
    assert "pass 1 of at most 1, step 4 of 4: the object in the picture" in said
    parts = [part for _, part in bars]
    assert min(parts) < 30 and max(parts) > 90 and parts == sorted(parts)
    assert not page.locator(".amodal-run:visible").count()
    rows = page.locator(".amodal-film section:visible")
    assert rows.count() == 2
    for row in rows.all():
        assert row.locator("figure").first.inner_text().startswith("1\nhidden by yarn")
        assert row.locator(".stage").inner_text()


def test_cancel_stops_within_a_step_and_the_bar_says_where(page):
    drop_prompt(page, one_node(steps=50, k=20.0, count=1, seed=5))
    show(page, "AmodalCompletion")
    page.evaluate(WATCH_BAR)
    page.evaluate(CANCEL_AT, 6)
    page.get_by_test_id("queue-button").first.click()
    page.evaluate("() => window.cancelled")
    page.locator(".amodal-run.broken:visible").wait_for()
    said = page.locator(".amodal-run:visible").inner_text()
    assert said.startswith("cancelled in pass 1 of at most 1, step ")
    assert 6 <= int(said.split("step ")[1].split()[0]) <= 8
    assert said.endswith("of 50: the object on the swapped background")


CANCEL_AT = """(step) => { window.cancelled = new Promise((done) => {
  app.api.addEventListener("execution_interrupted", () => done(true));
  app.api.addEventListener("amodal.stage", ({ detail }) => {
    if (detail.step === step) app.extensionManager.command.execute("Comfy.Interrupt");
  });
}); }"""


def test_clusters_are_shown_with_their_numbers_and_overlaps(page):
    drop_prompt(page, selecting())
    show(page, "AmodalSelectClusters")
    assert "id" in press_run(page)
    page.locator(CANVAS).wait_for()
    assert words(page) == "kept 0 of 2"
    page.mouse.move(*at(page.locator(CANVAS), 0.5, 0.5))
    assert words(page) == "cluster 0: 100 % of the visible object, kept"
    page.mouse.move(*at(page.locator(CANVAS), 0.25, 0.05))
    assert words(page) == "cluster 1: 0 % of the visible object"
    reload(page)
    show(page, "AmodalSelectClusters")
    page.locator(CANVAS).wait_for()
    assert words(page) == "kept 0 of 2"


def change_and_undo(page) -> None:
    show(page, "AmodalLoopEnd")
    page.evaluate("""() => {
      app.graph.nodes.find((one) => one.comfyClass === "AmodalLoopEnd").widgets[0].value = 9;
      app.extensionManager.workflow.activeWorkflow.changeTracker.checkState();
    }""")
    undo(page)
    assert "9" not in {str(n["inputs"].get("max_passes")) for n in page.evaluate(PROMPT).values()}


def test_the_slider_is_dragged_and_shows_mask_and_alpha(page):
    drop_prompt(page, growing())
    assert "id" in press_run(page)
    show(page, "AmodalTrimAndOverlay")
    before = node_place(page)
    drag(page, 0.5, 0.2)
    assert abs(float(page.locator(STAGE).get_attribute("data-cut")) - 0.2) < 0.02
    drag(page, 0.2, 1.5)
    assert float(page.locator(STAGE).get_attribute("data-cut")) == 1
    assert node_place(page) == before
    slider = page.locator(".amodal-slider:visible")
    for button, picture in (("Mask", ".mask"), ("Alpha", ".object")):
        assert not slider.locator(picture).is_visible()
        slider.get_by_text(button, exact=True).click()
        assert slider.locator(picture).evaluate("(one) => !one.hidden && one.naturalWidth") == 128
        slider.get_by_text(button, exact=True).click()
        assert not slider.locator(picture).is_visible()
    for later in (to_another_tab_and_back, change_and_undo, reload):
        later(page)
        show(page, "AmodalTrimAndOverlay")
        page.locator(STAGE).wait_for()
        drag(page, 0.5, 0.7)
        assert abs(float(page.locator(STAGE).get_attribute("data-cut")) - 0.7) < 0.02


def node_place(page) -> list:
    return page.evaluate(
        "() => [...app.graph.nodes.find((n) => n.comfyClass === 'AmodalTrimAndOverlay').pos]"
    )


def drag(page, start: float, end: float) -> None:
    stage = page.locator(STAGE)
    page.mouse.move(*at(stage, start, 0.5))
    page.mouse.down()
    page.mouse.move(*at(stage, (start + end) / 2, 0.4))
    page.mouse.move(*at(stage, end, 0.3))
    page.mouse.up()


def test_nothing_of_the_widgets_is_saved_or_sent(page):
    prompt = growing()
    assert page_inputs(drop_prompt(page, prompt)) == page_inputs(prompt)
    saved = page.evaluate(SAVED)
    values = {one["type"]: one.get("widgets_values") for one in saved["nodes"]}
    assert values["AmodalLoopEnd"] == [6] and values["AmodalTrimAndOverlay"] == [1.5]
    assert "amodal_film" not in json.dumps(saved)


def page_inputs(prompt: dict) -> dict:
    return {key: (one["class_type"], {k: v for k, v in one["inputs"].items() if k != "preview"})
            for key, one in prompt.items()}


def test_a_saved_workflow_opens_without_the_packs_javascript(page):
    prompt = drop_prompt(page, picking())
    detect(page)
    click_on(page, CAT)
    prompt, saved = page.evaluate(PROMPT), page.evaluate(SAVED)
    page.route("**/extensions/amodal_completion/*.js", lambda route: route.abort())
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    wait_until_ready(page)
    assert page_inputs(drop_workflow(page, saved)) == page_inputs(prompt)
    assert not page.locator(".amodal-outer").count()
    assert "id" in press_run(page)
