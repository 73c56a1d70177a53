"""The product compiles, and its light modules import, on every supported Python that is here."""

import ast
import re
import sys

import pytest

from tools.package import pythons


@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_sources_are_good_on_it(version):
    python = pythons.interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    assert pythons.check_sources(python) == ""


def test_the_oldest_one_is_the_one_that_is_promised():
    text = (pythons.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'requires-python = ">={pythons.VERSIONS[0]}"' in text
    assert 'target-version = "py{}"'.format(pythons.VERSIONS[0].replace(".", "")) in text
    assert f'python_version = "{pythons.VERSIONS[0]}"' in text


def test_no_syntax_is_newer_than_the_oldest():
    """Holds where that Python is not installed too."""
    oldest = tuple(map(int, pythons.VERSIONS[0].split(".")))
    for top in pythons.PRODUCT:
        place = pythons.ROOT / top
        for file in [place] if place.is_file() else place.rglob("*.py"):
            ast.parse(file.read_bytes(), str(file), feature_version=oldest)


def test_a_module_that_does_not_import_is_told(monkeypatch):
    monkeypatch.setattr(pythons, "LIGHT", ("amodal.core.errors", "amodal.no_such_module"))
    said = pythons.check_sources(sys.executable)
    assert re.search(r"No module named 'amodal.no_such_module'", said)
