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


def stretched(values: torch.Tensor) -> torch.Tensor:
    """Numbers of any shape, stretched to 0..1 where they exceed it. `checked` refuses others."""
    if not values.is_floating_point() or not values.numel() or not values.isfinite().all():
        return values
    low, high = (float(value) for value in torch.aminmax(values.float()))
    return values if low >= 0 and high <= 1 else (values.float() - low) / max(high - low, 1e-12)


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
    if is_no_mask(mask):
        raise BadInput(
            name,
            "is a batch of no mask: nothing was found",
            "look for other words or at a lower threshold in the node that it comes from; Objects "
            "From Masks takes it as no objects",
        )
    if mask.ndim != 3 or not mask.numel():
        raise BadInput(
            name, f"has the shape {list(mask.shape)}", "give a MASK of [batch, height, width]"
        )
    if size is None or size_of(mask) == tuple(size):
        return mask
    if is_hard(mask):
        return resize_mask(mask, size)
    return resize(mask[..., None], size, "bilinear")[..., 0]


def is_no_mask(mask: torch.Tensor) -> bool:
    """Is it [0, H, W], the answer of a detector that found nothing?"""
    return mask.ndim == 3 and not len(mask) and 0 not in mask.shape[1:]


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


def resize_mask(mask: torch.Tensor, size: Size) -> torch.Tensor:
    """A mask [B, H, W] of 0 and 1 at another size: [B, *size], 0 or 1.

    A pixel is set where the mask covers more than half of it. A part that is thinner than that,
    such as a pole, keeps a line of pixels if it covers at least the area of one pixel. A mask that
    is not empty never becomes empty.
    """
    if size_of(mask) == tuple(size):
        return mask
    cover = resize(mask[..., None], size, "bilinear")[..., 0]
    whole = (cover > 0.5).float()
    if size[0] >= 2 * mask.shape[-2] and size[1] >= 2 * mask.shape[-1]:
        return whole  # even a single pixel is kept
    return torch.stack([with_thin_parts(*pair) for pair in zip(whole, cover)])


def with_thin_parts(whole: torch.Tensor, cover: torch.Tensor) -> torch.Tensor:
    """The mask `whole` [H, W] and the ridges of `cover` [H, W] (0..1) that it lost.

    A lost part counts if it covers one pixel and is not only a bump on the mask's outline, or if
    it joins two parts of the mask.
    """
    lost, count = parts_of(ridges(cover) & (whole == 0))
    solid, solids = parts_of(whole > 0)
    far = solids + 1
    highest = around(solid)
    lowest = far - around((far - solid) * (solid > 0))
    number = lost.flatten()

    def most(values: torch.Tensor) -> torch.Tensor:
        most = values.new_zeros(count + 1)
        return most.scatter_reduce(0, number, values.flatten(), "amax")

    area = torch.bincount(number, cover.flatten(), count + 1)
    joins = most(highest) > far - most((far - lowest) * (highest > 0))
    kept = ((area >= 1) & (most((highest == 0).long()) > 0)) | joins
    kept[0] = False
    result = torch.maximum(whole, kept[lost].float())
    return result if result.any() else ((cover > 0) & (cover == cover.max())).float()


def parts_of(mask: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The connected parts of a boolean mask [H, W], numbered from 1, and their number."""
    from scipy.ndimage import label

    parts, count = label(mask.numpy(), structure=[[1] * 3] * 3)
    return torch.from_numpy(parts).long(), count


def around(numbers: torch.Tensor) -> torch.Tensor:
    """The highest number among each pixel of [H, W] and its eight neighbours."""
    return F.max_pool2d(numbers[None, None].double(), 3, 1, 1)[0, 0].long()


def ridges(cover: torch.Tensor) -> torch.Tensor:
    """Boolean [H, W]: pixels on something thin, which stand out across or along.

    They cover more than both neighbours, and twice as much as the pixels behind those. Of two
    equal neighbours, the first counts.
    """
    wide, tall = F.pad(cover, (2, 2, 0, 0)), F.pad(cover, (0, 0, 2, 2))
    least = 1e-4  # resizing leaves differences of rounding
    result = torch.zeros_like(cover, dtype=torch.bool)
    for padded, axis in ((wide, 1), (tall, 0)):
        far, near, _, after, beyond = (
            padded.narrow(axis, start, cover.shape[axis]) for start in range(5)
        )
        stands_out = (cover > near + least) & (cover >= after - least)
        result |= stands_out & (cover > 2 * torch.maximum(far, beyond))
    return result


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
