"""The contract of every AMODAL_SEGMENTER and AMODAL_ORDER_MODEL (amodal/core/types.py).

To test another model, add an entry to SEGMENTERS or ORDER_MODELS: a function that returns the
model, and a picture of two objects that it knows, the first partly behind the second.
"""

from dataclasses import dataclass

import pytest
import stand_ins
import torch
from stickers_at_hand import Loaded, image_of, masks_of, module_of

from amodal.models.border_order import BorderOrder
from amodal.models.grounded_sam import GroundedSegmenter
from amodal.models.instaorder import InstaOrder
from amodal.models.sssd import MaskCompletion
from amodal.stickers.scenes import make_scene


@dataclass
class Case:
    """image [H, W, 3], modal masks [2, H, W] (far, near), their words, an unknown word."""

    model: object
    image: torch.Tensor
    masks: torch.Tensor
    words: list[str]
    unknown: str | None = None


def stickers(model: str) -> Case:
    scene = make_scene(12, query="elephant", occluder="gift", background="plain", hidden=(0.2, 0.4))
    return Case(Loaded()[model], image_of(scene), masks_of(scene), scene.words, "walrus")


def instaorder() -> Case:
    image, masks = stand_ins.scene()
    return Case(InstaOrder(stand_ins.RedHidesGreen()), image, masks, stand_ins.WORDS)


def borders() -> Case:
    image, masks = stand_ins.scene()
    return Case(BorderOrder(), image, masks, stand_ins.WORDS)


def sssd() -> Case:
    image, masks = stand_ins.scene()
    return Case(MaskCompletion(stand_ins.FillsBox()), image, masks, stand_ins.WORDS)


def grounded() -> Case:
    image, masks = stand_ins.scene()
    nets = stand_ins.FindsColours(), stand_ins.CutsColours()
    return Case(GroundedSegmenter(*nets, stand_ins.WORDS), image, masks, stand_ins.WORDS)


def sam3() -> Case:
    """The host's SAM3_Detect over a net that knows colours; on an older host, a stand-in for it."""
    import stand_in_sam3

    image, masks = stand_ins.scene()
    module = module_of("AmodalLoadSam3Segmenter")
    core = module.CoreSam3(*stand_in_sam3.model_and_clip())
    model = module.sam3.Sam3Segmenter(core, stand_ins.WORDS)
    return Case(model, image, masks, stand_ins.WORDS)


SEGMENTERS = {"stickers": lambda: stickers("segmenter"), "grounded": grounded, "sam 3": sam3}
ORDER_MODELS = {
    "stickers": lambda: stickers("order_model"),
    "instaorder": instaorder,
    "borders": borders,
    "sssd": sssd,
}


@pytest.fixture(params=SEGMENTERS)
def case(request, real_host, monkeypatch):
    if request.param == "sam 3":
        import stand_in_sam3

        stand_in_sam3.put(monkeypatch)
    return SEGMENTERS[request.param]()


@pytest.fixture(params=ORDER_MODELS)
def ordered(request, real_host):
    return ORDER_MODELS[request.param]()


def check(objects, image):
    height, width = image.shape[:2]
    count = len(objects)
    assert len(objects.labels) == count and objects.scores.shape == (count,)
    assert objects.masks.shape == (count, height, width)
    assert objects.masks.dtype == torch.bool and objects.boxes.shape == (count, 4)
    assert set(objects.masks.unique().tolist()) <= {0.0, 1.0}
    assert ((objects.scores >= 0) & (objects.scores <= 1)).all()
    for mask, (x1, y1, x2, y2) in zip(objects.masks, objects.boxes.int().tolist()):
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
        assert mask.any() and mask[y1:y2, x1:x2].sum() == mask.sum()
    return objects


def test_detects_the_objects(case):
    found = check(case.model.detect(case.image), case.image)
    assert set(case.words) <= set(found.labels)


def test_detects_only_the_requested_words(case):
    found = check(case.model.detect(case.image, [case.words[1]]), case.image)
    assert set(found.labels) == {case.words[1]}
    both = check(case.model.detect(case.image, list(case.words)), case.image)
    assert set(both.labels) == set(case.words)


def test_no_words_mean_every_known_class(case):
    assert case.model.detect(case.image, []).labels == case.model.detect(case.image, None).labels


@pytest.mark.parametrize("shape", [(128, 128, 3), (8, 8, 3), (61, 203, 3)])
def test_an_empty_picture_has_no_objects_and_the_right_shapes(case, shape):
    image = torch.full(shape, 0.5)
    found = check(case.model.detect(image), image)
    assert len(found) == 0


def test_no_object_reaches_an_impossible_threshold(case):
    found = check(case.model.detect(case.image, None, 1.01), case.image)
    assert len(found) == 0


def test_an_unknown_word_is_refused_with_the_known_words(case):
    if case.unknown is None:
        pytest.skip("this segmenter takes any word")
    # a BadInput of the pack as ComfyUI imported it, which is not the class of this module
    with pytest.raises(ValueError, match=f"words.*{case.unknown}.*Remedy") as error:
        case.model.detect(case.image, [case.unknown])
    assert case.words[0] in str(error.value)


def test_a_picture_twice_as_wide_keeps_its_objects(case):
    wide = torch.cat([case.image, case.image[:, :1].expand_as(case.image)], 1)
    found = check(case.model.detect(wide), wide)
    assert set(case.words) & set(found.labels)


def test_detection_is_deterministic_and_keeps_the_picture(case):
    before = case.image.clone()
    one, two = case.model.detect(case.image), case.model.detect(case.image)
    assert torch.equal(one.masks, two.masks) and torch.equal(one.scores, two.scores)
    assert torch.equal(case.image, before)


@pytest.mark.parametrize("hint", ["prior_mask", "box", "points"])
def test_segments_the_object_pointed_at(case, hint):
    prior_mask = case.masks[1]
    ys, xs = torch.nonzero(prior_mask, as_tuple=True)
    hints = {
        "prior_mask": prior_mask,
        "box": (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1),
        "points": [(int(xs[len(xs) // 2]), int(ys[len(ys) // 2]))],
    }
    mask = case.model.segment(case.image, label=case.words[1], **{hint: hints[hint]})
    assert mask.shape == case.image.shape[:2] and set(mask.unique().tolist()) <= {0.0, 1.0}
    assert (mask * prior_mask).sum() / prior_mask.sum() > 0.5
    assert (mask * prior_mask).sum() / mask.sum() > 0.5


def test_segmenting_an_empty_place_gives_an_empty_mask(case):
    image = torch.full((64, 64, 3), 0.5)
    mask = case.model.segment(image, prior_mask=torch.ones(64, 64))
    assert mask.shape == (64, 64) and not mask.any()


# --- order models ------------------------------------------------------------------------------


def test_order_is_known_only_for_the_requested_pairs(ordered):
    masks = torch.cat([ordered.masks, torch.zeros_like(ordered.masks[:1])])
    masks[2, :9, :9] = 1
    table = ordered.model.order(ordered.image, masks, [(0, 1)])
    assert table.shape == (3, 3) and table.dtype == torch.float32
    known = torch.zeros(3, 3, dtype=torch.bool)
    known[0, 1] = known[1, 0] = True
    assert torch.equal(~table.isnan(), known)
    assert ((table[known] >= 0) & (table[known] <= 1)).all()


def test_the_nearer_object_hides_the_other(ordered):
    table = ordered.model.order(ordered.image, ordered.masks, [(0, 1)])
    assert table[1, 0] > 0.5 > table[0, 1]


def test_order_does_not_depend_on_the_order_of_a_pair(ordered):
    one = ordered.model.order(ordered.image, ordered.masks, [(0, 1)])
    two = ordered.model.order(ordered.image, ordered.masks, [(1, 0)])
    assert torch.allclose(one, two, atol=1e-5, equal_nan=True)


def test_order_does_not_depend_on_the_other_pairs(ordered):
    masks = torch.cat([ordered.masks, ordered.masks.flip(-1)])
    alone = ordered.model.order(ordered.image, masks, [(0, 1)])
    among = ordered.model.order(ordered.image, masks, [(0, 1), (0, 2), (2, 3)])
    assert torch.allclose(alone[:2, :2], among[:2, :2], atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_without_pairs_everything_is_unknown(ordered, count):
    table = ordered.model.order(ordered.image, ordered.masks[:count], [])
    assert table.shape == (count, count) and table.isnan().all()


def test_an_empty_mask_gives_a_finite_probability(ordered):
    masks = ordered.masks.clone()
    masks[1] = 0
    assert ordered.model.order(ordered.image, masks, [(0, 1)])[0, 1].isfinite()
