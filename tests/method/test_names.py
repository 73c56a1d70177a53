"""Names are told apart in any writing, and a prompt always has one."""

import pytest

from amodal.core import names


@pytest.mark.parametrize(
    "label, name",
    [("red mug", "red mug"), ("", "single object"), (" ", "single object")]
    + [("object 3", "single object"), ("object", "object"), ("object 3 b", "object 3 b")],
)
def test_a_prompt_always_has_a_name(label, name):
    assert names.name_in_prompt(label) == name


SEPARATORS = ",.;|\n\r\uff0c\uff0e\uff1b\uff5c\u3001\u3002\uff64\uff61\u2028\u2029\x85\f\v"


@pytest.mark.parametrize("between", SEPARATORS, ids=lambda c: f"U+{ord(c):04X}")
def test_as_words_splits_at_every_separator(between):
    text = f"{between} cup {between}teddy\u3000  bear{between}{between} key {between}"
    assert names.as_words(text) == ["cup", "teddy bear", "key"]
    assert names.as_words(between * 3) == []


def test_as_words_takes_captions_and_mixed_separators():
    assert names.as_words("cat . dog .") == ["cat", "dog"]
    assert names.as_words("red mug;\r\ncat|t-shirt, o'clock") == [
        "red mug",
        "cat",
        "t-shirt",
        "o'clock",
    ]
