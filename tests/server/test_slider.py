"""Trim And Overlay: before and after under a line to drag."""

from graphs import growing
from widgets import change_and_undo, reload, to_another_tab_and_back, widths

from tools.host.browser import at, drop_prompt, needs_browser, press_run, show

pytestmark = needs_browser
STAGE = ".amodal-slider .stage:visible"


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
        assert slider.locator(picture).is_visible() and widths(slider.locator(picture)) == [128]
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
