"""What can be said of the widgets' source without a browser."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "js"
FILES = sorted(FOLDER.glob("*.js"))
STUDY = sorted((FOLDER / "study").glob("*.mjs"))
HOSTS = {"../../scripts/app.js", "../../scripts/api.js"}  # all that the host promises to keep


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_imports_nothing_but_the_hosts_two_doors_and_its_neighbours(file):
    names = {f"./{one.name}" for one in FILES}
    assert set(re.findall(r'from "([^"]+)"', file.read_text())) <= HOSTS | names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_acts_on_the_packs_own_nodes_alone(file, real_host):
    named = set(re.findall(r'"(Amodal\w+)"', file.read_text()))
    assert named <= set(real_host.pack)


@pytest.mark.parametrize("file", STUDY, ids=lambda file: file.name)
def test_the_study_imports_its_neighbours_alone(file):
    names = {f"./{one.name}" for one in STUDY}
    assert set(re.findall(r'from "([^"]+)"', file.read_text())) <= names


def test_the_editor_would_load_no_script_of_the_study():
    """It loads every .js below this folder as an extension."""
    assert STUDY and not list((FOLDER / "study").rglob("*.js"))


@pytest.mark.parametrize("file", FILES + STUDY, ids=lambda file: file.name)
def test_it_can_be_read_at_one_sitting(file):
    assert len(file.read_text().splitlines()) <= 160
