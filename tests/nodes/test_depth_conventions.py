"""Near and far for each depth node of the host, through Order From Depth.

What the host's node lacks is skipped with the reason. The scene: a cup half a metre away hides a
table that lies two metres away, before a wall at six metres, and sky.
"""

import pytest
import torch

from tools.host.inprocess import Failed

SIZE = 64
CUP, TABLE = (slice(20, 50), slice(24, 40)), (slice(40, 60), slice(4, 60))
METRES = torch.full((SIZE, SIZE), 6.0)
METRES[TABLE] = 2.0
METRES[CUP] = 0.5
MASKS = torch.zeros(2, SIZE, SIZE)
MASKS[0][TABLE] = 1
MASKS[0][CUP] = 0
MASKS[1][CUP] = 1
SKY = torch.zeros(SIZE, SIZE)
SKY[:8] = 1.0


def sees_near_and_far(host, graph, picture, near: str) -> bool:
    """Does the cup hide the table, and not the other way round?"""
    objects = graph.add(
        "AmodalObjectsFromMasks", masks=graph.value("masks", MASKS), labels="table, cup"
    )
    order = graph.add("AmodalOrderFromDepth", depth=picture, objects=objects, near=near)
    found = host.run(graph.keep(order=order)).values["order"]
    assert float(found[0, 1] + found[1, 0]) == pytest.approx(1)
    return bool(found[1, 0] > 0.9)


def image(depth: torch.Tensor) -> torch.Tensor:
    return depth[None, ..., None].repeat(1, 1, 1, 3)


def needs(host, node: str, version: str) -> None:
    if node not in host.classes:
        pytest.skip(f"needs ComfyUI {version}, which has {node}; AMODAL_COMFYUI may name one")


@pytest.mark.parametrize("normalization", ["v2_style", "min_max"])
@pytest.mark.parametrize("sky", [False, True])
def test_depth_anything_3_shows_near_things_bright(host, graph, normalization, sky):
    needs(host, "DA3Render", "0.25")
    geometry = {"depth": METRES[None], "image": image(METRES) / 6, "mode": "mono"}
    if sky:
        geometry["sky"] = SKY[None]
    options = {"output": "depth", "normalization": normalization, "apply_sky_clip": sky}
    drawn = host.classes["DA3Render"].execute(geometry, options)[0]
    assert sees_near_and_far(host, graph, graph.value("da3", drawn), "bright")
    graph.prompt.clear()
    assert not sees_near_and_far(host, graph, graph.value("da3", drawn), "dark")


def test_depth_anything_3_in_metres_shows_near_things_dark(host, graph):
    needs(host, "DA3Render", "0.25")
    geometry = {"depth": METRES[None], "image": image(METRES) / 6, "mode": "mono"}
    options = {"output": "depth", "normalization": "raw", "apply_sky_clip": False}
    drawn = host.classes["DA3Render"].execute(geometry, options)[0]
    assert drawn.max() > 1
    assert sees_near_and_far(host, graph, graph.value("da3 raw", drawn), "dark")


def test_moge_shows_near_things_bright_and_what_it_left_out_black(host, graph):
    needs(host, "MoGeRender", "0.21")
    depth = METRES.masked_fill(SKY > 0, float("inf"))[None]
    drawn = host.classes["MoGeRender"].execute({"depth": depth, "image": image(METRES)}, "depth")[0]
    assert drawn.isfinite().all() and drawn[0, 0].max() == 0
    assert sees_near_and_far(host, graph, graph.value("moge", drawn), "bright")


def test_lotus_shows_near_things_dark_and_after_invert_image_bright(host, graph):
    """What its VAE decodes: shades of gray with a little colour, a little beyond 0..1."""
    noise = 0.02 * torch.randn(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
    decoded = graph.value("lotus", image((METRES / 6).sqrt()) + noise)
    assert sees_near_and_far(host, graph, decoded, "dark")
    graph.prompt.clear()
    inverted = graph.add("ImageInvert", image=graph.value("lotus"))
    assert sees_near_and_far(host, graph, inverted, "bright")


@pytest.mark.parametrize("unit", [1.0, 1000.0, 0.1])
def test_depth_in_any_unit_is_told_apart(host, graph, unit):
    """In tenths of a metre beyond 1, 0..1 would cut everything off but the cup."""
    picture = graph.value(f"metres {unit}", image(METRES * unit))
    assert sees_near_and_far(host, graph, picture, "dark")


def test_near_and_far_below_zero_are_told_apart(host, graph):
    """Some nodes give standardised depth."""
    standard = (METRES - METRES.mean()) / METRES.std()
    assert sees_near_and_far(host, graph, graph.value("standard", image(standard)), "dark")


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_false_colours_are_refused_by_name(host, graph, unit):
    near = 1 - (METRES - 0.5) / 5.5
    colours = torch.stack([near, 1 - (2 * near - 1).abs(), 1 - near], -1)[None] * unit
    with pytest.raises(Failed, match="Order From Depth.*'depth' is in colours.*depth_colored"):
        sees_near_and_far(host, graph, graph.value("turbo", colours), "bright")


def test_the_hosts_own_false_colours_are_refused(host, graph):
    needs(host, "MoGeRender", "0.21")
    drawn = host.classes["MoGeRender"].execute(
        {"depth": METRES[None], "image": image(METRES)}, "depth_colored"
    )[0]
    with pytest.raises(Failed, match="is in colours"):
        sees_near_and_far(host, graph, graph.value("moge turbo", drawn), "bright")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_depth_with_holes_is_refused_by_name(host, graph, bad):
    holes = METRES.clone()
    holes[0, 0] = bad
    with pytest.raises(Failed, match="'depth' holds NaN or infinity"):
        sees_near_and_far(host, graph, graph.value("holes", image(holes)), "dark")
