"""A transformer's sequence of tokens as the picture it stands for (section 3.5, features)."""

import torch


def as_picture(tokens: torch.Tensor, size: tuple[int, int], patch: int) -> torch.Tensor:
    """Features [B, C, h, w] of tokens [B, n, C], of which the first h * w are the picture's.

    size is the latent's (height, width), of which each token covers patch x patch cells. Where the
    patches reach beyond the latent, the features are given cell by cell, so that they fit it.
    """
    rows, columns = (-(-side // patch) for side in size)
    found = tokens[:, : rows * columns].movedim(1, 2).unflatten(2, (rows, columns))
    if (rows * patch, columns * patch) == tuple(size):
        return found
    cells = found.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
    return cells[:, :, : size[0], : size[1]]
