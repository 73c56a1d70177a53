"""The modal mask asked for again: finer edges, missing parts, what a crop had cut off."""

import pytest
import torch

from amodal.core import detections, mask_ops
from amodal.core.errors import BadInput
from amodal.method.modal_mask import refine


def rectangle(x0, y0, x1, y1, width=1024, height=768):
    mask = torch.zeros(height, width)
    mask[y0:y1, x0:x1] = 1
    return mask


def drawn(*masks):
    """A picture [1, H, W, 3] whose red channel holds the number of the mask at each pixel / 10."""
    image = torch.zeros(1, *masks[0].shape, 3)
    for number, mask in enumerate(masks, 1):
        image[0, ..., 0][mask > 0.5] = number / 10
    return image


class Sees:
    """A perfect segmenter of `drawn` pictures: object n is where the red channel is n / 10."""

    def __init__(self, *labels, fault=None):
        self.labels, self.fault, self.sizes = labels, fault, []

    def detect(self, image, words=None, threshold=0.5):
        self.sizes.append(tuple(image.shape[:2]))
        masks = [self.mask(image, n) for n in range(1, len(self.labels) + 1)]
        wanted = [(m, name) for m, name in zip(masks, self.labels) if name in words and m.any()]
        if not wanted:
            height, width = image.shape[:2]
            return detections.only(torch.zeros(0, height, width), [], torch.zeros(0), [])
        found = torch.stack([mask for mask, _ in wanted])
        if self.fault:
            found = self.fault(found)
        return detections.from_masks(found, [name for _, name in wanted])

    def mask(self, image, number):
        return ((image[..., 0] - number / 10).abs() < 0.04).float()

    def segment(self, image, *, prior_mask=None, **_prompts):
        return self.mask(image, 1)


DOG = rectangle(401, 301, 519, 379)


def coarse(mask, cell=4):
    """The mask as a segmenter with few cells for the whole picture gives it, too large."""
    small = torch.nn.functional.max_pool2d(mask[None, None], cell)
    return torch.nn.functional.interpolate(small, mask.shape)[0, 0]


@pytest.mark.parametrize("label", ["dog", ""])
def test_a_coarse_mask_of_a_small_object_gets_its_true_edges(label):
    before = coarse(DOG)
    assert mask_ops.iou(before, DOG) < 0.96
    result = refine(drawn(DOG), before[None], Sees("dog"), label)
    assert torch.equal(result.mask[0], DOG)
    assert result.describe().startswith("refined")


def test_a_mask_drawn_by_hand_is_kept_until_a_pass_has_painted():
    by_hand = torch.maximum(mask_ops.erode(DOG, 3), rectangle(398, 340, 410, 350))
    result = refine(drawn(DOG), by_hand[None], Sees("dog"), "dog", edges=False)
    assert torch.equal(result.mask[0], by_hand) and "by hand" in result.describe()
    later = refine(drawn(DOG), by_hand[None], Sees("dog"), "dog", edges=False, first=False)
    assert torch.equal(later.mask[0], torch.maximum(DOG, by_hand))


def test_a_part_that_the_answer_lacks_is_kept():
    """The edge is trimmed, but the tail that the segmenter misses is not an edge."""
    tail = rectangle(519, 320, 560, 360)
    whole = torch.maximum(DOG, tail)
    result = refine(drawn(DOG), whole[None], Sees("dog"), "dog")
    assert torch.equal(result.mask[0], whole)


@pytest.mark.parametrize("far", [560, 700, 1000])
def test_an_object_that_the_last_crop_cut_goes_on(far):
    """However far it goes on: each window is larger than the one before."""
    whole = rectangle(200, 300, far, 420)
    seen = rectangle(200, 300, 400, 420)
    result = refine(drawn(whole), seen[None], Sees("dog"), "dog", first=False)
    assert torch.equal(result.mask[0], whole)


def test_a_neighbour_of_the_same_kind_is_not_joined():
    """The detection of the first cow holds both; the second is detected by itself too."""
    first, second = rectangle(300, 300, 500, 420), rectangle(500, 320, 620, 420)

    def both_in_one(masks):
        return torch.stack([masks.amax(0), *masks[1:]])

    segmenter = Sees("cow", "cow", fault=both_in_one)
    result = refine(drawn(first, second), first[None], segmenter, "cow")
    assert torch.equal(result.mask[0], first)


@pytest.mark.parametrize("seen", [rectangle(400, 300, 440, 340), rectangle(700, 300, 800, 400)])
def test_the_answer_for_another_object_is_ignored(seen):
    result = refine(drawn(DOG), seen[None], Sees("dog"), "dog")
    assert torch.equal(result.mask[0], seen) and result.asked == 0
    assert result.describe().startswith("kept")


def test_a_label_that_the_segmenter_does_not_know_keeps_the_mask():
    class Knows:
        def detect(self, image, words=None, threshold=0.5):
            raise BadInput("words", "'dog' is unknown", "use another")

    result = refine(drawn(DOG), DOG[None], Knows(), "dog")
    assert torch.equal(result.mask[0], DOG) and result.agreement is None


def test_a_window_is_shown_at_most_1024_pixels_wide():
    large = rectangle(200, 300, 3000, 1500, 4000, 3000)
    segmenter = Sees("bus")
    result = refine(drawn(large), large[None], segmenter, "bus")
    assert max(segmenter.sizes[0]) == 1024
    assert mask_ops.iou(result.mask[0], large) > 0.995


def test_in_the_host_the_node_gives_the_mask_of_the_canvas(host, graph):
    node = graph.add(
        "AmodalRefineModalMask",
        image=graph.value("image", drawn(DOG)),
        modal_mask=graph.value("mask", coarse(DOG)[None]),
        segmenter=graph.value("segmenter", Sees("dog")),
        label="dog",
    )
    values = host.run(graph.keep(mask=node[0], explanation=node[1])).values
    assert torch.equal(values["mask"][0], DOG) and "refined" in values["explanation"]
