"""Large batches of masks that lie in a file, so that memory holds only what is read of them."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from . import interrupts
from .mask_ops import box_of

LARGE = 2**30  # bytes; smaller batches are kept in memory


def as_numbers(masks: torch.Tensor, folder: Path) -> torch.Tensor:
    """Masks [n, H, W] bool as float32, 0 or 1. Above 1 GB they lie in a file in `folder`.

    The file disappears with the tensor. Whoever writes into the tensor changes a copy. Without
    room in the folder the masks are kept in memory, as float16.
    """
    if masks.numel() * 4 <= LARGE:
        return masks.float()
    try:
        return in_file(masks, folder)
    except OSError:
        return masks.half()


def in_file(masks: torch.Tensor, folder: Path) -> torch.Tensor:
    """Masks [n, H, W] bool as float32 in a new file of a folder. Raises OSError."""
    count, height, width = masks.shape
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(masks.numel() * 4)  # zeros, which take no room on most disks
        for number, mask in enumerate(masks):
            interrupts.check()
            box = box_of(mask)
            if box is not None:
                file.seek((number * height + box[1]) * width * 4)
                file.write(mask[box[1] : box[3]].float().cpu().numpy().data)
        file.flush()
        # "c": copy on write. Writing through to a full disk would end the process.
        mapped = np.memmap(file, np.float32, "c", shape=(count, height, width))
    return torch.from_numpy(mapped)
