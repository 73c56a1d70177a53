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
