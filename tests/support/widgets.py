"""What the tests of the pack's widgets do in the editor, by mouse."""

from __future__ import annotations

from graphs import node

from tools.host.browser import (
    SAVED,
    at,
    drop_prompt,
    drop_workflow,
    show,
    wait_until_ready,
)

# Places in the example picture as the picker shows it.
CAT, YARN, BACKGROUND = (0.5, 0.5), (0.5, 0.7), (0.25, 0.95)
CANVAS = ".amodal-picker canvas:visible"
# {text: its least contrast with what is behind it} of what is seen under a selector. Behind text on
# a picture may be anything from black to white. Disabled buttons do not count.
CONTRASTS = """(selector) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [[r, g, b], a / 255];
  };
  const over = ([top, alpha], ground) => top.map((one, i) => one * alpha + ground[i] * (1 - alpha));
  const light = (colour) => colour.map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const opacity = (element) => {
    let part = 1;
    for (let one = element; one; one = one.parentElement) part *= getComputedStyle(one).opacity;
    return part;
  };
  const grounds = (element, x, y) => {  // what may be behind a text at a point
    const stack = document.elementsFromPoint(x, y);
    const layers = [], at = stack.indexOf(element);
    for (const one of at < 0 ? [element, ...stack] : stack.slice(at)) {
      const { backgroundColor, backgroundImage } = getComputedStyle(one);
      const layer = rgba(backgroundColor);
      layers.unshift(layer);
      if (layer[1] === 1) return [layers.reduce((ground, each) => over(each, ground), layer[0])];
      if (["IMG", "CANVAS"].includes(one.tagName) || backgroundImage !== "none") break;
    }
    return [[0, 0, 0], [255, 255, 255]].map((base) =>
      layers.reduce((ground, each) => over(each, ground), base));
  };
  const found = {};
  for (const element of document.querySelectorAll(`${selector}, ${selector} *`)) {
    const isText = ({ nodeType, data }) => nodeType === 3 && data.trim();
    if (![...element.childNodes].some(isText) || element.matches(":disabled")) continue;
    if (!element.checkVisibility()) continue;
    const box = element.getBoundingClientRect();
    const [colour, alpha] = rgba(getComputedStyle(element).color);
    for (const part of [0.02, 0.3, 0.6, 0.98])
      for (const ground of grounds(element, box.x + part * box.width, box.y + box.height / 2)) {
        const seen = over([colour, alpha * opacity(element)], ground);
        const words = `${element.className || element.tagName}: ${element.textContent}`;
        found[words] = Math.min(found[words] ?? 21, ratio(seen, ground));
      }
  }
  return found;
}"""
PROMPT = "async () => (await app.graphToPrompt()).output"


def words(page) -> str:
    return page.locator(".amodal-picker .words:visible").inner_text()


def picked(page, name: str) -> str:
    """An input of Pick Object as the editor would send it: `point` or `occluder_hints`."""
    nodes = page.evaluate(PROMPT).values()
    return next(n for n in nodes if n["class_type"] == "AmodalPickObject")["inputs"][name]


def point(page) -> str:
    return picked(page, "point")


def detect(page) -> None:
    show(page, "AmodalPickObject")
    page.locator(".amodal-picker:visible").get_by_text("Detect", exact=True).click()
    wait_for_objects(page)


def wait_for_objects(page) -> None:
    """Waits until the picker knows what was detected, not only the picture."""
    page.locator(f"{CANVAS} [role=option]").first.wait_for(state="attached")


def widths(pictures) -> list[int]:
    """The widths in pixels of pictures, once each is loaded."""
    return pictures.evaluate_all("""async (all) => {
      await Promise.all(all.map((one) => one.decode()));
      return all.map((one) => one.naturalWidth);
    }""")


def until(page, true, seconds: int = 15) -> None:
    """Waits until the function is true. Raises AssertionError if it does not become true."""
    for _ in range(10 * seconds):
        if true():
            return
        page.wait_for_timeout(100)
    assert true()


def click_on(page, place) -> None:
    page.mouse.move(*at(page.locator(CANVAS), *place))
    page.mouse.click(*at(page.locator(CANVAS), *place))


def draw_around(page, *corners, release: bool = True) -> None:
    """Presses Draw bound, and drags around places of the picture."""
    canvas = page.locator(CANVAS)
    page.locator(".amodal-picker:visible").get_by_text("Draw bound", exact=True).click()
    page.mouse.move(*in_picture(canvas, *corners[0]))
    page.mouse.down()
    for place in [*corners[1:], corners[0]]:
        page.mouse.move(*in_picture(canvas, *place), steps=4)
    if release:
        page.mouse.up()


def in_picture(canvas, x: float, y: float) -> tuple[float, float]:
    """Page coordinates of fractions of the square picture in the middle of a canvas."""
    box = canvas.bounding_box()
    side = min(box["width"], box["height"])
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    return left + x * side, top + y * side


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


def change_and_undo(page) -> None:
    show(page, "AmodalLoopEnd")
    page.evaluate("""() => {
      app.graph.nodes.find((node) => node.comfyClass === "AmodalLoopEnd").widgets[0].value = 9;
      app.extensionManager.workflow.activeWorkflow.changeTracker.checkState();
    }""")
    undo(page)
    assert "9" not in {str(n["inputs"].get("max_passes")) for n in page.evaluate(PROMPT).values()}


def reload(page) -> dict:
    """Reloads the page and opens the same workflow; only the host's history has its results."""
    saved = page.evaluate(SAVED)
    page.on("dialog", lambda dialog: dialog.accept())  # leave with unsaved changes
    page.reload()
    wait_until_ready(page)
    return drop_workflow(page, saved)
