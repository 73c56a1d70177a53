"""The config.json of a model's folder, as data: known numbers, and nothing else.

A config.json can name a network on the hub, Python files of the folder, or other kernels. So only
known numbers are taken from it; the architecture is always the published one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

LARGEST = 2**20  # of any number in a config.json
MOST_LAYERS = 64
ACTIVATIONS = ("relu", "gelu", "quick_gelu")
REFUSED = (  # what names code, another source, or another implementation
    *("auto_map", "trust_remote_code", "custom_pipelines", "quantization_config"),
    *("backbone", "backbone_kwargs", "use_timm_backbone", "use_pretrained_backbone"),
    *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
)


def of_text(text: str) -> dict:
    """What a config.json holds. Raises ValueError if it is not an object of JSON."""
    whole = json.loads(text)
    if not isinstance(whole, dict):
        raise ValueError("its config.json holds no keys")
    return whole


def section_of(whole: dict, name: str, kind: str, keys: Iterable[str]) -> dict[str, Any]:
    """What is taken from a section of config.json (its top level if `name` is empty).

    kind: what the section's `model_type` must be. Raises ValueError if a key is refused.
    """
    section = whole.get(name) if name else whole
    if not isinstance(section, dict):
        raise ValueError(f"its config.json has no {name}")
    stated = section.get("model_type")
    if stated != kind:
        raise ValueError(f"its config.json says {str(stated)[:40]}{f' in {name}' if name else ''}")
    for key in REFUSED:
        if section.get(key):
            raise ValueError(f"its config.json asks for {key}, which is not supported")
    taken = {key: section[key] for key in keys if key in section}
    for key, value in taken.items():
        if not all(is_plain(item, key) for item in (value if isinstance(value, list) else [value])):
            raise ValueError(f"its config.json has an unknown value of {key}")
    return taken


def is_plain(value: Any, key: str) -> bool:
    """Is it a number of a possible size, a truth value or a known activation function?"""
    if isinstance(value, str):
        return value in ACTIVATIONS
    if isinstance(value, bool):
        return True
    most = MOST_LAYERS if "layers" in key or key == "depths" else LARGEST
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most
