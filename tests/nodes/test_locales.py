"""Each translation names every node, input and output that the English file names."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "locales"
ENGLISH = json.loads((FOLDER / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
OTHERS = sorted(path for path in FOLDER.iterdir() if path.name != "en")


def leaves(tree, path=()) -> dict:
    """{path: text} of a nested dictionary."""
    if isinstance(tree, str):
        return {path: tree}
    return {k: v for key, part in tree.items() for k, v in leaves(part, (*path, key)).items()}


def test_chinese_and_japanese_are_there():
    assert {path.name for path in OTHERS} >= {"zh", "ja"}


@pytest.mark.parametrize("folder", OTHERS, ids=lambda path: path.name)
def test_a_translation_is_complete(folder):
    translated = leaves(json.loads((folder / "nodeDefs.json").read_text(encoding="utf-8")))
    english = leaves(ENGLISH)
    assert translated.keys() == english.keys()
    assert not [path for path, text in english.items() if text and not translated[path]]


@pytest.mark.parametrize("folder", OTHERS, ids=lambda path: path.name)
def test_no_english_sentence_is_left(folder):
    translated = leaves(json.loads((folder / "nodeDefs.json").read_text(encoding="utf-8")))
    english = leaves(ENGLISH)
    left = [p for p, text in english.items() if " " in text and translated[p] == text]
    assert left == []
