"""Sweep Values and Labelled Grid, in ComfyUI's executor."""

import numpy as np
import pytest
import torch

from amodal.core import visualize
from tools.host.inprocess import Failed, Graph

RED = torch.tensor([1.0, 0.0, 0.0])


@pytest.fixture
def host(real_host):
    real_host.forget()
    return real_host


def picture(height=20, width=40, colour=RED) -> torch.Tensor:
    return colour.expand(height, width, -1).clone()


def swept(values: str, output: int, node: str, name: str, **inputs) -> Graph:
    """A node that runs once for each value, and a grid of its outputs."""
    graph = Graph()
    values = graph.add("AmodalSweepValues", values=values)
    inputs = {key: graph.value(key, value) for key, value in inputs.items()}
    made = graph.add(node, "swept", **inputs, **{name: values[output]})
    grid = graph.add("AmodalLabelledGrid", "grid", images=made, labels=values[0], cell=64)
    return graph.keep(grid=grid)


def test_connected_nodes_run_once_for_each_value(host):
    image = torch.zeros(1, 64, 64, 3)
    mask = torch.zeros(1, 64, 64)
    mask[:, 20:40, 20:40] = 1
    graph = swept(
        "white\nblack, gray", 3, "AmodalSwapBackground", "background", image=image, modal_mask=mask
    )
    graph.prompt["swept"]["inputs"]["seed"] = 0
    grid = host.run(graph).values["grid"]
    assert grid.shape[0] == 1 and grid.shape[-1] == 3
    colours = {tuple(c) for c in (grid[0].reshape(-1, 3) * 255).round().int().tolist()}
    assert {(255, 255, 255), (0, 0, 0)} <= colours
    assert {(127, 127, 127), (128, 128, 128)} & colours


def test_numbers_reach_number_sockets(host):
    graph = Graph()
    values = graph.add("AmodalSweepValues", values="1, 2.5")
    graph.keep(number=values[2])
    assert host.run(graph).values["number"] == 2.5  # the last of both runs


@pytest.mark.parametrize(
    "values, output",
    [
        ("one, two", 2),
        ("1.5", 1),
        ("1, \u00b2", 1),
        ("\u0663", 1),
        ("nan", 2),
        ("1e400", 2),
        ("9" * 5000, 1),
    ],
)
def test_words_do_not_reach_number_sockets(host, values, output):
    graph = Graph()
    graph.keep(number=graph.add("AmodalSweepValues", values=values)[output])
    run = host.run(graph)
    assert "number" not in run.values


def test_no_values_are_refused_with_the_remedy(host):
    graph = Graph()
    graph.keep(text=graph.add("AmodalSweepValues", values=" \n "))
    with pytest.raises(Failed, match="Sweep Values.*values.*write one value"):
        host.run(graph)


def test_a_grid_has_a_cell_for_each_picture_and_keeps_their_shapes():
    made = visualize.grid([picture(), picture(40, 20), picture()], ["wide"], "Title", 2, 80)
    assert made.dtype == np.float32 and made.min() >= 0 and made.max() <= 1
    red = (made[..., 0] > 0.9) & (made[..., 1:].max(-1) < 0.1)
    assert red.sum() == pytest.approx(3 * 80 * 40, rel=0.1)
    alone = visualize.grid([picture()], [], "", 0, 80)
    assert alone.shape[0] < made.shape[0] and alone.shape[1] < made.shape[1]


def test_labels_and_titles_are_written():
    bare = visualize.grid([picture()], [" "], "", 1, 128)
    assert (visualize.grid([picture()], ["label"], "", 1, 128) < 0.5).sum() > (bare < 0.5).sum()
    titled = visualize.grid([picture()], [" "], "Title", 1, 128)
    assert titled.shape[0] > bare.shape[0]


def test_transparent_pictures_stand_on_chequers():
    clear = torch.zeros(32, 32, 4)
    made = visualize.grid([clear], [" "], "", 1, 64)
    assert set(np.unique((made * 255).round().astype(int))) == {232, 255}
