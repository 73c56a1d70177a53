"""The authors' released code as a rewiring of the shipped workflow, to compare with the paper.

The release differs from the paper in the points of SETTINGS. `rewire` applies them to a prompt.
Most are values or links of the shipped nodes. The nodes at the end of this file do the rest.

Not followed: unseeded noise, the photograph that stands for gray (a texture of its mean colour is
used), the stale prediction in the step after the composite, PNDM's doubled first step, objects
dropped silently, and the swapped upper and lower borders.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from amodal.core import mask_ops
from amodal.core.canvas import cut_crop, shifted
from amodal.core.types import Canvas, Crop
from amodal.method import sampling

from . import rules

SETTINGS = {
    "prompt": "{label}",  # the bare class name
    "negative": "",
    "sampler": "ipndm",  # the host's nearest to PNDM, the checkpoint's own; steps as in the paper
    "k": 0.68,  # step 34 of 50, t = 301, which PNDM reaches with its 35th of 51 calls
    "begin": "noise",  # pure noise instead of the noised latent of I_syn
    "background": "textured gray",
    "mask_rule": "clusters",
    "margin": 10,  # pixels from the border that count as touching it
    "window": "first",  # the crop is that of the first pass, never of the grown object
    "order": "model alone",  # also where the object meets another at inpainted pixels only
    "dilate": 6 / 512,  # of the crop's side: three dilations by 5 x 5 pixels
    "into_object": True,  # the dilation covers visible pixels of the object as well
    "plate": "with object",  # only the occluders are removed from the background
    "background_noise": "fresh",  # the background's noise is not the object's
    "round_trip": True,  # the composite goes through the VAE and 8 bits
    "condition": "plate",  # steps k to N are conditioned on the background, not on the picture
    "min_iou": 0.0,  # the segmenter's mask is accepted whatever its IoU with the modal mask is,
    "reach": 2.0,  # and however far it extends
    "paste": "all",  # visible pixels are replaced by decoded ones in every pass
}
AROUND, AT_BORDER = 60, 10  # pixels
GRAY = (137 / 255, 133 / 255, 132 / 255)


def rewire(wiring, settings: dict = SETTINGS) -> None:
    """Changes a wired prompt (`methods.Wiring`) to follow the release in all of `settings`."""
    for name, value in settings.items():
        APPLY[name](wiring, value)


# --- one function for each difference; `value` is that of SETTINGS ----------------------------


def prompt(wiring, value) -> None:
    wiring.inputs("prompt")["string"] = value


def negative(wiring, value) -> None:
    wiring.inputs("negative")["text"] = value


def sampler(wiring, value) -> None:
    wiring.inputs("sampler")["sampler_name"] = value


def step_k(wiring, value) -> None:
    wiring.inputs("to_k")["k"] = value


def begin(wiring, _value) -> None:
    side = wiring.inputs("crop")["size"]
    wiring.inputs("to_k")["latent"] = wiring.add(
        "nothing", "EmptyLatentImage", width=side, height=side, batch_size=1
    )


def background(wiring, _value) -> None:
    gray = wiring.add("gray", "EvaluationTexturedGray", image=wiring.link("crop", 0), seed=0)
    wiring.inputs("swap")["background"] = "image"
    wiring.inputs("swap")["own_background"] = gray


def mask_rule(wiring, _value) -> None:
    wiring.inputs("composite")["mask_at_k"] = rules.paper_clusters(wiring)


def margin(wiring, value) -> None:
    wiring.inputs("pad")["margin"] = value


def window_of_first_pass(wiring, _value) -> None:
    wiring.replace(
        "crop",
        "EvaluationFirstWindow",
        image=wiring.link("start", 1),
        mask=wiring.link("start", 2),
        canvas=wiring.link("start", 3),
        first=wiring.inputs("start")["modal_mask"],
        size=wiring.inputs("crop")["size"],
    )


def order(wiring, _value) -> None:
    wiring.redirect(wiring.link("contacts"), wiring.inputs("contacts")["order"])


def dilate(wiring, value) -> None:
    wiring.inputs("check")["dilate"] = value


def into_object(wiring, _value) -> None:
    kept = wiring.link("check", 0)
    grown = wiring.add(
        "grown",
        "EvaluationGrownMask",
        inpaint_mask=kept,
        occluder_mask=wiring.inputs("check")["occluder_mask"],
        padding_mask=wiring.inputs("check")["padding_mask"],
        dilate=wiring.inputs("check")["dilate"],
    )
    wiring.redirect(kept, grown)


def plate(wiring, _value) -> None:
    wiring.inputs("encode")["pixels"] = wiring.add(
        "plate",
        "ImageCompositeMasked",
        destination=wiring.inputs("encode")["pixels"],
        source=wiring.link("crop", 0),
        mask=wiring.link("crop", 1),
        x=0,
        y=0,
        resize_source=False,
    )


def background_noise(wiring, _value) -> None:
    seed = wiring.add(
        "background_seed",
        "AmodalPassSeed",
        seed=wiring.inputs("noise")["noise_seed"],
        pass_number=2,
    )
    wiring.inputs("noised")["noise"] = wiring.add(
        "background_noise", "RandomNoise", noise_seed=seed
    )


def round_trip_of_composite(wiring, _value) -> None:
    wiring.inputs("resume")["latent"] = wiring.add(
        "round_trip",
        "EvaluationRoundTrip",
        latent=wiring.inputs("resume")["latent"],
        model=wiring.inputs("noised")["model"],
        vae=wiring.inputs("encode")["vae"],
    )


def condition(wiring, _value) -> None:
    wiring.inputs("context")["pixels"] = wiring.inputs("encode")["pixels"]


def min_iou(wiring, value) -> None:
    wiring.inputs("segment")["min_iou"] = value


def reach(wiring, value) -> None:
    wiring.inputs("segment")["reach"] = value


def paste(wiring, _value) -> None:
    side = wiring.inputs("crop")["size"]
    wiring.inputs("paste")["inpaint_mask"] = wiring.add(
        "everything", "SolidMask", value=1.0, width=side, height=side
    )


APPLY = {
    "prompt": prompt,
    "negative": negative,
    "sampler": sampler,
    "k": step_k,
    "begin": begin,
    "background": background,
    "mask_rule": mask_rule,
    "margin": margin,
    "window": window_of_first_pass,
    "order": order,
    "dilate": dilate,
    "into_object": into_object,
    "plate": plate,
    "background_noise": background_noise,
    "round_trip": round_trip_of_composite,
    "condition": condition,
    "min_iou": min_iou,
    "reach": reach,
    "paste": paste,
}


# --- what no node of the pack does -------------------------------------------------------------


def window(first: torch.Tensor, canvas: Canvas, size: int) -> Crop:
    """The crop of every pass: the first mask's box, 60 pixels around it, 60 more at a cut side.

    first [1, H, W] is the modal mask on the original picture. The canvas grows to hold the whole
    window; everything beyond the picture is to be painted, on cut sides or not.
    """
    x0, y0, x1, y1 = mask_ops.object_box(first)
    width, height = canvas.original
    cut = (x0 <= AT_BORDER, y0 <= AT_BORDER, x1 >= width - AT_BORDER, y1 >= height - AT_BORDER)
    left, top, right, bottom = (AROUND * (1 + is_cut) for is_cut in cut)
    x0, y0, x1, y1 = x0 - left, y0 - top, x1 + right, y1 + bottom
    side = max(x1 - x0, y1 - y0)
    x, y = (x0 + x1 - side) // 2 + canvas.offset[0], (y0 + y1 - side) // 2 + canvas.offset[1]
    wide, tall = canvas.size
    left, top = max(0, -x), max(0, -y)
    wide, tall = max(wide, x + side) + left, max(tall, y + side) + top
    x, y = x + left, y + top
    grown_canvas = canvas.but(
        size=(wide, tall),
        offset=(canvas.offset[0] + left, canvas.offset[1] + top),
        inpainted=tuple(shifted(box, left, top) for box in canvas.inpainted),
    )
    return Crop(grown_canvas, (x, y, x + side, y + side), (size, size), (left, top))


def textured(image: torch.Tensor, seed: int) -> torch.Tensor:
    """A faintly mottled gray [1, H, W, 3] for image [B, H, W, 3], of the release's mean colour."""
    generator = torch.Generator().manual_seed(seed)
    size = tuple(image.shape[1:3])
    mottled = sum(
        F.interpolate(torch.randn(1, 1, cells, cells, generator=generator), size, mode="bilinear")
        for cells in (16, 64)
    )
    return (torch.tensor(GRAY) + 0.02 * mottled.movedim(1, -1)).clamp(0, 1).to(image)


def grown_mask(occluders: torch.Tensor, padding: torch.Tensor, share: float) -> torch.Tensor:
    """[1, H, W]: both masks dilated by `share` of the larger side, over the object too."""
    hidden = torch.maximum(occluders, padding)
    return mask_ops.dilate(hidden, round(share * max(hidden.shape[-2:])))


def round_trip(patcher, vae, x: torch.Tensor, sigma: float) -> torch.Tensor:
    """The raw x [B, C, h, w] at `sigma` after a way through the VAE's pictures in 8 bits.

    The VAE sees x scaled to unit variance, as in the release. The model's own parameterisation says
    how much noise and clean latent weigh in x.
    """
    space = patcher.get_model_object("model_sampling")
    none, one = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    level = torch.tensor([sigma])
    weights = [space.noise_scaling(level, *pair, False) for pair in ((one, none), (none, one))]
    scale = float(weights[0] ** 2 + weights[1] ** 2) ** -0.5
    pixels = vae.decode(patcher.model.process_latent_out(x * scale)).clamp(0, 1)
    again = vae.encode((pixels * 255).round()[..., :3] / 255)
    return patcher.model.process_latent_in(again.to(x)) / scale


class EvaluationNode:
    FUNCTION, CATEGORY = "give", "evaluation"


class EvaluationFirstWindow(EvaluationNode):
    """Crop To Object with the release's `window`; the same outputs."""

    RETURN_TYPES = ("IMAGE", "MASK", "MASK", "AMODAL_CROP")

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "image": ("IMAGE",),
                "mask": ("MASK",),
                "canvas": ("AMODAL_CANVAS",),
                "first": ("MASK",),
                "size": ("INT", {"default": 512}),
            }
        }

    def give(self, image, mask, canvas, first, size):
        crop = window(first, canvas, size)
        return *cut_crop(image, mask, crop), crop


class EvaluationTexturedGray(EvaluationNode):
    """`textured`, to be swapped in as a background."""

    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "seed": ("INT", {"default": 0})}}

    def give(self, image, seed):
        return (textured(image, seed),)


class EvaluationGrownMask(EvaluationNode):
    """`grown_mask`. `inpaint_mask` only blocks this node in a pass that has nothing to paint."""

    RETURN_TYPES = ("MASK",)

    @classmethod
    def INPUT_TYPES(cls):
        masks = ("inpaint_mask", "occluder_mask", "padding_mask")
        inputs = dict.fromkeys(masks, ("MASK",))
        return {"required": {**inputs, "dilate": ("FLOAT", {"default": 0.0})}}

    def give(self, inpaint_mask, occluder_mask, padding_mask, dilate):
        return (grown_mask(occluder_mask, padding_mask, dilate),)


class EvaluationRoundTrip(EvaluationNode):
    """`round_trip` of a LATENT at step k. Raises ValueError for one that holds no exact x."""

    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"latent": ("LATENT",), "model": ("MODEL",), "vae": ("VAE",)}}

    def give(self, latent, model, vae):
        exact = sampling.exact_x(latent)
        if exact is None:
            raise ValueError("the latent holds no x at step k: take it from Composite At Step")
        x = round_trip(model, vae, exact.x, exact.sigma)
        space = model.get_model_object("model_sampling")
        samples = model.model.process_latent_out(
            space.inverse_noise_scaling(torch.as_tensor(exact.sigma), x).to(torch.float32)
        )
        exact = exact.but(x=x, belongs_to=samples)
        return ({**latent, "samples": samples, sampling.KEY: exact},)


NODES = (
    EvaluationFirstWindow,
    EvaluationTexturedGray,
    EvaluationGrownMask,
    EvaluationRoundTrip,
)
