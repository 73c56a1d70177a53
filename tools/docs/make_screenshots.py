"""Takes screenshots of the editor: docs/images/graph.jpg, docs/images/widgets.png, and the help
pictures of nodes with their own widgets.

    python -m tools.docs.make_screenshots [help]      # needs Chromium

help: only the help pictures.
"""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from amodal.app import workflow
from amodal.app.host import Host
from tools.host import browser
from tools.workflows.drawings import editor_file

ROOT = Path(__file__).resolve().parents[2]

SHIPPED = editor_file(workflow.STICKERS.stem)
HELP = ROOT / "js" / "docs" / "pictures"
STEPS = editor_file("mixed_context_step_by_step")
SEGMENT = "3 Segment the object at step k"
WIDGETS = ("AmodalPickObject", "AmodalLoopEnd", "AmodalTrimAndOverlay")
TURNS = [2 * math.pi * turn / 40 for turn in range(41)]
BOUND = [(0.44 + 0.23 * math.cos(turn), 0.58 + 0.37 * math.sin(turn)) for turn in TURNS]
GAP = 12  # pixels between the nodes of widgets.png


def main(words: list[str]) -> None:
    with Host(arguments=["--fp32-text-enc"]) as host, sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser.CHROMIUM, args=list(browser.QUIET))
        page = after_a_run(chromium, host.url, SHIPPED)
        below_banner = {"x": 0, "y": 40, "width": 1600, "height": 960}  # the front end's banner
        graph = shot(page, clip=below_banner)
        mark_by_hand(page)
        shots = {kind: node_shot(page, kind) for kind in WIDGETS}
        if "help" not in words:
            graph.save(ROOT / "docs" / "images" / "graph.jpg", quality=88)
            widgets = side_by_side(list(shots.values()))
            widgets.quantize(256).save(ROOT / "docs" / "images" / "widgets.png", optimize=True)
        page = after_a_run(chromium, host.url, STEPS)
        browser.enter(page, SEGMENT)
        shots["AmodalSelectClusters"] = node_shot(page, "AmodalSelectClusters")
        for kind, picture in shots.items():
            picture.save(HELP / f"{kind}.webp", quality=85, method=6)
        chromium.close()


def mark_by_hand(page) -> None:
    """Clicks the cat of the example picture, Shift-clicks the yarn, draws a bound."""
    browser.show(page, "AmodalPickObject")
    picture = page.locator(".amodal-picker canvas:visible")
    page.mouse.click(*browser.at(picture, 0.5, 0.45))
    page.keyboard.down("Shift")
    page.mouse.click(*browser.at(picture, 0.5, 0.7))
    page.keyboard.up("Shift")
    page.locator(".amodal-picker:visible").get_by_text("Draw bound", exact=True).click()
    page.mouse.move(*browser.at(picture, *BOUND[0]))
    page.mouse.down()
    for place in BOUND[1:]:
        page.mouse.move(*browser.at(picture, *place))
    page.mouse.up()
    page.mouse.move(900, 850)


def after_a_run(chromium, url: str, file: Path):
    """A page of the editor after the Run button has run the workflow in `file`."""
    page = browser.open_editor(chromium, url)
    content = file.read_bytes()
    nodes = json.loads(content)["nodes"]
    browser.drop(page, file.name, "application/json", content, len(nodes))
    print(file.stem, browser.press_run(page))
    page.wait_for_timeout(3000)
    page.get_by_text("job completed").wait_for(state="hidden")  # the front end's, over the graph
    return page


def shot(page, **options) -> Image.Image:
    """A screenshot of the page as RGB."""
    return Image.open(io.BytesIO(page.screenshot(**options))).convert("RGB")


def node_shot(page, kind: str) -> Image.Image:
    """A screenshot of the first node of a class, at full size."""
    browser.show(page, kind)
    page.wait_for_timeout(500)
    x, y, width, height = page.evaluate(
        """(kind) => {
          const node = app.canvas.graph.nodes.find((candidate) => candidate.comfyClass === kind);
          const at = app.canvas.convertOffsetToCanvas([node.pos[0], node.pos[1] - 30]);
          const box = app.canvas.canvas.getBoundingClientRect();
          return [at[0] + box.x, at[1] + box.y, node.size[0], node.size[1] + 30];
        }""",
        kind,
    )
    return shot(page, clip={"x": x - 4, "y": y - 4, "width": width + 8, "height": height + 8})


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    width = sum(picture.width + GAP for picture in pictures) + GAP
    height = max(picture.height for picture in pictures) + 2 * GAP
    page = Image.new("RGB", (width, height), "#202020")
    left = GAP
    for picture in pictures:
        page.paste(picture, (left, GAP))
        left += picture.width + GAP
    return page


if __name__ == "__main__":
    main(sys.argv[1:])
