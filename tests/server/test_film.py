"""Loop End and Amodal Completion: the film of the passes, and the bar of the whole run."""

import re

from graphs import growing, one_node
from widgets import change_and_undo, reload, to_another_tab_and_back

from tools.host.browser import drop_prompt, needs_browser, press_run, show

pytestmark = needs_browser
FRAMES = ".amodal-film figure:visible"
WATCH_BAR = """() => { window.bars = []; window.told = 0;
  app.api.addEventListener("amodal.stage", () => window.told++);
  app.api.addEventListener("amodal.stage", () => setTimeout(() => {
    const bar = document.querySelector(".amodal-run:not([hidden])");
    if (bar) window.bars.push([bar.innerText, parseFloat(bar.querySelector(".fill").style.width)]);
  })); }"""
CANCEL_AT = """(step) => { window.cancelled = new Promise((done) => {
  app.api.addEventListener("execution_interrupted", () => done(true));
  app.api.addEventListener("amodal.stage", ({ detail }) => {
    if (detail.step === step) app.extensionManager.command.execute("Comfy.Interrupt");
  });
}); }"""


def test_the_film_grows_with_every_pass(page):
    drop_prompt(page, growing())
    show(page, "AmodalLoopEnd")
    page.evaluate("""() => { window.seen = [];
      app.api.addEventListener("amodal.pass", () => window.seen.push(
        document.querySelectorAll(".amodal-film figure").length)); }""")
    assert "id" in press_run(page)
    assert page.evaluate("() => window.seen") == [1, 2, 2]
    assert page.locator(FRAMES).all_inner_texts() == [
        "1\nenclosed by its occluders",
        "2\nenclosed by its occluders",
    ]
    title = page.locator(FRAMES).first.get_attribute("title")
    assert title.startswith("pass 1: enclosed by its occluders; mask changed")
    assert page.locator(".amodal-film .stage:visible").inner_text().startswith("completed")
    for later in (to_another_tab_and_back, change_and_undo, reload):
        later(page)
        show(page, "AmodalLoopEnd")
        page.locator(FRAMES).first.wait_for()
        assert page.locator(FRAMES).count() == 2
        loaded = "(all) => all.every((one) => one.complete && one.naturalWidth === 128)"
        page.wait_for_timeout(300)
        assert page.locator(f"{FRAMES} img").evaluate_all(loaded)


def test_the_one_node_shows_a_row_for_each_seed_and_one_bar_for_both(page):
    drop_prompt(page, one_node())
    show(page, "AmodalCompletion")
    page.evaluate(WATCH_BAR)
    ends = press_run(page)
    assert "id" in ends, ends
    bars = page.evaluate("() => window.bars")
    assert bars, f"no bar to be seen; {page.evaluate('() => window.told')} stages were told"
    said = " | ".join(text for text, _ in bars)
    assert "pass 1 of at most 1: finding what hides the object" in said
    # steps that follow each other faster than the page listens are told together
    on_gray, in_picture = (
        {int(step) for step in re.findall(rf"pass 1 of at most 1, step (\d) of 4: {part}", said)}
        for part in ("the object on the swapped background", "the object in the picture")
    )
    assert on_gray and on_gray <= {1, 2}, said
    assert 4 in in_picture and in_picture <= {3, 4}, said
    parts = [part for _, part in bars]
    assert min(parts) < 30 and max(parts) > 90 and parts == sorted(parts)
    assert not page.locator(".amodal-run:visible").count()
    rows = page.locator(".amodal-film section:visible")
    assert rows.count() == 2
    for row in rows.all():
        assert row.locator("figure").first.inner_text().startswith("1\nhidden by yarn")
        assert row.locator(".stage").inner_text()


def test_cancel_stops_within_a_step_and_the_bar_says_where(page):
    drop_prompt(page, one_node(steps=50, k=20.0, count=1, seed=5))
    show(page, "AmodalCompletion")
    page.evaluate(WATCH_BAR)
    page.evaluate(CANCEL_AT, 6)
    page.get_by_test_id("queue-button").first.click()
    page.evaluate("() => window.cancelled")
    page.locator(".amodal-run.broken:visible").wait_for()
    said = page.locator(".amodal-run:visible").inner_text()
    assert said.startswith("cancelled in pass 1 of at most 1, step ")
    assert 6 <= int(said.split("step ")[1].split()[0]) <= 8
    assert said.endswith("of 50: the object on the swapped background")
