"""Removal by instruction, as Inst-Inpaint (Yildirim et al., 2023) does: "remove the {occluder}".

Inst-Inpaint's own checkpoint does not load in ComfyUI's core, so its protocol runs with nets that
do: any InstructPix2Pix checkpoint, or an edit model of today from the workflow
photograph_by_instruction. The net sees the crop and the instruction, and draws the crop anew. Then
the object is segmented in its answer and pasted back as with every other method: only the hidden
part is taken from the answer. One pass, because the instruction names one occluder.
"""

from __future__ import annotations

from pathlib import Path

from amodal.app import workflow

INSTRUCTION = "remove the {occluder}"
CHECKPOINT = "instruct-pix2pix-00-22000.safetensors"
EDITOR = workflow.FOLDER / "photograph_by_instruction.json"
TITLES = {
    "instruct": "removal by instruction (InstructPix2Pix)",
    "edit": "removal by instruction (edit model)",
}
NOT_ON_STICKERS = ("removal by instruction", "no such net for stickers")  # in the tables there
TEXT_CFG, IMAGE_CFG = 7.5, 1.5  # InstructPix2Pix' own defaults
ANSWER = ("Decode the answer", "VAEDecode")  # of the edit model's workflow
TAKEN = {  # nodes of it whose places ours take
    "seen": ("Swap Background (Amodal)", "AmodalSwapBackground"),
    "prompt": ("Prompt", "StringReplace"),
    "noise": ("RandomNoise", "RandomNoise"),
}


def rewire(wiring, method: str, occluder: str, settings) -> None:
    """Has the crop painted by instruction. method: a key of TITLES.

    settings: `instruct`, the checkpoint's name; `edit`, the edit model's workflow; `steps`, N or
    None for the workflow's. Raises BadInput if that workflow lacks a node.
    """
    text = INSTRUCTION.format(occluder=occluder)
    if method == "instruct":
        painted = by_checkpoint(wiring, text, settings.instruct, settings.steps)
    else:
        painted = by_editor(wiring, text, Path(settings.edit), settings.steps)
    wiring.paint(painted)
    wiring.inputs("end")["max_passes"] = 1


def by_checkpoint(wiring, text: str, checkpoint: str, steps: int | None) -> list:
    """The answer of an InstructPix2Pix checkpoint, guided by the text and by the picture."""
    loaded = wiring.add("instruct", "CheckpointLoaderSimple", ckpt_name=checkpoint)
    model, clip, vae = (wiring.link("instruct", output) for output in range(3))
    said = wiring.add("said", "CLIPTextEncode", text=text, clip=clip)
    unsaid = wiring.add("unsaid", "CLIPTextEncode", text="", clip=clip)
    shown = wiring.add(
        "shown",
        "InstructPixToPixConditioning",
        positive=said,
        negative=unsaid,
        vae=vae,
        pixels=wiring.link("crop"),
    )
    guider = wiring.add(
        "instruct_guider",
        "DualCFGGuider",
        model=loaded,
        cond1=shown,
        cond2=wiring.link("shown", 1),
        negative=unsaid,
        cfg_conds=TEXT_CFG,
        cfg_cond2_negative=IMAGE_CFG,
        style="regular",
    )
    sampled = wiring.add(
        "instruct_sampled",
        "SamplerCustomAdvanced",
        noise=wiring.link("noise"),
        guider=guider,
        sampler=wiring.add("instruct_sampler", "KSamplerSelect", sampler_name="euler_ancestral"),
        sigmas=wiring.add(
            "instruct_sigmas",
            "BasicScheduler",
            model=model,
            scheduler="normal",
            steps=steps or wiring.inputs("scheduler")["steps"],
            denoise=1.0,
        ),
        latent_image=wiring.link("shown", 2),
    )
    return wiring.add("instruct_answer", "VAEDecode", samples=sampled, vae=vae)


def by_editor(wiring, text: str, path: Path, steps: int | None) -> list:
    """The answer of the edit model in a workflow, put back in its place by Register To Crop.

    The model sees the crop instead of I_syn. Its loaders, guidance and sampling are the workflow's.
    """
    prompt = workflow.load(path, dict)
    answer = workflow.need(prompt, *ANSWER)
    used = {key: prompt[key] for key in needed(prompt, answer, set())}
    ours = {"seen": wiring.link("crop"), "prompt": text, "noise": wiring.link("noise")}
    taken = {workflow.need(used, *where): ours[name] for name, where in TAKEN.items()}
    for key in needed(prompt, answer, set(taken)):
        node = prompt[key]
        inputs = {name: moved(value, taken) for name, value in node["inputs"].items()}
        if steps and node["class_type"] == "BasicScheduler":
            inputs["steps"] = steps
        wiring.prompt[f"edit_{key}"] = {"class_type": node["class_type"], "inputs": inputs}
    return wiring.add(
        "registered",
        "AmodalRegisterToCrop",
        image=wiring.link("crop"),
        answer=[f"edit_{answer}", 0],
        modal_mask=wiring.link("select", 3),
        inpaint_mask=wiring.link("check"),
    )


def needed(prompt: dict, key: str, stops: set[str]) -> list[str]:
    """A node and all that it is made from, without `stops` and what only they are made from."""
    found: list[str] = []
    ahead = [key]
    while ahead:
        key = ahead.pop()
        if key in found or key in stops:
            continue
        found.append(key)
        ahead += [value[0] for value in prompt[key]["inputs"].values() if is_link(value, prompt)]
    return found


def is_link(value, prompt: dict) -> bool:
    return isinstance(value, list) and len(value) == 2 and value[0] in prompt


def moved(value, taken: dict):
    """An input's value in our prompt: links go to our nodes, or to the copies of theirs."""
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)):
        return value
    return taken.get(value[0], [f"edit_{value[0]}", value[1]])
