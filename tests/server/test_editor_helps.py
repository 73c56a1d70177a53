"""What the editor offers around the nodes: a picture's menu, and the list of missing files."""

import json
from pathlib import Path

import pytest
from graphs import EXAMPLE, node, picking
from widgets import CANVAS, PROMPT

from amodal.models import pretrained
from tools.host.browser import drop, drop_prompt, needs_browser, open_editor, show
from tools.workflows.drawings import editor_file

pytestmark = needs_browser
TEXT = "Complete an object in this picture"
TITLE_BAR = """(kind) => {
  const node = app.graph.nodes.find(({ comfyClass }) => comfyClass === kind);
  const { left, top } = app.canvas.canvas.getBoundingClientRect();
  const [x, y] = app.canvas.ds.convertOffsetToCanvas([node.pos[0] + 60, node.pos[1] - 14]);
  return [left + x, top + y];
}"""


def open_menu(page, kind: str) -> None:
    show(page, kind)
    page.mouse.click(*page.evaluate(TITLE_BAR, kind), button="right")


@pytest.mark.parametrize("kind", ["LoadImage", "PreviewImage"])
def test_the_menu_of_a_picture_adds_the_one_node_wired_to_it(page, request, kind):
    if request.node.callspec.params["page"] == "vue":
        pytest.skip("the menu of Vue nodes in 1.32.9 asks no extension")
    prompt = {
        "1": node("AmodalStickerCheckpoint"),
        "2": node("AmodalStickerSegmenter"),
        "4": node("LoadImage", image=EXAMPLE),
        "5": node("PreviewImage", images=["4", 0]),
    }
    drop_prompt(page, prompt)
    open_menu(page, kind)
    page.get_by_text(TEXT).click()
    page.locator(CANVAS).wait_for()  # it shows the picture at once
    (added,) = (
        each["inputs"]
        for each in page.evaluate(PROMPT).values()
        if each["class_type"] == "AmodalCompletion"
    )
    links = {name: value for name, value in added.items() if isinstance(value, list)}
    assert links == {
        "image": ["4", 0],
        "model": ["1", 0],
        "clip": ["1", 1],
        "vae": ["1", 2],
        "segmenter": ["2", 0],
    }


def test_other_menus_do_not_offer_it(page):
    drop_prompt(page, picking())
    open_menu(page, "AmodalStickerSegmenter")
    page.wait_for_timeout(500)
    assert not page.get_by_text(TEXT).count()


def listed(page) -> dict:
    """file -> where it goes, as the list says; empty if there is no list."""
    items = page.locator(".amodal-missing li").all_text_contents()
    return dict(item.split(" into ") for item in items)


def test_one_list_says_which_files_are_missing_and_where_they_go(chromium, running):
    file = editor_file("amodal_completion")
    saved = json.loads(file.read_text())
    named = [m for n in saved["nodes"] for m in n["properties"].get("amodal_models", ())]
    page = open_editor(chromium, running.url)

    def opened():
        drop(page, file.name, "application/json", file.read_bytes(), len(saved["nodes"]))
        page.locator(".amodal-missing li").first.wait_for(state="attached")

    opened()
    expected = {m["name"]: f"models/{pretrained.named(m['name']).folder}" for m in named}
    assert listed(page) == expected and len(expected) >= 5
    lists = page.locator(".amodal-missing").filter(has=page.locator("li"))
    assert lists.count() == 1 and "01 Complete an object" in lists.inner_text()
    assert not page.get_by_role("dialog").count()  # the front end does not say it once more
    place = Path(running.base) / "models" / "inpaint" / "big-lama.pt"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"")
    try:
        opened()
        page.wait_for_function(
            "(n) => document.querySelectorAll('.amodal-missing li').length === n",
            arg=len(expected) - 1,
        )
        assert "big-lama.pt" not in listed(page)
    finally:
        place.unlink()
    page.close()
