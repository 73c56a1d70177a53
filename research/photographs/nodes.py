"""Nodes around a run's pictures, and the rewiring of the shipped workflow that puts them in."""

from __future__ import annotations

import torch

from amodal.app import workflow
from research.evaluation import methods

from .stage import Stage, not_counted

WORKFLOW = workflow.FOLDER / "amodal_completion.json"


class Stand:
    """Base class that holds the stage of the current run."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "give", "photographs"
    stage: Stage

    @classmethod
    def IS_CHANGED(cls, **_inputs):
        return float("nan")


class PhotographShown(Stand):
    """Tells the stage what a pass' crop shows."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "crop": ("AMODAL_CROP",)}}

    def give(self, image, crop):
        with not_counted():
            self.stage.add(image[0], self.stage.shown_in(crop), painted=False)
            self.stage.crop = image, crop
        return (image,)


class PhotographPainted(Stand):
    """Paints a pass' crop inside the inpaint mask, in place of section 3.5."""

    @classmethod
    def INPUT_TYPES(cls):
        inputs = {"image": ("IMAGE",), "crop": ("AMODAL_CROP",), "inpaint_mask": ("MASK",)}
        return {"required": inputs}

    def give(self, image, crop, inpaint_mask):
        with not_counted():
            inside = inpaint_mask[0] > 0.5
            painted = torch.where(inside[..., None], self.stage.painting_in(crop), image[0])
            self.tell(painted, crop, inside)
        return (painted[None],)

    def tell(self, painted, crop, inside) -> None:
        self.stage.add(painted, self.stage.shown_in(crop, inside.numpy()), painted=True)


class PhotographSampled(PhotographPainted):
    """Tells the stage what a crop shows that section 3.5 itself has painted."""

    def give(self, image, crop, inpaint_mask):
        with not_counted():
            self.tell(image[0], crop, inpaint_mask[0] > 0.5)
        return (image,)


class PhotographPasted(Stand):
    """Tells the stage what a pass has changed on the canvas."""

    @classmethod
    def INPUT_TYPES(cls):
        links = {"image": ("IMAGE",), "crop": ("AMODAL_CROP",), "inpaint_mask": ("MASK",)}
        return {"required": {**links, "the_map": ("AMODAL_CANVAS",), "feather": ("FLOAT", {})}}

    def give(self, image, crop, inpaint_mask, the_map, feather):
        with not_counted():
            self.stage.pasted(image, crop.but(canvas=the_map), inpaint_mask, feather)
        return (image,)


NODES = (PhotographShown, PhotographPainted, PhotographSampled, PhotographPasted)


def wired(point: tuple[int, int], paints: bool = True) -> methods.Wiring:
    """The shipped workflow for photographs with stand-ins on the sockets of the nets.

    The host's values "picture", "segmenter" and "order" are the run's. paints: the painter stands
    in for all of section 3.5; else "model", "clip" and "vae" stand in for the checkpoint.
    """
    prompt = workflow.load(WORKFLOW, dict)
    prompt = workflow.fill(prompt, "picture", point="{},{}".format(*point), seed=1)
    wiring = methods.Wiring(prompt)
    wiring.without_results()
    stand_in(wiring, "Picture", "LoadImage", "picture")
    stand_in(wiring, "Load Grounded Segmenter (Amodal)", "AmodalLoadSegmenter", "segmenter")
    stand_in(wiring, "Load Order Model (Amodal)", "AmodalLoadOrderModel", "order")
    crop, inpaint = wiring.link("crop", 3), wiring.link("check")
    image = wiring.link("crop")
    shown = wiring.add("shown", "PhotographShown", image=image, crop=crop)
    wiring.redirect(image, shown)
    if paints:
        words = dict(image=shown, crop=crop, inpaint_mask=inpaint)
        wiring.paint(wiring.add("painter", "PhotographPainted", **words))
    else:
        sampled(wiring, crop, inpaint)
    paste = wiring.inputs("paste")
    pasted = wiring.add(
        "pasted", "PhotographPasted", image=wiring.link("paste"), crop=crop, inpaint_mask=inpaint,
        the_map=wiring.link("paste", 2), feather=paste["feather"],
    )  # fmt: skip
    wiring.inputs("end")["image"] = pasted
    links = wiring.results()
    links["mask"] = wiring.link("end", 1)
    wiring.keep(links)
    return wiring


def sampled(wiring: methods.Wiring, crop: list, inpaint: list) -> None:
    """Section 3.5 runs as shipped, on a checkpoint that knows the truth.

    The mask at step k of the first pass is kept, with its crop.
    """
    key = workflow.need(wiring.prompt, "Load Checkpoint", "CheckpointLoaderSimple")
    for output, name in enumerate(("model", "clip", "vae")):
        wiring.prompt[name] = {"class_type": "TestValue", "inputs": {"name": name}}
        wiring.redirect([key, output], [name, 0])
    wiring.inputs("remove").pop("inpaint_model", None)  # it fills smoothly without one
    known = wiring.inputs("choose")["known_background"]  # the checkpoint has no features to show
    wiring.inputs("composite")["mask_at_k"] = known
    of_pass_1 = {"mask_k": wiring.inputs("composite")["mask_at_k"], "crop": crop}
    wiring.keep(of_pass_1, tuple(of_pass_1))
    image = wiring.link("painted")
    told = wiring.add("told", "PhotographSampled", image=image, crop=crop, inpaint_mask=inpaint)
    wiring.redirect(image, told)


def stand_in(wiring: methods.Wiring, title: str, kind: str, name: str) -> None:
    """Puts one of the host's values in the place of a loader."""
    key = workflow.need(wiring.prompt, title, kind)
    wiring.prompt[key] = {"class_type": "TestValue", "inputs": {"name": name}}
