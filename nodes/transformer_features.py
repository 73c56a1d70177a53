"""Captures features of a transformer's blocks in one forward pass, as `unet_features` of a UNet.

The paper says that its sampling fits any text-to-image model, but names only features of a UNet. A
transformer has no decoder levels, so its blocks are counted in quarters: level 3 is the output of
the last block of the third quarter, as SD2's decoder has it as the third of four levels.
"""

import functools
import math

import comfy.model_patcher
import comfy.patcher_extension
import torch

from ..amodal.core import validate
from .regions import Regions

# Lists of blocks, and which of a block's two outputs is the picture's (the other is the text's).
STREAMS = {"double_blocks": 0, "joint_blocks": 1, "transformer_blocks": 1}


def blocks_of(net) -> list[tuple[torch.nn.Module, int | None]]:
    """A transformer's blocks in order with their stream; None where one sequence holds both.

    Empty for UNets and for transformers with another layout of their sequences.
    """
    for name, stream in STREAMS.items():
        if hasattr(net, name) and hasattr(net, "patch_size"):
            blocks: list[tuple[torch.nn.Module, int | None]]
            blocks = [(block, stream) for block in getattr(net, name)]
            return blocks + [(block, None) for block in getattr(net, "single_blocks", [])]
    return []


def quarter_ends(blocks: int) -> list[int]:
    """The last block of each quarter of a number of blocks; fewer than four of a shallow net."""
    return sorted({math.ceil(blocks * quarter / 4) - 1 for quarter in (1, 2, 3, 4)})


def as_picture(tokens: torch.Tensor, size: tuple[int, int], patch: int) -> torch.Tensor:
    """Features [B, C, h, w] from tokens [B, n, C], of which the first h * w are the picture's.

    size is the latent's (height, width); each token covers patch x patch cells. Where the patches
    reach beyond the latent, the features are given cell by cell, so that they fit it.
    """
    rows, columns = (-(-side // patch) for side in size)
    features = tokens[:, : rows * columns].movedim(1, 2).unflatten(2, (rows, columns))
    if (rows * patch, columns * patch) == tuple(size):
        return features
    cells = features.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
    return cells[:, :, : size[0], : size[1]]


class BlockProbe:
    """Captures the outputs of some levels' blocks in the positive prompt's branch of one pass."""

    def __init__(self, net, levels: list[int], regions: Regions):
        blocks = blocks_of(net)
        ends = quarter_ends(len(blocks))
        self.patch, self.regions = net.patch_size, regions
        self.at_block = [(*blocks[ends[level - 1]], level) for level in levels]
        self.joined = any(stream is None for _, stream in blocks)  # text first, then the picture
        self.first, stream = blocks[0]
        self.stream_of_words = 1 - (stream or 0)
        self.words = 0  # tokens of the text, which come first in a joined sequence

    def count_words(self, _block, _inputs, output):
        self.words = output[self.stream_of_words].shape[1]

    def keeper(self, level: int, stream: int | None, options: dict, size: tuple[int, int]):
        def keep(_block, _inputs, output):
            sequence = output[:, self.words :] if stream is None else output[stream]
            as_map = functools.partial(as_picture, size=size, patch=self.patch)
            self.regions.keep(level, sequence, options, as_map)

        return keep

    def wrap(self, executor, *args, **kwargs):
        size = validate.size_of(args[0])  # of the latent's part that this call is for
        # given by name or, in the host's own call, as the last positional argument
        options = kwargs.get("transformer_options") or next(
            given for given in args[::-1] if isinstance(given, dict) and "uuids" in given
        )
        hooks = [self.first.register_forward_hook(self.count_words)] if self.joined else []
        hooks += [
            block.register_forward_hook(self.keeper(level, stream, options, size))
            for block, stream, level in self.at_block
        ]
        try:
            return executor(*args, **kwargs)
        finally:
            for hook in hooks:
                hook.remove()

    def attach(self, model_options: dict) -> dict:
        """A copy of a guider's model options with this probe around the model's call."""
        model_options = comfy.model_patcher.create_model_options_clone(model_options)
        inner = model_options.setdefault("transformer_options", {})
        comfy.patcher_extension.add_wrapper(
            comfy.patcher_extension.WrappersMP.APPLY_MODEL, self.wrap, inner
        )
        self.regions.attach(inner)
        return model_options
