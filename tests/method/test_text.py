"""Text that leaves the pack."""

import ast
import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amodal.core.errors import BadInput
from amodal.core.text import (
    FORMULA,
    csv_cell,
    csv_text,
    encodable,
    number,
    whole_number,
    write_text,
)
from amodal.measures.table import Table

ROOT = Path(__file__).resolve().parents[2]
ANY = st.text(st.characters(exclude_categories=()), max_size=30)  # lone surrogates too


@given(ANY)
def test_any_text_can_be_encoded_and_most_texts_stay(text):
    encodable(text).encode()
    if not any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        assert encodable(text) == text


@given(ANY, ANY)
def test_any_error_can_be_encoded(problem, remedy):
    str(BadInput("words", problem, remedy).at("Pick Object")).encode()


@given(ANY)
def test_no_cell_is_a_formula(text):
    assert csv_cell(text)[:1] not in tuple("=+-@\t\r\n")


@given(st.text('=+-@a\t,"', min_size=1, max_size=8))
def test_no_method_or_measure_of_a_table_is_a_formula(name):
    table = Table([(name, {name: -0.5})])
    head, row = csv.reader(io.StringIO(table.csv()))
    assert head[1][:1] not in tuple("=+-@\t\r") and row[0][:1] not in tuple("=+-@\t\r")
    assert row[1] == "-0.5"


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_of_a_csv_file_stay_numbers(value):
    import numpy as np

    cells = next(csv.reader(io.StringIO(csv_text([(value, np.float64(value), None, -1, True)]))))
    assert [float(cell) for cell in cells[:2]] == [float(value)] * 2
    assert cells[2:] == ["", "-1", "True"]


@given(st.lists(st.lists(ANY | st.dictionaries(ANY, ANY, max_size=2), min_size=1), max_size=4))
def test_no_cell_of_a_csv_file_is_a_formula_and_any_can_be_written(rows):
    text = csv_text(rows)
    text.encode()
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert not any(cell.startswith(FORMULA) for cell in cells)


def test_any_text_can_be_written_to_a_file(tmp_path):
    write_text(tmp_path / "report.md", "a \ud800 label")
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == "a \\ud800 label"


PYTHON = [
    path
    for folder in ("amodal", "nodes", "research", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
HERE = ROOT / "amodal" / "core" / "text.py"


def callers(names: set[str]) -> set[Path]:
    """The modules that call a function or method of one of these names."""
    found = set()
    for path in PYTHON:
        source = path.read_text("utf-8")
        if any(name in source for name in names):
            calls = (
                node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)
            )
            if names & {getattr(call, "attr", getattr(call, "id", "")) for call in calls}:
                found.add(path)
    return found


def test_one_function_writes_every_csv_file():
    """`writer` and `DictWriter` are the csv module's, the others those of pandas and numpy."""
    assert callers({"writer", "DictWriter", "to_csv", "savetxt", "write_csv"}) == {HERE}
    users = {path.stem for path in callers({"csv_text"})}
    assert users == {"table", "statistics", "evaluation_report", "amodal_report"}


def test_one_function_writes_every_text_of_the_research():
    """Its callers name the function as it is; a path's own method would be an attribute."""
    for path in PYTHON:
        if path.is_relative_to(ROOT / "research"):
            assert ".write_text(" not in path.read_text("utf-8"), path


@pytest.mark.parametrize("text", ["\u00b2", "\u0663", "1_000", "9" * 5000, "", "1e5", "x", "0x1"])
def test_a_whole_number_is_written_in_ascii_digits(text):
    assert whole_number(text) is None
    assert whole_number("-12") == -12 and whole_number("007") == 7


@pytest.mark.parametrize("text", ["1e400", "-1e999", "nan", "inf", "1_0", "\u00b2", "", ".", "e1"])
def test_a_number_is_finite_and_written_in_ascii(text):
    assert number(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_python_writes_is_read(value):
    assert number(repr(value)) == value
    assert number("-.5") == -0.5 and number("2.") == 2


@given(ANY)
def test_any_text_is_a_number_or_none(text):
    assert number(text) is None or math.isfinite(number(text))
    assert whole_number(text) is None or str(whole_number(text)).isascii()
