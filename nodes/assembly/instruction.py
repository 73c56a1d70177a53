"""By instruction: an edit model completes the object, in place of section 3.5.

Edit models (Qwen Image Edit, Flux Kontext, Flux.2 Klein) take no inpaint mask. They see I_syn, the
visible object on plain gray, and draw it anew, whole. Their answer is put back in its place.
"""

from .sampling import removed_background, swapped_background

INSTRUCTION = "complete the {label}, keep pose and position, plain gray background"


def by_instruction(node, source, view, draw) -> dict:
    """The stages by name: I_syn, the answer (a link), where it belongs, and the background."""
    synthetic = swapped_background(node, source, view)
    answer = edited(node, source, draw, synthetic)
    registered = node(
        "AmodalRegisterToCrop",
        image=synthetic.out(0),
        answer=answer,
        modal_mask=view["modal_mask"],
        inpaint_mask=view["inpaint_mask"],
    )
    return {
        "synthetic": synthetic,
        "answer": answer,
        "painted": registered,
        "background": removed_background(node, source, view),
    }


def edited(node, source, draw, synthetic):
    """The model's answer to I_syn and the instruction; I_syn is its reference latent."""
    encoded = node("VAEEncode", "Encode-reference", pixels=synthetic.out(0), vae=source["vae"])
    positive = node(
        "ReferenceLatent", "See-reference", conditioning=draw["positive"], latent=encoded.out(0)
    )
    guider = node(
        "CFGGuider",
        "Guide-edit",
        model=source["model"],
        positive=positive.out(0),
        negative=draw["negative"],
        cfg=source["cfg"],
    )
    sampled = node(
        "SamplerCustomAdvanced",
        "Edit",
        noise=draw["noise"],
        guider=guider.out(0),
        sampler=draw["sampler"],
        sigmas=draw["sigmas"],
        latent_image=encoded.out(0),
    )
    return node("VAEDecode", "Answer", samples=sampled.out(0), vae=source["vae"]).out(0)
