"""The sticker models from the host's loader nodes, and fresh scenes for them."""

import atexit
import functools
import sys

import torch

from amodal.stickers.scenes import BACKGROUNDS, make_scene
from tools.host import inprocess

FRESH = 900_000  # seeds from here on: no training script draws from make_scene at all
OUTPUTS = {  # what each loader node gives out
    "AmodalStickerCheckpoint": ("model", "clip", "vae"),
    "AmodalStickerSegmenter": ("segmenter",),
    "AmodalStickerOrder": ("order_model",),
}


class Loaded:
    """The models by name, each loaded by the host when it is first asked for."""

    def __getitem__(self, name: str):
        node_id = next(node for node, names in OUTPUTS.items() if name in names)
        return outputs_of(node_id)[name]


@functools.cache
def outputs_of(node_id: str) -> dict:
    graph = inprocess.Graph()
    node = graph.add(node_id)
    graph.keep(**{name: node[number] for number, name in enumerate(OUTPUTS[node_id])})
    return inprocess.host().run(graph).values


@atexit.register
def let_go() -> None:
    """Models leave before the host's modules do."""
    outputs_of.cache_clear()
    inprocess.VALUES.clear()


def module_of(node_id: str):
    """The pack's module, as the host imported it, that a node is defined in."""
    return sys.modules[inprocess.host().pack[node_id].__module__]


@functools.cache
def fresh(count: int, **options) -> list:
    """Scenes with an occluder, on each kind of background in turn."""
    kinds = [BACKGROUNDS[i % len(BACKGROUNDS)] for i in range(count)]
    return [make_scene(FRESH + i, background=kind, **options) for i, kind in enumerate(kinds)]


def image_of(scene) -> torch.Tensor:
    """[S, S, 3] float 0..1."""
    return torch.from_numpy(scene.image.copy()).float()


def masks_of(scene) -> torch.Tensor:
    """Modal masks [n, S, S] float 0 or 1 of all objects, far to near."""
    return torch.stack([torch.from_numpy(scene.modal(i)) for i in range(len(scene.layers))]).float()


def iou(one: torch.Tensor, two: torch.Tensor) -> float:
    one, two = one > 0.5, two > 0.5
    return float((one & two).sum() / (one | two).sum().clamp(min=1))


def psnr(one: torch.Tensor, two: torch.Tensor) -> float:
    return float(-10 * (one - two).square().mean().log10())


def words(graph, clip, text: str):
    """The link of a CONDITIONING."""
    return graph.add("CLIPTextEncode", clip=graph.value("sticker clip", clip), text=text)[0]


def inpaint(graph, models, positive, negative, picture, mask):
    """Inpaint Model Conditioning of a picture [1, H, W, 3] and a mask [1, H, W]: its links."""
    return graph.add(
        "InpaintModelConditioning",
        positive=positive,
        negative=negative,
        vae=graph.value("sticker vae", models["vae"]),
        noise_mask=False,
        pixels=graph.value(f"picture {float(picture.sum()):.3f}", picture),
        mask=graph.value(f"mask {float(mask.sum()):.3f}", mask),
    )
