"""bfloat16 where the CPU computes in it; elsewhere it is emulated, tens of times slower."""

from __future__ import annotations

import torch

FAST = torch.ops.mkldnn._is_mkldnn_bf16_supported()
DTYPE = torch.bfloat16 if FAST else torch.float32


def autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=FAST)
