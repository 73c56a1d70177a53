"""Makes a torchvision that was built for CUDA importable next to a CPU build of torch.

Such a torchvision cannot load its compiled extension, and then stops at import because the
operators it wants to describe are unknown ("operator torchvision::nms does not exist"). This file,
put into site-packages with a .pth line that imports it, announces those operators just before
torchvision is first imported. Everything that ComfyUI uses of torchvision then works; calling the
operators themselves still raises. For the test and demo environment only; the pack never needs it.
"""

import sys

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class AnnounceOperators:
    """An import hook that finds nothing, but acts once when torchvision is asked for."""

    library = None  # the operators live as long as this does

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(cls)
            from torch.library import Library

            cls.library = Library("torchvision", "DEF")
            for operator in OPERATORS:
                cls.library.define(operator)


sys.meta_path.insert(0, AnnounceOperators)
