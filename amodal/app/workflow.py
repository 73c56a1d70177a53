"""Workflow files: reads both of the host's formats, and finds and fills nodes by their titles.

An API-format prompt is {node id: {"class_type", "inputs", "_meta": {"title"}}}; an input is a value
or a link [node id, output number]. The format that the editor saves is translated with the node
schemas of a host (`/object_info`).
"""

from __future__ import annotations

import json
from pathlib import Path

from ..core.errors import BadInput

FOLDER = Path(__file__).resolve().parents[2] / "workflows" / "api"
DEFAULT = FOLDER / "amodal_completion_stickers.json"
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
ONLY_IN_EDITOR = ("Note", "MarkdownNote", "Reroute", "PrimitiveNode")
MUTED, BYPASSED = 2, 4


def load(path: Path, object_info) -> dict:
    """The prompt in a workflow file of either format.

    object_info: called where it is needed, gives the host's node schemas. Raises BadInput where the
    file is missing, is no workflow, or uses what only the editor can translate.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput("workflow", f"{path} cannot be read ({error})", "check the path") from None
    except ValueError as error:
        raise BadInput("workflow", f"{path} is not JSON ({error})", "export it again") from None
    if isinstance(data, dict) and "nodes" in data and "links" in data:
        return from_editor(data, object_info())
    if (
        isinstance(data, dict)
        and data
        and all(isinstance(node, dict) and "class_type" in node for node in data.values())
    ):
        return data
    raise BadInput("workflow", f"{path} holds no workflow", "save or export it in ComfyUI again")


def titled(prompt: dict, title: str, *classes: str) -> str | None:
    """Id of the node with that title, else of the only node of one of those classes, else None."""
    named = [i for i, node in prompt.items() if node.get("_meta", {}).get("title") == title]
    if named:
        return named[0]
    same = [i for i, node in prompt.items() if node["class_type"] in classes]
    return same[0] if len(same) == 1 else None


def need(prompt: dict, title: str, *classes: str) -> str:
    """As `titled`, but raises BadInput where there is none."""
    found = titled(prompt, title, *classes)
    if found is None:
        raise BadInput("workflow", f"has no node titled '{title}'", "title the node so in ComfyUI")
    return found


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

    picture, mask: names in the host's input folder; the mask is white where the object is seen.
    point: "x,y" in pixels; words: the object's name; text: the prompt, with {label} for that name.
    Where none of mask, point and words is given, the largest object is completed.
    """
    prompt = json.loads(json.dumps(prompt))

    def put(title: str, classes: tuple, name: str, value) -> None:
        prompt[need(prompt, title, *classes)]["inputs"][name] = value

    put("Picture", ("LoadImage",), "image", picture)
    pick = ("Pick the object", ("AmodalPickObject", "AmodalCompletion"))
    if mask is not None:
        prompt["given_mask"] = {
            "class_type": "LoadImageMask",
            "inputs": {"image": mask, "channel": "red"},
            "_meta": {"title": "Given mask"},
        }
        put(*pick, "mask", ["given_mask", 0])
    put(*pick, "point", point or "")  # what the file holds is about its own picture
    put(*pick, "words", words or "")
    picks = prompt[need(prompt, pick[0], *pick[1])]["inputs"]
    if "occluders" in picks:
        picks["occluders"] = ""
    if text is not None:
        say(prompt, text)
    if seed is not None:
        put("Seed", ("PrimitiveInt",), "value", seed)
    return prompt


def say(prompt: dict, text: str) -> None:
    """Puts the words to paint from into every node that completes an object with them."""
    whole = [node for node in prompt.values() if node["class_type"] == "AmodalCompletion"]
    for node in whole:
        node["inputs"]["prompt"] = text
    stages = titled(prompt, "Prompt") if whole else need(prompt, "Prompt", "StringReplace")
    if stages is not None:
        prompt[stages]["inputs"]["string"] = text


def from_editor(workflow: dict, schemas: dict) -> dict:
    """Translates what the editor saves; BadInput for subgraphs, bypassed and unknown nodes."""
    nodes = {str(node["id"]): node for node in workflow["nodes"]}
    links = {link[0]: (str(link[1]), link[2]) for link in workflow["links"]}
    prompt = {}
    for key, node in nodes.items():
        kind = node["type"]
        if kind in ONLY_IN_EDITOR or node.get("mode") == MUTED:
            continue
        if node.get("mode") == BYPASSED or kind not in schemas:
            problem = "is bypassed" if kind in schemas else "is a subgraph or unknown here"
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
    """The node's saved widgets by name; the editor saves them by position."""
    saved = node.get("widgets_values") or []
    if isinstance(saved, dict):
        return dict(saved)
    values, rest = {}, iter(saved)
    for group in ("required", "optional"):
        for name, spec in schema["input"].get(group, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            if not (isinstance(spec[0], list) or spec[0] in WIDGETS) or options.get("forceInput"):
                continue
            missing = object()
            value = next(rest, missing)
            if value is not missing:
                values[name] = value
            seeds = options.get("control_after_generate") or name in ("seed", "noise_seed")
            if seeds or options.get("image_upload"):
                next(rest, None)  # the editor's own widget behind this one
    return values


def source(link: int | None, links: dict, nodes: dict):
    """What a socket is connected to: a link, a value, or None; through the editor's own nodes."""
    while link is not None and link in links:
        key, slot = links[link]
        node = nodes[key]
        if node["type"] == "PrimitiveNode":
            return node["widgets_values"][0]
        if node["type"] != "Reroute":
            return None if node.get("mode") == MUTED else [key, slot]
        link = node["inputs"][0].get("link")
    return None
