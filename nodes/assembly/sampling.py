"""Section 3.5: mixed context diffusion sampling, stage by stage."""

import comfy.model_base
from comfy_execution.graph_utils import is_link

from .analysis import seen, shadow_mask_of


def sees_around_hole(model) -> bool:
    """Does a MODEL take the masked picture and its mask beside the latent, as inpainting models do?

    Follows the rules of the host's comfy/model_base.py: `concat_keys`, and Flux's channels.
    """
    net = model.model
    if not isinstance(net, comfy.model_base.Flux):
        return "mask" in net.concat_keys
    config = net.model_config.unet_config
    return config.get("in_channels", 0) > 2 * config["out_channels"]


def prepared(node, source, start, view=None) -> dict:
    """Noise, sampler, noise levels and text of a pass.

    view: needed only where the source asks to `avoid_occluders`.
    """
    seed = node("AmodalPassSeed", seed=source["seed"], pass_number=start.out(4))
    prompt = node(
        "StringReplace",
        "Prompt",
        string=source["prompt"],
        find="{label}",
        replace=source.get("name", source["label"]),
    )
    return {
        "seed": seed.out(0),
        "noise": node("RandomNoise", noise_seed=seed.out(0)).out(0),
        "sampler": sampler_of(node, source),
        "sigmas": node(
            "BasicScheduler",
            model=source["model"],
            scheduler=source.get("scheduler", "ddim_uniform"),
            steps=source["steps"],
            denoise=1.0,
        ).out(0),
        "positive": guided(node, source, prompt.out(0)),
        "negative": encoded(node, source, "Negative", negative(node, source, view)),
    }


def sampler_of(node, source):
    """A link to the sampler: the source's `sampler` if it is one, else the sampler of that name."""
    sampler = source.get("sampler", "ddim")
    return sampler if is_link(sampler) else node("KSamplerSelect", sampler_name=sampler).out(0)


def encoded(node, source, name: str, text):
    """A link to the conditioning that the source gives in the text's place, or to the text's."""
    given = source.get(f"{name.lower()}_conditioning")
    return given or node("CLIPTextEncode", name, clip=source["clip"], text=text).out(0)


def guided(node, source, text):
    """The positive conditioning, with the guidance that Flux takes as a number."""
    positive = encoded(node, source, "Positive", text)
    if not source.get("guidance"):
        return positive
    return node("FluxGuidance", conditioning=positive, guidance=source["guidance"]).out(0)


def negative(node, source, view):
    """The negative prompt; with the occluders' names where the source asks for that."""
    if not source.get("avoid_occluders"):
        return source["negative"]
    return node(
        "AmodalNegativeFromOccluders",
        negative=source["negative"],
        occlusion=view["occluders"].out(1),
        label=source["label"],
    ).out(0)


def mixed_context(node, source, view, draw) -> dict:
    """Mixed context diffusion sampling, its stages by name (Figure 4)."""
    synthetic = swapped_background(node, source, view)
    object_guider = conditioned(
        node, source, draw, synthetic.out(0), view["inpaint_mask"], "object"
    )
    at_k = to_step_k(node, source, draw, object_guider)
    mask = mask_at_k(node, source, view, object_guider, at_k, synthetic)
    background = removed_background(node, source, view)
    noised = background_at_k(node, source, draw, background, at_k)
    mixed = node(
        "AmodalCompositeAtStep", object=at_k.out(0), background=noised.out(0), mask_at_k=mask
    )
    context_guider = conditioned(node, source, draw, seen(view), view["inpaint_mask"], "context")
    painted = from_step_k(node, source, draw, context_guider, at_k, mixed)
    return {
        "synthetic": synthetic,
        "at_k": at_k,
        "mask_at_k": mask,
        "background": background,
        "noised": noised,
        "mixed": mixed,
        "painted": painted,
    }


def conditioned(node, source, draw, pixels, inpaint_mask, name: str) -> dict:
    """A guider that sees `pixels` outside the inpaint mask, and the latent to start from.

    An ordinary model sees them only through a noise mask.
    """
    see = node(
        "InpaintModelConditioning",
        f"See-{name}",
        positive=draw["positive"],
        negative=draw["negative"],
        vae=source["vae"],
        pixels=pixels,
        mask=inpaint_mask,
        noise_mask=source.get("noise_mask", False),
    )
    guider = node(
        "CFGGuider",
        f"Guide-{name}",
        model=source["model"],
        positive=see.out(0),
        negative=see.out(1),
        cfg=source["cfg"],
    )
    return {"guider": guider.out(0), "latent": see.out(2)}


def swapped_background(node, source, view):
    """I_syn: the visible object on plain gray, or another background."""
    return node(
        "AmodalSwapBackground",
        image=seen(view),
        modal_mask=view["modal_mask"],
        background=source.get("background", "gray"),
    )


def to_step_k(node, source, draw, conditions):
    """Equation 4: the object, sampled to step k on the swapped background."""
    return node(
        "AmodalSampleToStep",
        noise=draw["noise"],
        guider=conditions["guider"],
        sampler=draw["sampler"],
        sigmas=draw["sigmas"],
        latent=conditions["latent"],
        k=source["k"],
    )


def mask_at_k(node, source, view, conditions, at_k, synthetic):
    """M^k, the object's mask at step k, by the chosen rule (section 3.5, and RULES).

    With `rule_menu` in the source, all rules are drawn; only the nodes of the chosen one run.
    """
    rule = source["mask_rule"]
    if rule == "automatic" and not source.get("features", True):
        rule = "known background"
    areas = {"modal_mask": view["modal_mask"], "inpaint_mask": view["inpaint_mask"]}
    if source.get("rule_menu"):
        seen = by_what_is_seen(node, source, areas, conditions, at_k, synthetic)
        return node(
            "AmodalMaskRule",
            **{name: found.out(0) for name, found in seen.items()},
            automatic=better(node, areas, seen),
            clusters=by_clusters(node, source, view, areas, conditions, at_k),
            mask_rule=rule,
        ).out(0)
    if rule == "clusters":
        return by_clusters(node, source, view, areas, conditions, at_k)
    only = () if rule == "automatic" else (rule.replace(" ", "_"),)
    seen = by_what_is_seen(node, source, areas, conditions, at_k, synthetic, only)
    return seen.popitem()[1].out(0) if only else better(node, areas, seen)


def by_clusters(node, source, view, areas, conditions, at_k):
    """M^k by the paper's rule: the clusters of decoder features that the object covers."""
    features = captured(node, conditions, at_k, source.get("levels", "paper"))
    clusters = node("AmodalClusterFeatures", features=features, level=source.get("level", 0))
    return node("AmodalSelectClusters", clusters=clusters.out(0), **areas, image=seen(view)).out(0)


def by_what_is_seen(node, source, areas, conditions, at_k, synthetic, only=()) -> dict:
    """The nodes of the rules that start from what is certain, by name; all, or those of `only`."""
    estimate = node("VAEDecode", "EstimateAtK", samples=at_k.out(1), vae=source["vae"])
    seen = {"estimate": estimate.out(0), "synthetic_image": synthetic.out(0), **areas}
    rules = {}
    if not only or "known_background" in only:
        rules["known_background"] = node("AmodalKnownBackgroundMask", **seen)
    if not only or "seeded" in only:
        name = "FinestFeatures" if source.get("rule_menu") else None
        features = captured(node, conditions, at_k, "last", name)
        rules["seeded"] = node("AmodalSeededMask", features=features, **seen)
    return rules


def better(node, areas, rules):
    """The mask of the rule that tells what is certain apart better."""
    candidates = {name: found.out(0) for name, found in rules.items()}
    candidates |= {f"{name}_alone": found.out(3) for name, found in rules.items()}
    return node("AmodalChooseMask", **areas, **candidates).out(0)


def captured(node, conditions, at_k, levels: str, name: str | None = None):
    """The model's features at step k, for one more call of the model."""
    return node(
        "AmodalCaptureFeatures",
        name,
        guider=conditions["guider"],
        sigmas=at_k.out(2),
        latent=at_k.out(0),
        levels=levels,
    ).out(0)


def removed_background(node, source, view):
    """I_bg: the picture without object and occluders."""
    return node(
        "AmodalRemoveObjects",
        image=seen(view),
        modal_mask=view["modal_mask"],
        occluder_mask=view["occluders"].out(0),
        padding_mask=view["crop"].out(2),
        inpaint_model=source.get("inpaint_model"),
        **shadow_mask_of(view.get("shadows")),
    )


def background_at_k(node, source, draw, background, at_k):
    """Equation 5: the removed background, noised to step k."""
    encoded = node("VAEEncode", "BackgroundEncode", pixels=background.out(0), vae=source["vae"])
    return node(
        "AmodalNoiseToStep",
        model=source["model"],
        noise=draw["noise"],
        sigmas=at_k.out(2),
        latent=encoded.out(0),
    )


def from_step_k(node, source, draw, conditions, at_k, mixed):
    """Equation 6: the composite, sampled to the end in the original context, and decoded."""
    resumed = node(
        "AmodalResumeFromStep",
        noise=draw["noise"],
        guider=conditions["guider"],
        sampler=draw["sampler"],
        sigmas=at_k.out(2),
        latent=mixed.out(0),
        **({"image_latent": conditions["latent"]} if source.get("noise_mask") else {}),
    )
    return node("VAEDecode", "Painted", samples=resumed.out(0), vae=source["vae"])
