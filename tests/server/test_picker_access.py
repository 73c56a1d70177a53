"""Pick Object's picture before detection, by keyboard, for screen readers, and in both themes; and
the same on Amodal Completion."""

import pytest
from graphs import EXAMPLE, picking, whole
from widgets import (
    BACKGROUND,
    CANVAS,
    CAT,
    PROMPT,
    click_on,
    detect,
    picked,
    point,
    wait_for_objects,
    words,
)

from tools.host.browser import drop_prompt, needs_browser, open_editor, press_run, show

pytestmark = needs_browser
EDITORS = ("classic", "newest vue")  # the oldest and the newest way to draw nodes
OPTIONS = f"{CANVAS} [role=option]"
OTHER = "amodal_example_monkey.png"
CHOOSE = """(file) => {
  app.graph.nodes.find(({ comfyClass }) => comfyClass === "LoadImage").widgets[0].value = file;
  app.extensionManager.workflow.activeWorkflow.changeTracker.checkState();
}"""
FOLD = """() => {
  const node = app.graph.nodes.find(({ comfyClass }) => comfyClass === "AmodalPickObject");
  const { subgraph } = app.graph.convertToSubgraph(new Set([node]));
  app.canvas.setGraph(subgraph);
}"""
PIXELS = """(canvas) => canvas.toDataURL()"""
# The ratio of luminances of text and ground, of every text of the picker.
CONTRASTS = """(kind) => {
  const node = app.graph.nodes.find(({ comfyClass }) => comfyClass === kind);
  const rgb = (css) => {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };
  const light = (css) => [...rgb(css)].slice(0, 3).reduce((sum, value, i) => {
    const part = value / 255;
    return sum + [0.2126, 0.7152, 0.0722][i] *
      (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ground = (element) => {
    const limit = element.closest("[data-node-id]") ?? element.closest(".amodal-outer");
    for (; element && element !== limit.parentElement; element = element.parentElement) {
      const { backgroundColor } = getComputedStyle(element);
      if (rgb(backgroundColor)[3] > 250) return backgroundColor;
    }
    return node.bgcolor ?? LiteGraph.NODE_DEFAULT_BGCOLOR;
  };
  return [...document.querySelectorAll(".amodal-picker :is(button, .words, .keys)")]
    .filter((element) => element.checkVisibility() && element.textContent)
    .map((element) => {
      const pair = [getComputedStyle(element).color, ground(element)].map(light);
      return [element.className || element.textContent,
        (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)];
    });
}"""
RIMS = """async () => {
  const { Areas } = await import("/extensions/amodal_completion/areas.js");
  const bare = (size, paint) => {
    const canvas = new OffscreenCanvas(size, size), context = canvas.getContext("2d");
    paint(context);
    return { image: canvas, width: size, height: size, context };
  };
  const map = bare(128, (one) => { one.fillStyle = "#000"; one.fillRect(0, 0, 128, 128);
    one.fillStyle = "#010101"; one.fillRect(32, 32, 64, 64); });
  return ["#000", "#fff", "#777", "#f00", "#0f0", "#00f", "#26cc4d", "#ff0"].map((colour) => {
    const picture = bare(128, (one) => { one.fillStyle = colour; one.fillRect(0, 0, 128, 128); });
    const canvas = document.createElement("canvas");
    new Areas(picture, map).draw(canvas,
      [{ number: 1, colour: [38, 204, 77], rim: [255, 255, 255] }]);
    const row = canvas.getContext("2d").getImageData(0, canvas.height / 2, canvas.width / 2, 1);
    return [...Array(row.width)].map((_, x) => [...row.data.slice(4 * x, 4 * x + 3)]);
  });
}"""

OUTLINES = """async () => {
  const { Areas } = await import("/extensions/amodal_completion/areas.js");
  return ["#000", "#fff", "#777", "#f00", "#0f0", "#00f", "#26cc4d", "#ff0"].map((colour) => {
    const image = new OffscreenCanvas(128, 128), context = image.getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 128, 128);
    const canvas = document.createElement("canvas");
    new Areas({ image, width: 128, height: 128 }).draw(canvas, [], null,
      [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]);
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, height / 2, width / 2, height / 20);
    return [...Array(data.length / 4)].map((_, i) => [...data.slice(4 * i, 4 * i + 3)]);
  });
}"""


def luminance(rgb) -> float:
    parts = [value / 255 for value in rgb]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_picture_is_there_before_detection_and_follows_load_image(page):
    drop_prompt(page, picking())
    show(page, "AmodalPickObject")
    page.locator(CANVAS).wait_for()
    assert words(page) == "press Detect, then click the object to complete"
    click_on(page, CAT)
    assert words(page).startswith("press Detect first") and point(page) == ""
    detect(page)
    click_on(page, CAT)
    page.evaluate(CHOOSE, OTHER)  # what was detected is of the other picture
    page.wait_for_function("() => !document.querySelector('.amodal-picker [role=option]')")
    before = page.locator(CANVAS).evaluate(PIXELS)
    page.evaluate(CHOOSE, EXAMPLE)
    wait_for_objects(page)
    assert page.locator(CANVAS).evaluate(PIXELS) != before


def test_the_picture_is_found_from_inside_a_subgraph(page):
    drop_prompt(page, picking())
    page.evaluate(FOLD)
    show(page, "AmodalPickObject")
    page.locator(CANVAS).wait_for()
    detect(page)
    click_on(page, CAT)
    assert point(page) != ""


def test_it_is_used_by_keyboard_and_read_out(page):
    drop_prompt(page, picking())
    detect(page)
    canvas = page.locator(CANVAS)
    assert canvas.get_attribute("role") == "listbox" and canvas.get_attribute("aria-label")
    keys = canvas.get_attribute("aria-describedby")
    assert "arrow keys" in page.locator(f"#{keys}").inner_text()
    names = page.locator(OPTIONS).all_text_contents()
    assert len(names) >= 2 and any(name.startswith("cat") for name in names)
    page.locator(".amodal-picker:visible button").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Draw bound"
    page.keyboard.press("Tab")  # Clear is hidden
    assert canvas.evaluate("(one) => one === document.activeElement")
    assert canvas.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
    for _ in range(len(names)):
        page.keyboard.press("ArrowRight")
        if words(page).startswith("cat"):
            break
    active = canvas.get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").text_content() == words(page)
    page.keyboard.press("Enter")
    chosen = point(page)
    assert chosen and page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    assert not words(page).startswith("cat")
    page.keyboard.press("Shift+Enter")
    assert picked(page, "occluder_hints") and words(page).endswith("hides it")
    page.keyboard.press("Space")
    assert point(page) not in ("", chosen)
    page.keyboard.press("Escape")
    assert point(page) == "" and picked(page, "occluder_hints") == ""
    assert canvas.is_visible()  # the editor did nothing with these keys


def test_an_error_of_a_run_is_told_in_full_in_the_node(page):
    drop_prompt(page, picking(point="0.01,0.01"))
    show(page, "AmodalPickObject")
    assert "error" in press_run(page)
    page.keyboard.press("Escape")  # the front end's own dialog
    said = page.locator(".amodal-picker .failed:visible")
    said.wait_for()
    assert "hits no detected object" in words(page) and "Remedy" in words(page)
    wait_for_objects(page)
    click_on(page, CAT)
    assert not said.count()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_its_texts_can_be_read_in_both_themes_and_are_never_cut_off(page, theme):
    page.evaluate("(name) => app.extensionManager.setting.set('Comfy.ColorPalette', name)", theme)
    drop_prompt(page, picking(point="0.01,0.01"))
    detect(page)
    seen = dict(page.evaluate(CONTRASTS, "AmodalPickObject"))
    press_run(page)
    page.locator(".amodal-picker .failed:visible").wait_for(state="attached")
    seen.update(page.evaluate(CONTRASTS, "AmodalPickObject"))
    assert {"words", "keys", "words failed", "Detect", "Draw bound", "Clear"} <= set(seen)
    assert min(seen.values()) >= 4.5, seen
    cut = page.locator(".amodal-picker :is(.keys, .words:not(.failed))").evaluate_all(
        "(all) => all.filter((one) => one.scrollHeight > one.clientHeight + 1 ||"
        " one.scrollWidth > one.clientWidth + 1).length"
    )
    assert cut == 0
    page.evaluate("() => app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")


def test_the_rim_is_seen_on_any_colour(chromium, running):
    page = open_editor(chromium, running.url)
    for row in page.evaluate(RIMS):
        ground = row[0]
        assert max(contrast(ground, pixel) for pixel in row) >= 4.5, ground
    for pixels in page.evaluate(OUTLINES):
        for ground in (pixels[0], pixels[-1]):  # beyond the bound, and within it
            assert max(contrast(ground, pixel) for pixel in pixels) >= 4.5, ground
    page.close()


def test_amodal_completion_has_the_picker_too(page):
    drop_prompt(page, whole())
    show(page, "AmodalCompletion")
    page.evaluate("() => { app.canvas.ds.scale = 0.75; app.canvas.setDirty(true, true); }")
    page.locator(CANVAS).wait_for()
    page.locator(".amodal-picker:visible").get_by_text("Detect", exact=True).click()
    wait_for_objects(page)
    click_on(page, BACKGROUND)
    click_on(page, CAT)
    assert words(page).startswith("cat 0.")
    chosen = next(
        n["inputs"]["point"]
        for n in page.evaluate(PROMPT).values()
        if n["class_type"] == "AmodalCompletion"
    )
    x, y = map(float, chosen.split(","))
    assert abs(x - 0.5) < 0.02 and abs(y - 0.5) < 0.02
    assert "id" in press_run(page)
    wait_for_objects(page)


def test_amodal_completion_says_what_it_lacks_to_detect(page):
    prompt = whole()
    prompt["5"]["inputs"].pop("segmenter")
    drop_prompt(page, prompt)
    show(page, "AmodalCompletion")
    page.locator(".amodal-picker:visible").get_by_text("Detect", exact=True).click()
    page.locator(".amodal-picker .failed:visible").wait_for()
    assert words(page) == "connect a picture and a segmenter"
