"""What fills the removed objects in the column of removal: LaMa, another net, or no net.

The paper compares with LaMa. Remove Objects takes LaMa, MAT or another net of image and mask, and
without one fills smoothly or with PatchMatch; so the tables say which one it was.
"""

from __future__ import annotations

KEPT = "remover"  # the name under which a run's inpaint model is kept
PLAIN = {  # Remove Objects' methods without a net
    "smooth": "removal inpainting alone (smooth fill, no net)",
    "patchmatch": "removal inpainting alone (PatchMatch, no net)",
}
UNKNOWN = "removal inpainting alone"


def keep(wiring) -> None:
    """Has the inpaint model of Remove Objects kept, if it has one."""
    model = wiring.inputs("remove").get("inpaint_model")
    if isinstance(model, list):
        wiring.keep({KEPT: model})


def fill_of(prompt: dict, values: dict) -> str:
    """What filled in a run: a net's name, or one of PLAIN; "" if the run failed before it."""
    node = next(node for node in prompt.values() if node["class_type"] == "AmodalRemoveObjects")
    if not isinstance(node["inputs"].get("inpaint_model"), list):
        return node["inputs"].get("method", "smooth")
    return name_of(values[KEPT]) if KEPT in values else ""


def name_of(model) -> str:
    """The architecture of an INPAINT_MODEL, such as "LaMa"."""
    architecture = getattr(model, "architecture", None)
    name = getattr(architecture, "name", None)
    return str(name or type(getattr(model, "model", model)).__name__)


def title(records: list[dict]) -> str:
    """The title of removal's column, from the records of removal.

    A net's name where one was loaded; else which fill it was.
    """
    fills = dict.fromkeys(r.get("fill", "") for r in records if r["method"] == "removal")
    names = [PLAIN.get(fill, fill) for fill in fills if fill]
    return " / ".join(names) or UNKNOWN
