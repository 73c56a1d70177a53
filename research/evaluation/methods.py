"""The methods compared, each as a rewiring of the shipped workflow.

They differ in how the crop is painted, as in the paper's ablation (section 4.2). Loop, mask
analysis, paste-back and segmentation stay the same. The authors' release differs in more:
`release_variant` lists it.
"""

from __future__ import annotations

from amodal.app import workflow

from . import release_variant, rules, sssd

METHODS = {
    "removal": "removal inpainting alone (smooth fill)",
    "naive": "naive outpainting (equation 2)",
    "without": "without mixed context",
    "clusters": "mixed context with the paper's clusters",
    "mixed": "with mixed context",
    "true-mask": "oracle: mixed context with the true M^k",
    "true-modal": "oracle: mixed context with the true modal mask",
    "ceiling": "oracle: the truth through autoencoder and segmenter",
    "release": "as the authors' released code",
    "sssd": "SSSD, a small pair",
}


class Wiring:
    """A prompt (API format) whose nodes are found by short names. Changes it in place."""

    def __init__(self, prompt: dict):
        self.prompt = prompt
        find = {
            "pick": ("Pick the object", "AmodalPickObject"),
            "start": ("Loop Start (Amodal)", "AmodalLoopStart"),
            "refine": ("Refine Modal Mask (Amodal)", "AmodalRefineModalMask"),
            "pad": ("Pad If Touching (Amodal)", "AmodalPadIfTouching"),
            "contacts": ("Order Inpainted Contacts (Amodal)", "AmodalOrderInpaintedContacts"),
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
            "known": ("Known Background Mask (Amodal)", "AmodalKnownBackgroundMask"),
            "choose": ("Choose Mask (Amodal)", "AmodalChooseMask"),
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
        """Puts another node in the place of this one. Links to its outputs stay."""
        self.prompt[self.ids[name]] = {"class_type": kind, "inputs": inputs}

    def redirect(self, old: list, new: list) -> None:
        """Connects every input that takes `old` to `new`, except the inputs of `new` itself."""
        for key, node in self.prompt.items():
            if key != new[0]:
                changed = {name: new for name, value in node["inputs"].items() if value == old}
                node["inputs"].update(changed)

    def set_steps(self, steps: int, k: float | None = None) -> None:
        """Sets N. k is set too, or scaled with N if the prompt has it as a step."""
        scheduler, to_k = self.inputs("scheduler"), self.inputs("to_k")
        if k:
            to_k["k"] = k
        elif to_k["k"] >= 1:
            to_k["k"] *= steps / scheduler["steps"]
        scheduler["steps"] = steps

    def results(self) -> dict[str, list]:
        """{name: link} of the values that the evaluation reads."""
        return {
            "image": self.link("end", 0),
            "canvas": self.link("end", 2),
            "status": self.link("end", 3),
            "passes": self.link("end", 4),
            "report": self.link("end", 5),
            "warnings": self.link("end", 6),
            "object": self.link("trim", 0),
        }

    def keep(self, links: dict[str, list], of_pass_1: tuple[str, ...] = ()) -> None:
        """Keeps the values at these links by name; those of `of_pass_1` are taken from pass 1."""
        for name, link in links.items():
            inputs = {"name": name, "value": link}
            if name in of_pass_1:
                inputs["after"] = self.link("end", 3)
            self.prompt[f"evaluation_keep_{name}"] = {"class_type": "TestKeep", "inputs": inputs}

    def paint(self, link: list) -> None:
        """Takes the painted crop from this link instead of mixed context sampling."""
        for name in ("segment", "paste"):
            key = "image" if name == "segment" else "completed"
            self.inputs(name)[key] = link

    def without_results(self) -> None:
        """Removes the nodes that only show or save pictures."""
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


def sampled_to_the_end(wiring: Wiring) -> list:
    """All N steps in the original context, by the host's own sampler node.

    They start from the same latent as mixed context: the latent of the original picture would show
    a little of the occluder.
    """
    return wiring.add(
        "sampled",
        "SamplerCustomAdvanced",
        noise=wiring.link("noise"),
        guider=wiring.link("guider"),
        sampler=wiring.link("sampler"),
        sigmas=wiring.link("scheduler"),
        latent_image=wiring.inputs("to_k")["latent"],
    )


def without(wiring: Wiring) -> None:
    """Progressive passes, each with plain inpainting in the original context."""
    wiring.inputs("painted")["samples"] = sampled_to_the_end(wiring)


def naive(wiring: Wiring) -> None:
    """Equation 2: everything outside the modal mask is painted, in one pass of N steps."""
    without(wiring)
    everything = wiring.add("everything", "InvertMask", mask=wiring.link("crop", 1))
    for name, key in (("context", "mask"), ("segment", "inpaint_mask"), ("paste", "inpaint_mask")):
        wiring.inputs(name)[key] = everything
    wiring.inputs("end")["max_passes"] = 1


def removal(wiring: Wiring) -> None:
    """The occluders are filled from their surroundings, without diffusion."""
    modal = wiring.link("crop", 1)
    nothing = wiring.add(
        "nothing", "MaskComposite", destination=modal, source=modal, x=0, y=0, operation="subtract"
    )
    wiring.inputs("remove")["modal_mask"] = nothing
    wiring.paint(wiring.link("remove"))


def truth(wiring: Wiring) -> tuple[list, list]:
    """The true picture and amodal mask in the pass' crop."""
    image = wiring.add("truth", "EvaluationTruth", crop=wiring.link("crop", 3))
    return image, wiring.link("truth", 1)


def true_mask(wiring: Wiring) -> None:
    """Shows what the rule for M^k costs: M^k is the true amodal mask."""
    wiring.inputs("composite")["mask_at_k"] = truth(wiring)[1]


def true_modal(wiring: Wiring) -> None:
    """Shows what the segmenter's modal mask costs: the true one is used."""
    wiring.inputs("pick")["modal_mask"] = wiring.add("true_modal", "EvaluationModal")
    wiring.redirect(wiring.link("refine"), wiring.link("start", 2))


def ceiling(wiring: Wiring) -> None:
    """Shows what autoencoder, segmenter, order and loop allow: the truth is painted."""
    vae = wiring.inputs("painted")["vae"]
    latent = wiring.add("true_latent", "VAEEncode", pixels=truth(wiring)[0], vae=vae)
    wiring.inputs("painted")["samples"] = latent


GROUNDS = ("gray", "white", "black", "blur", "noise", "original")


def on_ground(ground: str):
    """Mixed context with another background swapped in (figure 8).

    M^k comes from the paper's clusters: comparing with the known background works only if that
    background is plain.
    """

    def rewire(wiring: Wiring) -> None:
        wiring.inputs("swap")["background"] = ground
        wiring.inputs("composite")["mask_at_k"] = rules.paper_clusters(wiring)

    return rewire


def by_rule(rule: str):
    """Mixed context with M^k by one rule of the two that the shipped workflow chooses from."""

    def rewire(wiring: Wiring) -> None:
        wiring.inputs("composite")["mask_at_k"] = wiring.inputs("choose")[rule]

    return rewire


def fixed_threshold(wiring: Wiring) -> None:
    """M^k by the known background with a threshold that does not depend on the picture."""
    by_rule("known_background")(wiring)
    wiring.inputs("known")["threshold"] = 0.05


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
    "sssd": sssd.rewire,
    "rules": mixed,
    "mask-known": by_rule("known_background"),
    "mask-fixed": fixed_threshold,
    "mask-seeded": by_rule("seeded"),
    **{f"ground-{ground}": on_ground(ground) for ground in GROUNDS},
}
