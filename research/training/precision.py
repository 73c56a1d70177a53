"""Device and precision of the training: a GPU if there is one.

bfloat16 on a GPU and on CPUs that support it; other CPUs emulate it tens of times slower.
"""

from __future__ import annotations

import torch

CPU = torch.device("cpu")
DEVICE = torch.device("cuda") if torch.cuda.is_available() else CPU
FAST = {"cpu": torch.ops.mkldnn._is_mkldnn_bf16_supported(), "cuda": True}


def dtype(device: torch.device = CPU) -> torch.dtype:
    return torch.bfloat16 if FAST[device.type] else torch.float32


def autocast(device: torch.device = CPU) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=FAST[device.type])
