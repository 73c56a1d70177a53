"""A person's words through the one node: to both detections, into the prompt, into the report."""

import pytest
import torch
from analysis import COLOURS, BallInFront, disc, near, scene
from stickers_at_hand import Loaded

from amodal.core import detections
from tools.host.inprocess import Failed

PARTS = {"green plate": "plate", "red ball": "ball", "dot": "far"}


class Asked:
    """A segmenter that knows only the far dot, and finds plate and ball if it is asked for them."""

    vocabulary = ("dot",)

    def detect(self, image, words=None, threshold=0.5):
        names = [name for name in words or self.vocabulary if name in PARTS]
        masks = [near(image, COLOURS[PARTS[name]]) for name in names]
        masks = torch.stack([torch.zeros(image.shape[:2]), *masks])
        keep = [i for i, mask in enumerate(masks) if mask.any()]
        return detections.only(masks, ["", *names], torch.ones(len(masks)), keep)

    def segment(self, image, *, box=None, points=None, prior_mask=None, label=None, painted=None):
        return near(image, COLOURS["plate"])


def completed(host, graph, **settings):
    """One pass of Amodal Completion on a plate behind a ball; the run."""
    image, mask = scene(64)
    models = Loaded()
    made = graph.add(
        "AmodalCompletion",
        "one",
        image=graph.value("plate behind ball", image),
        segmenter=graph.value("asked", Asked()),
        order_model=graph.value("ball in front", BallInFront()),
        **{name: graph.value(f"sticker {name}", models[name]) for name in ("model", "clip", "vae")},
        **{
            "point": "",
            "words": "",
            "prompt": "a photo of a {label}",
            "negative": "",
            "seed": 1,
            "count": 1,
            "steps": 3,
            "k": 0.4,
            "cfg": 1.0,
            "mask_rule": "known background",
            "size": 0,
            "max_passes": 1,
            **settings,
        },
    )
    return host.run(graph.keep(status=made[3], passes=made[4], report=made[5]))


def given(host, run, name: str) -> list:
    """The cached output of a node in the first pass of Amodal Completion."""
    node = next(one for one in run.executed if one.endswith(f"-{name}"))
    return [values[0] for values in host.outputs(node)]


def test_words_choose_the_object_and_name_what_hides_it(host, graph):
    run = completed(host, graph, words="green plate", occluder_words="pole; red ball")
    assert run.values["passes"] == 1
    assert "hidden by red ball" in run.values["report"]
    assert given(host, run, "Prompt") == ["a photo of a green plate"]
    objects = given(host, run, "DetectObjects")[0]
    assert objects.labels == ["green plate", "red ball"]
    assert given(host, run, "CropToObject")[0].shape == (1, 128, 128, 3)  # the sticker model's


def test_an_occluder_without_a_name_is_missed_and_the_report_says_what_was_looked_for(host, graph):
    run = completed(host, graph, words="green plate", occluder_words="pole")
    assert (run.values["status"], run.values["passes"]) == ("nothing to complete", 0)
    for name in ("nothing hides the object", "green plate", "pole", "known names"):
        assert name in run.values["report"]


def test_a_mask_of_an_unknown_object_leaves_no_hole_in_the_prompt(host, graph):
    mask = scene(64)[1]
    run = completed(host, graph, modal_mask=graph.value("modal", mask), occluder_words="red ball")
    assert run.values["passes"] == 1
    assert given(host, run, "Prompt") == ["a photo of a single object"]


def test_with_a_mask_the_words_are_the_label_alone(host, graph):
    """The segmenter need not know them: stickers have names of their own."""
    mask = scene(64)[1]
    run = completed(
        host,
        graph,
        modal_mask=graph.value("modal", mask),
        words="saucer",
        occluder_words="red ball",
    )
    assert given(host, run, "Prompt") == ["a photo of a saucer"]
    assert "saucer" not in given(host, run, "DetectObjects")[0].sought


def test_words_that_nothing_has_are_refused_with_what_was_found(host, graph):
    with pytest.raises(Failed, match="'brown plate' is not among the detected objects.*0: dot"):
        completed(host, graph, words="brown plate")


def test_unknown_words_of_the_sticker_world_are_refused_with_its_list(host, graph):
    image = graph.value("a disc", torch.rand(1, 64, 64, 3) * disc(64, 50, 30)[None, :64, :64, None])
    found = graph.add(
        "AmodalDetectObjects",
        image=image,
        segmenter=graph.add("AmodalStickerSegmenter"),
        words="cat, walrus",
        threshold=0.5,
        add_known=True,
    )
    with pytest.raises(Failed, match="'walrus' is not an object of the sticker world.*zebra"):
        host.run(graph.keep(count=found[3]))


def test_nothing_detected_says_what_was_looked_for(host, graph):
    found = graph.add(
        "AmodalDetectObjects",
        image=graph.value("gray", torch.full((1, 32, 32, 3), 0.5)),
        segmenter=graph.value("asked", Asked()),
        words="green plate | pole",
        threshold=0.5,
        add_known=False,
    )
    run = host.run(graph.keep(masks=found[1], count=found[3]))
    assert run.values["count"] == 0
    errors = [data["exception_message"] for event, data in run.events if event == "execution_error"]
    assert len(errors) == 1 and "(looked for green plate, pole)" in errors[0]
