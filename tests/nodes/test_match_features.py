"""Match Features in the real host: any model that shows features, batches, second features."""

import json

import pytest
import torch

from tools.host.inprocess import Failed


@pytest.fixture(scope="session")
def rgba():
    """Two smooth objects of random colours and shapes: [2, 96, 128, 4]."""
    colours = torch.nn.functional.interpolate(
        torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(1)),
        (96, 128),
        mode="bicubic",
    )
    alpha = torch.zeros(2, 1, 96, 128)
    alpha[0, :, 20:80, 30:90] = 1
    alpha[1, :, 10:50, 60:120] = 1
    return torch.cat([colours.clamp(0, 1), alpha], 1).movedim(1, -1)


OUTPUTS = ("map", "lines", "warped", "points", "confidence", "agreement")
HOW = {
    "noise": 0.26,
    "levels": "paper",
    "ensemble": 2,
    "seed": 0,
    "size": 64,
    "cells": 24,
    "count": 5,
    "tolerance": 0.1,
}


def match(host, graph, small, first, second, model=None, vae=None, **how):
    host.forget()  # its cache knows values by their names alone
    found = graph.add(
        "AmodalMatchFeatures",
        model=graph.value(f"net {id(model)}", model or small.model("eps", 4)),
        vae=graph.value(f"vae {id(vae)}", vae or small.vae()),
        positive=graph.value("words", small.words(1, pooled_output=small.tensor(1, small.CONTEXT))),
        object=graph.value("first", first),
        other=graph.value("second", second),
        **{**HOW, **how},
    )
    graph.keep(**{name: found[number] for number, name in enumerate(OUTPUTS)})
    return host.run(graph).values


@pytest.mark.parametrize("kind, inputs", [("eps", 4), ("v", 9), ("flow", 4)])
def test_an_object_matches_itself(host, graph, small, rgba, kind, inputs):
    found = match(host, graph, small, rgba, rgba, small.model(kind, inputs))
    assert found["agreement"] == 1
    assert found["map"].shape == found["lines"].shape == (2, 512, 1024, 3)
    assert found["warped"].shape == rgba.shape and found["confidence"].shape == (2, 96, 128)
    for points, alpha in zip(json.loads(found["points"]), rgba[..., 3]):
        assert 1 < len(points) <= HOW["count"]
        for point in points:
            assert (point["x"], point["y"]) == (point["other_x"], point["other_y"])
            assert point["cycle"] == 0 and point["confidence"] > 0.99
            assert alpha[int(point["y"]), int(point["x"])] == 1
    assert not found["confidence"][rgba[..., 3] == 0].any()
    assert (found["warped"] - rgba)[rgba[..., 3] > 0].abs().max() < 0.1


@pytest.fixture
def transformer_vae(small):
    """An autoencoder of 16 channels by averages, for transformers."""

    import comfy.sd

    class Means(comfy.sd.VAE):
        def __init__(self):
            pass

        def encode(self, pictures):
            cells = torch.nn.functional.avg_pool2d(pictures.movedim(-1, 1), 8)
            return (torch.cat([cells] * 6, 1)[:, :16] - 0.5) * 4

    return Means()


def test_a_transformer_shows_features_too(host, graph, small, rgba, transformer_vae):
    net = small.transformer("sd3")
    found = match(host, graph, small, rgba, rgba, net, transformer_vae, levels="last")
    assert found["agreement"] == 1


def test_one_other_serves_all_and_sizes_may_differ(host, graph, small, rgba):
    other = rgba[:1, 10:90]
    found = match(host, graph, small, rgba, other)
    assert found["warped"].shape == (2, 80, 128, 4)
    assert found["confidence"].shape == (2, 96, 128)
    first, second = json.loads(found["points"])
    assert all(p["other_y"] == pytest.approx(p["y"] - 10, abs=0.1) for p in first)
    assert first != second


def test_masks_stand_in_for_alpha(host, graph, small, rgba):
    masks = {f"{name}_mask": graph.value(name, rgba[..., 3]) for name in ("object", "other")}
    found = match(host, graph, small, rgba[..., :3], rgba[..., :3], **masks)
    assert found["agreement"] == 1
    assert torch.equal(found["warped"][..., 3], rgba[..., 3])


def test_the_same_seed_gives_the_same_field(host, graph, small, rgba):
    one = match(host, graph, small, rgba[:1], rgba[1:])
    two = match(host, graph, small, rgba[:1], rgba[1:])
    assert one["points"] == two["points"] and torch.equal(one["map"], two["map"])
    graph.prompt.clear()
    other = match(host, graph, small, rgba[:1], rgba[1:], seed=5)
    assert not torch.equal(one["confidence"], other["confidence"])


@pytest.fixture(scope="session")
def dino(small, tmp_path_factory):
    """The host's own DINOv2 with two narrow blocks and random weights."""
    import comfy.clip_vision

    path = tmp_path_factory.mktemp("dino") / "config.json"
    shape = {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    fixed = {"image_size": 518, "patch_size": 14, "num_channels": 3, "layer_norm_eps": 1e-6}
    path.write_text(json.dumps({"model_type": "dinov2", "use_swiglu_ffn": False, **shape, **fixed}))
    vision = comfy.clip_vision.ClipVisionModel(str(path))
    small.fill(vision.model, 3)
    vision.model.float()
    return vision


def test_dino_stands_beside_the_diffusion_model(host, graph, small, rgba, dino):
    alone = match(host, graph, small, rgba[:1], rgba[1:])
    graph.prompt.clear()
    both = match(host, graph, small, rgba[:1], rgba[1:], clip_vision=graph.value("dino", dino))
    assert not torch.equal(alone["confidence"], both["confidence"])
    graph.prompt.clear()
    own = match(host, graph, small, rgba, rgba, clip_vision=graph.value("dino", dino))
    assert own["agreement"] == 1


@pytest.mark.parametrize(
    "first, second, how, named",
    [
        (lambda p: p[..., :3], lambda p: p, {}, "object"),
        (lambda p: p, lambda p: p * 0, {}, "other"),
        (lambda p: p[:1], lambda p: p, {}, "other"),
        (lambda p: p, lambda p: p, {"levels": "9"}, "levels"),
    ],
)
def test_what_cannot_be_matched_is_refused_by_name(
    host, graph, small, rgba, first, second, how, named
):
    with pytest.raises(Failed, match=f"(?s)Match Features.*{named}"):
        match(host, graph, small, first(rgba), second(rgba), **how)
