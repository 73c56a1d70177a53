"""Takes the picture of the main workflow's form for the host's list of templates.

    AMODAL_FRONTEND=.../static python -m tools.docs.make_form_picture     # needs Chromium

It needs a front end with App mode (1.58 or newer). The form is used as a person would: Detect, a
click on the cat, Run.
"""

from __future__ import annotations

import io
import json

from PIL import Image
from playwright.sync_api import sync_playwright

from amodal.app import workflow
from amodal.app.host import Host
from tools.host import browser
from tools.workflows.drawings import APPS, WORKFLOWS

WIDTH = 800  # pixels
CUT = {"x": 340, "y": 40, "width": 1260, "height": 800}  # without the bars at the left
CANVAS = ".amodal-picker canvas:visible"


def main() -> None:
    file = WORKFLOWS / f"{APPS[workflow.STICKERS.stem]}.json"
    nodes = json.loads(file.read_text(encoding="utf-8"))["nodes"]
    arguments = ["--fp32-text-enc", "--front-end-root", browser.NEWEST]
    with Host(arguments=arguments) as host, sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser.CHROMIUM, args=list(browser.QUIET))
        page = browser.open_editor(chromium, host.url)
        greeting = page.get_by_test_id("coach-landing-overlay")
        page.add_locator_handler(greeting, lambda: page.keyboard.press("Escape"))
        browser.drop(page, file.name, "application/json", file.read_bytes(), len(nodes))
        page.locator(".amodal-picker:visible").get_by_text("Detect", exact=True).click()
        page.locator(f"{CANVAS} [role=option]").first.wait_for(state="attached")
        page.mouse.click(*browser.at(page.locator(CANVAS), 0.5, 0.5))
        page.evaluate(browser.RUN_ENDS)
        page.get_by_role("button", name="Run", exact=True).last.click()
        page.evaluate("() => window.ends")
        page.locator("img[src*='completed_']").first.wait_for()
        page.wait_for_timeout(2000)
        shot = Image.open(io.BytesIO(page.screenshot(clip=CUT))).convert("RGB")
        shot = shot.resize((WIDTH, round(WIDTH * shot.height / shot.width)), Image.LANCZOS)
        shot.save(file.with_suffix(".jpg"), quality=80)
        chromium.close()


if __name__ == "__main__":
    main()
