"""Workflow files: reads both of the host's formats, and finds and fills nodes by their titles.

A prompt in API format is {node id: {"class_type", "inputs", "_meta": {"title"}}}. An input is a
value or a link [node id, output number]. `editor_file` translates the format that the editor saves.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import BadInput
from .editor_file import from_editor

FOLDER = Path(__file__).resolve().parents[2] / "workflows" / "api"
STICKERS = FOLDER / "amodal_completion_stickers.json"
ALIASES = {"photograph_papers_models": "amodal_completion"}  # beside the other photograph_* names
PICKERS = ("AmodalPickObject", "AmodalCompletion")  # a person clicks and draws in their pictures
MARKS = ("occluder_hints", "drawn_bound")  # their widgets that hold places in one picture


def named(path: Path) -> Path:
    """The shipped workflow of that name, with or without its ending; else the path itself."""
    name = path.name.removesuffix(".json")
    shipped = FOLDER / f"{ALIASES.get(name, name)}.json"
    is_name = path.name == str(path) and not path.exists()
    return shipped if is_name and shipped.is_file() else path


def load(path: Path, object_info: Callable[[], dict]) -> dict:
    """The prompt in a workflow file of either format.

    object_info: returns the host's node schemas; called for the editor's format only.

    Raises BadInput if the file is missing, is not a workflow, or needs the editor to be translated.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadInput("workflow", f"{path} cannot be read ({error})", "check the path") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(
            "workflow", f"{path} is not JSON ({error})", "export it from ComfyUI again"
        ) from None
    if isinstance(data, dict) and "nodes" in data:
        data = from_editor(data, object_info())
    if isinstance(data, dict) and data and all(is_node(node) for node in data.values()):
        return data
    raise BadInput("workflow", f"{path} holds no workflow", "export it from ComfyUI again")


def is_node(value: Any) -> bool:
    """Is it a node in API format?"""
    if not isinstance(value, dict) or not isinstance(value.get("class_type"), str):
        return False
    about = value.get("_meta", {})
    return (
        isinstance(value.get("inputs"), dict)
        and isinstance(about, dict)
        and isinstance(about.get("title", ""), str)
    )


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
    occluders: str | None = None,
    text: str | None = None,
    seed: int | None = None,
) -> dict:
    """A copy of the prompt that completes another object.

    picture, mask: file names in the host's input folder. The mask is white at the object's visible
    pixels. point: "x,y" in pixels or in fractions. words: the object's name. occluders: names of
    what may hide it. text: the prompt, in which {label} stands for the object's name. If mask,
    point and words are all missing, the largest object is completed. What a person chose and drew
    in the file's own picture is cleared.

    Raises BadInput if a node that must be filled is missing.
    """
    prompt = json.loads(json.dumps(prompt))

    def put(title: str, classes: Sequence[str], name: str, value: object) -> None:
        prompt[need(prompt, title, *classes)]["inputs"][name] = value

    put("Picture", ("LoadImage",), "image", picture)
    pick = ("Pick the object", PICKERS)
    if mask is not None:
        prompt["given_mask"] = {
            "class_type": "LoadImageMask",
            "inputs": {"image": mask, "channel": "red"},
            "_meta": {"title": "Given mask"},
        }
        put(*pick, "modal_mask", ["given_mask", 0])
        trust_edges(prompt)
    put(*pick, "point", point or "")  # the values in the file belong to another picture
    put(*pick, "words", words or "")
    picks = prompt[need(prompt, pick[0], *pick[1])]["inputs"]
    if not isinstance(picks.get("index", []), list):  # a link's value may be of any picture
        picks["index"] = -1
    clear_marks(prompt)
    search_for(prompt, words or "", occluders or "")
    if text is not None:
        say(prompt, text)
    if seed is not None:
        put("Seed", ("PrimitiveInt",), "value", seed)
    return prompt


def clear_marks(prompt: dict) -> None:
    """Removes the marks that a person made in another picture: occluders, and the drawn bound."""
    for node in prompt.values():
        if node["class_type"] in PICKERS:
            node["inputs"].update({mark: "" for mark in MARKS if mark in node["inputs"]})


def trust_edges(prompt: dict) -> None:
    """Keeps a modal mask as it was given: the segmenter is not asked for its edges."""
    for node in prompt.values():
        if node["class_type"] == "AmodalRefineModalMask":
            node["inputs"]["edges"] = False


def anew(prompt: dict) -> dict:
    """A copy of the prompt of which no host has any part after its pictures in its cache.

    An input that no node knows changes what the cache compares, and nothing else.
    """
    prompt = json.loads(json.dumps(prompt))
    loaders = [node for node in prompt.values() if node["class_type"].startswith("LoadImage")]
    for node in loaders or prompt.values():
        node["inputs"]["run"] = uuid.uuid4().hex
    return prompt


def search_for(prompt: dict, words: str, occluders: str) -> None:
    """Sets the names that the detections search for beside everything that the segmenter knows.

    They may come from a PrimitiveString.
    """
    for node in list(prompt.values()):
        inputs = node["inputs"]
        if node["class_type"] == "AmodalDetectObjects" and inputs.get("add_known"):
            place, name = inputs, "words"
            if isinstance(inputs.get("words"), list):
                place, name = prompt[inputs["words"][0]]["inputs"], "value"
            place[name] = "\n".join(filter(None, (words, occluders)))
        elif node["class_type"] == "AmodalCompletion":
            inputs["occluder_words"] = occluders


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
