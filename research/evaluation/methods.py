"""The methods compared, each as a rewiring of the shipped workflow.

The loop, the mask analysis, paste-back and segmentation are the same in all; what differs is how
the crop is painted, as in the paper's ablation (section 4.2).
"""

from __future__ import annotations

from amodal.app import workflow

from . import release_variant, rules

METHODS = {
    "removal": "removal inpainting alone",
    "naive": "naive outpainting (equation 2)",
    "without": "without mixed context",
    "clusters": "mixed context with the paper's clusters",
    "mixed": "with mixed context",
    "true-mask": "oracle: mixed context with the true M^k",
    "true-modal": "oracle: mixed context with the true visible mask",
    "ceiling": "oracle: the truth through autoencoder and segmenter",
    "release": "as the authors' released code",
}


class Wiring:
    """A copy of the shipped prompt with its nodes at hand by their titles."""

    def __init__(self, prompt: dict):
        self.prompt = prompt
        find = {
            "pick": ("Pick the object", "AmodalPickObject"),
            "start": ("Loop Start (Amodal)", "AmodalLoopStart"),
            "pad": ("Pad If Touching (Amodal)", "AmodalPadIfTouching"),
            "select": ("Select Occluders (Amodal)", "AmodalSelectOccluders"),
            "prompt": ("Prompt", "StringReplace"),
            "negative": ("Negative", "CLIPTextEncode"),
            "scheduler": ("BasicScheduler", "BasicScheduler"),
            "sampler": ("KSamplerSelect", "KSamplerSelect"),
            "noise": ("RandomNoise", "RandomNoise"),
            "context": ("Condition on the original context", "InpaintModelConditioning"),
            "guider": ("Guider for the context", "CFGGuider"),
            "swap": ("Swap Background (Amodal)", "AmodalSwapBackground"),
            "encode": ("Encode the background", "VAEEncode"),
            "noised": ("Noise To Step (Amodal)", "AmodalNoiseToStep"),
            "resume": ("Resume From Step (Amodal)", "AmodalResumeFromStep"),
            "to_k": ("Sample To Step (Amodal)", "AmodalSampleToStep"),
            "painted": ("Decode I_amodal", "VAEDecode"),
            "composite": ("Composite At Step (Amodal)", "AmodalCompositeAtStep"),
            "crop": ("Crop To Object (Amodal)", "AmodalCropToObject"),
            "check": ("Check Occlusion (Amodal)", "AmodalCheckOcclusion"),
            "remove": ("Remove Objects (Amodal)", "AmodalRemoveObjects"),
            "segment": ("Segment Object (Amodal)", "AmodalSegmentObject"),
            "paste": ("Paste Back (Amodal)", "AmodalPasteBack"),
            "end": ("Loop End (Amodal)", "AmodalLoopEnd"),
            "trim": ("Trim And Overlay (Amodal)", "AmodalTrimAndOverlay"),
        }
        self.ids = {name: workflow.need(prompt, *where) for name, where in find.items()}

    def inputs(self, name: str) -> dict:
        return self.prompt[self.ids[name]]["inputs"]

    def link(self, name: str, output: int = 0) -> list:
        return [self.ids[name], output]

    def add(self, name: str, kind: str, **inputs) -> list:
        self.ids[name] = f"evaluation_{name}"
        self.prompt[self.ids[name]] = {"class_type": kind, "inputs": inputs}
        return self.link(name)

    def replace(self, name: str, kind: str, **inputs) -> None:
        """Another node in the place of this one; links to its outputs stay."""
        self.prompt[self.ids[name]] = {"class_type": kind, "inputs": inputs}

    def redirect(self, old: list, new: list) -> None:
        """Every input that hangs on the link `old` hangs on `new`, but for those of `new` itself."""
        for key, node in self.prompt.items():
            if key != new[0]:
                changed = {name: new for name, value in node["inputs"].items() if value == old}
                node["inputs"].update(changed)

    def set_steps(self, steps: int, k: float | None = None) -> None:
        """Sample in so many steps; k is given, or follows unless it is a fraction."""
        scheduler, to_k = self.inputs("scheduler"), self.inputs("to_k")
        if k:
            to_k["k"] = k
        elif to_k["k"] >= 1:
            to_k["k"] *= steps / scheduler["steps"]
        scheduler["steps"] = steps

    def results(self) -> dict[str, list]:
        """What the evaluation reads of a run: {name: link}."""
        return {
            "image": self.link("end", 0),
            "canvas": self.link("end", 2),
            "status": self.link("end", 3),
            "passes": self.link("end", 4),
            "report": self.link("end", 5),
            "object": self.link("trim", 0),
        }

    def keep(self, links: dict[str, list], of_pass_1: tuple[str, ...] = ()) -> None:
        """Has the run hold the values at these links by name; of some, those of pass 1."""
        for name, link in links.items():
            inputs = {"name": name, "value": link}
            if name in of_pass_1:
                inputs["after"] = self.link("end", 3)
            self.prompt[f"evaluation_keep_{name}"] = {"class_type": "TestKeep", "inputs": inputs}

    def paint(self, link: list) -> None:
        """What is painted comes from this link instead of mixed context sampling."""
        for name in ("segment", "paste"):
            key = "image" if name == "segment" else "completed"
            self.inputs(name)[key] = link

    def without_results(self) -> None:
        """No previews and files: the evaluation looks at values."""
        kinds = ("PreviewImage", "MaskPreview", "SaveImage", "PreviewAny", "MaskToImage")
        for key in [k for k, n in self.prompt.items() if n["class_type"] in kinds]:
            del self.prompt[key]


def wire(method: str, prompt: dict) -> Wiring:
    """The shipped prompt, filled in by `workflow.fill`, rewired for a method of `METHODS`."""
    wiring = Wiring(prompt)
    wiring.without_results()
    REWIRE[method](wiring)
    return wiring


def mixed(wiring: Wiring) -> None:
    """As shipped."""


def sampled_whole(wiring: Wiring) -> list:
    """All N steps in the original context, by core's own node; from the latent that mixed context
    starts from, for that of the original would show a little of the occluder."""
    return wiring.add(
        "whole",
        "SamplerCustomAdvanced",
        noise=wiring.link("noise"),
        guider=wiring.link("guider"),
        sampler=wiring.link("sampler"),
        sigmas=wiring.link("scheduler"),
        latent_image=wiring.inputs("to_k")["latent"],
    )


def without(wiring: Wiring) -> None:
    """Progressive passes, but each is plain inpainting in the original context."""
    wiring.inputs("painted")["samples"] = sampled_whole(wiring)


def naive(wiring: Wiring) -> None:
    """Equation 2: everything outside the modal mask is painted, in one pass of N steps."""
    without(wiring)
    everything = wiring.add("everything", "InvertMask", mask=wiring.link("crop", 1))
    for name, key in (("context", "mask"), ("segment", "inpaint"), ("paste", "inpaint")):
        wiring.inputs(name)[key] = everything
    wiring.inputs("end")["max_passes"] = 1


def removal(wiring: Wiring) -> None:
    """The occluders are filled in from what is around them; no diffusion."""
    modal = wiring.link("crop", 1)
    nothing = wiring.add(
        "nothing", "MaskComposite", destination=modal, source=modal, x=0, y=0, operation="subtract"
    )
    wiring.inputs("remove")["mask"] = nothing
    wiring.paint(wiring.link("remove"))


def truth(wiring: Wiring) -> tuple[list, list]:
    """The true picture and amodal mask in the pass' crop."""
    image = wiring.add("truth", "EvaluationTruth", crop=wiring.link("crop", 3))
    return image, wiring.link("truth", 1)


def true_mask(wiring: Wiring) -> None:
    """What the rule for M^k costs."""
    wiring.inputs("composite")["mask"] = truth(wiring)[1]


def true_modal(wiring: Wiring) -> None:
    """What the segmenter's mask of the visible object costs: the true one is picked."""
    wiring.inputs("pick")["mask"] = wiring.add("true_modal", "EvaluationModal")


def ceiling(wiring: Wiring) -> None:
    """What autoencoder, segmenter, order and loop allow: the truth is painted."""
    vae = wiring.inputs("painted")["vae"]
    latent = wiring.add("true_latent", "VAEEncode", pixels=truth(wiring)[0], vae=vae)
    wiring.inputs("painted")["samples"] = latent


GROUNDS = ("gray", "white", "black", "blur", "noise", "original")


def on_ground(ground: str):
    """Mixed context with another background swapped in (figure 8); M^k by the paper's clusters, for
    only a plain background can be told from the object by its colour."""

    def rewire(wiring: Wiring) -> None:
        wiring.inputs("swap")["background"] = ground
        wiring.inputs("composite")["mask"] = rules.paper_clusters(wiring)

    return rewire


REWIRE = {
    "removal": removal,
    "naive": naive,
    "without": without,
    "clusters": on_ground("gray"),
    "mixed": mixed,
    "true-mask": true_mask,
    "true-modal": true_modal,
    "ceiling": ceiling,
    "release": release_variant.rewire,
    "rules": mixed,
    **{f"ground-{ground}": on_ground(ground) for ground in GROUNDS},
}
