"""SAM: masks for boxes and points (section 3.4; Kirillov et al., 2023).

The network is the authors' `segment-anything`. All sizes are read from the tensors of the file, so
the three published files load, and smaller ones too. Tensors of a file in Hugging Face's layout are
renamed to the authors' names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ..core import weight_archive
from ..core.errors import BadInput
from . import pretrained

WHAT = "SAM model"
# ImageNet's mean and deviation for pixels in 0..255; the files do not store them
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
AT_ONCE = 8  # prompts in a batch; each needs a mask of the picture's size
POSITIONS = "image_encoder.pos_embed"

Replacement = str | Callable[[re.Match[str]], str]

# Name in Hugging Face's layout -> name of the authors. Every matching rule is applied, in order.
RULES: tuple[tuple[str, Replacement], ...] = (
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"^vision_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"^vision_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"^vision_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"^vision_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"^vision_encoder\.", "image_encoder."),
    (
        r"^prompt_encoder\.mask_embed\.conv([123])\.",
        lambda m: f"prompt_encoder.mask_downscaling.{3 * int(m[1]) - 3}.",
    ),
    (
        r"^prompt_encoder\.mask_embed\.layer_norm([12])\.",
        lambda m: f"prompt_encoder.mask_downscaling.{3 * int(m[1]) - 2}.",
    ),
    (r"^prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
    (
        r"^(shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    (r"^mask_decoder\.upscale_conv1\.", "mask_decoder.output_upscaling.0."),
    (r"^mask_decoder\.upscale_layer_norm\.", "mask_decoder.output_upscaling.1."),
    (r"^mask_decoder\.upscale_conv2\.", "mask_decoder.output_upscaling.3."),
    (
        r"^(mask_decoder\.(?:iou_prediction_head|output_hypernetworks_mlps\.\d))\.layers\.0\.",
        r"\1.layers.1.",
    ),
    (r"^(mask_decoder\..*)\.proj_in\.", r"\1.layers.0."),
    (r"^(mask_decoder\..*)\.proj_out\.", r"\1.layers.2."),
    (r"\.layer_norm_final_attn\.", ".norm_final_attn."),
    (r"\.layer_norm(\d)\.", r".norm\1."),
)
NAMES = [(re.compile(pattern), replacement) for pattern, replacement in RULES]


def authors_names(state: pretrained.State) -> pretrained.State:
    """The state dict with the authors' names, converted if it has Hugging Face's layout."""
    if not any(name.startswith("vision_encoder.") for name in state):
        return state
    result = {}
    for name, value in state.items():
        for pattern, replacement in NAMES:
            name = pattern.sub(replacement, name)
        result[name] = value
    return result


def net_of(state: pretrained.State, file: str, input: str = "file") -> torch.nn.Module:
    """The network of a state dict.

    Raises BadInput if `file` holds another model, or if segment-anything is not installed.
    """
    try:
        from segment_anything.modeling import Sam
    except ImportError as error:
        raise BadInput(
            input,
            f"names {file}, which needs the package segment-anything",
            "install it with ComfyUI's Python: pip install segment-anything",
        ) from error
    state = authors_names(pretrained.without_prefix(state))

    def make() -> torch.nn.Module:
        parts = image_encoder(state), prompt_encoder(state), mask_decoder(state)
        return Sam(*parts, pixel_mean=MEAN, pixel_std=STD)

    try:
        net = weight_archive.bounded(make, state)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else "its layers differ"
        raise pretrained.wrong_model(file, WHAT, why, input) from error
    return pretrained.load_into(net, state, file, WHAT, input)


def image_encoder(state: pretrained.State) -> torch.nn.Module:
    """The image encoder with the sizes of a state dict; KeyError if a tensor is missing."""
    from segment_anything.modeling import ImageEncoderViT

    _, side, _, width = state[POSITIONS].shape
    depth = pretrained.layers(state, r"image_encoder\.blocks\.(\d+)\.")
    relative = [state[f"image_encoder.blocks.{i}.attn.rel_pos_h"].shape for i in range(depth)]
    shortest = min(rows for rows, _ in relative)
    global_blocks = [i for i, (rows, _) in enumerate(relative) if rows == 2 * side - 1]
    patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
    inner = state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0]
    return ImageEncoderViT(
        img_size=patch * side,
        patch_size=patch,
        embed_dim=width,
        depth=depth,
        num_heads=width // relative[0][1],
        mlp_ratio=inner / width,
        out_chans=state["image_encoder.neck.0.weight"].shape[0],
        qkv_bias=True,
        norm_layer=lambda width: torch.nn.LayerNorm(width, eps=1e-6),
        use_rel_pos=True,
        window_size=(shortest + 1) // 2,
        global_attn_indexes=global_blocks,
    )


def prompt_encoder(state: pretrained.State) -> torch.nn.Module:
    """The prompt encoder with the sizes of a state dict; KeyError if a tensor is missing."""
    from segment_anything.modeling import PromptEncoder

    side = state[POSITIONS].shape[1]
    patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
    return PromptEncoder(
        embed_dim=state["prompt_encoder.no_mask_embed.weight"].shape[1],
        image_embedding_size=(side, side),
        input_image_size=(patch * side, patch * side),
        mask_in_chans=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
    )


def mask_decoder(state: pretrained.State) -> torch.nn.Module:
    """The mask decoder with the sizes of a state dict; KeyError if a tensor is missing."""
    from segment_anything.modeling import MaskDecoder, TwoWayTransformer

    width = state["prompt_encoder.no_mask_embed.weight"].shape[1]
    depth = pretrained.layers(state, r"mask_decoder\.transformer\.layers\.(\d+)\.")
    return MaskDecoder(
        num_multimask_outputs=state["mask_decoder.mask_tokens.weight"].shape[0] - 1,
        transformer_dim=width,
        iou_head_depth=3,
        iou_head_hidden_dim=state["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
        transformer=TwoWayTransformer(
            depth=depth,
            embedding_dim=width,
            num_heads=8,
            mlp_dim=state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
        ),
    )


class Masker:
    """A SAM network. Keeps the embedding of the last picture for further prompts.

    ready: moves the network to its device and returns that device. half: compute the image encoder,
    which does nearly all of the work, in float16.
    """

    def __init__(
        self,
        net: Any,  # segment_anything's Sam
        ready: Callable[[], torch.device] | None = None,
        half: bool = False,
    ) -> None:
        self.net, self.half = net, half
        self.ready = ready or (lambda: next(net.parameters()).device)
        self.last_image: torch.Tensor | None = None
        self.embedding: torch.Tensor | None = None
        if half:
            net.image_encoder.half()

    @torch.inference_mode()
    def masks(
        self,
        image: torch.Tensor,
        *,
        boxes: torch.Tensor | None = None,
        points: torch.Tensor | None = None,
        several: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(masks [n, m, H, W] bool, quality [n, m]) on the CPU, for an image [H, W, 3] in 0..1.

        Prompts are boxes [n, 4] xyxy or points [n, p, 2] (x, y), in pixels of the image. m is 1, or
        3 with `several` (part, object, whole). Quality (0..1) is the predicted IoU.
        """
        prompts = boxes if points is None else points
        if prompts is None:
            raise ValueError("masks needs boxes or points")
        device = self.ready()
        embedding = self.encoded(image, device)
        masks, quality = [], []
        for begin in range(0, len(prompts), AT_ONCE):
            batch = self.scaled(prompts[begin : begin + AT_ONCE], image).to(device)
            logits, predicted_iou = self.decoded(embedding, batch, points is None, several)
            masks.append(self.resized(logits, image).cpu() > self.net.mask_threshold)
            quality.append(predicted_iou.float().cpu())
        return torch.cat(masks), torch.cat(quality).clamp(0, 1)

    def encoded(self, image: torch.Tensor, device: torch.device) -> torch.Tensor:
        """The embedding of a picture, computed again only if the picture has changed."""
        embedding = self.embedding
        if embedding is None or self.last_image is None or not same(self.last_image, image):
            side = self.net.image_encoder.img_size
            size = self.inner_size(image)
            moved = image[..., :3].movedim(-1, 0)[None].to(device, torch.float32) * 255
            scaled = F.interpolate(moved, size=size, mode="bilinear", antialias=True)
            scaled = (scaled - self.net.pixel_mean.to(device)) / self.net.pixel_std.to(device)
            square = F.pad(scaled, (0, side - size[1], 0, side - size[0]))
            output = self.net.image_encoder(square.half() if self.half else square)
            embedding = output.float().cpu()
            self.last_image, self.embedding = image.clone(), embedding
        return embedding.to(device)

    def inner_size(self, image: torch.Tensor) -> tuple[int, int]:
        """(height, width) of the picture inside the network's square input."""
        factor = self.net.image_encoder.img_size / max(image.shape[:2])
        height, width = (max(1, int(side * factor + 0.5)) for side in image.shape[:2])
        return height, width

    def scaled(self, prompts: torch.Tensor | Sequence, image: torch.Tensor) -> torch.Tensor:
        """Boxes or points of the image, in pixels of the network's input."""
        height, width = self.inner_size(image)
        factor = torch.tensor([width / image.shape[1], height / image.shape[0]])
        prompts = torch.as_tensor(prompts, dtype=torch.float32)
        return (prompts.reshape(*prompts.shape[:-1], -1, 2) * factor).reshape(prompts.shape)

    def decoded(
        self, embedding: torch.Tensor, prompts: torch.Tensor, are_boxes: bool, several: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(mask logits [n, m, h, w], predicted IoU [n, m])."""
        positive = torch.ones(prompts.shape[:2], device=prompts.device)
        sparse, dense = self.net.prompt_encoder(
            points=None if are_boxes else (prompts, positive),
            boxes=prompts if are_boxes else None,
            masks=None,
        )
        return self.net.mask_decoder(
            image_embeddings=embedding,
            image_pe=self.net.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )

    def resized(self, logits: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """The mask logits [n, m, H, W] at the size of the image."""
        size = tuple(image.shape[:2])
        return self.net.postprocess_masks(logits, self.inner_size(image), size)


def same(first: torch.Tensor, second: torch.Tensor) -> bool:
    """True if both pictures have the same shape and pixels."""
    return first.shape == second.shape and bool(torch.equal(first, second))
