"""Workflow files: reads both of the host's formats, and finds and fills nodes by their titles.

A prompt in API format is {node id: {"class_type", "inputs", "_meta": {"title"}}}. An input is a
value or a link [node id, output number]. The format that the editor saves is translated with a
host's node schemas (`/object_info`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import BadInput

FOLDER = Path(__file__).resolve().parents[2] / "workflows" / "api"
DEFAULT = FOLDER / "amodal_completion_stickers.json"
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
ONLY_IN_EDITOR = ("Note", "MarkdownNote", "Reroute", "PrimitiveNode")
MUTED, BYPASSED = 2, 4


def load(path: Path, object_info: Callable[[], dict]) -> dict:
    """The prompt in a workflow file of either format.

    object_info: returns the host's node schemas; called for the editor's format only.

    Raises BadInput if the file is missing, is not a workflow, or needs the editor to be translated.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput("workflow", f"{path} cannot be read ({error})", "check the path") from None
    except ValueError as error:
        raise BadInput(
            "workflow", f"{path} is not JSON ({error})", "export it from ComfyUI again"
        ) from None
    if isinstance(data, dict) and "nodes" in data and "links" in data:
        return from_editor(data, object_info())
    if (
        isinstance(data, dict)
        and data
        and all(isinstance(node, dict) and "class_type" in node for node in data.values())
    ):
        return data
    raise BadInput("workflow", f"{path} holds no workflow", "export it from ComfyUI again")


def titled(prompt: dict, title: str, *classes: str) -> str | None:
    """The id of the node with that title, else of the only node of these classes, else None."""
    with_title = [i for i, node in prompt.items() if node.get("_meta", {}).get("title") == title]
    if with_title:
        return with_title[0]
    of_class = [i for i, node in prompt.items() if node["class_type"] in classes]
    return of_class[0] if len(of_class) == 1 else None


def need(prompt: dict, title: str, *classes: str) -> str:
    """The same as `titled`, but raises BadInput if there is no such node."""
    node = titled(prompt, title, *classes)
    if node is None:
        remedy = "give the node that title in ComfyUI"
        raise BadInput("workflow", f"has no node titled '{title}'", remedy)
    return node


def fill(
    prompt: dict,
    picture: str,
    *,
    mask: str | None = None,
    point: str | None = None,
    words: str | None = None,
    text: str | None = None,
    seed: int | None = None,
) -> dict:
    """A copy of the prompt that completes another object.

    picture, mask: file names in the host's input folder. The mask is white at the object's visible
    pixels. point: "x,y" in pixels or in fractions. words: the object's name. text: the prompt, in
    which {label} stands for that name. If mask, point and words are all missing, the largest object
    is completed.

    Raises BadInput if a node that must be filled is missing.
    """
    prompt = json.loads(json.dumps(prompt))

    def put(title: str, classes: Sequence[str], name: str, value: object) -> None:
        prompt[need(prompt, title, *classes)]["inputs"][name] = value

    put("Picture", ("LoadImage",), "image", picture)
    pick = ("Pick the object", ("AmodalPickObject", "AmodalCompletion"))
    if mask is not None:
        prompt["given_mask"] = {
            "class_type": "LoadImageMask",
            "inputs": {"image": mask, "channel": "red"},
            "_meta": {"title": "Given mask"},
        }
        put(*pick, "modal_mask", ["given_mask", 0])
    put(*pick, "point", point or "")  # the values in the file belong to another picture
    put(*pick, "words", words or "")
    picks = prompt[need(prompt, pick[0], *pick[1])]["inputs"]
    if "occluder_hints" in picks:
        picks["occluder_hints"] = ""
    if text is not None:
        say(prompt, text)
    if seed is not None:
        put("Seed", ("PrimitiveInt",), "value", seed)
    return prompt


def say(prompt: dict, text: str) -> None:
    """Sets the text prompt of every node that completes an object.

    Raises BadInput if there is no such node.
    """
    completions = [node for node in prompt.values() if node["class_type"] == "AmodalCompletion"]
    for node in completions:
        node["inputs"]["prompt"] = text
    stages = titled(prompt, "Prompt") if completions else need(prompt, "Prompt", "StringReplace")
    if stages is not None:
        prompt[stages]["inputs"]["string"] = text


def from_editor(workflow: dict, schemas: dict) -> dict:
    """Translates the editor's format into API format, with the host's node schemas.

    Raises BadInput for subgraphs, bypassed nodes and unknown nodes.
    """
    nodes = {str(node["id"]): node for node in workflow["nodes"]}
    links = {link[0]: (str(link[1]), link[2]) for link in workflow["links"]}
    prompt: dict[str, dict] = {}
    for key, node in nodes.items():
        kind = node["type"]
        if kind in ONLY_IN_EDITOR or node.get("mode") == MUTED:
            continue
        if node.get("mode") == BYPASSED or kind not in schemas:
            problem = "is bypassed" if kind in schemas else "is a subgraph or an unknown node"
            remedy = "export the workflow in API format in ComfyUI (File, Export (API))"
            raise BadInput("workflow", f"node {key} ({kind}) {problem}", remedy)
        inputs = widget_values(node, schemas[kind])
        for socket in node.get("inputs", []):
            value = source(socket.get("link"), links, nodes)
            if value is not None:
                inputs[socket["name"]] = value
        title = node.get("title") or schemas[kind].get("display_name") or kind
        prompt[key] = {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}
    return prompt


def widget_values(node: dict, schema: dict) -> dict:
    """The node's saved widget values by name; the editor saves them by position."""
    saved = node.get("widgets_values") or []
    if isinstance(saved, dict):
        return dict(saved)
    values: dict[str, Any] = {}
    rest = iter(saved)
    for group in ("required", "optional"):
        for name, spec in schema["input"].get(group, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            if not (isinstance(spec[0], list) or spec[0] in WIDGETS) or options.get("forceInput"):
                continue
            missing = object()
            value = next(rest, missing)
            if value is not missing:
                values[name] = value
            control = options.get("control_after_generate")
            if control is None:  # the schema says nothing, so the editor goes by the name
                control = name in ("seed", "noise_seed")
            if control or options.get("image_upload"):
                next(rest, None)  # the editor adds a widget of its own after this one
    return values


def source(link: int | None, links: dict, nodes: dict) -> Any:
    """The input behind an editor link: a link [node id, output], a value, or None.

    Follows Reroute nodes, and takes the value of PrimitiveNode.
    """
    while link is not None and link in links:
        key, slot = links[link]
        node = nodes[key]
        if node["type"] == "PrimitiveNode":
            return node["widgets_values"][0]
        if node["type"] != "Reroute":
            return None if node.get("mode") == MUTED else [key, slot]
        link = node["inputs"][0].get("link")
    return None
