"""Text that leaves the pack."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from amodal.core.errors import BadInput
from amodal.core.text import csv_cell, encodable
from amodal.measures.table import Table

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
    assert csv_cell(text)[:1] not in tuple("=+-@\t\r")


@given(st.text('=+-@a\t,"', min_size=1, max_size=8))
def test_no_method_or_measure_of_a_table_is_a_formula(name):
    table = Table([(name, {name: -0.5})])
    head, row = csv.reader(io.StringIO(table.csv()))
    assert head[1][:1] not in tuple("=+-@\t\r") and row[0][:1] not in tuple("=+-@\t\r")
    assert row[1] == "-0.5"
