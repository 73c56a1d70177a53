"""Prepare For 3D: centring, ground, batches, and the guess of the elevation."""

import pytest
import torch

from amodal.applications import view
from tools.host.inprocess import Failed


def rgba(boxes, height=60, width=90) -> torch.Tensor:
    picture = torch.full((len(boxes), height, width, 4), 0.3)
    picture[..., 3] = 0
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        picture[number, y0:y1, x0:x1, 3] = 1
    return picture


def prepare(host, graph, **inputs):
    host.forget()
    defaults = {"size": 64, "margin": 0.125, "background": "white"}
    node = graph.add("AmodalPrepareFor3D", **{**defaults, **inputs})
    graph.keep(image=node[0], mask=node[1], elevation=node[2])
    return host.run(graph).values


@pytest.mark.parametrize("ground, shade", [("white", 1.0), ("gray", 0.5), ("black", 0.0)])
def test_the_object_lies_in_the_middle_of_a_plain_square(host, graph, ground, shade):
    pictures = rgba([(10, 10, 58, 34), (70, 0, 90, 60)])
    found = prepare(host, graph, object=graph.value("objects", pictures), background=ground)
    assert found["image"].shape == (2, 64, 64, 3) and found["mask"].shape == (2, 64, 64)
    for image, mask in zip(found["image"], found["mask"]):
        rows, columns = (mask > 0.5).any(1).nonzero(), (mask > 0.5).any(0).nonzero()
        for line in (rows, columns):
            assert abs(int(line[0]) - (63 - int(line[-1]))) <= 1
        larger = max(int(rows[-1] - rows[0]), int(columns[-1] - columns[0])) + 1
        assert abs(larger - 48) <= 1
        assert torch.allclose(image[mask == 0], torch.tensor(shade))
        assert torch.allclose(image[mask == 1], torch.tensor(0.3), atol=1e-3)


def test_a_mask_stands_in_for_alpha(host, graph):
    pictures = rgba([(10, 10, 58, 34)])
    found = prepare(
        host,
        graph,
        object=graph.value("plain", pictures[..., :3]),
        object_mask=graph.value("mask", pictures[..., 3]),
    )
    assert float(found["mask"].mean()) == pytest.approx(48 * 24 / 64**2, abs=0.01)
    graph.prompt.clear()
    with pytest.raises(Failed, match="Prepare For 3D.*object"):
        prepare(host, graph, object=graph.value("plain", pictures[..., :3]))


def test_the_elevation_is_by_the_height_in_the_photograph(host, graph):
    """The canvas has grown by 30 above: the object's middle is at the photograph's middle."""
    pictures = rgba([(10, 50, 30, 70)], height=90)
    photograph = graph.value("photograph", torch.zeros(1, 60, 90, 3))
    found = prepare(
        host,
        graph,
        object=graph.value("objects", pictures),
        original_image=photograph,
        y=graph.value("y", -30),
    )
    assert found["elevation"] == view.USUAL


def test_lower_in_the_photograph_is_seen_more_from_above():
    guesses = [view.elevation_guess(middle, 100) for middle in (0, 25, 50, 75, 100)]
    assert guesses == sorted(guesses) and guesses[2] == view.USUAL
    assert guesses[4] == pytest.approx(view.USUAL + view.LENS / 2, abs=0.1)
    assert view.elevation_guess(1e6, 10) <= view.RANGE[1]
    assert view.elevation_guess(-1e6, 10) >= view.RANGE[0]
