"""The pack's own socket types. `amodal/core/types.py` describes their payloads."""

from comfy_api.latest import io

Objects = io.Custom("AMODAL_OBJECTS")  # Objects
Order = io.Custom("AMODAL_ORDER")  # torch.Tensor P[n, n], see amodal/core/types.py
Canvas = io.Custom("AMODAL_CANVAS")  # Canvas
Crop = io.Custom("AMODAL_CROP")  # Crop
Padding = io.Custom("AMODAL_PADDING")  # Padding
Occlusion = io.Custom("AMODAL_OCCLUSION")  # OcclusionReport
Features = io.Custom("AMODAL_FEATURES")  # Features
Loop = io.Custom("AMODAL_LOOP")  # LoopHandle
Segmenter = io.Custom("AMODAL_SEGMENTER")  # Segmenter
OrderModel = io.Custom("AMODAL_ORDER_MODEL")  # OrderModel
MaskModel = io.Custom("AMODAL_MASK_MODEL")  # MaskModel
ContentModel = io.Custom("AMODAL_CONTENT_MODEL")  # ContentModel
Boxes = io.Custom("BOUNDING_BOX")  # of the host's detectors: dictionaries, a list for each picture
Layers = io.Custom("LAYERS")  # of the host from 0.31 on; see layer_document.py


class MasksOrNone(io.Mask.Input):
    """A MASK socket that takes [0, H, W] too, from a detector that found nothing."""


class DepthPicture(io.Image.Input):
    """An IMAGE socket that takes any range of numbers, such as metres, and stretches it to 0..1."""


GATHERED = (  # the results of one loop
    *("object", "amodal_mask", "overlay", "status", "passes", "report", "x", "y", "warnings"),
)
Results = io.Custom("AMODAL_RESULTS")  # a list of tuples in the order of GATHERED
