"""Model files in their published layouts, with small nets of random weights.

Fixtures: `models` (the host's models folder) and `prompt` (the photograph workflow).
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from reference_groundingdino import DATA, weights

from amodal.app import workflow
from amodal.models import instaorder

ROOT = Path(__file__).resolve().parents[2]
LOADER = {
    "vocabulary": "cat, traffic light",
    "box_threshold": 0.35,
    "text_threshold": 0.25,
    "overlap": 0.7,
}
WORDS = [
    "[PAD]",
    *(f"[unused{i}]" for i in range(99)),
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "cat",
    "traffic",
    "light",
    "base",
    "##ball",
    "bat",
    "glove",
    "donut",
    ".",
    "?",
]


@pytest.fixture
def models(real_host) -> Iterator[Path]:
    """The host's models folder; what a test puts there goes again."""
    import folder_paths

    place = Path(folder_paths.models_dir)
    yield place
    for name in ("grounding-dino", "sams", "bert-base-uncased"):
        for file in sorted((place / name).rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()


def small_sam(seed: int = 0):
    """A small SAM in the authors' own classes, with random weights."""
    from functools import partial

    from segment_anything import modeling

    torch.manual_seed(seed)
    net = modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            img_size=128,
            patch_size=16,
            embed_dim=32,
            depth=3,
            num_heads=2,
            mlp_ratio=2,
            out_chans=32,
            qkv_bias=True,
            use_rel_pos=True,
            window_size=3,
            global_attn_indexes=[1],
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=32,
            image_embedding_size=(8, 8),
            input_image_size=(128, 128),
            mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=3,
            transformer_dim=32,
            iou_head_depth=3,
            iou_head_hidden_dim=24,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=32, num_heads=8, mlp_dim=48
            ),
        ),
    )
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim > 1:
                weight.add_(0.2 * torch.randn_like(weight))
    return net.eval()


def put_segmenter(models: Path, vocabulary: str | None = "bert-base-uncased/vocab.txt") -> None:
    """Files of a small GroundingDINO and a small SAM under their published names."""
    for name in ("grounding-dino", "sams", "bert-base-uncased"):
        (models / name).mkdir(parents=True, exist_ok=True)
    state = weights(json.loads(DATA.read_text())["shapes"])
    torch.save({"model": state}, models / "grounding-dino" / "groundingdino_swint_ogc.pth")
    torch.save(small_sam().state_dict(), models / "sams" / "sam_vit_b_01ec64.pth")
    if vocabulary:
        (models / vocabulary).write_text("\n".join(WORDS))


def put_order_model(path: Path) -> dict:
    """Writes InstaOrderNet_od in its published layout, with random weights; its tensors."""
    state = {f"module.{name}": value for name, value in instaorder.OrderNet().state_dict().items()}
    torch.save({"step": 58000, "state_dict": state, "optimizer": {"state": {}}}, path)
    return state


class Dangerous:
    """Its pickle runs code when it is read."""

    def __reduce__(self):
        return print, ("code of a weights file ran",)


def small_models(models: Path, monkeypatch) -> None:
    """A small file for every model of amodal_completion.json but the checkpoint."""
    from spandrel.architectures.LaMa import LaMa

    from amodal.models import grounding_dino

    put_segmenter(models)
    (models / "sams" / "sam_vit_b_01ec64.pth").rename(models / "sams" / "sam_vit_h_4b8939.pth")
    for folder in ("instaorder", "inpaint"):
        (models / folder).mkdir(exist_ok=True)
    put_order_model(models / "instaorder" / "InstaOrder_InstaOrderNet_od.pth.tar")
    torch.save(LaMa(in_nc=4, out_nc=3).state_dict(), models / "inpaint" / "big-lama.pt")
    monkeypatch.setattr(grounding_dino, "SHORT", 64)


@pytest.fixture
def prompt(real_host) -> dict:
    """workflows/amodal_completion.json in API format; its picture is in the input folder."""
    import folder_paths

    prompt = json.loads((workflow.FOLDER / "amodal_completion.json").read_text())
    picture = prompt[workflow.need(prompt, "Picture")]["inputs"]["image"]
    place = Path(folder_paths.get_input_directory())
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "workflows" / "inputs" / picture, place)
    return prompt
