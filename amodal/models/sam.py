"""SAM: the masks of boxes and points (section 3.4; Kirillov et al., 2023).

The net is the authors' `segment-anything`; every size is read off the file's tensors, so that all
three of the published files load, and small ones too. Files of Hugging Face's layout get the
authors' names.
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F

from ..core.errors import BadInput
from . import pretrained

WHAT = "SAM model"
AT_ONCE = 8  # masks; each is as large as the picture while it is made
POSITIONS = "image_encoder.pos_embed"

# What Hugging Face's files call things, and what the authors call them; all that fit count.
NAMES = [
    (re.compile(theirs), authors)
    for theirs, authors in (
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
]


def authors_names(state: dict) -> dict:
    """The state dict under the authors' names, where it comes in Hugging Face's layout."""
    if not any(name.startswith("vision_encoder.") for name in state):
        return state
    result = {}
    for name, value in state.items():
        for theirs, authors in NAMES:
            name = theirs.sub(authors, name)
        result[name] = value
    return result


def net_of(state: dict, file: str, input: str = "file") -> torch.nn.Module:
    """The net of a published file; BadInput, by name, where the file is of another model."""
    try:
        from segment_anything.modeling import Sam
    except ImportError as error:
        raise BadInput(
            input,
            f"names {file}, which needs the package segment-anything",
            "pip install segment-anything with ComfyUI's Python",
        ) from error
    state = authors_names(pretrained.without_prefix(state))
    try:
        parts = image_encoder(state), prompt_encoder(state), mask_decoder(state)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else "its layers are others"
        raise pretrained.foreign(file, WHAT, why, input) from error
    # ImageNet's mean and deviation, of pixels in 0..255; no file stores them
    net = Sam(*parts, pixel_mean=[123.675, 116.28, 103.53], pixel_std=[58.395, 57.12, 57.375])
    return pretrained.load_into(net, state, file, WHAT, input)


def image_encoder(state: dict):
    from segment_anything.modeling import ImageEncoderViT

    _, side, _, width = state[POSITIONS].shape
    names = (re.match(r"image_encoder\.blocks\.(\d+)\.", name) for name in state)
    depth = 1 + max(int(name[1]) for name in names if name)
    relative = [state[f"image_encoder.blocks.{i}.attn.rel_pos_h"].shape for i in range(depth)]
    shortest = min(rows for rows, _ in relative)
    whole = [i for i, (rows, _) in enumerate(relative) if rows == 2 * side - 1]
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
        global_attn_indexes=whole,
    )


def prompt_encoder(state: dict):
    from segment_anything.modeling import PromptEncoder

    side = state[POSITIONS].shape[1]
    patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
    return PromptEncoder(
        embed_dim=state["prompt_encoder.no_mask_embed.weight"].shape[1],
        image_embedding_size=(side, side),
        input_image_size=(patch * side, patch * side),
        mask_in_chans=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
    )


def mask_decoder(state: dict):
    from segment_anything.modeling import MaskDecoder, TwoWayTransformer

    width = state["prompt_encoder.no_mask_embed.weight"].shape[1]
    names = (re.match(r"mask_decoder\.transformer\.layers\.(\d+)\.", name) for name in state)
    depth = 1 + max(int(name[1]) for name in names if name)
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
    """A SAM net. A picture is encoded once, however many boxes and points are asked of it.

    `ready` brings the net to where it computes and gives that device; with `half` the picture's
    encoder, which does nearly all of the work, computes in float16 there.
    """

    def __init__(self, net, ready=None, half=False):
        self.net, self.half = net, half
        self.ready = ready or (lambda: next(net.parameters()).device)
        self.seen = self.code = None
        if half:
            net.image_encoder.half()

    @torch.inference_mode()
    def masks(self, image: torch.Tensor, *, boxes=None, points=None, several: bool = False):
        """(masks [n, m, H, W] bool, quality [n, m]) on the CPU, for an image [H, W, 3].

        boxes [n, 4] xyxy or points [n, p, 2], in pixels of the image. m is 1, or 3 with `several`:
        part, object, and what it belongs to. Quality 0..1 is the net's own estimate of the IoU.
        """
        device = self.ready()
        code = self.encoded(image, device)
        prompts = boxes if points is None else points
        found, quality = [], []
        for begin in range(0, len(prompts), AT_ONCE):
            some = self.scaled(prompts[begin : begin + AT_ONCE], image).to(device)
            low, likely = self.decoded(code, some, points is None, several)
            found.append(self.whole(low, image).cpu() > self.net.mask_threshold)
            quality.append(likely.float().cpu())
        return torch.cat(found), torch.cat(quality).clamp(0, 1)

    def encoded(self, image, device):
        """What the net makes of a picture; kept until it is asked of another one."""
        if self.seen is None or not same(self.seen, image):
            side = self.net.image_encoder.img_size
            size = self.inner_size(image)
            moved = image[..., :3].movedim(-1, 0)[None].to(device, torch.float32) * 255
            scaled = F.interpolate(moved, size=size, mode="bilinear", antialias=True)
            scaled = (scaled - self.net.pixel_mean.to(device)) / self.net.pixel_std.to(device)
            square = F.pad(scaled, (0, side - size[1], 0, side - size[0]))
            code = self.net.image_encoder(square.half() if self.half else square)
            self.seen, self.code = image.clone(), code.float().cpu()
        return self.code.to(device)

    def inner_size(self, image) -> tuple[int, int]:
        """(height, width) at which the net sees the picture: its longer side fills the square."""
        factor = self.net.image_encoder.img_size / max(image.shape[:2])
        height, width = (max(1, int(side * factor + 0.5)) for side in image.shape[:2])
        return height, width

    def scaled(self, prompts, image):
        """Boxes or points of the image, in the net's pixels."""
        height, width = self.inner_size(image)
        factor = torch.tensor([width / image.shape[1], height / image.shape[0]])
        prompts = torch.as_tensor(prompts, dtype=torch.float32)
        return (prompts.reshape(*prompts.shape[:-1], -1, 2) * factor).reshape(prompts.shape)

    def decoded(self, code, prompts, are_boxes: bool, several: bool):
        """(masks before they are cut [n, m, h, w], quality [n, m])."""
        positive = torch.ones(prompts.shape[:2], device=prompts.device)
        sparse, dense = self.net.prompt_encoder(
            points=None if are_boxes else (prompts, positive),
            boxes=prompts if are_boxes else None,
            masks=None,
        )
        return self.net.mask_decoder(
            image_embeddings=code,
            image_pe=self.net.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )

    def whole(self, low, image):
        """The net's masks at the image's size."""
        size = tuple(image.shape[:2])
        return self.net.postprocess_masks(low, self.inner_size(image), size)


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one, other))
