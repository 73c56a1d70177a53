"""Section 3.5: mixed context diffusion sampling, stage by stage."""

import comfy.model_base


def sees_around_hole(model) -> bool:
    """Does a MODEL take the masked picture and its mask beside the latent, as inpainting models do?

    Follows the rules of the host's comfy/model_base.py: `concat_keys`, and Flux's channels.
    """
    net = model.model
    if not isinstance(net, comfy.model_base.Flux):
        return "mask" in net.concat_keys
    config = net.model_config.unet_config
    return config.get("in_channels", 0) > 2 * config["out_channels"]


def prepared(node, source, start) -> dict:
    """Noise, sampler, noise levels and text of a pass."""
    seed = node("AmodalPassSeed", seed=source["seed"], pass_number=start.out(4))
    prompt = node(
        "StringReplace", "Prompt", string=source["prompt"], find="{label}", replace=source["label"]
    )
    return {
        "seed": seed.out(0),
        "noise": node("RandomNoise", noise_seed=seed.out(0)).out(0),
        "sampler": node("KSamplerSelect", sampler_name=source.get("sampler", "ddim")).out(0),
        "sigmas": node(
            "BasicScheduler",
            model=source["model"],
            scheduler=source.get("scheduler", "ddim_uniform"),
            steps=source["steps"],
            denoise=1.0,
        ).out(0),
        "positive": node("CLIPTextEncode", "Positive", clip=source["clip"], text=prompt.out(0)),
        "negative": node(
            "CLIPTextEncode", "Negative", clip=source["clip"], text=source["negative"]
        ),
    }


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
    context_guider = conditioned(
        node, source, draw, view["crop"].out(0), view["inpaint_mask"], "context"
    )
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
        positive=draw["positive"].out(0),
        negative=draw["negative"].out(0),
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
        image=view["crop"].out(0),
        modal_mask=view["crop"].out(1),
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
    """M^k, the object's mask at step k, by the chosen rule; by a menu if the source says so."""
    rule = source["mask_rule"]
    if source.get("choose_rule"):
        return node(
            "AmodalChooseMaskAtK",
            known_background=by_known_background(node, source, view, at_k, synthetic),
            clusters=by_clusters(node, source, view, conditions, at_k),
            mask_rule=rule,
        ).out(0)
    if rule == "clusters":
        return by_clusters(node, source, view, conditions, at_k)
    return by_known_background(node, source, view, at_k, synthetic)


def by_clusters(node, source, view, conditions, at_k):
    """M^k by the paper's rule: the clusters of decoder features that the object covers."""
    features = node(
        "AmodalCaptureFeatures",
        guider=conditions["guider"],
        sigmas=at_k.out(2),
        latent=at_k.out(0),
        levels=source.get("levels", "3"),
    )
    clusters = node(
        "AmodalClusterFeatures",
        features=features.out(0),
        level=source.get("level", 3),
    )
    return node(
        "AmodalSelectClusters",
        clusters=clusters.out(0),
        modal_mask=view["crop"].out(1),
        inpaint_mask=view["inpaint_mask"],
        image=view["crop"].out(0),
    ).out(0)


def by_known_background(node, source, view, at_k, synthetic):
    """M^k without features: what differs from the swapped background in the estimate at k."""
    estimate = node("VAEDecode", "EstimateAtK", samples=at_k.out(1), vae=source["vae"])
    return node(
        "AmodalKnownBackgroundMask",
        estimate=estimate.out(0),
        synthetic_image=synthetic.out(0),
        modal_mask=view["crop"].out(1),
        inpaint_mask=view["inpaint_mask"],
    ).out(0)


def removed_background(node, source, view):
    """I_bg: the picture without object and occluders."""
    return node(
        "AmodalRemoveObjects",
        image=view["crop"].out(0),
        modal_mask=view["crop"].out(1),
        occluder_mask=view["occluders"].out(0),
        padding_mask=view["crop"].out(2),
        inpaint_model=source.get("inpaint_model"),
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
