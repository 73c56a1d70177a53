"""The authors' release as a rewiring: every difference takes effect, alone and all together."""

import json

import numpy as np
import pytest
import torch
from setting import first_half, second_half, setting
from stickers_at_hand import image_of, masks_of

from amodal.app import workflow
from amodal.core import mask_ops
from amodal.core.canvas import unknown_in_crop
from amodal.core.types import Canvas
from amodal.method import loop
from research.evaluation import methods, release_variant, runner, scenarios

STEPS = 6


def box(height, width, x0, y0, x1, y1):
    mask = torch.zeros(1, height, width)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def test_the_window_is_60_pixels_around_the_first_mask_and_square():
    crop = release_variant.window(box(400, 600, 200, 150, 300, 190), Canvas.whole(600, 400), 512)
    assert crop.box == (140, 60, 360, 280) and crop.canvas.size == (600, 400)
    assert crop.size == (512, 512) and not unknown_in_crop(crop).any()


def test_cut_sides_get_60_more_and_the_canvas_holds_the_window():
    crop = release_variant.window(box(400, 600, 8, 150, 108, 290), Canvas.whole(600, 400), 512)
    x0, y0, x1, y1 = crop.box
    assert crop.grown == (120 - 8, 0) and x0 == 0
    assert x1 - x0 == y1 - y0 == max(100 + 180, 140 + 120)
    assert (x0 - crop.canvas.offset[0], x1 - crop.canvas.offset[0]) == (8 - 120, 108 + 60)
    assert unknown_in_crop(crop).any()


def test_the_window_stays_when_the_canvas_has_grown():
    first = box(400, 600, 8, 150, 108, 290)
    one = release_variant.window(first, Canvas.whole(600, 400), 512)
    two = release_variant.window(first, one.canvas.but(inpainted=(one.box,)), 512)
    assert two.box == one.box and two.canvas.size == one.canvas.size and two.grown == (0, 0)
    assert not unknown_in_crop(two).any()


def test_the_inpaint_mask_covers_visible_pixels_of_the_object():
    occluder, modal = box(128, 128, 60, 20, 100, 100), box(128, 128, 20, 20, 60, 100)
    none = torch.zeros_like(modal)
    kept = loop.inpaint_mask(occluder, none, modal, 6 / 512)
    grown = release_variant.grown_mask(occluder, none, 6 / 512)
    assert (grown * modal).sum() > (kept * modal).sum()
    assert torch.equal(grown * (1 - modal), kept * (1 - modal))


def test_textured_gray_has_the_releases_mean_and_a_texture():
    image = torch.zeros(2, 96, 128, 3)
    made = release_variant.textured(image, seed=1).expand(image.shape)
    assert made.mean((0, 1, 2)).tolist() == pytest.approx(release_variant.GRAY, abs=0.02)
    assert 0.01 < made[0].std((0, 1)).mean() < 0.05
    assert torch.equal(made, release_variant.textured(image, seed=1).expand_as(made))


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


@pytest.fixture
def evaluation_host(host):
    """The host with the evaluation's own nodes and empty caches."""
    assert runner.host() is host
    return host


@pytest.mark.parametrize("kind", ["eps", "flow"])
def test_the_round_trip_rounds_to_8_bits_at_unit_variance(evaluation_host, graph, small, kind):
    at = setting(graph, small, kind)
    half = first_half(graph, at)
    vae = ByteVae()
    trip = graph.add(
        "EvaluationRoundTrip",
        latent=half[0],
        model=at["model"],
        vae=graph.value(f"vae {kind}", vae),
    )
    graph.keep(
        half=half[0],
        trip=trip,
        plain=second_half(graph, at, half),
        round=second_half(graph, at, half, latent=trip),
    )
    values = evaluation_host.run(graph).values
    assert torch.allclose(vae.pixels * 255, (vae.pixels * 255).round(), atol=1e-4)
    exact = values["half"]["amodal_x"]
    clean = 1 - exact.sigma if kind == "flow" else 1
    wanted = exact.x * (clean**2 + exact.sigma**2) ** -0.5
    seen = at["model_value"].model.process_latent_in(vae.seen)
    assert torch.allclose(seen, wanted, atol=1e-5)
    assert not torch.equal(values["round"]["samples"], values["plain"]["samples"])
    after = values["trip"]["amodal_x"]
    assert after.k == exact.k and torch.equal(after.sigmas, exact.sigmas)
    assert 0 < float((after.x - exact.x).abs().mean()) < 0.5


def test_a_latent_without_an_exact_x_is_refused():
    with pytest.raises(ValueError, match="Composite At Step"):
        release_variant.EvaluationRoundTrip().give({"samples": torch.zeros(1, 4, 8, 8)}, None, None)


def shipped() -> dict:
    """The shipped prompt with a negative prompt, which the release leaves empty."""
    prompt = workflow.load(workflow.STICKERS, dict)
    prompt[workflow.need(prompt, "Negative")]["inputs"]["text"] = "blurry"
    return prompt


@pytest.mark.parametrize("name", release_variant.SETTINGS)
def test_each_difference_changes_the_prompt(name):
    plain = methods.wire("mixed", shipped())
    before = json.dumps(plain.prompt)
    release_variant.rewire(plain, {name: release_variant.SETTINGS[name]})
    assert json.dumps(plain.prompt) != before


def test_every_difference_has_its_rewiring():
    assert list(release_variant.APPLY) == list(release_variant.SETTINGS)


def test_the_release_hangs_together():
    """What a difference adds or changes reaches the sampler, the segmenter or Paste Back."""
    wiring = methods.wire("release", shipped())
    added = {name: wiring.ids[name] for name in wiring.ids if wiring.ids[name].startswith("eval")}
    used = {
        value[0]
        for node in wiring.prompt.values()
        for value in node["inputs"].values()
        if isinstance(value, list)
    }
    assert set(added.values()) <= used
    assert wiring.inputs("context")["pixels"] == wiring.link("plate")
    assert wiring.inputs("context")["mask"] == wiring.link("grown")
    assert wiring.inputs("grown")["inpaint_mask"] == wiring.link("check", 0)
    assert wiring.inputs("resume")["latent"] == wiring.link("round_trip")
    assert wiring.ids["contacts"] not in used


@pytest.fixture(scope="module")
def completed():
    """{method: (values of the run, scene)} on one scene, with few steps."""
    scene = scenarios.CELLS["other-easy"].scene(0)
    runs = {}
    for method in ("mixed", "release"):
        task = runner.Task("other-easy", 0, method, steps=STEPS)
        runs[method] = runner.host().run(runner.prompt_of(task, scene)).values
    return scene, runs


def test_the_whole_release_runs_and_does_not_keep_the_visible_pixels(completed):
    scene, runs = completed
    visible = mask_ops.erode(masks_of(scene)[scene.query], 6) > 0
    picture = (image_of(scene) * 255).round() / 255
    size, off = scene.size, {}
    for method, values in runs.items():
        x, y = values["canvas"].offset
        painted = values["image"][0, y : y + size, x : x + size]
        off[method] = float((painted - picture)[visible].abs().mean())
    assert off["mixed"] < 1e-6 and off["release"] > 1e-3
    assert runs["release"]["passes"] >= 1
    assert runs["release"]["status"] in ("stopped at cap", "completed", "unchanged")


def test_the_releases_canvas_holds_its_window(completed):
    scene, runs = completed
    crop = runs["release"]["crop"]
    rows, columns = np.nonzero(scene.modal())
    wanted = max(np.ptp(columns), np.ptp(rows)) + 1 + 2 * release_variant.AROUND
    x0, y0, x1, y1 = crop.box
    assert x1 - x0 == y1 - y0 >= wanted
    assert crop.size == (scene.size, scene.size)
    assert runs["release"]["canvas"].size == crop.canvas.size
