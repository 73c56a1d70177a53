"""Makes a torchvision built for CUDA importable with a CPU build of torch.

Such a torchvision cannot load its compiled extension. Its import then fails, because operators that
it describes do not exist ("operator torchvision::nms does not exist"). This file goes into
site-packages, with a .pth file that imports it. It declares the operators just before torchvision
is imported for the first time. Everything that ComfyUI uses of torchvision then works; calling the
operators still raises. Only the environment for tests and the demo needs this, never the pack.
"""

import sys

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class AnnounceOperators:
    """An import hook that finds no module, but declares the operators before torchvision."""

    library = None  # the operators exist as long as this object

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(cls)
            from torch.library import Library

            cls.library = Library("torchvision", "DEF")
            for operator in OPERATORS:
                cls.library.define(operator)


sys.meta_path.insert(0, AnnounceOperators)
