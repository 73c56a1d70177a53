"""One file for each stage of the method; each ends with NODES, the list of its node classes."""

from importlib import import_module

STAGES = (
    "detect", "order", "padding", "crop", "background", "sampling", "features",
    "segment", "occlusion", "loop", "result", "one_node", "curation", "metrics", "sweeps",
    "stickers", "order_models", "segmenter_models", "inpaint_models", "study",
    "items",
)


def all_nodes() -> list[type]:
    return [node for stage in STAGES for node in import_module(f".{stage}", __name__).NODES]
