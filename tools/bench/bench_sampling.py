"""Benchmark of mixed context sampling beside core's KSampler, for `bench`."""

from __future__ import annotations

import statistics

from tools.bench.bench_scenes import scene_picture
from tools.bench.bench_stages import took

STEPS, K, CFG = 50, 20.0, 2.5


def ratio(inprocess, host, rounds: int) -> list[tuple[str, str]]:
    image, modal, _ = scene_picture(seed=5, query="cat", occluder="companion")
    inprocess.VALUES.update(
        {
            "bench image": image,
            "bench modal": modal,
            "bench inpaint": ((image - image.flip(2)).abs().mean(-1) > 0.1).float() * (1 - modal),
        }
    )
    for prompt in prompts(inprocess, 0):  # loads, warms up
        host.run(prompt)
    plain, mixed = [], []
    for round_ in range(1, rounds + 1):
        one, two = prompts(inprocess, round_)
        order = ((plain, one), (mixed, two)) if round_ % 2 else ((mixed, two), (plain, one))
        for times, prompt in order:
            times.append(took(host.run, prompt))
    ratios = [m / p for m, p in zip(mixed, plain)]
    return [
        (f"core KSampler, {STEPS} DDIM steps, cfg {CFG}", f"{statistics.median(plain):.2f} s"),
        (
            "mixed context: to k = 20, features, clusters, composite, to the end",
            f"{statistics.median(mixed):.2f} s",
        ),
        (
            "**ratio of the two** (aim: at most 1.05)",
            f"**{statistics.median(ratios):.3f}** ({min(ratios):.3f} to {max(ratios):.3f})",
        ),
    ]


def prompts(inprocess, seed: int):
    """The same inpainting by core's KSampler, and with mixed context; everything else cached."""
    found = []
    for mixed in (False, True):
        graph = inprocess.Graph()
        checkpoint = graph.add("AmodalStickerCheckpoint")
        image, mask = graph.value("bench image"), graph.value("bench inpaint")
        positive = graph.add("CLIPTextEncode", clip=checkpoint[1], text="a photo of a cat")
        negative = graph.add("CLIPTextEncode", clip=checkpoint[1], text="")
        see = graph.add(
            "InpaintModelConditioning",
            positive=positive,
            negative=negative,
            vae=checkpoint[2],
            pixels=image,
            mask=mask,
            noise_mask=False,
        )
        if mixed:
            latent = mixed_context(graph, checkpoint, see, mask, seed)
        else:
            latent = graph.add(
                "KSampler",
                model=checkpoint,
                seed=seed,
                steps=STEPS,
                cfg=CFG,
                sampler_name="ddim",
                scheduler="ddim_uniform",
                positive=see[0],
                negative=see[1],
                latent_image=see[2],
                denoise=1.0,
            )
        found.append(graph.keep(latent=latent))
    return found


def mixed_context(graph, checkpoint, see, inpaint, seed: int):
    """To step k, features, clusters, M^k, composite, to the end."""
    guider = graph.add("CFGGuider", model=checkpoint, positive=see[0], negative=see[1], cfg=CFG)
    noise = graph.add("RandomNoise", noise_seed=seed)
    sampler = graph.add("KSamplerSelect", sampler_name="ddim")
    sigmas = graph.add(
        "BasicScheduler", model=checkpoint, scheduler="ddim_uniform", steps=STEPS, denoise=1.0
    )
    half = graph.add(
        "AmodalSampleToStep",
        noise=noise,
        guider=guider,
        sampler=sampler,
        sigmas=sigmas,
        latent=see[2],
        k=K,
    )
    features = graph.add(
        "AmodalCaptureFeatures", guider=guider, sigmas=half[2], latent=half[0], levels="3"
    )
    clusters = graph.add("AmodalClusterFeatures", features=features, level=3, clusters=4, seed=seed)
    chosen = graph.add(
        "AmodalSelectClusters",
        clusters=clusters,
        modal_mask=graph.value("bench modal"),
        inpaint_mask=inpaint,
        overlap=0.2,
    )
    noised = graph.add(
        "AmodalNoiseToStep", model=checkpoint, noise=noise, sigmas=half[2], latent=see[2]
    )
    mixed = graph.add("AmodalCompositeAtStep", object=half, background=noised, mask_at_k=chosen)
    return graph.add(
        "AmodalResumeFromStep",
        noise=noise,
        guider=guider,
        sampler=sampler,
        sigmas=half[2],
        latent=mixed,
    )
