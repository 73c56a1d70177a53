"""Files of others: found inside their folder only, and JSON without surprises."""

import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amodal.core.files import file_inside, inside, is_number, parsed, stays_below


@pytest.fixture
def folder(tmp_path):
    """A folder with a file and a folder in it, beside a file outside."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "file").write_text("in")
    (tmp_path / "out").write_text("out")
    return tmp_path / "in"


@pytest.mark.parametrize("name", ["..", "../out", "sub/../../out", "sub/../file", "a\0b"])
def test_a_name_cannot_lead_outside(folder, name):
    assert inside(folder, name) is None and file_inside(folder, name) is None


def test_an_absolute_name_is_inside_or_refused(folder):
    assert inside(folder, str(folder.parent / "out")) is None
    assert file_inside(folder, str(folder / "file")) == (folder / "file").resolve()
    assert (
        not stays_below(str(folder / "file")) and not stays_below("a/../b") and stays_below("a/b")
    )


def test_a_link_is_followed_within_the_folder_only(folder):
    (folder / "to file").symlink_to("file")
    (folder / "to out").symlink_to("../out")
    (folder / "circle").symlink_to("circle")
    (folder / "up").symlink_to("..", target_is_directory=True)
    assert file_inside(folder, "to file").read_text() == "in"
    for name in ("to out", "circle", "up", "up/out"):
        assert file_inside(folder, name) is None
    (folder.parent / "linked").symlink_to(folder, target_is_directory=True)
    assert file_inside(folder.parent / "linked", "file").read_text() == "in"


def test_only_a_regular_file_is_a_file(folder):
    assert not any(file_inside(folder, name) for name in ("sub", "missing", "x" * 5000))
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe")
        assert file_inside(folder, "pipe") is None


@settings(max_examples=50)
@given(st.text(max_size=20))
def test_any_name_is_inside_or_refused(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp()
    path = inside(folder, name)
    assert path is None or path.is_relative_to(folder.resolve())


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", "-Infinity", "1e400", "-1e999", "[" * 100_000, '{"a":' * 100_000]
    + ["9" * 5000, b"\xff", b"\x00", "\ud800"],
    ids=lambda text: ascii(text)[:12],
)
def test_what_is_no_plain_json_is_refused(text):
    with pytest.raises(ValueError):
        parsed(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
    max_leaves=10,
)


@given(JSON)
def test_plain_json_is_read_as_it_is(value):
    import json

    assert parsed(json.dumps(value)) == value
    assert parsed(json.dumps(value).encode()) == value


@given(st.binary(max_size=30))
def test_any_bytes_are_json_or_refused(content):
    try:
        value = parsed(content)
    except ValueError:
        return
    assert not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("value", [True, None, "1", [], math.nan, math.inf, -math.inf, 10**400])
def test_what_is_no_finite_number_is_none(value):
    assert not is_number(value)
    assert is_number(0) and is_number(-1.5)
