"""The graph of one completion, drawn with the pack's own nodes and the host's.

The one-node version expands into it and the shipped workflows are made from it. A `graph` is
anything with `node(class_type, id, **inputs)`; inputs are values or links.
"""

RULES = ("known background", "clusters")
TEMPLATE = "a photo of a {label}"


def pick(graph, source: dict, name: str = "") -> dict:
    """The nodes that find the query object: links to mask and label, front and behind by name."""
    found = graph.node(
        "AmodalDetectObjects",
        f"{name}DetectAll",
        image=source["image"],
        segmenter=source["segmenter"],
        words="",
    )
    query = graph.node(
        "AmodalPickObject",
        f"{name}Pick",
        objects=found.out(0),
        mask=source.get("mask"),
        point=source["point"],
        words=source["words"],
        index=-1,
        occluders=source.get("occluders", ""),
    )
    names = ("mask", "label", "front", "behind")
    return {name: query.out(number) for number, name in enumerate(names)}


def completion(graph, source: dict, name: str = "") -> dict:
    """The nodes that complete one object, as links to its results by name.

    `source` holds links or values: model, clip, vae, segmenter, order_model, image, mask (modal),
    label, prompt, negative, seed, steps, k, cfg, mask_rule, size, max_passes; and as a choice
    sampler, scheduler, context, background, levels and level (of the decoder), inpaint_model,
    front and behind (masks of what was marked by hand), and what else is in
    `amodal.release.SETTINGS`.
    """
    node = naming(graph, name)
    start = node("AmodalLoopStart", image=source["image"], mask=source["mask"])
    view = analysed(node, source, start)
    painted = mixed_context(node, source, view, prepared(node, source, start))["painted"]
    return finished(node, source, start, view, painted)


def naming(graph, name: str = ""):
    """Draws nodes named after their class, behind `name`."""

    def node(kind: str, title: str | None = None, **inputs):
        return graph.node(kind, name + (title or kind.removeprefix("Amodal")), **inputs)

    return node


def mixed_context(node, source, view, draw) -> dict:
    """Section 3.5: mixed context diffusion sampling, its stages by name (figure 4)."""
    synthetic = node(
        "AmodalSwapBackground",
        image=view["crop"].out(0),
        mask=view["crop"].out(1),
        background=source.get("background", "gray"),
        seed=0,
    )
    first = conditioned(node, source, draw, synthetic.out(0), view["inpaint"], "object")
    at_k = node(
        "AmodalSampleToStep",
        noise=draw["noise"],
        guider=first["guider"],
        sampler=draw["sampler"],
        sigmas=draw["sigmas"],
        latent=beginning(node, source, first),
        k=source["k"],
    )
    mask_k = mask_at_k(node, source, view, first, at_k, synthetic)
    plate = node(
        "AmodalRemoveObjects",
        image=view["crop"].out(0),
        mask=view["crop"].out(1),
        occluders=view["occluders"].out(0),
        beyond=view["crop"].out(2),
        grow=0.03,
        method="smooth",
        inpaint_model=source.get("inpaint_model"),
    )
    if source.get("plate") == "with object":
        plate = node(
            "ImageCompositeMasked", "PlateWithObject", destination=plate.out(0),
            source=view["crop"].out(0), x=0, y=0, resize_source=False, mask=view["crop"].out(1),
        )
    encoded = node("VAEEncode", "PlateEncode", pixels=plate.out(0), vae=source["vae"])
    noised = node(
        "AmodalNoiseToStep",
        model=source["model"],
        noise=plate_noise(node, source, draw),
        sigmas=at_k.out(2),
        latent=encoded.out(0),
    )
    mixed = node("AmodalCompositeAtStep", object=at_k.out(0), background=noised.out(0), mask=mask_k)
    context = plate if source.get("condition") == "plate" else view["crop"]
    second = conditioned(node, source, draw, context.out(0), view["inpaint"], "context")
    resumed = node(
        "AmodalResumeFromStep",
        noise=draw["noise"],
        guider=second["guider"],
        sampler=draw["sampler"],
        sigmas=at_k.out(2),
        latent=mixed.out(0),
        **({"vae": source["vae"]} if source.get("round_trip") else {}),
    )
    painted = node("VAEDecode", "Painted", samples=resumed.out(0), vae=source["vae"])
    return {
        "synthetic": synthetic, "at_k": at_k, "mask_k": mask_k, "plate": plate, "noised": noised,
        "mixed": mixed, "painted": painted,
    }


def beginning(node, source, first):
    """The latent to begin from: of the grayed picture, or none at all."""
    if source.get("begin") != "noise":
        return first["latent"]
    side = source["size"]
    return node("EmptyLatentImage", "Nothing", width=side, height=side, batch_size=1).out(0)


def plate_noise(node, source, draw):
    """The noise of the background at step k: the object's own, or another one."""
    if source.get("plate_noise") != "fresh":
        return draw["noise"]
    seed = node("AmodalPassSeed", "PlateSeed", seed=draw["seed"], number=2)
    return node("RandomNoise", "PlateNoise", noise_seed=seed.out(0)).out(0)


def zoomed(node, source, start) -> tuple:
    """Section 3.4: padding on the touched sides, and the crop around the object."""
    pad = node("AmodalPadIfTouching", mask=start.out(2), canvas=start.out(3), amount=0.5,
               margin=source.get("margin", 2))
    sides = {side: pad.out(i) for i, side in enumerate(("left", "top", "right", "bottom"))}
    crop = node(
        "AmodalCropToObject",
        image=start.out(1),
        mask=start.out(2),
        canvas=start.out(3),
        **sides,
        size=source["size"],
        **(
            {"first": source["mask"]} if source.get("window") == "first"
            else {"context": source.get("context", 0.3)}
        ),
    )
    return pad, crop


def analysed(node, source, start) -> dict:
    """Section 3.4: padding, zoom, mask analysis, and whether anything is left to paint."""
    pad, crop = zoomed(node, source, start)
    found = node("AmodalDetectObjects", image=crop.out(0), segmenter=source["segmenter"], words="")
    order = node(
        "AmodalOrderObjects",
        image=crop.out(0),
        objects=found.out(0),
        order_model=source["order_model"],
        mask=crop.out(1),
        reach=0.03,
    )
    occluders = node(
        "AmodalSelectOccluders",
        image=crop.out(0),
        objects=order.out(1),
        order=order.out(0),
        mask=crop.out(1),
        threshold=0.5,
        front=source.get("front"),
        behind=source.get("behind"),
        crop=crop.out(3),
    )
    check = node(
        "AmodalCheckOcclusion",
        occluders=occluders.out(0),
        beyond=crop.out(2),
        mask=crop.out(1),
        touching=pad.out(4),
        names=occluders.out(1),
        sides=pad.out(5),
        grow=source.get("grow", 0.03),
        **({"into_object": True} if source.get("into_object") else {}),
    )
    return {"crop": crop, "occluders": occluders, "check": check, "inpaint": check.out(0)}


def prepared(node, source, start) -> dict:
    """Noise, sampler, noise levels and text of a pass."""
    seed = node("AmodalPassSeed", seed=source["seed"], number=start.out(4))
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


def conditioned(node, source, draw, pixels, inpaint, name: str) -> dict:
    """A guider that sees `pixels` outside the mask, and the latent to begin from."""
    see = node(
        "InpaintModelConditioning",
        f"See-{name}",
        positive=draw["positive"].out(0),
        negative=draw["negative"].out(0),
        vae=source["vae"],
        pixels=pixels,
        mask=inpaint,
        noise_mask=False,
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


def mask_at_k(node, source, view, first, at_k, synthetic):
    """M^k, the object's mask in the noisy picture, by the chosen rule."""
    if source["mask_rule"] == "clusters":
        features = node(
            "AmodalCaptureFeatures",
            guider=first["guider"],
            sigmas=at_k.out(2),
            latent=at_k.out(0),
            levels=source.get("levels", "3"),
        )
        clusters = node(
            "AmodalClusterFeatures",
            features=features.out(0),
            level=source.get("level", 3),
            clusters=4,
            seed=0,
        )
        return node(
            "AmodalSelectClusters",
            clusters=clusters.out(0),
            mask=view["crop"].out(1),
            inpaint=view["inpaint"],
            overlap=0.2,
            image=view["crop"].out(0),
        ).out(0)
    estimate = node("VAEDecode", "EstimateAtK", samples=at_k.out(1), vae=source["vae"])
    return node(
        "AmodalKnownBackgroundMask",
        estimate=estimate.out(0),
        background=synthetic.out(0),
        mask=view["crop"].out(1),
        inpaint=view["inpaint"],
        threshold=0.08,
    ).out(0)


def finished(node, source, start, view, painted) -> dict:
    """Segment the result, paste it back, close the loop, and cut the object out."""
    amodal, pasted = placed(node, source, start, view, painted)
    end = node(
        "AmodalLoopEnd",
        loop=start.out(0),
        occluded=view["check"].out(1),
        reason=view["check"].out(2),
        image=pasted.out(0),
        mask=pasted.out(1),
        canvas=pasted.out(2),
        max_passes=source["max_passes"],
        found=amodal.out(2),
    )
    result = cut_out(node, source, end)
    return {
        **result, "status": end.out(3), "passes": end.out(4), "report": end.out(5),
    }


def placed(node, source, start, view, painted) -> tuple:
    """Section 3.4, the pass' result: the amodal mask, and the canvas with what was painted."""
    amodal = node(
        "AmodalSegmentObject",
        image=painted.out(0),
        segmenter=source["segmenter"],
        mask=view["crop"].out(1),
        inpaint=view["inpaint"],
        label=source["label"],
        floor=source.get("floor", 0.3),
        reach=source.get("reach", 0.1),
    )
    replaced = view["inpaint"]
    if source.get("paste") == "all":
        side = source["size"]
        replaced = node("SolidMask", "Everything", value=1.0, width=side, height=side).out(0)
    pasted = node(
        "AmodalPasteBack",
        image=start.out(1),
        mask=start.out(2),
        crop=view["crop"].out(3),
        completed=painted.out(0),
        amodal=amodal.out(0),
        inpaint=replaced,
        feather=0.01,
    )
    return amodal, pasted


def cut_out(node, source, canvas) -> dict:
    """The result, from a node that gives image, mask and canvas."""
    result = node(
        "AmodalTrimAndOverlay",
        image=canvas.out(0),
        mask=canvas.out(1),
        canvas=canvas.out(2),
        picture=source["image"],
        edge=1.5,
    )
    return {
        "object": result.out(0), "amodal": result.out(2), "overlay": result.out(3),
        "x": result.out(4), "y": result.out(5), "offset": result.out(6),
    }
