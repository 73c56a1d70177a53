"""The user study's page in a browser: votes by click and key, undo, resuming, killed servers."""

import csv
import os
import sqlite3
from pathlib import Path

import pytest
from studies import ITEMS, make_study

from tools.host.browser import needs_browser

pytestmark = needs_browser
PICTURES = "#pictures button img"
SCREENSHOTS = os.environ.get("AMODAL_SCREENSHOTS")  # a folder for screenshots


@pytest.fixture
def study(study_host, request):
    """The host, with a new study for this test; `name` is the study's name."""
    study_host.name = request.node.name.removeprefix("test_").strip("]").replace("[", " ")
    make_study(study_host.base, study_host.name)
    return study_host


@pytest.fixture
def visit(chromium, study):
    """Opens the study in a new browser context; fails on errors of the page's scripts."""
    contexts, broken = [], []

    def opened(rater=None, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60000)
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(f"{study.url}/amodal/study/{study.name}/")
        if rater:
            page.get_by_label("Your name or initials").fill(rater)
            page.get_by_text("Begin").click()
            page.locator(PICTURES).first.wait_for()
            page.wait_for_timeout(300)  # an earlier click counts as a double click
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not broken


def shot(page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))


def ready_at(page, done: int) -> None:
    """Waits until this many votes are stored and the next pictures accept clicks."""
    page.get_by_text(f"{done} of {len(ITEMS)}", exact=True).wait_for()
    page.wait_for_function("() => !document.querySelector('#pictures.waiting')")
    page.wait_for_timeout(300)


def methods(study, page) -> list[str]:
    """The methods of the pictures on the page, from left to right."""
    files = {f.read_bytes(): f for f in (study.base / "output/studies" / study.name).glob("*/*")}
    sources = page.locator(PICTURES).evaluate_all("all => all.map((image) => image.src)")
    return [files[page.request.get(source).body()].parent.name for source in sources]


def test_votes_by_click_and_key(study, visit):
    page = visit("Ann")
    shown = methods(study, page)
    page.locator(PICTURES).nth(1).click()
    ready_at(page, 1)
    assert study.votes(study.name)[0][2] == shown[1]
    shown = methods(study, page)
    page.keyboard.press("3")
    ready_at(page, 2)
    assert study.votes(study.name)[1][2] == shown[2]
    shown = methods(study, page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    ready_at(page, 3)
    assert study.votes(study.name)[2][2] == shown[1]
    for key in ("4", "0", "x", "Control+1"):
        page.keyboard.press(key)
    ready_at(page, 3)


def test_undo_takes_back_the_last_vote(study, visit):
    page = visit("ann")
    undo = page.get_by_role("button", name="Take back")
    assert undo.is_disabled()
    first = page.locator(PICTURES).first.get_attribute("src")
    page.keyboard.press("1")
    ready_at(page, 1)
    page.keyboard.press("2")
    ready_at(page, 2)
    undo.click()
    ready_at(page, 1)
    page.keyboard.press("u")
    ready_at(page, 0)
    assert page.locator(PICTURES).first.get_attribute("src") == first
    assert study.votes(study.name) == [] and undo.is_disabled()


def test_a_double_click_is_one_vote(study, visit):
    page = visit("ann")
    page.locator(PICTURES).first.dblclick()
    ready_at(page, 1)
    assert len(study.votes(study.name)) == 1


def test_a_rater_resumes_in_another_browser_and_finishes(study, visit):
    page = visit("Ann")
    page.keyboard.press("1")
    ready_at(page, 1)
    page = visit(" ann ")
    ready_at(page, 1)
    for done in range(1, len(ITEMS)):
        page.keyboard.press("1")
        if done < len(ITEMS) - 1:
            ready_at(page, done + 1)
    page.get_by_text("Thank you").wait_for()
    shot(page, "done")
    page.keyboard.press("u")
    ready_at(page, len(ITEMS) - 1)
    other = visit("ben")  # in a different order
    assert other.get_by_text(f"0 of {len(ITEMS)}").is_visible()


def test_a_kill_during_a_vote_loses_nothing(study, visit):
    """Another writer locks the file, so the kill is between the click and the answer."""
    page = visit("ann")
    page.keyboard.press("1")
    ready_at(page, 1)
    before, chosen = study.votes(study.name), methods(study, page)[1]
    writer = sqlite3.connect(study.votes_file(study.name), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    page.locator(PICTURES).nth(1).click()
    page.locator("#pictures.waiting").wait_for()
    page.wait_for_timeout(500)
    study.kill()
    writer.execute("ROLLBACK")
    writer.close()
    page.get_by_text("The server does not answer").wait_for()
    shot(page, "away")
    assert study.votes(study.name) == before
    study.start()
    ready_at(page, 2)  # without a reload
    assert page.locator("#notice").is_hidden()
    page.keyboard.press("3")
    ready_at(page, 3)
    votes = study.votes(study.name)
    assert votes[:1] == before and len(votes) == 3 and votes[1][2] == chosen


def test_a_page_closed_while_the_server_is_away_sends_its_vote_later(study, visit):
    page = visit("ann")
    chosen = methods(study, page)[0]
    study.kill()
    page.keyboard.press("1")
    page.get_by_text("The server does not answer").wait_for()
    page.close()
    assert study.votes(study.name) == []
    study.start()
    page = page.context.new_page()
    page.goto(f"{study.url}/amodal/study/{study.name}/")
    ready_at(page, 1)
    assert [choice for *_, choice in study.votes(study.name)] == [chosen]


def test_the_results_are_shown_and_saved(study, visit, tmp_path):
    for rater in ("ann", "ben", "eve"):
        page = visit(rater)
        for done in range(1, len(ITEMS)):
            best = methods(study, page).index("mixed context" if done != 2 else "removal")
            page.keyboard.press(str(best + 1))
            ready_at(page, done)
    page.get_by_role("link", name="Results").click()
    page.get_by_text("mixed context").wait_for()
    rows = page.locator("#table tbody tr").all_inner_texts()
    assert len(rows) == 3 and rows[0].startswith("mixed context\t80.0 %")
    assert "12 of 15" in rows[0]
    assert "Krippendorff's alpha (nominal)" in page.locator("#agreement").inner_text()
    shot(page, "results")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Table as CSV").click()
    table = tmp_path / "table.csv"
    saved.value.save_as(table)
    first = next(csv.DictReader(table.open()))
    assert (first["name"], first["value"], first["votes"]) == ("mixed context", "0.8", "12")
    page.get_by_role("link", name="Back to voting").click()
    ready_at(page, len(ITEMS) - 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(study, visit, scheme):
    phone = {"viewport": {"width": 375, "height": 667}, "is_mobile": True, "has_touch": True}
    page = visit(**phone, color_scheme=scheme)
    shot(page, f"phone-welcome-{scheme}")
    page = visit("ann", **phone, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    box = page.locator(PICTURES).last.bounding_box()
    assert box["width"] > 130 and box["y"] + box["height"] <= 667  # all on one screen
    numbers = page.locator("#pictures button kbd:visible")
    assert numbers.all_inner_texts() == ["1", "2", "3"]
    assert all(n.bounding_box()["y"] + n.bounding_box()["height"] <= 667 for n in numbers.all())
    hint = page.get_by_text("Tap the picture that you choose").bounding_box()
    assert hint["y"] + hint["height"] <= 667
    assert page.locator("kbd:visible", has_text="U").count() == 0  # a phone has no such key
    original = page.locator("#pictures figure").bounding_box()
    choices = [button.bounding_box() for button in page.locator("#pictures button").all()]
    assert all(original["y"] + original["height"] <= choice["y"] for choice in choices)
    assert all(original["height"] < 0.8 * choice["height"] for choice in choices)
    style = "(image) => getComputedStyle(image).outlineStyle"
    assert page.locator("#pictures figure img").evaluate(style) == "dashed"
    assert page.locator(PICTURES).first.evaluate(style) == "solid"
    shot(page, f"phone-{scheme}")
    page.locator(PICTURES).last.tap()
    ready_at(page, 1)
    page.goto(f"{page.url.split('#')[0]}#results")
    page.get_by_text("1 vote by 1 rater").wait_for()
    page.locator("#table").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    shot(page, f"phone-results-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_pictures_stand_in_one_row(study, visit, scheme):
    page = visit("ann", color_scheme=scheme)
    tops = {
        round(box["y"])
        for box in (image.bounding_box() for image in page.locator("#pictures img").all())
    }
    assert len(tops) == 1
    page.locator(PICTURES).nth(1).hover()
    shot(page, f"row-{scheme}")
