"""The pack's own socket types; their payloads are written down in `amodal/core/types.py`."""

from comfy_api.latest import io

Objects = io.Custom("AMODAL_OBJECTS")  # payloads.Objects
Order = io.Custom("AMODAL_ORDER")  # torch.Tensor P[n, n], see payloads
Crop = io.Custom("AMODAL_CROP")  # payloads.Crop
Features = io.Custom("AMODAL_FEATURES")  # payloads.Features
Loop = io.Custom("AMODAL_LOOP")  # payloads.LoopHandle
Segmenter = io.Custom("AMODAL_SEGMENTER")  # payloads.Segmenter
OrderModel = io.Custom("AMODAL_ORDER_MODEL")  # payloads.OrderModel
