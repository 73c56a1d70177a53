"""The widgets for those who use the keyboard, a screen reader, or either theme."""

import pytest
from graphs import growing, one_node, picking, selecting
from widgets import CONTRASTS, detect

from tools.host.browser import drop_prompt, needs_browser, press_run, show

pytestmark = needs_browser
EDITORS = ("classic", "newest vue")  # the oldest and the newest way to draw nodes
LEAST = 4.5  # the contrast of text that WCAG 2.1 asks for
THEME = """(name) => app.extensionManager.setting.set("Comfy.ColorPalette", name)"""
BAR = """(broken) => {
  const bar = document.querySelector(".amodal-run");
  bar.hidden = false;
  bar.classList.toggle("broken", broken);
  bar.querySelector(".fill").style.width = "50%";
  bar.querySelector(".words").textContent = "pass 1 of at most 6, step 3 of 50: the object in it";
}"""


@pytest.fixture(params=["dark", "light"])
def themed(request, page):
    page.evaluate(THEME, request.param)
    yield page
    page.evaluate(THEME, "dark")


WIDGETS = {
    "AmodalLoopEnd": ".amodal-film",
    "AmodalTrimAndOverlay": ".amodal-slider",
    "AmodalPickObject": ".amodal-picker",
}


def weak(page, kind: str) -> dict:
    """The texts of a node's widget, or of a dialog, that have too little contrast; there are some
    texts."""
    if kind in WIDGETS:
        show(page, kind)
        page.wait_for_timeout(300)
    found = page.evaluate(CONTRASTS, WIDGETS.get(kind, kind))
    assert found
    return {text: ratio for text, ratio in found.items() if ratio < LEAST}


def test_every_text_stands_out_in_both_themes(themed):
    page = themed
    drop_prompt(page, growing())
    assert not weak(page, "AmodalLoopEnd") | weak(page, "AmodalTrimAndOverlay")  # hints
    for passes, end in ((6, "done"), (1, "stopped")):
        page.evaluate(
            "(n) => { app.graph.nodes.find((one) => one.comfyClass === 'AmodalLoopEnd')"
            ".widgets[0].value = n; }",
            passes,
        )
        press_run(page)
        show(page, "AmodalLoopEnd")
        page.locator(f".amodal-film .stage.{end}:visible").wait_for()
        for broken in (False, True):
            page.evaluate(BAR, broken)
            assert not weak(page, "AmodalLoopEnd")
    page.get_by_role("button", name="Mask").click()
    assert not weak(page, "AmodalTrimAndOverlay")
    show(page, "AmodalLoopEnd")
    page.locator(".amodal-film figure button:visible").first.click()
    assert not weak(page, ".amodal-dialog")
    page.keyboard.press("Escape")
    drop_prompt(page, picking())
    detect(page)
    assert not weak(page, "AmodalPickObject")
    page.evaluate("() => document.querySelector('.amodal-bar .words').classList.add('failed')")
    assert not weak(page, "AmodalPickObject")


def test_the_slider_moves_by_keys_and_says_where_it_is(page):
    drop_prompt(page, growing())
    press_run(page)
    show(page, "AmodalTrimAndOverlay")
    slider = page.get_by_role("slider", name="before and after")
    slider.focus()
    told = {"ArrowRight": 55, "ArrowLeft": 50, "PageUp": 70, "Home": 0, "End": 100}
    for key, wanted in told.items():
        page.keyboard.press(key)
        assert slider.get_attribute("aria-valuenow") == str(wanted)
        assert abs(float(slider.get_attribute("data-cut")) - wanted / 100) < 0.01
    assert slider.get_attribute("aria-valuetext") == "100 % before"
    mask = page.get_by_role("button", name="Mask")
    mask.focus()
    page.keyboard.press("Space")
    assert mask.get_attribute("aria-pressed") == "true"
    names = page.locator(".amodal-slider:visible img:visible").evaluate_all(
        "(all) => all.map(({ alt }) => alt)"
    )
    assert names == ["the picture", "the picture with the whole object in front", "its amodal mask"]


def test_the_film_has_names_and_the_arrow_keys_go_through_it(page):
    drop_prompt(page, growing())
    press_run(page)
    show(page, "AmodalLoopEnd")
    film = page.get_by_role("group", name="passes of the loop")
    tiles = film.get_by_role("button")
    assert [tile.get_attribute("aria-label") for tile in tiles.all()] == [
        "pass 1: enclosed by its occluders",
        "pass 2: enclosed by its occluders",
    ]
    assert film.get_by_role("region").get_attribute("aria-label").startswith("completed")
    focused = "(tile) => tile === document.activeElement"
    tiles.first.focus()
    for key, at in (("ArrowRight", 1), ("ArrowRight", 1), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        assert tiles.nth(at).evaluate(focused)
    page.evaluate(BAR, False)
    assert film.get_by_role("progressbar").is_visible()


def test_clusters_are_told_one_by_one_with_the_arrow_keys(page):
    drop_prompt(page, selecting())
    press_run(page)
    show(page, "AmodalSelectClusters")
    canvas = page.locator(".amodal-picker canvas:visible")
    canvas.focus()
    words = page.locator(".amodal-picker:visible").get_by_role("status")
    told = [words.inner_text()]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        told.append(words.inner_text())
        assert canvas.get_attribute("aria-label") == f"clusters over the picture; {told[-1]}"
    assert told == [
        "kept 0 of 2",
        "cluster 0: 100 % of the modal mask, kept",
        "cluster 1: 0 % of the modal mask",
        "kept 0 of 2",
    ]


def test_a_help_page_fits_a_narrow_panel(page):
    drop_prompt(page, one_node())
    show(page, "AmodalCompletion")
    page.evaluate("""() => app.canvas.selectNode(
      app.graph.nodes.find(({ comfyClass }) => comfyClass === "AmodalCompletion"))""")
    page.get_by_test_id("info-button").first.dispatch_event("click")
    page.get_by_text("Number of completions").wait_for()
    panel = page.locator(".node-help-content")
    panel.evaluate("(panel) => (panel.style.width = '290px')")
    assert panel.evaluate("(panel) => panel.scrollWidth <= 290")
