"""Which level is clustered: the paper's counted from the end, or numbers from the deepest."""

import pytest

from amodal.core.errors import BadInput
from amodal.method.feature_levels import levels_of


@pytest.mark.parametrize("text,levels", [("3", [3]), ("3, 1", [1, 3]), ("2 4 4", [2, 4])])
def test_levels_are_read_from_text(text, levels):
    assert levels_of(text, 4) == levels


@pytest.mark.parametrize("depth, level", [(4, 3), (3, 2), (2, 1), (1, 1), (5, 4)])
def test_the_papers_level_is_the_last_but_one(depth, level):
    assert levels_of("paper", depth) == levels_of(" Paper ", depth) == [level]


def test_the_papers_level_can_be_listed_with_others():
    assert levels_of("1, paper", 4) == [1, 3]
    assert levels_of("paper 2", 3) == [2]


@pytest.mark.parametrize("text", ["", "0", "-1", "deep", "1.5", "\u00b3", "paper?"])
def test_a_text_that_is_not_levels_is_refused(text):
    with pytest.raises(BadInput, match="'levels'.*'paper', 'last', or numbers from 1"):
        levels_of(text, 4)


def test_a_level_that_the_model_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(BadInput, match="asks for 4 of 3.*levels 1 .deepest. to 3"):
        levels_of("2, 4", 3)
