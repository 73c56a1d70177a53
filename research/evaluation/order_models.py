"""Order models for `nox -s paper -- --amodal`, from the pack's own loader nodes in the host."""

from __future__ import annotations

from pathlib import Path

from amodal.core.errors import BadInput
from amodal.core.types import OrderModel

from . import photographs

NODES = {  # name -> (loader node, whether it takes a file)
    "border": ("AmodalBorderOrder", False),
    "stickers": ("AmodalStickerOrder", False),
    "instaorder": ("AmodalLoadOrderModel", True),
    "sssd": ("AmodalLoadMaskModel", True),
}


def load(word: str, models: Path | str) -> OrderModel:
    """The order model of a word: "border", "stickers", "instaorder=FILE" or "sssd=FILE".

    FILE lies in the folder `models`.

    Raises BadInput for another word, and whatever the loader says of the file.
    """
    name, sign, file = word.partition("=")
    node, takes_file = NODES.get(name, ("", False))
    if not node or bool(file) != takes_file or bool(sign) != takes_file:
        known = ", ".join(f"{name}=FILE" if takes else name for name, (_, takes) in NODES.items())
        raise BadInput("order", f"is '{word}'", f"choose from {known}")
    running = photographs.started(str(models))
    from tools.host import inprocess

    graph = inprocess.Graph()
    graph.keep(model=graph.add(node, **({"file": file} if takes_file else {}))[0])
    try:
        return running.run(graph).values["model"]
    except inprocess.Failed as error:
        why = " ".join(str(error).split())
        raise BadInput("order", f"'{word}' cannot be loaded: {why}", "see above") from None
