"""The pack in a real ComfyUI: it loads, runs prompts, and names errors."""

import json

import numpy as np
import pytest
from graphs import swap
from PIL import Image

from amodal.app.client import RunError


@pytest.fixture
def uploaded(client, picture, mask):
    return client.upload(picture), client.upload(mask)


def test_all_nodes_are_registered(client, running):
    nodes = {name for name in client.get("/object_info") if name.startswith("Amodal")}
    assert len(nodes) > 30, running.log_tail(60)
    assert {"AmodalLoopStart", "AmodalLoopEnd", "AmodalSampleToStep", "AmodalCompletion"} <= nodes


@pytest.mark.parametrize("path", ["", "/", "/page.css", "/page.mjs", "/study/", "/study/state"])
def test_the_study_has_no_page_unless_it_is_turned_on(client, path):
    for prefix in ("", "/api"):  # the host registers each route under both
        with pytest.raises(RunError, match="404"):
            client.read(f"{prefix}/amodal/study{path}")


def test_the_study_accepts_no_vote_unless_it_is_turned_on(client):
    with pytest.raises(RunError, match="40[45]"):  # 405: the host's files allow GET only
        client.post("/amodal/study/study/vote", {})


def test_a_prompt_runs_and_gives_its_picture(client, uploaded, tmp_path):
    events = []
    run = client.run(swap(*uploaded), events.append)
    (image,) = run.images("4")
    pixels = np.asarray(Image.open(client.fetch(image, tmp_path / "swapped.png")))
    assert pixels.shape == (96, 128, 3)
    assert np.array_equal(pixels[30, 30], (200, 30, 30))  # the object's own pixels
    assert np.abs(pixels[80, 80].astype(int) - 127).max() <= 1  # gray where the blue square was
    kinds = [event.kind for event in events]
    assert kinds[0] == "execution_start" and kinds[-1] == "execution_success"
    assert (
        {"3", "4"} <= set(run.seconds) <= {"1", "2", "3", "4"}
    )  # an uploaded picture may be cached
    assert sum(run.seconds.values()) <= run.total


def test_a_saved_picture_carries_its_workflow(client, uploaded, tmp_path):
    prompt = swap(*uploaded, seed=3)
    (image,) = client.run(prompt).images("4")
    saved = Image.open(client.fetch(image, tmp_path / "swapped.png"))
    stored = json.loads(saved.info["prompt"])
    for name, wanted in prompt.items():
        assert stored[name]["class_type"] == wanted["class_type"]
        assert stored[name]["inputs"] == wanted["inputs"]


def test_bad_input_names_node_input_and_remedy_and_the_next_prompt_runs(client, uploaded):
    empty = swap(*uploaded, background="image")  # needs a connected background
    with pytest.raises(RunError) as caught:
        client.run(empty)
    said = str(caught.value)
    assert "Swap Background" in said and "'own_background'" in said and "Remedy" in said
    assert caught.value.is_bad_input and "(3)" in caught.value.node
    assert client.run(swap(*uploaded)).images("4")


def test_a_missing_node_is_refused_with_its_name(client, uploaded):
    prompt = swap(*uploaded)
    name = "AmodalNoSuchNode"
    prompt["3"] |= {"class_type": name, "_meta": {"title": name}}  # newer hosts name the title
    with pytest.raises(RunError, match="AmodalNoSuchNode") as caught:
        client.run(prompt)
    assert caught.value.kind == "refused"


def test_a_value_out_of_range_is_refused_with_the_input(client, uploaded):
    with pytest.raises(RunError, match="background.*no such"):
        client.run(swap(*uploaded, background="no such"))


def test_an_unchanged_prompt_runs_no_node(client, uploaded):
    client.run(swap(*uploaded, seed=7))
    assert client.run(swap(*uploaded, seed=7)).seconds == {}


def test_cancel_stops_a_waiting_run(client, uploaded):
    """The callback raises as Ctrl+C would, at the second event of the run."""
    prompt = swap(*uploaded, background="noise", seed=11)

    def stop(event):
        if event.kind == "executing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.run(prompt, stop)
    queue = client.get("/queue")
    assert not queue["queue_pending"]
    assert client.run(swap(*uploaded)).total < 60


def test_help_pages_and_translations_are_served(client):
    """The editor's help page of a node, and the names of its inputs and outputs."""
    page = client.read("/extensions/amodal_completion/docs/AmodalSwapBackground.md").decode()
    assert "Swap Background" in page
    english = client.get("/i18n")["en"]["nodeDefs"]
    assert english["AmodalSwapBackground"]["inputs"]["background"]["tooltip"]


def test_a_node_with_a_missing_input_is_refused(client, uploaded):
    prompt = swap(*uploaded)
    del prompt["3"]["inputs"]["modal_mask"]
    with pytest.raises(RunError, match="modal_mask"):
        client.run(prompt)


def test_help_pages_and_translations_match_the_schemas(client):
    """'nox -s docs' updates these files."""
    from tools.docs import make_docs

    nodes = make_docs.schemas(client)
    stale = [p.name for p, text in make_docs.files(nodes).items() if make_docs.read(p) != text]
    assert not stale
    pages = {page.stem for page in make_docs.PAGES.glob("*.md")}
    assert pages == set(nodes)
