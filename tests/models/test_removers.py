"""What every remover must do: fill(image [1, H, W, 3], removed [1, H, W]) -> image.

A remover joins with one entry in REMOVERS.
"""

import importlib.util

import pytest
import torch

from amodal.core.errors import BadInput
from amodal.method import smooth_fill
from amodal.models import inpainter, patchmatch

INSTALLED = importlib.util.find_spec("patchmatch") is not None
NEEDS_PACKAGE = pytest.mark.skipif(not INSTALLED, reason="pypatchmatch is not installed")


def learned(image, removed):
    """An inpainter that paints the mean of the known pixels, with typical size requirements."""

    def call(picture, hole):
        return (picture.sum((2, 3), keepdim=True) / (1 - hole).sum()).expand_as(picture)

    return inpainter.fill(call, image, removed, inpainter.Needs(64, 8))


REMOVERS = [
    pytest.param(smooth_fill.smooth, id="smooth"),
    pytest.param(learned, id="learned"),
    pytest.param(patchmatch.fill, id="patchmatch", marks=NEEDS_PACKAGE),
]


@pytest.fixture(params=REMOVERS)
def fill(request):
    return request.param


def plain(height=60, width=80):
    return torch.tensor([0.3, 0.6, 0.9]).expand(1, height, width, 3).clone()


def hole(height=60, width=80, x0=20, y0=15, x1=50, y1=40):
    mask = torch.zeros(1, height, width)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def dirty(image, removed):
    return torch.where(removed[..., None] > 0.5, torch.tensor([0.95, 0.0, 0.8]), image)


@pytest.mark.parametrize("place", [{}, {"x0": 0, "y0": 0}, {"x1": 80, "y1": 60}])
def test_a_plain_background_is_continued(fill, place):
    """In the middle, and with a hole at the border of the picture."""
    removed = hole(**place)
    assert (fill(dirty(plain(), removed), removed) - plain()).abs().max() < 0.01


def test_known_pixels_stay_to_the_bit(fill):
    image = torch.rand(1, 60, 80, 3, generator=torch.Generator().manual_seed(1))
    before = image.clone()
    made = fill(image, hole())
    assert torch.equal(made[hole() < 0.5], before[hole() < 0.5]) and torch.equal(image, before)
    assert made.min() >= 0 and made.max() <= 1


def test_removed_pixels_do_not_matter(fill):
    """The removed pixels do not affect the result, and none of them remain."""
    removed = hole()
    one, two = (fill(dirty(base, removed), removed) for base in (plain(), plain()))
    other = torch.where(removed[..., None] > 0.5, torch.zeros(3), plain())
    assert torch.equal(one, two) and torch.allclose(one, fill(other, removed), atol=1e-6)


def test_nothing_to_remove_changes_nothing(fill):
    image = torch.rand(1, 60, 80, 3)
    assert torch.equal(fill(image, torch.zeros(1, 60, 80)), image)


def test_nothing_known_is_gray(fill):
    assert torch.equal(fill(plain(), torch.ones(1, 60, 80)), torch.full((1, 60, 80, 3), 0.5))


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 31), (40, 200)])
def test_every_size(fill, size):
    removed = torch.zeros(1, *size)
    removed[:, : size[0] // 2 + 1, : size[1] // 2] = 1
    made = fill(plain(*size), removed)
    assert made.shape == (1, *size, 3) and made.isfinite().all()


@NEEDS_PACKAGE
def test_patchmatch_continues_stripes():
    stripes = (torch.arange(80) // 4 % 2).float().expand(60, 80)[None, ..., None].repeat(1, 1, 1, 3)
    removed = hole()
    made = patchmatch.fill(dirty(stripes, removed), removed)
    assert (made - stripes).abs().mean() < 0.02
    assert (smooth_fill.smooth(dirty(stripes, removed), removed) - stripes).abs().mean() > 0.05


@pytest.mark.skipif(INSTALLED, reason="pypatchmatch is installed")
def test_a_missing_package_is_reported_with_the_remedy():
    with pytest.raises(BadInput, match="pypatchmatch is not installed. Remedy: install it .*pip"):
        patchmatch.fill(plain(), hole())


def test_the_node_uses_patchmatch_or_reports_that_it_is_missing(host, graph):
    from tools.host import inprocess

    made = graph.add(
        "AmodalRemoveObjects",
        image=graph.value("plain", plain()),
        method="patchmatch",
        modal_mask=graph.value("hole", hole()),
        occluder_mask=graph.value("hole"),
        dilate=0.0,
    )
    graph.keep(image=made[0])
    if INSTALLED:
        assert (host.run(graph).values["image"] - plain()).abs().max() < 0.01
        return
    with pytest.raises(inprocess.Failed, match="Remove Objects.*input 'method' is patchmatch"):
        host.run(graph)
