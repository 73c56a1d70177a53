"""Brings IMAGE and MASK inputs to one shape, or refuses them with a reason.

Every node that takes pictures from outside calls these functions first. An input with the right
shape, type and range is not copied. Results are on the CPU: mask analysis and pasting need no
accelerator.
"""

import torch
import torch.nn.functional as F

from . import interrupts
from .errors import BadInput

Size = tuple[int, int]  # (height, width)


def size_of(masks: torch.Tensor) -> Size:
    """(height, width) of masks [..., H, W] or latents."""
    return masks.shape[-2], masks.shape[-1]


def picture_size(images: torch.Tensor) -> Size:
    """(height, width) of images [B, H, W, C]."""
    return images.shape[1], images.shape[2]


def as_images(image, name: str = "image") -> torch.Tensor:
    """[B, H, W, 3] float32 0..1: as `as_pictures`, but without alpha."""
    return as_pictures(image, name)[..., :3]


def as_pictures(image, name: str = "image") -> torch.Tensor:
    """[B, H, W, 3 or 4] float32 0..1 from [B, H, W, 1|3|4] or [H, W, 1|3|4].

    Raises BadInput for another shape, an empty picture, NaN or infinity, or a range of 0..255.
    """
    image = checked(image, name)
    if image.ndim == 3:
        image = image[None]
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4) or not image.numel():
        raise BadInput(
            name,
            f"has the shape {list(image.shape)}",
            "give an IMAGE of [batch, height, width, 3 or 4 channels]",
        )
    if image.shape[-1] == 1:
        return image.expand(*image.shape[:3], 3)
    return image


def each_picture(batches: list, name: str) -> list[torch.Tensor]:
    """The pictures [H, W, 3 or 4] of all batches in a list. Raises BadInput as `as_pictures`."""
    return [picture for batch in batches for picture in as_pictures(batch, name)]


def one_image(image, name: str = "image") -> torch.Tensor:
    """[1, H, W, 3] as by `as_images`. Raises BadInput for a batch of several."""
    image = as_images(image, name)
    if len(image) > 1:
        raise BadInput(name, f"is a batch of {len(image)}", "pick one with Image From Batch")
    return image


def as_masks(mask, size: Size | None = None, name: str = "mask") -> torch.Tensor:
    """[B, H, W] float32 0..1 from [H, W], [B, H, W], [B, 1, H, W] or [B, H, W, 1].

    A mask of another size is resized to `size` (height, width); a mask of 0 and 1 stays hard.
    Raises BadInput for another shape, an empty tensor, NaN or infinity.
    """
    mask = checked(mask, name)
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim == 4 and 1 in (mask.shape[1], mask.shape[-1]):
        mask = mask.squeeze(1 if mask.shape[1] == 1 else -1)
    if mask.ndim != 3 or not mask.numel():
        raise BadInput(
            name, f"has the shape {list(mask.shape)}", "give a MASK of [batch, height, width]"
        )
    if size is None or size_of(mask) == tuple(size):
        return mask
    resized = resize(mask[..., None], size, "bilinear")[..., 0]
    return (resized > 0.5).float() if is_hard(mask) else resized


def one_mask(mask, size: Size | None = None, name: str = "mask") -> torch.Tensor:
    """[1, H, W] float32, 0 or 1 (thresholded at 0.5). Raises BadInput for a batch of several."""
    mask = as_masks(mask, size, name)
    if len(mask) > 1:
        raise BadInput(
            name, f"is a batch of {len(mask)} masks", "choose one, with Pick Object for example"
        )
    return mask if is_hard(mask) else (mask > 0.5).float()


def is_hard(mask: torch.Tensor) -> bool:
    """True for a mask of only 0 and 1."""
    return not bool((mask.bool() ^ (mask == 1)).any())


def object_mask(mask, size: Size | None = None, name: str = "mask") -> torch.Tensor:
    """As `one_mask`; raises BadInput for an empty mask too."""
    mask = one_mask(mask, size, name)
    if not mask.any():
        raise BadInput(
            name,
            f"is empty: no pixel of its {list(mask.shape)} is above 0.5",
            "mark the object's visible pixels with 1; a mask from Load Image is 1 where the "
            "file is transparent",
        )
    return mask


def paired(count: int, tensor: torch.Tensor, name: str) -> torch.Tensor:
    """A batch of `count` from a batch of `count` or of 1. Raises BadInput for any other."""
    if len(tensor) == count:
        return tensor
    if len(tensor) == 1:
        return tensor.expand(count, *tensor.shape[1:])
    raise BadInput(
        name,
        f"is a batch of {len(tensor)} against {count} pictures",
        f"give one, or {count} of them",
    )


def resize(images: torch.Tensor, size: Size, mode: str = "bicubic") -> torch.Tensor:
    """[B, H, W, C] resized to [B, *size, C], antialiased and clamped to 0..1.

    `mode` is bicubic or bilinear. A picture of that size is returned as it is.
    """
    if picture_size(images) == tuple(size):
        return images
    moved = images.movedim(-1, 1)
    scaled = F.interpolate(moved, size=tuple(size), mode=mode, antialias=True)
    return scaled.clamp_(0, 1).movedim(1, -1)


def checked(tensor, name: str) -> torch.Tensor:
    """A float32 tensor in 0..1 on the CPU. Raises BadInput for NaN, infinity or a 0..255 range."""
    interrupts.check()
    if not isinstance(tensor, torch.Tensor):
        raise BadInput(name, f"is a {type(tensor).__name__}", "connect an IMAGE or a MASK")
    if tensor.dtype == torch.uint8:
        return tensor.cpu().float() / 255
    tensor = tensor.cpu().float()
    if not tensor.numel():
        return tensor
    low, high = (float(value) for value in torch.aminmax(tensor))
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        raise BadInput(
            name, "holds NaN or infinity", "look at the node it comes from; a model may have failed"
        )
    if high > 2:
        raise BadInput(name, f"holds values up to {high:g}", "scale it to 0..1")
    return tensor if low >= 0 and high <= 1 else tensor.clamp(0, 1)
