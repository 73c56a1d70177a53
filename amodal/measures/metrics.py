"""Measures of a completed object against the true object (section 4.1).

Pictures are [H, W, 3] in 0..1 and masks [H, W]. The perceptual measures compare the objects on
black. Masks and colours need no model. Each perceptual measure comes from its own package. LPIPS,
CLIP and DreamSim need weights that the user installs, because nothing is downloaded; the package of
ST-LPIPS includes its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ..core import interrupts, mask_ops, weight_archive
from ..core.errors import BadInput
from .clip import SOURCE, Clip
from .clip import load as load_clip
from .dreamsim import SOURCE as DREAMSIM
from .dreamsim import load as load_dreamsim

ALEXNET = "alexnet-owt-7be5be79.pth"
MODELS: dict[str, tuple[str, str | None, str]] = {
    # measure: (package, weights in the metrics folder, their source)
    "ST-LPIPS": ("stlpips_pytorch", None, ""),
    "LPIPS": ("lpips", ALEXNET, f"https://download.pytorch.org/models/{ALEXNET}"),
    "CLIP": ("transformers", "clip", SOURCE),
    "DreamSim": ("dreamsim", "dreamsim", DREAMSIM),
}


def of_masks(
    amodal_mask: torch.Tensor, true_mask: torch.Tensor, modal_mask: torch.Tensor
) -> dict[str, float]:
    """{"amodal IoU", "occluded IoU"} of an amodal mask [H, W] against the true one, each 0..1.

    The occluded IoU compares the masks outside the modal mask. Two empty masks have the IoU 1.
    """
    occluded = (modal_mask <= 0.5).float()
    return {
        "amodal IoU": iou(amodal_mask, true_mask),
        "occluded IoU": iou(amodal_mask * occluded, true_mask * occluded),
    }


def iou(first: torch.Tensor, second: torch.Tensor) -> float:
    """Intersection over union; 1 if both masks are empty (there was nothing to complete)."""
    empty = not ((first > 0.5) | (second > 0.5)).any()
    return 1.0 if empty else mask_ops.iou(first, second)


def colour_error(
    image: torch.Tensor,
    amodal_mask: torch.Tensor,
    true_image: torch.Tensor,
    true_mask: torch.Tensor,
    modal_mask: torch.Tensor,
) -> float:
    """Mean absolute colour difference (0..1) on the occluded pixels that both amodal masks have.

    1 if they share no occluded pixel.
    """
    both = (amodal_mask > 0.5) & (true_mask > 0.5) & (modal_mask <= 0.5)
    return float((image - true_image).abs()[both].mean()) if both.any() else 1.0


def on_black(
    image: torch.Tensor, mask: torch.Tensor, around: torch.Tensor, name: str = "true_amodal_mask"
) -> torch.Tensor:
    """[1, 3, h, w] in 0..1: the object on black, cut to the bounding box of `around` [H, W].

    Raises BadInput for the input `name` if `around` is empty.
    """
    box = mask_ops.box_of(around)
    if box is None:
        raise BadInput(name, "is empty", "connect the object's amodal mask")
    x0, y0, x1, y1 = box
    masked = image * (mask > 0.5)[..., None]
    return masked[y0:y1, x0:x1].movedim(-1, 0)[None]


def pair_on_black(
    image: torch.Tensor,
    amodal_mask: torch.Tensor,
    true_image: torch.Tensor,
    true_mask: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The completed and the true object on black, both cut to the bounding box of both masks."""
    around = torch.maximum((amodal_mask > 0.5).float(), (true_mask > 0.5).float())
    return on_black(image, amodal_mask, around), on_black(true_image, true_mask, around)


def need(measure: str, folder: Path | None) -> Path:
    """Path of the measure's weights in `folder` (the folder itself if the package has them).

    Raises BadInput if the package or the weights are missing.
    """
    import importlib.util

    package, file, source = MODELS[measure]
    if importlib.util.find_spec(package) is None:
        name = package.replace("_", "-")
        raise BadInput(
            "measures", f"name {measure}, which needs the package {name}", f"pip install {name}"
        )
    path = Path(folder or "")
    if file is None:
        return path
    if not (path / file).exists():
        raise BadInput(
            "measures",
            f"name {measure}, which needs {file}, and that is not in {folder}",
            f"get it from {source} and put it there",
        )
    return path / file


@cache
def st_lpips() -> torch.nn.Module:
    """ST-LPIPS (AlexNet), with the weights of its package."""
    need("ST-LPIPS", None)
    from stlpips_pytorch import stlpips

    return stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False).eval()


@cache
def lpips(folder: Path) -> torch.nn.Module:
    """LPIPS (AlexNet, v0.1), with its trunk from torchvision's file. Raises BadInput."""
    path = need("LPIPS", folder)
    from lpips import LPIPS

    model = LPIPS(net="alex", pnet_rand=True, verbose=False)
    try:
        trunk = weight_archive.tensors_of(path)
        named = {  # slice2.3.weight is features.3.weight in torchvision
            key: trunk["features." + key.split(".", 1)[1]] for key in model.net.state_dict()
        }
        model.net.load_state_dict(named)
    except Exception as error:  # any bytes may be in the file, and any error in its reader
        raise BadInput(
            "measures",
            f"name LPIPS, but {ALEXNET} is not AlexNet's file ({type(error).__name__})",
            f"get it again from {MODELS['LPIPS'][2]}",
        ) from error
    return model.eval()


@cache
def clip(folder: Path) -> Clip:
    """CLIP from a folder in Hugging Face's layout. Raises BadInput."""
    return load_clip(need("CLIP", folder))


@cache
def dreamsim(folder: Path) -> tuple[Any, Any]:
    """(model, preprocessing) of DreamSim. Raises BadInput."""
    return load_dreamsim(need("DreamSim", folder))


@torch.inference_mode()
def perceptual(
    model: Callable[..., torch.Tensor], first: torch.Tensor, second: torch.Tensor, side: int
) -> float:
    """Distance of two pictures [1, 3, h, w] in 0..1, resized to side x side; 0 if identical.

    model: `lpips` or `st_lpips`, which take values in -1..1.
    """
    pair = F.interpolate(torch.cat([first, second]), size=(side, side), mode="bilinear") * 2 - 1
    return float(model(pair[:1], pair[1:]))


@torch.inference_mode()
def dreamsim_distance(first: torch.Tensor, second: torch.Tensor, folder: Path) -> float:
    """DreamSim distance of two pictures [1, 3, h, w] in 0..1, with its preprocessing (224x224)."""
    model, _ = dreamsim(folder)
    small_first, small_second = (
        F.interpolate(picture, size=(224, 224), mode="bicubic").clamp(0, 1)
        for picture in (first, second)
    )
    return float(model(small_first, small_second))


def measure(
    name: str,
    image: torch.Tensor,
    amodal_mask: torch.Tensor,
    true_image: torch.Tensor,
    true_mask: torch.Tensor,
    words: str,
    folder: Path | None = None,
) -> float:
    """A measure of MODELS for a completed object against the true one. CLIP uses `words` instead.

    folder: the metrics folder with the weights. ST-LPIPS, LPIPS and DreamSim are distances (0 is
    identical); CLIP is a similarity. Raises BadInput for an unknown name, a missing package,
    missing weights, or empty masks.
    """
    if name not in MODELS:
        raise BadInput(
            "measures", f"name '{name}', which is not a measure", f"choose from {', '.join(MODELS)}"
        )
    interrupts.check()
    completed, true = pair_on_black(image, amodal_mask, true_image, true_mask)
    weights = Path(folder or "")
    if name == "CLIP":
        picture = on_black(image, amodal_mask, amodal_mask, "amodal_mask")
        return clip(weights).similarity(picture, words)
    if name == "DreamSim":
        return dreamsim_distance(completed, true, weights)
    if name == "LPIPS":
        return perceptual(lpips(weights), completed, true, 256)
    return perceptual(st_lpips(), completed, true, 128)
