"""A bound drawn by hand on Pick Object and Amodal Completion, with mouse and touch."""

import io

import numpy as np
from graphs import node, picking, whole
from PIL import Image
from widgets import (
    CANVAS,
    CAT,
    PROMPT,
    click_on,
    detect,
    draw_around,
    in_picture,
    picked,
    point,
    reload,
    to_another_tab_and_back,
    undo,
    wait_for_objects,
    words,
)

from tools.host.browser import drop_prompt, needs_browser, press_run, show

pytestmark = needs_browser
EDITORS = ("classic", "newest vue")  # the oldest and the newest way to draw nodes
BOX = ((0.2, 0.3), (0.8, 0.3), (0.8, 0.7), (0.2, 0.7))
LIGHT = """(canvas, [x, y]) => canvas.getContext("2d").getImageData(
  x * canvas.width, y * canvas.height, 1, 1).data.slice(0, 3).reduce((a, b) => a + b)"""

WRONG = """() => {
  const node = app.graph.nodes.find(({ comfyClass }) => comfyClass === "AmodalCompletion");
  node.widgets.find(({ name }) => name === "drawn_bound").value = '[{"x": 0.1}]';
}"""


def bound(page) -> list[list[float]]:
    """The points of the drawn bound as the editor would send them."""
    return [[float(part) for part in place.split(",")]
            for place in picked(page, "drawn_bound").split("; ") if place]  # fmt: skip


def surrounds(points: list[list[float]], box) -> bool:
    """Are they an outline of a box (corners in order) to within 2 % of the picture?"""
    ends = np.array(points)
    return len(points) >= 12 and np.allclose(
        [ends.min(axis=0), ends.max(axis=0)], [box[0], box[2]], atol=0.02
    )


def light(page, *place) -> int:
    return page.locator(CANVAS).evaluate(LIGHT, list(place))


def touch_around(page, *corners) -> None:
    """Moves a finger around places of the picture."""
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, *places) -> None:
        points = [dict(zip("xy", in_picture(page.locator(CANVAS), *place))) for place in places]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", corners[0])
    for start, end in zip(corners, [*corners[1:], corners[0]]):
        for part in (0.25, 0.5, 0.75, 1.0):
            touch("touchMove", [a + part * (b - a) for a, b in zip(start, end)])
    touch("touchEnd")


def test_a_drag_draws_a_bound_that_lasts(page):
    drop_prompt(page, {**picking(), "6": node("MaskPreview", mask=["4", 5])})
    show(page, "AmodalPickObject")
    page.locator(CANVAS).wait_for()
    before = light(page, 0.1, 0.9), light(page, 0.7, 0.6)
    canvas_box = page.locator(CANVAS).bounding_box()
    draw_around(page, *BOX, release=False)
    assert words(page).startswith("drag around") and bound(page) == []
    assert page.locator(CANVAS).bounding_box() == canvas_box  # it does not move under the pointer
    page.mouse.up()
    assert surrounds(bound(page), BOX), bound(page)
    assert light(page, 0.1, 0.9) < 0.7 * before[0] and light(page, 0.7, 0.6) == before[1]
    detect(page)
    click_on(page, CAT)  # the mode has ended
    assert point(page) != "" and surrounds(bound(page), BOX)
    assert "id" in press_run(page)
    drawn = picked(page, "drawn_bound")
    to_another_tab_and_back(page)
    assert picked(page, "drawn_bound") == drawn
    reload(page)
    assert picked(page, "drawn_bound") == drawn
    show(page, "AmodalPickObject")
    wait_for_objects(page)
    draw_around(page, (0.5, 0.5), (1.4, 0.5), (1.4, 0.9), (0.5, 0.9))  # over the border
    assert surrounds(bound(page), ((0.5, 0.5), (1, 0.5), (1, 0.9), (0.5, 0.9)))
    undo(page)
    assert picked(page, "drawn_bound") == drawn


def test_it_is_drawn_by_touch_and_removed_by_a_click_by_keyboard_and_by_clear(page):
    drop_prompt(page, picking(drawn_bound="0.2,0.3; 0.8,0.3; 0.8,0.7"))
    show(page, "AmodalPickObject")
    page.locator(CANVAS).wait_for()
    assert "a bound is drawn; connect upper_bound" in words(page)  # nothing takes it here
    canvas, drawer = page.locator(CANVAS), page.locator(".amodal-picker:visible")
    button = drawer.get_by_text("Draw bound", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    canvas.focus()
    page.keyboard.press("Escape")  # ends the mode, and nothing else
    assert button.get_attribute("aria-pressed") == "false" and len(bound(page)) == 3
    page.keyboard.press("Delete")
    assert bound(page) == [] and "bound is drawn" not in words(page)
    assert page.evaluate("() => app.graph.nodes.length") == 5
    button.click()
    view = page.evaluate("app.canvas.ds.offset")
    touch_around(page, *BOX)
    assert surrounds(bound(page), BOX) and page.evaluate("app.canvas.ds.offset") == view
    button.click()
    page.mouse.click(*in_picture(canvas, 0.5, 0.5))
    assert bound(page) == [] and button.get_attribute("aria-pressed") == "false"
    draw_around(page, *BOX)
    drawer.get_by_text("Clear", exact=True).click()
    assert bound(page) == []


def test_amodal_completion_stays_within_what_is_drawn_or_says_why_not(page):
    prompt = {
        **whole(point="0.5,0.45"),
        "7": node("MaskToImage", mask=["5", 1]),
        "8": node("SaveImage", images=["7", 0], filename_prefix="bounded"),
    }
    drop_prompt(page, prompt)
    show(page, "AmodalCompletion")
    page.evaluate("() => { app.canvas.ds.scale = 0.75; app.canvas.setDirty(true, true); }")
    page.locator(CANVAS).wait_for()
    draw_around(page, (0, 0), (1, 0), (1, 0.6), (0, 0.6))
    sent = page.evaluate(PROMPT)["5"]["inputs"]["drawn_bound"]
    assert sent
    run = press_run(page)["id"]
    outputs = page.evaluate(
        "async (id) => (await (await app.api.fetchApi(`/history/${id}`)).json())[id].outputs", run
    )
    (file,) = outputs["8"]["images"]
    reply = page.request.get(f"{page.url.split('#')[0]}view", params=file)
    mask = np.asarray(Image.open(io.BytesIO(reply.body())).convert("L")) > 127
    assert mask.shape == (128, 128) and mask.any()
    below = mask[int(0.6 * 128) + 4 :]  # crops are resized; what is seen of the cat may stay
    assert below.mean() < 0.05, below.mean()
    page.evaluate(WRONG)
    assert "error" in press_run(page)
    page.locator(".amodal-picker .failed:visible").wait_for(state="attached")
    assert "'drawn_bound'" in words(page) and "Remedy" in words(page)
