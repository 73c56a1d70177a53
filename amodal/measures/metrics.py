"""How like the true object is a completed one? The measures of section 4.1.

All take the object alone: pictures [H, W, 3] in 0..1 and masks [H, W], outside of which everything
is black. Masks and colours need no model. Of the models each comes through its own package, with
weights that the user has: nothing is downloaded. ST-LPIPS brings its weights.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F

from ..core import mask_ops
from ..core.errors import BadInput

FOREIGN = 0.1  # of the hidden area: so much of another object, and it is a repainted one
ALEXNET = "alexnet-owt-7be5be79.pth"
MODELS = {  # measure -> (package, weights in the metrics folder, where they come from)
    "ST-LPIPS": ("stlpips_pytorch", None, ""),
    "LPIPS": ("lpips", ALEXNET, f"https://download.pytorch.org/models/{ALEXNET}"),
    "CLIP": ("transformers", "clip", "https://huggingface.co/openai/clip-vit-base-patch32"),
    "DreamSim": ("dreamsim", "dreamsim", "https://github.com/ssundaram21/dreamsim"),
}


def of_masks(amodal: torch.Tensor, truth: torch.Tensor, seen: torch.Tensor) -> dict[str, float]:
    """{"whole IoU", "hidden IoU"} of amodal masks [H, W]; `seen` is the visible part."""
    unseen = (seen <= 0.5).float()
    return {
        "whole IoU": iou(amodal, truth),
        "hidden IoU": iou(amodal * unseen, truth * unseen),
    }


def iou(one: torch.Tensor, other: torch.Tensor) -> float:
    """1 where both are empty: nothing to complete was completed rightly."""
    empty = not ((one > 0.5) | (other > 0.5)).any()
    return 1.0 if empty else mask_ops.iou(one, other)


def colour_error(picture, amodal, true_picture, truth, seen) -> float:
    """Mean absolute difference where both have hidden pixels; 1 where they share none."""
    both = (amodal > 0.5) & (truth > 0.5) & (seen <= 0.5)
    return float((picture - true_picture).abs()[both].mean()) if both.any() else 1.0


def foreign(painted: torch.Tensor, others: torch.Tensor, hidden: torch.Tensor) -> float:
    """Area of other objects [H, W] in what was painted [H, W], over the hidden area [H, W]."""
    area = int((hidden > 0.5).sum())
    return int(((painted > 0.5) & (others > 0.5)).sum()) / max(1, area)


def on_black(picture: torch.Tensor, mask: torch.Tensor, around: torch.Tensor) -> torch.Tensor:
    """[1, 3, h, w] in 0..1: the object over black, cut to the box of `around` [H, W]."""
    box = mask_ops.box_of(around)
    if box is None:
        raise BadInput("truth", "is empty", "give the true object's amodal mask")
    x0, y0, x1, y1 = box
    alone = picture * (mask > 0.5)[..., None]
    return alone[y0:y1, x0:x1].movedim(-1, 0)[None]


def pair_on_black(picture, amodal, true_picture, truth) -> tuple[torch.Tensor, torch.Tensor]:
    """Both objects over black, cut to the box that holds both."""
    around = torch.maximum((amodal > 0.5).float(), (truth > 0.5).float())
    return on_black(picture, amodal, around), on_black(true_picture, truth, around)


def need(measure: str, folder: Path | None) -> Path | None:
    """The weights' path; BadInput where package or weights are missing."""
    import importlib.util

    package, file, source = MODELS[measure]
    if importlib.util.find_spec(package) is None:
        name = package.replace("_", "-")
        raise BadInput("measures", f"{measure} needs the package {name}", f"pip install {name}")
    path = None if file is None else Path(folder or "") / file
    if path is not None and not path.exists():
        raise BadInput(
            "measures",
            f"{measure} needs {file}, which is not in {folder}",
            f"get it from {source} and put it there",
        )
    return path


@cache
def st_lpips():
    need("ST-LPIPS", None)
    from stlpips_pytorch import stlpips

    return stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False).eval()


@cache
def lpips(folder: Path):
    """LPIPS (AlexNet, v0.1), its trunk from torchvision's file."""
    path = need("LPIPS", folder)
    from lpips import LPIPS

    model = LPIPS(net="alex", pnet_rand=True, verbose=False)
    trunk = torch.load(path, map_location="cpu", weights_only=True)
    named = {  # slice2.3.weight is what torchvision calls features.3.weight
        key: trunk["features." + key.split(".", 1)[1]] for key in model.net.state_dict()
    }
    model.net.load_state_dict(named)
    return model.eval()


@cache
def clip(folder: Path):
    """(model, processor) of a CLIP folder in Hugging Face's layout."""
    path = need("CLIP", folder)
    from transformers import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained(path, local_files_only=True)
    return model.eval(), CLIPProcessor.from_pretrained(path, local_files_only=True)


@cache
def dreamsim(folder: Path):
    path = need("DreamSim", folder)
    from dreamsim import dreamsim as load

    return load(pretrained=True, cache_dir=str(path), device="cpu")


@torch.inference_mode()
def perceptual(model, one: torch.Tensor, other: torch.Tensor, side: int) -> float:
    """The distance of two pictures [1, 3, h, w] in 0..1, brought to side x side; 0 = the same.

    model: `lpips` or `st_lpips`, which take -1..1.
    """
    pair = F.interpolate(torch.cat([one, other]), size=(side, side), mode="bilinear") * 2 - 1
    return float(model(pair[:1], pair[1:]))


@torch.inference_mode()
def clip_similarity(picture: torch.Tensor, words: str, folder: Path) -> float:
    """Cosine of the embeddings of a picture [1, 3, h, w] in 0..1 and of words."""
    model, processor = clip(folder)
    pixels = (picture[0].movedim(0, -1) * 255).round().byte().numpy()
    inputs = processor(text=[words], images=[pixels], return_tensors="pt", padding=True)
    found = model(**inputs)
    return float(F.cosine_similarity(found.image_embeds, found.text_embeds))


@torch.inference_mode()
def dreamsim_distance(one: torch.Tensor, other: torch.Tensor, folder: Path) -> float:
    """DreamSim of two pictures [1, 3, h, w] in 0..1; its own preprocessing: 224x224."""
    model, _ = dreamsim(folder)
    size = (224, 224)
    first, second = (F.interpolate(p, size=size, mode="bicubic").clamp(0, 1) for p in (one, other))
    return float(model(first, second))


def measure(
    name: str, picture, amodal, true_picture, truth, words: str, folder: Path | None = None
) -> float:
    """One of MODELS for a completed object against the true one; CLIP against the words alone."""
    one, other = pair_on_black(picture, amodal, true_picture, truth)
    if name == "CLIP":
        return clip_similarity(on_black(picture, amodal, amodal), words, folder)
    if name == "DreamSim":
        return dreamsim_distance(one, other, folder)
    if name == "LPIPS":
        return perceptual(lpips(folder), one, other, 256)
    if name == "ST-LPIPS":
        return perceptual(st_lpips(), one, other, 128)
    raise BadInput("measures", f"'{name}' is unknown", f"choose of {', '.join(MODELS)}")
