"""Pick Object and Select Clusters: what lights up under the pointer, and what a click writes."""

from graphs import picking, selecting
from widgets import (
    BACKGROUND,
    CANVAS,
    CAT,
    YARN,
    click_on,
    detect,
    picked,
    point,
    reload,
    to_another_tab_and_back,
    undo,
    until,
    wait_for_objects,
    words,
)

from tools.host.browser import at, drop_prompt, needs_browser, press_run, show

pytestmark = needs_browser


def test_a_click_picks_the_object(page):
    drop_prompt(page, picking())
    detect(page)
    page.mouse.move(*at(page.locator(CANVAS), *BACKGROUND))
    assert words(page).startswith("background: ")
    page.mouse.move(*at(page.locator(CANVAS), *CAT))
    assert words(page).startswith("cat 0.")
    assert point(page) == ""
    click_on(page, BACKGROUND)
    assert point(page) == "" and words(page).startswith("background: ")
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
    wait_for_objects(page)
    click_on(page, CAT)  # the node is a new one
    assert point(page) != ""
    assert "id" in press_run(page)
    page.locator(".amodal-picker:visible").get_by_text("Clear", exact=True).click()
    assert point(page) == ""


def occluder_hints(page) -> str:
    return picked(page, "occluder_hints")


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
    x, y = (float(part) for part in occluder_hints(page).split(","))
    assert abs(x - YARN[0]) < 0.06 and abs(y - YARN[1]) < 0.02
    red = colour_at(page, YARN)
    assert red[0] > plain[0] + 30 and red[2] < plain[2] - 20
    shift_click_on(page, CAT)  # the object itself hides nothing of itself
    shift_click_on(page, BACKGROUND)
    assert occluder_hints(page) == f"{x:.5f},{y:.5f}"
    assert "id" in press_run(page)
    reload(page)
    show(page, "AmodalPickObject")
    wait_for_objects(page)
    until(page, lambda: colour_at(page, YARN) == red)
    assert occluder_hints(page) == f"{x:.5f},{y:.5f}"
    shift_click_on(page, YARN)
    assert occluder_hints(page) == f"not {x:.5f},{y:.5f}"
    assert words(page).endswith("marked: does not hide it")
    assert colour_at(page, YARN) not in (red, plain)
    shift_click_on(page, YARN)
    assert occluder_hints(page) == "" and colour_at(page, YARN)[0] < red[0] - 20
    undo(page)
    assert occluder_hints(page).startswith("not")
    show(page, "AmodalPickObject")
    wait_for_objects(page)
    click_on(page, YARN)  # what is completed is no occluder
    assert occluder_hints(page) == "" and point(page) != chosen


def test_what_can_be_picked_is_still_there_later(page):
    drop_prompt(page, picking())
    detect(page)
    click_on(page, CAT)
    chosen = point(page)
    to_another_tab_and_back(page)
    show(page, "AmodalPickObject")
    wait_for_objects(page)
    page.mouse.move(*at(page.locator(CANVAS), *CAT))
    assert words(page).startswith("cat 0.") and point(page) == chosen
    reload(page)
    show(page, "AmodalPickObject")
    wait_for_objects(page)
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


def test_clusters_are_shown_with_their_numbers_and_overlaps(page):
    drop_prompt(page, selecting())
    show(page, "AmodalSelectClusters")
    assert "id" in press_run(page)
    page.locator(CANVAS).wait_for()
    assert words(page) == "kept 0 of 2"
    page.mouse.move(*at(page.locator(CANVAS), 0.5, 0.5))
    assert words(page) == "cluster 0: 100 % of the modal mask, kept"
    page.mouse.move(*at(page.locator(CANVAS), 0.25, 0.05))
    assert words(page) == "cluster 1: 0 % of the modal mask"
    reload(page)
    show(page, "AmodalSelectClusters")
    page.locator(CANVAS).wait_for()
    assert words(page) == "kept 0 of 2"
