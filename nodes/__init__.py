"""The stages of the method as nodes, a file for each; `all_nodes` collects their NODES lists."""

from importlib import import_module

FILES = (
    "grounded_segmentation",
    "pick_object",
    "occluder_order",
    "occluder_selection",
    "padding",
    "crop",
    "background",
    "sampling",
    "mask_at_k",
    "modal_mask",
    "mask_rules",
    "choose_mask",
    "amodal_mask",
    "check_occlusion",
    "loop",
    "cutout",
    "completion",
    "gather",
    "curation",
    "pick_best",
    "metrics",
    "sweeps",
    "stickers",
    "loaders.order_models",
    "loaders.segmenter_models",
    "loaders.inpaint_models",
    "study.node",
    "dataset_item",
    "rule_menu",
    "loaders.sam3_models",
    "match_features",
    "layers",
    "limits",
    "prepare_3d",
    "registration",
    "hidden_part",
    "loaders.sssd_models",
    "shadows",
)


def all_nodes() -> list[type]:
    """Every node class of the pack, in the order of the golden schema."""
    return [node for file in FILES for node in import_module(f".{file}", __name__).NODES]
