"""Checks of the widgets' source files that need no browser."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "js"
FILES = sorted(FOLDER.glob("*.js"))
STUDY = sorted((FOLDER / "study").glob("*.mjs"))
HOSTS = {"../../scripts/app.js", "../../scripts/api.js"}  # the host's stable modules


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_imports_only_the_hosts_stable_modules_and_its_neighbours(file):
    names = {f"./{script.name}" for script in FILES}
    assert set(re.findall(r'from "([^"]+)"', file.read_text())) <= HOSTS | names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_names_only_nodes_of_the_pack(file, real_host):
    named = set(re.findall(r'"(Amodal\w+)"', file.read_text()))
    assert named <= set(real_host.pack)


@pytest.mark.parametrize("file", STUDY, ids=lambda file: file.name)
def test_a_file_of_the_study_imports_only_its_neighbours(file):
    names = {f"./{module.name}" for module in STUDY}
    assert set(re.findall(r'from "([^"]+)"', file.read_text())) <= names


def test_the_study_has_no_js_files():
    """The editor loads every .js file below this folder as an extension."""
    assert STUDY and not list((FOLDER / "study").rglob("*.js"))


@pytest.mark.parametrize("file", FILES + STUDY, ids=lambda file: file.name)
def test_a_file_has_at_most_160_lines(file):
    assert len(file.read_text().splitlines()) <= 160
