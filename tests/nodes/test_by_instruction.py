"""Completion by instruction: with an editor of known errors, and with small Kontext and Qwen."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from editor import edited, residual
from stickers_at_hand import Loaded, image_of, iou

from amodal.core import canvas, validate
from amodal.method.registration import Motion, warped
from amodal.stickers.scenes import make_scene
from tools.host import inprocess

API = Path(__file__).parents[2] / "workflows" / "api" / "photograph_by_instruction.json"
SIZE = 128


@functools.cache
def scene():
    return make_scene(4, query="rabbit", occluder="co-occurring", hidden=(0.2, 0.4))


def tensors() -> dict:
    """Picture and truth [1, h, w, 3]; masks [1, h, w]."""
    one = scene()
    masks = {"modal": one.modal(), "amodal": one.amodal(), "occluder": one.modal(one.query + 1)}
    return {
        "image": image_of(one)[None],
        "truth": torch.from_numpy(one.truth.copy()).float()[None],
        **{name: torch.from_numpy(mask.copy()).float()[None] for name, mask in masks.items()},
    }


class Editor:
    """In the place of an edit model: the whole object on gray, moved and recoloured."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "give", "test"

    @classmethod
    def INPUT_TYPES(cls):
        crop = inprocess.Anything("*")
        return {"required": {"image": ("IMAGE", {}), "crop": (crop, {}), "motion": (crop, {})}}

    def give(self, image, crop, motion):
        at = tensors()
        part = canvas.window(at["truth"], crop.but(grown=crop.canvas.offset), repeat=True)
        truth = validate.resize(part, crop.size[::-1])
        mask = canvas.of_original(at["amodal"], crop)
        whole = torch.where(mask[..., None] > 0, truth, torch.full_like(truth, 0.5))
        return (edited(whole, motion),)


@pytest.fixture
def editing(host):
    host.classes["TestEditor"] = Editor
    return host


def loaded() -> dict:
    """The workflow for the command line, by the titles of its nodes."""
    prompt = json.loads(API.read_text(encoding="utf-8"))
    return prompt, {node["_meta"]["title"]: key for key, node in prompt.items()}


def filled(graph, models: dict, **settings) -> dict:
    """The shipped workflow on a sticker scene, with these models for its loaders.

    Its outputs that are not kept here are left out. settings: values of inputs of any node.
    """
    prompt, titles = loaded()
    at = tensors()
    links = {
        "Flux Kontext": models["model"],
        "Text encoders": models["clip"],
        "VAE": models["vae"],
        "SAM 3": Loaded()["segmenter"],
        "Order by the borders": Loaded()["order_model"],
        "Picture": at["image"],
    }
    for title, value in links.items():
        inprocess.VALUES[title] = value
        prompt[titles[title]] = {"class_type": "TestValue", "inputs": {"name": title}}
    inprocess.VALUES["modal mask"] = at["modal"]
    prompt["modal"] = {"class_type": "TestValue", "inputs": {"name": "modal mask"}}
    prompt[titles["Pick the object"]]["inputs"]["modal_mask"] = ["modal", 0]
    for node in prompt.values():
        for name, value in {"size": SIZE, "context": 0.3, "max_passes": 2, **settings}.items():
            if name in node["inputs"] and not isinstance(node["inputs"][name], list):
                node["inputs"][name] = value
    graph.prompt = {
        key: node
        for key, node in prompt.items()
        if node["class_type"] not in ("SaveImage", "PreviewImage", "PreviewAny", "MaskPreview")
    }
    end, result = titles["Loop End (Amodal)"], titles["Trim And Overlay (Amodal)"]
    first = titles["Register To Crop (Amodal)"]
    keep(
        graph,
        status=[end, 3],
        passes=[end, 4],
        canvas=[end, 0],
        mask=[result, 2],
        offset=[result, 6],
        picture=[first, 0],
        info=[first, 1],
        scale=[first, 3],
        right=[first, 4],
        down=[first, 5],
        modal=[titles["Select Occluders (Amodal)"], 3],
    )
    return titles


def keep(graph, **links):
    """As `graph.keep`, with ids beside those of the file."""
    for name, link in links.items():
        inputs = {"name": name, "value": link}
        graph.prompt[f"keep {name}"] = {"class_type": "TestKeep", "inputs": inputs}


def within_picture(values: dict, array):
    x, y = map(int, values["offset"].split(","))
    return array[-y : SIZE - y, -x : SIZE - x]


MOTIONS = [Motion(), Motion(1.12, 6.0, -4.5), Motion(0.88, -7.5, 5.0)]


@pytest.mark.parametrize("motion", MOTIONS)
def test_an_editor_that_moves_and_recolours_is_undone(editing, graph, small, motion):
    """The residual is a fraction of a pixel, visible pixels stay, and the mask is the truth's."""
    models = {"model": small.transformer("flux"), "vae": small.vae(channels=16), "clip": None}
    titles = filled(graph, models)
    inprocess.VALUES["motion"] = motion
    graph.prompt["motion"] = {"class_type": "TestValue", "inputs": {"name": "motion"}}
    register = graph.prompt[titles["Register To Crop (Amodal)"]]["inputs"]
    crop = graph.prompt[titles["Paste Back (Amodal)"]]["inputs"]["crop"]
    inputs = {"image": register["image"], "crop": crop, "motion": ["motion", 0]}
    graph.prompt["editor"] = {"class_type": "TestEditor", "inputs": inputs}
    register["answer"] = ["editor", 0]
    values = editing.run(graph).values
    assert values["passes"] >= 1
    found = Motion(values["scale"], values["right"], values["down"])
    assert residual(found, motion, values["modal"]) < 0.3, values["info"]
    assert iou(within_picture(values, values["mask"][0]), tensors()["amodal"][0]) > 0.9
    untouched_far_from_the_occluder(values)
    hidden = (tensors()["amodal"] - tensors()["modal"])[0] > 0
    off = within_picture(values, values["canvas"][0])[hidden] - tensors()["truth"][0][hidden]
    assert float(off.abs().mean()) < 0.1


def untouched_far_from_the_occluder(values: dict) -> None:
    """Every pixel that is far from what was painted equals the picture's to the bit."""
    from scipy import ndimage

    near = ndimage.binary_dilation(tensors()["occluder"][0].numpy() > 0, iterations=16)
    far = torch.from_numpy(~near)
    assert int((far & (tensors()["modal"][0] > 0)).sum()) > 100
    painted = within_picture(values, values["canvas"][0])
    assert torch.equal(painted[far], tensors()["image"][0][far])


class Encoder:
    """In the place of text encoders, which are recognised at full size only."""

    def __init__(self, small):
        self.small = small

    def tokenize(self, text, **_options):
        return text

    def encode_from_tokens_scheduled(self, tokens):
        pooled = {"pooled_output": self.small.tensor(1, self.small.CONTEXT, seed=len(tokens))}
        return [[self.small.tensor(1, 7, self.small.CONTEXT, seed=len(tokens)), pooled]]


class Frames:
    """A VAE whose latents have a dimension of time, as Qwen's."""

    def __init__(self, vae):
        self.vae = vae

    def encode(self, pixels):
        return self.vae.encode(pixels).unsqueeze(2)

    def decode(self, samples):
        return self.vae.decode(samples[:, :, 0] if samples.ndim == 5 else samples)


@pytest.mark.parametrize("kind", ["flux", "qwen"])
def test_small_edit_models_run_the_workflow_to_its_end(editing, graph, small, kind):
    """Random weights draw noise: it is said not to be the object, and no visible pixel changes."""
    vae = small.vae(channels=16)
    models = {
        "model": small.transformer(kind),
        "vae": Frames(vae) if kind == "qwen" else vae,
        "clip": Encoder(small),
    }
    titles = filled(graph, models, steps=3, max_passes=1, count=1)
    keep(graph, verdict=[titles["Judge Completion (Amodal)"], 4])
    values = editing.run(graph).values
    assert values["passes"] == 1 and values["status"]
    assert values["info"].startswith("not registered") and values["verdict"]
    assert values["picture"].isfinite().all()
    untouched_far_from_the_occluder(values)


def test_the_model_sees_its_reference(editing, graph, small):
    """Another I_syn, another answer: the reference latents reach the model."""
    model = graph.value("kontext", small.transformer("flux"))
    vae = graph.value("kontext vae", small.vae(channels=16))
    noise = graph.value("start", {"samples": small.tensor(1, 16, 8, 8, seed=3)})
    for name, level in (("dark", 0.2), ("bright", 0.8)):
        picture = graph.value(name, torch.full((1, 64, 64, 3), level))
        seen = graph.add(
            "ReferenceLatent",
            conditioning=graph.value("text", Encoder(small).encode_from_tokens_scheduled("a")),
            latent=graph.add("VAEEncode", pixels=picture, vae=vae),
        )
        graph.keep(
            **{
                name: graph.add(
                    "SamplerCustomAdvanced",
                    noise=graph.add("RandomNoise", noise_seed=1),
                    guider=graph.add("BasicGuider", model=model, conditioning=seen),
                    sampler=graph.add("KSamplerSelect", sampler_name="euler"),
                    sigmas=graph.add(
                        "BasicScheduler", model=model, scheduler="simple", steps=2, denoise=1.0
                    ),
                    latent_image=noise,
                )
            }
        )
    values = editing.run(graph).values
    assert not torch.allclose(values["dark"]["samples"], values["bright"]["samples"], atol=1e-3)


def register(graph, at: dict, answer, **changes):
    gray = torch.full_like(at["image"], 0.5)
    seen = torch.where(at["modal"][..., None] > 0, at["image"], gray)
    return graph.add(
        "AmodalRegisterToCrop",
        image=graph.value("seen", seen),
        answer=graph.value("answer", answer),
        modal_mask=graph.value("modal", at["modal"]),
        inpaint_mask=graph.value("hidden", at["occluder"]),
        **changes,
    )


def test_colours_come_back_with_the_place(editing, graph):
    at, motion = tensors(), Motion(1.05, 3.0, -2.0)
    gray = torch.full_like(at["truth"], 0.5)
    answer = edited(torch.where(at["amodal"][..., None] > 0, at["truth"], gray), motion)
    one = register(graph, at, answer)
    other = register(graph, at, answer, match_colours=0.0)
    values = editing.run(graph.keep(matched=one[0], plain=other[0], match=one[2])).values
    seen = (at["modal"] * (1 - at["occluder"]))[0] > 0
    off = {
        name: float((values[name] - at["image"])[0][seen].abs().mean())
        for name in ("matched", "plain")
    }
    assert off["matched"] < 0.6 * off["plain"] and values["match"] > 0.9


def test_another_picture_stays_where_it_is_and_info_says_so(editing, graph):
    noise = torch.rand(1, 96, 96, 3, generator=torch.Generator().manual_seed(1))
    one = register(graph, tensors(), noise)
    values = editing.run(graph.keep(picture=one[0], info=one[1], scale=one[3])).values
    assert values["info"].startswith("not registered") and values["scale"] == 1.0
    assert torch.equal(values["picture"], validate.resize(noise, (SIZE, SIZE)))


def test_a_moved_picture_is_put_back_from_its_own_pixels():
    """An answer of twice the size keeps its details."""
    from amodal.method.registration import undone

    fine = torch.from_numpy(np.indices((256, 256)).sum(0) % 16 / 15).float()[None, ..., None]
    small_one = undone(fine.repeat(1, 1, 1, 3), Motion(), (256, 256))
    assert torch.allclose(small_one, fine.repeat(1, 1, 1, 3), atol=1e-4)
    assert warped(fine.movedim(-1, 1), Motion(), (128, 128)).shape == (1, 1, 128, 128)
