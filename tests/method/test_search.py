"""Words searched for beside everything that a segmenter knows."""

import pytest
import torch

from amodal.core.detections import only
from amodal.core.search import search
from amodal.core.types import Objects

IMAGE = torch.zeros(20, 40, 3)
PLACES = {  # name -> (x from, x to, score)
    "cup": (0, 10, 0.9),
    "red mug": (0, 10, 0.6),
    "black cat": (10, 20, 0.5),
    "cat": (10, 20, 0.8),
    "hand": (20, 30, 0.7),
    "zebras": (30, 40, 0.6),
    "zebra": (30, 40, 0.9),
}


class Scene:
    """A detector for which every name but those of the vocabulary must be asked for."""

    vocabulary = ["Cup", "cat", "zebra"]

    def __init__(self):
        self.asked = []

    def detect(self, image, words=None, threshold=0.5):
        self.asked.append(words)
        names = [n.lower() for n in words or self.vocabulary if n.lower() in PLACES]
        names = [n for n in names if PLACES[n][2] >= threshold]
        masks = torch.zeros(len(names), *image.shape[:2])
        for mask, name in zip(masks, names):
            mask[:, PLACES[name][0] : PLACES[name][1]] = 1
        scores = torch.tensor([PLACES[n][2] for n in names])
        return only(masks, names, scores, list(range(len(names))))


def found(words, add_known=True, **settings) -> Objects:
    return search(Scene(), IMAGE, words, settings.get("threshold", 0.5), add_known)


@pytest.mark.parametrize("words", ["red mug", "black cat", "zebras", "hand", "Red  Mug"])
def test_words_outside_the_vocabulary_are_found_and_stay_the_label(words):
    objects = found(words)
    name = " ".join(words.lower().split())
    assert objects.labels[0] == name and objects.scores[0] == PLACES[name][2]
    places = [PLACES[label][:2] for label in objects.labels]
    assert len(set(places)) == len(places)  # one object, one name


def test_everything_known_is_still_found():
    assert set(found("hand").labels) == {"hand", "cup", "cat", "zebra"}
    assert set(found("").labels) == {"cup", "cat", "zebra"}


def test_without_the_known_only_the_words_are_searched_for():
    assert found("hand . zebras", add_known=False).labels == ["hand", "zebras"]
    assert set(found(" . ", add_known=False).labels) == {"cup", "cat", "zebra"}


def test_known_names_cost_no_second_search():
    segmenter = Scene()
    search(segmenter, IMAGE, "CAT, cup", 0.5, True)
    assert segmenter.asked == [None]
    search(segmenter, IMAGE, "cat, hand", 0.5, True)
    assert segmenter.asked[1:] == [None, ["hand"]]


def test_a_word_that_is_not_there_leaves_the_known_objects():
    assert set(found("curtain").labels) == {"cup", "cat", "zebra"}
    assert set(found("red mug", threshold=0.7).labels) == {"cup", "cat", "zebra"}


def test_it_says_what_was_looked_for():
    assert found("hand, pole").sought == "hand, pole, and 3 known names"
    assert found("cat").sought == "3 known names"
    assert found("hand", add_known=False).sought == "hand"
    plain = Scene()
    plain.vocabulary = ()
    said = search(plain, IMAGE, "hand", 0.5, True).sought
    assert said == "hand, and everything the segmenter knows"
