"""Prepare For 3D: centring, ground, batches, and the guess of the elevation."""

from types import SimpleNamespace

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


def zero123(small):
    """The host's Stable Zero123, narrow and with random weights: MODEL."""
    import comfy.supported_models

    shape = {**small.unet_config(8, context=768), "use_linear_in_transformer": False}
    config = comfy.supported_models.Stable_Zero123(shape)
    config.set_inference_dtype(torch.float32, None)
    weights = {
        "cc_projection.weight": small.tensor(768, 772) / 28,
        "cc_projection.bias": torch.zeros(768),
    }
    with torch.no_grad():
        net = config.get_model(weights, "", device=torch.device("cpu"))
    small.fill(net.diffusion_model, 0)
    return small.managed(net)


class Vision:
    """Gives what the host's node reads of a CLIP_VISION: an embedding, here by mean colours."""

    def __init__(self, width=768):
        self.width = width

    def encode_image(self, image):
        embeds = image.mean((1, 2)).repeat(1, 1 + self.width // 3)[:, : self.width]
        return SimpleNamespace(image_embeds=embeds)


def test_cores_own_nodes_turn_what_it_gives(host, graph, small):
    """Stable Zero123's nodes run on its outputs; another elevation gives another view."""

    def view_of(y):
        host.forget()
        graph.prompt.clear()
        ready = graph.add(
            "AmodalPrepareFor3D",
            object=graph.value("objects", rgba([(10, 10, 58, 34)])),
            size=64,
            margin=0.1,
            background="white",
            y=graph.value("y", y),
        )
        vae = graph.value("vae", small.vae())
        turned = graph.add(
            "StableZero123_Conditioning",
            clip_vision=graph.value("vision", Vision()),
            init_image=ready[0],
            vae=vae,
            width=64,
            height=64,
            batch_size=1,
            elevation=ready[2],
            azimuth=40.0,
        )
        sampled = graph.add(
            "KSampler",
            model=graph.value("zero123", zero123(small)),
            positive=turned[0],
            negative=turned[1],
            latent_image=turned[2],
            seed=1,
            steps=2,
            cfg=2.0,
            sampler_name="euler",
            scheduler="sgm_uniform",
            denoise=1.0,
        )
        graph.keep(image=graph.add("VAEDecode", samples=sampled, vae=vae)[0])
        return host.run(graph).values["image"]

    level, above = view_of(0), view_of(30)
    assert level.shape == (1, 64, 64, 3) and torch.isfinite(level).all()
    assert not torch.equal(level, above)


def sv3d(channel_mult):
    """SV3D's net with random weights, as the host's loader recognises it: (MODEL, its kind)."""
    import comfy.model_detection
    import comfy.sd

    from tools.host import random_checkpoints

    layout = random_checkpoints.unet_layout("sv3d", 8, channel_mult=channel_mult)
    kind = comfy.model_detection.model_config_from_unet(layout, "model.diffusion_model.")
    noise = torch.randn(random_checkpoints.NUMBERS, generator=torch.Generator().manual_seed(0))
    state = {
        key: random_checkpoints.random(key, like, noise, torch.float16)
        for key, like in layout.items()
    }
    return comfy.sd.load_diffusion_model_state_dict(state), type(kind).__name__


@pytest.mark.slow
def test_cores_own_nodes_go_round_what_it_gives(host, graph, small):
    """SV3D's nodes, at the lowest resolution, two frames and one step.

    The host recognises SV3D by the width of its first level; deeper levels are as narrow here. At
    full width (1.53 billion parameters) the same ran in 18 seconds of processor time, but took 12.8
    GB of memory.
    """
    model, kind = sv3d([1, 1, 1, 1])
    assert kind == "SV3D_p"
    views = {}
    for y in (0, 30):
        host.forget()
        graph.prompt.clear()
        ready = graph.add(
            "AmodalPrepareFor3D",
            object=graph.value("objects", rgba([(10, 10, 58, 34)])),
            size=64,
            margin=0.1,
            background="white",
            y=graph.value("y", y),
        )
        vae = graph.value("vae", small.vae())
        around = graph.add(
            "SV3D_Conditioning",
            clip_vision=graph.value("vision", Vision(1024)),
            init_image=ready[0],
            vae=vae,
            width=64,
            height=64,
            video_frames=2,
            elevation=ready[2],
        )
        sampled = graph.add(
            "KSampler",
            model=graph.value("sv3d", model),
            positive=around[0],
            negative=around[1],
            latent_image=around[2],
            seed=1,
            steps=1,
            cfg=2.0,
            sampler_name="euler",
            scheduler="karras",
            denoise=1.0,
        )
        graph.keep(image=graph.add("VAEDecode", samples=sampled, vae=vae)[0])
        views[y] = host.run(graph).values["image"]
    assert views[0].shape == (2, 64, 64, 3) and torch.isfinite(views[0]).all()
    assert not torch.equal(views[0][0], views[0][1])
    assert not torch.equal(views[0], views[30])
