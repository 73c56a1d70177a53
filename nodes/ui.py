"""What the pack's widgets in the editor show: small temporary pictures, and messages.

A node returns its entry as a ui output under a key of its own, so that the host's history keeps
it. It also sends the entry at once, so that a background tab or a subgraph shows it too.
"""

import uuid
from pathlib import Path

import torch
from comfy_execution.utils import get_executing_context

FOLDER = "amodal"  # in the host's temp folder, which it empties when it starts
DETECT = ".detect"  # ends the id of the Pick Object that the Detect button adds to a prompt


def temporary_folder() -> Path:
    """The pack's folder in the host's temp folder; it may not exist yet."""
    import folder_paths

    return Path(folder_paths.get_temp_directory()) / FOLDER


def saved(pixels: torch.Tensor, name: str) -> dict:
    """Saves [h, w, 3 or 4] float 0..1, or [h, w] uint8, as PNG; arguments of the host's /view."""
    from PIL import Image

    if pixels.dtype != torch.uint8:
        pixels = (pixels * 255).round().byte()
    folder = temporary_folder()
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}_{uuid.uuid4().hex}.png"
    Image.fromarray(pixels.cpu().numpy()).save(folder / file, compress_level=1)
    return {"filename": file, "subfolder": FOLDER, "type": "temp"}


def node_id() -> str:
    context = get_executing_context()
    return context.node_id if context is not None else ""


def is_in_graph(node: str) -> bool:
    """True for a node of the graph itself, False for one that another node expanded into."""
    return "." not in node.removesuffix(DETECT)


def in_graph(hidden, class_type: str) -> str | None:
    """The node of this class in the graph that is running now, or that it was cloned from."""
    prompt = getattr(hidden, "dynprompt", None)
    if prompt is None:
        return None
    shown = prompt.get_display_node_id(node_id())
    return shown if prompt.get_node(shown)["class_type"] == class_type else None


def say(hidden, class_type: str, text: str) -> dict:
    """Shows a text on the node of this class in the graph; returns it as a ui output."""
    from server import PromptServer

    server, node = getattr(PromptServer, "instance", None), in_graph(hidden, class_type)
    if node is None:
        return {}
    if server is not None:
        server.send_progress_text(text, node)
    return {"text": [text]}


def entry(hidden, **content) -> dict:
    """`content` with what identifies the widget: node, id (a clone's too), run and workflow.

    `node` is the node of the graph that the running node came from, unless `content` has another.
    """
    context = get_executing_context()
    saved_with = getattr(hidden, "extra_pnginfo", None)
    workflow = saved_with.get("workflow") if isinstance(saved_with, dict) else None
    return {
        "node": node_id().split(".")[0],
        "id": node_id(),
        "prompt_id": context.prompt_id if context is not None else "",
        "graph": workflow.get("id") if isinstance(workflow, dict) else None,
        **content,
    }


def tell(event: str, content: dict) -> dict:
    """Sends `content` to the browser that asked for this run, if any; returns it."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is not None:
        server.send_sync(event, content, server.client_id)
    return content
