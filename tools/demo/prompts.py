"""The shipped workflows that the demo runs, with an output for each picture it shows."""

from __future__ import annotations

from pathlib import Path

from amodal.app import workflow

MIXED = workflow.STICKERS
PLAIN = workflow.FOLDER / "ablation_without_mixed_context.json"
BEST = workflow.FOLDER / "best_of_seeds.json"


def mixed(picture: str, word: str, seed: int) -> dict:
    """The whole method, with the model's estimate on gray at step k of pass 1."""
    prompt = workflow.fill(loaded(MIXED), picture, words=word, seed=seed)
    estimate = workflow.need(prompt, "Decode the estimate at k", "VAEDecode")
    add(prompt, "SaveImage", "On gray", images=[estimate, 0], filename_prefix="amodal/on_gray")
    return prompt


def plain(picture: str, word: str, seed: int) -> dict:
    """One pass of inpainting in the original context; the comparison in that file is left out."""
    prompt = workflow.fill(loaded(PLAIN), picture, words=word, seed=seed)
    for title in ("Status", "Picture, baseline, mixed context: picture"):
        del prompt[workflow.need(prompt, title)]
    pasted = workflow.need(prompt, "Paste Back", "AmodalPasteBack")
    trimmed = workflow.need(prompt, "Trim And Overlay", "AmodalTrimAndOverlay")
    occluders = workflow.need(prompt, "Select Occluders", "AmodalSelectOccluders")
    add(prompt, "PreviewImage", "What hides it", images=[occluders, 2])
    add(prompt, "PreviewImage", "Pass", images=[pasted, 0])
    add(prompt, "PreviewAny", "Offset", source=[trimmed, 6])
    return prompt


def best(picture: str, word: str, seed: int, count: int) -> dict:
    """The best of `count` seeds, judged by one counterfactual each, and all that were judged."""
    prompt = workflow.fill(loaded(BEST), picture, words=word, seed=seed)
    completion = workflow.need(prompt, "Amodal Completion", "AmodalCompletion")
    prompt[completion]["inputs"]["count"] = count
    backgrounds = workflow.need(prompt, "Backgrounds", "AmodalCounterfactualBackgrounds")
    prompt[backgrounds]["inputs"]["count"] = 1
    judge = workflow.need(prompt, "Judge", "AmodalJudgeCompletion")
    pick = workflow.need(prompt, "Pick Best", "AmodalPickBest")
    add(prompt, "PreviewAny", "Report", source=[pick, 2])
    add(prompt, "SaveImage", "Seeds", images=[completion, 0], filename_prefix="amodal/seeds")
    add(prompt, "SaveImage", "Overlays", images=[completion, 2], filename_prefix="amodal/overlays")
    add(prompt, "SaveImage", "Tests", images=[judge, 5], filename_prefix="amodal/judged")
    return prompt


def loaded(path: Path) -> dict:
    """The prompt in a shipped workflow file."""
    return workflow.load(path, dict)


def add(prompt: dict, class_type: str, title: str, **inputs) -> None:
    """Adds a node that shows something under that title."""
    prompt[title] = {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}
