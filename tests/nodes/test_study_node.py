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


def add_all(host):
    add(host, flat(0.2), original=flat(0.9))


@pytest.mark.parametrize(
    "link",
    ["../studies", "s", "s/ours", "s/original", "s/ours/cup.png", "s/original/cup.png"],
)
@pytest.mark.parametrize("target", ["kept", "missing"])
def test_nothing_is_written_through_a_link(host, place, tmp_path, link, target):
    """The link leads to a folder or file outside that exists, or to one that could be made."""
    outside = tmp_path / "outside"
    for folder in ("", "ours", "original", "s/ours", "s/original"):
        (outside / folder).mkdir(parents=True, exist_ok=True)
    (outside / "cup.png").write_bytes(b"kept")
    before = {file: file.stat().st_mtime_ns for file in outside.rglob("*")}
    path = place / link if link != "../studies" else place
    path.parent.mkdir(parents=True, exist_ok=True)
    to = outside / "cup.png" if link.endswith(".png") else outside
    path.symlink_to(to if target == "kept" else tmp_path / "missing")
    with pytest.raises(Failed, match="Add To Study.*'study'.*is a link.*Remedy"):
        add_all(host)
    assert {file: file.stat().st_mtime_ns for file in outside.rglob("*")} == before
    assert not (tmp_path / "missing").exists() and path.is_symlink()


def test_a_link_in_place_of_the_unfinished_file_is_replaced(host, place, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("kept")
    (place / "s" / "ours").mkdir(parents=True)
    (place / "s" / "ours" / "cup.part").symlink_to(outside)
    add(host, flat(0.2))
    assert outside.read_text() == "kept" and written(place) == ["s/ours/cup.png"]
    assert (np.asarray(Image.open(place / "s" / "ours" / "cup.png")) == 51).all()


@pytest.mark.parametrize("part", ["s", "s/ours", "s/ours/cup.png"])
def test_a_file_or_folder_in_the_way_is_named(host, place, part):
    path = place / part
    path.parent.mkdir(parents=True)
    path.mkdir() if part.endswith(".png") else path.write_text("in the way")
    with pytest.raises(Failed, match="Add To Study.*'study'.*cannot be written.*Remedy"):
        add(host, flat(0.2))


@pytest.mark.parametrize("content", [b"no database" * 1000, None], ids=["junk", "link"])
def test_votes_that_cannot_be_read_are_named(host, place, tmp_path, content):
    file = place.parents[1] / "user" / "__amodal_studies" / "s.sqlite"
    file.parent.mkdir(parents=True)
    if content is None:
        Votes(tmp_path / "other.sqlite")
        file.symlink_to(tmp_path / "other.sqlite")
    else:
        file.write_bytes(content)
    with pytest.raises(Failed, match="Add To Study.*'study'.*votes.*Remedy"):
        add(host, flat(0.2))
    assert not place.exists()


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_damaged_picture_with_votes_does_not_change(host, place, content):
    add(host, flat(0.2))
    add(host, flat(0.6), method="other")
    (trial,) = Study(place / "s").trials()
    votes = Votes(place.parents[1] / "user" / "__amodal_studies" / "s.sqlite")
    votes.cast("ann", trial, ["ours", "other"], "ours")
    (place / "s" / "ours" / "cup.png").write_bytes(content)
    with pytest.raises(Failed, match="'study'.*'cup' already has votes"):
        add(host, flat(0.2))
    assert (place / "s" / "ours" / "cup.png").read_bytes() == content
