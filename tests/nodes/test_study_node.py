"""Add To Study in the host's executor: what it writes and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amodal.study.folder import Study
from amodal.study.votes import Votes
from tools.host.inprocess import Failed, Graph


@pytest.fixture
def place(host, tmp_path, monkeypatch):
    """The folder of the studies; the study's page is on."""
    import folder_paths

    monkeypatch.setenv("AMODAL_STUDY", "1")

    monkeypatch.setattr(folder_paths, "get_output_directory", lambda: str(tmp_path / "output"))
    monkeypatch.setattr(folder_paths, "get_user_directory", lambda: str(tmp_path / "user"))
    return tmp_path / "output" / "studies"


def flat(value: float, count: int = 1, channels: int = 3) -> torch.Tensor:
    return torch.full((count, 6, 8, channels), value)


def add(host, images, original=None, **inputs) -> str:
    """Runs only this node; returns its output."""
    host.forget()
    graph = Graph()
    inputs = {"study": "s", "method": "ours", "name": "cup"} | inputs
    if original is not None:
        inputs["original"] = graph.value("original", original)
    node = graph.add("AmodalAddToStudy", images=graph.value("images", images), **inputs)
    return host.run(graph.keep(page=node)).values["page"]


def written(place: Path) -> list[str]:
    return sorted(str(file.relative_to(place)) for file in place.rglob("*") if file.is_file())


def test_two_methods_make_a_study(host, place):
    assert add(host, flat(0.2), original=flat(0.9)) == "/amodal/study/s/"
    add(host, flat(0.6), method="outpainting")
    study = Study(place / "s")
    assert study.items == ["cup"] and study.methods == ("ours", "outpainting")
    pixels = np.asarray(Image.open(place / "s" / "ours" / "cup.png"))
    assert pixels.shape == (6, 8, 3) and (pixels == 51).all()


def test_without_the_page_the_node_saves_and_says_how_to_turn_it_on(host, place, monkeypatch):
    monkeypatch.delenv("AMODAL_STUDY")
    host.forget()
    graph = Graph()
    images = graph.value("images", flat(0.2))
    node = graph.add("AmodalAddToStudy", images=images, study="s", method="ours", name="cup")
    run = host.run(graph.keep(page=node))
    assert written(place) == ["s/ours/cup.png"]
    (shown,) = run.ui[node.node_id]["text"]
    assert shown == run.values["page"]
    assert "AMODAL_STUDY=1" in shown and shown.endswith("/amodal/study/s/")


def test_several_pictures_are_numbered_or_take_names_from_a_list(host, place):
    add(host, flat(0.2, 11), original=flat(0.9))
    assert written(place)[0] == "s/original/cup_01.png" and len(written(place)) == 22
    host.forget()  # a cached value of this name is from the previous run
    graph = Graph()
    names = graph.add("AmodalSweepValues", values="owl, zebra")
    graph.add(
        "AmodalAddToStudy",
        images=graph.value("images", flat(0.1, 2, 4)),
        study="t",
        method="ours",
        name=names[0],
    )
    host.run(graph)
    assert written(place / "t") == ["ours/owl.png", "ours/zebra.png"]
    assert Image.open(place / "t" / "ours" / "owl.png").mode == "RGBA"


@pytest.mark.parametrize("name", ["../cup", "a/b", "", "..", "/x", "con"])
@pytest.mark.parametrize("input", ["study", "method", "name"])
def test_a_name_cannot_lead_outside_the_folder(host, place, input, name):
    with pytest.raises(Failed, match=f"Add To Study.*'{input}'.*Remedy"):
        add(host, flat(0.2), **{input: name})
    assert not place.exists()


def test_the_error_names_the_bad_input(host, place):
    with pytest.raises(Failed, match="'method'.*'original'"):
        add(host, flat(0.2), method="Original")
    with pytest.raises(Failed, match="'original'.*2 pictures for 3"):
        add(host, flat(0.2, 3), original=flat(0.1, 2))


def test_a_picture_with_votes_cannot_change(host, place):
    add(host, flat(0.2))
    add(host, flat(0.6), method="other")
    (trial,) = Study(place / "s").trials()
    votes = Votes(place.parents[1] / "user" / "__amodal_studies" / "s.sqlite")
    votes.cast("ann", trial, ["ours", "other"], "ours")
    add(host, flat(0.2))  # the same picture
    with pytest.raises(Failed, match="'study'.*'cup' already has votes.*another study"):
        add(host, flat(0.3))
    add(host, flat(0.3), name="owl")
    assert (np.asarray(Image.open(place / "s" / "ours" / "cup.png")) == 51).all()
