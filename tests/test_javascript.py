"""What can be said of the widgets' source without a browser."""

import re
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parents[1] / "js").glob("*.js"))
HOSTS = {"../../scripts/app.js", "../../scripts/api.js"}  # all that the host promises to keep


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_imports_nothing_but_the_hosts_two_doors_and_its_neighbours(file):
    names = {f"./{one.name}" for one in FILES}
    assert set(re.findall(r'from "([^"]+)"', file.read_text())) <= HOSTS | names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_acts_on_the_packs_own_nodes_alone(file, real_host):
    named = set(re.findall(r'"(Amodal\w+)"', file.read_text()))
    assert named <= set(real_host.pack)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_can_be_read_at_one_sitting(file):
    assert len(file.read_text().splitlines()) <= 160
