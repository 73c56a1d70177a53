"""The authors' release as a switch: every difference takes effect, alone and all together."""

import sys

import pytest
import torch
from setting import first_half, second_half, setting
from stickers_at_hand import Loaded, image_of, masks_of

from amodal.core import mask_ops
from amodal.core.canvas import unknown_in_crop
from amodal.core.types import Crop
from amodal.method import loop, swapped_background
from amodal.stickers.scenes import make_scene
from research.evaluation import release_variant
from tools.host.inprocess import VALUES

STEPS = 6


def box(height, width, x0, y0, x1, y1):
    mask = torch.zeros(1, height, width)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def test_the_window_is_60_pixels_around_the_first_mask_and_square():
    crop = release_variant.window(box(400, 600, 200, 150, 300, 190), Crop.whole(600, 400), 512)
    assert crop.box == (140, 60, 360, 280) and crop.canvas == (600, 400)
    assert crop.size == (512, 512) and not unknown_in_crop(crop).any()


def test_cut_sides_get_60_more_and_the_canvas_holds_the_window():
    crop = release_variant.window(box(400, 600, 8, 150, 108, 290), Crop.whole(600, 400), 512)
    x0, y0, x1, y1 = crop.box
    assert crop.grown == (120 - 8, 0) and x0 == 0
    assert x1 - x0 == y1 - y0 == max(100 + 180, 140 + 120)
    assert (x0 - crop.offset[0], x1 - crop.offset[0]) == (8 - 120, 108 + 60)
    assert unknown_in_crop(crop).any()


def test_the_window_stays_when_the_canvas_has_grown():
    first = box(400, 600, 8, 150, 108, 290)
    one = release_variant.window(first, Crop.whole(600, 400), 512)
    two = release_variant.window(first, one.but(box=None, grown=(0, 0), painted=(one.box,)), 512)
    assert two.box == one.box and two.canvas == one.canvas and two.grown == (0, 0)
    assert not unknown_in_crop(two).any()


def test_the_mask_to_paint_eats_into_the_object():
    occluder, modal = box(128, 128, 60, 20, 100, 100), box(128, 128, 20, 20, 60, 100)
    none = torch.zeros_like(modal)
    kept = loop.inpaint_mask(occluder, none, modal, 6 / 512)
    eaten = loop.inpaint_mask(occluder, none, modal, 6 / 512, True)
    assert (eaten * modal).sum() > (kept * modal).sum()


def test_textured_gray_has_the_releases_mean_and_a_texture():
    image = torch.zeros(2, 96, 128, 3)
    made = swapped_background.backdrop(image, "textured gray", seed=1).expand(image.shape)
    assert made.mean((0, 1, 2)).tolist() == pytest.approx(release_variant.GRAY, abs=0.02)
    assert 0.01 < made[0].std((0, 1)).mean() < 0.05
    assert torch.equal(
        made, swapped_background.backdrop(image, "textured gray", seed=1).expand_as(made)
    )


def test_step_k_is_the_releases_noise_level(host, graph, small):
    """t = 301 of Stable Diffusion's thousand, alpha-bar 0.589."""
    at = setting(graph, small, "v", 9)
    graph.prompt[at["sigmas"].node_id]["inputs"]["steps"] = 50
    graph.keep(sigmas=first_half(graph, at, release_variant.SETTINGS["k"])[2])
    sigma = float(host.run(graph).values["sigmas"][0])
    assert 1 / (1 + sigma**2) == pytest.approx(0.589, abs=0.001)


class ByteVae:
    """A VAE whose pictures are three of the latent's channels, squeezed into 0..1."""

    def decode(self, samples):
        self.seen = samples
        return (samples[:, :3].movedim(1, -1) + 64) / 128

    def encode(self, pixels):
        self.pixels = pixels
        return torch.cat([pixels.movedim(-1, 1) * 128 - 64, self.seen[:, 3:]], 1)


@pytest.mark.parametrize("kind", ["eps", "flow"])
def test_the_round_trip_rounds_to_8_bits_at_unit_variance(host, graph, small, kind):
    at = setting(graph, small, kind)
    half = first_half(graph, at)
    vae = ByteVae()
    graph.keep(
        half=half[0],
        plain=second_half(graph, at, half),
        round=second_half(graph, at, half, vae=graph.value(f"vae {kind}", vae)),
    )
    values = host.run(graph).values
    assert torch.allclose(vae.pixels * 255, (vae.pixels * 255).round(), atol=1e-4)
    exact = values["half"]["amodal_x"]
    clean = 1 - exact.sigma if kind == "flow" else 1
    wanted = exact.x * (clean**2 + exact.sigma**2) ** -0.5
    seen = at["model_value"].model.process_latent_in(vae.seen)
    assert torch.allclose(seen, wanted, atol=1e-5)
    assert not torch.equal(values["round"]["samples"], values["plain"]["samples"])


def assembly():
    from tools.host.inprocess import host

    package = sys.modules[host().pack["AmodalCompletion"].__module__].__package__
    return sys.modules[f"{package}.assembly"]


SOURCE = {
    **{name: [name, 0] for name in ("model", "clip", "vae", "segmenter", "order_model", "image")},
    "mask": ["mask", 0],
    "label": ["label", 0],
    "prompt": "a photo of a {label}",
    "negative": "blurry",
    "seed": 1,
    "steps": STEPS,
    "k": 3.0,
    "cfg": 2.5,
    "mask_rule": "known background",
    "size": 128,
    "max_passes": 1,
}


def drawn(source) -> dict:
    from comfy_execution.graph_utils import GraphBuilder

    graph = GraphBuilder(prefix="x")
    assembly().completion(graph, source)
    return graph.finalize()


@pytest.mark.parametrize("name", release_variant.SETTINGS)
def test_each_difference_changes_the_graph(real_host, name):
    changed = drawn({**SOURCE, name: release_variant.SETTINGS[name]})
    assert changed != drawn(SOURCE)


def completed(host, graph, scene, **inputs):
    models = Loaded()
    links = {
        name: graph.value(f"sticker {name}", models[name])
        for name in ("model", "clip", "vae", "segmenter", "order_model")
    }
    made = graph.add(
        "AmodalCompletion",
        **links,
        image=graph.value("scene", image_of(scene)[None]),
        modal_mask=graph.value("modal", masks_of(scene)[scene.query][None]),
        words=scene.word,
        point="",
        prompt="a photo of a {label}",
        negative="",
        seed=1,
        count=1,
        steps=STEPS,
        k=3.0,
        cfg=2.5,
        mask_rule="known background",
        size=128,
        max_passes=1,
        **inputs,
    )
    graph.keep(object=made[0], amodal=made[1], status=made[3], x=made[6], y=made[7])
    return host.run(graph)


def test_the_whole_release_runs_and_does_not_keep_the_visible_pixels(host, graph):
    from tools.host import inprocess

    scene = make_scene(4, query="rabbit", occluder="companion", hidden=(0.2, 0.4))
    seen = mask_ops.erode(masks_of(scene)[scene.query], 6) > 0
    off = {}
    for follow in ("paper", "release"):
        run = completed(host, inprocess.Graph(), scene, follow=follow)
        x, y = run.values["x"], run.values["y"]
        painted = run.values["object"][0, -y : 128 - y, -x : 128 - x, :3]
        off[follow] = float((painted - image_of(scene))[seen].abs().mean())
    assert off["paper"] == 0 < off["release"]
    assert VALUES["kept"]["status"] in ("stopped at cap", "completed", "unchanged")
