"""Benchmark of mixed context sampling against core's KSampler, for `bench`."""

from __future__ import annotations

import statistics

from tools.bench.bench_scenes import scene_picture
from tools.bench.bench_stages import seconds_of
from tools.host import inprocess

STEPS, K, CFG = 50, 20.0, 2.5


def ratio(host, rounds: int) -> list[tuple[str, str]]:
    """Rows of (name, figure): seconds of both samplers, and the ratio of mixed to plain."""
    image, modal_mask, _ = scene_picture(seed=5, query="cat", occluder="co-occurring")
    differs_from_mirror = (image - image.flip(2)).abs().mean(-1) > 0.1
    inprocess.VALUES.update(
        {
            "bench image": image,
            "bench modal": modal_mask,
            "bench inpaint": differs_from_mirror.float() * (1 - modal_mask),
        }
    )
    for prompt in prompts(0):  # loads the models
        host.run(prompt)
    plain, mixed = [], []
    for round_ in range(1, rounds + 1):
        turns = list(zip((plain, mixed), prompts(round_)))
        for times, prompt in turns if round_ % 2 else turns[::-1]:
            times.append(seconds_of(host.run, prompt))
    ratios = [mixed_time / plain_time for mixed_time, plain_time in zip(mixed, plain)]
    return [
        (f"core KSampler, {STEPS} DDIM steps, cfg {CFG}", f"{statistics.median(plain):.2f} s"),
        (
            "mixed context sampling: k = 20, automatic M^k and composite included",
            f"{statistics.median(mixed):.2f} s",
        ),
        (
            "**ratio of the two** (aim: at most 1.05)",
            f"**{statistics.median(ratios):.3f}** ({min(ratios):.3f} to {max(ratios):.3f})",
        ),
    ]


def prompts(seed: int) -> list:
    """Two prompts that paint the same area: by core's KSampler, and with mixed context.

    Only the sampling depends on the seed, so the host takes everything else from its cache.
    """
    graphs = []
    for mixed in (False, True):
        graph = inprocess.Graph()
        checkpoint = graph.add("AmodalStickerCheckpoint")
        image, inpaint_mask = graph.value("bench image"), graph.value("bench inpaint")
        positive = graph.add("CLIPTextEncode", clip=checkpoint[1], text="a photo of a cat")
        negative = graph.add("CLIPTextEncode", clip=checkpoint[1], text="")
        conditions = graph.add(
            "InpaintModelConditioning",
            positive=positive,
            negative=negative,
            vae=checkpoint[2],
            pixels=image,
            mask=inpaint_mask,
            noise_mask=False,
        )
        if mixed:
            latent = mixed_context(graph, checkpoint, conditions, inpaint_mask, seed)
        else:
            latent = graph.add(
                "KSampler",
                model=checkpoint,
                seed=seed,
                steps=STEPS,
                cfg=CFG,
                sampler_name="ddim",
                scheduler="ddim_uniform",
                positive=conditions[0],
                negative=conditions[1],
                latent_image=conditions[2],
                denoise=1.0,
            )
        graphs.append(graph.keep(latent=latent))
    return graphs


def mixed_context(graph, checkpoint, conditions, inpaint_mask, seed: int):
    """Sampling to step k, both rules for M^k and the choice, composite, sampling to the end."""
    guider = graph.add(
        "CFGGuider", model=checkpoint, positive=conditions[0], negative=conditions[1], cfg=CFG
    )
    noise = graph.add("RandomNoise", noise_seed=seed)
    sampler = graph.add("KSamplerSelect", sampler_name="ddim")
    sigmas = graph.add(
        "BasicScheduler", model=checkpoint, scheduler="ddim_uniform", steps=STEPS, denoise=1.0
    )
    at_k = graph.add(
        "AmodalSampleToStep",
        noise=noise,
        guider=guider,
        sampler=sampler,
        sigmas=sigmas,
        latent=conditions[2],
        k=K,
    )
    features = graph.add(
        "AmodalCaptureFeatures", guider=guider, sigmas=at_k[2], latent=at_k[0], levels="last"
    )
    areas = {"modal_mask": graph.value("bench modal"), "inpaint_mask": inpaint_mask}
    seen = {
        "estimate": graph.add("VAEDecode", samples=at_k[1], vae=checkpoint[2]),
        "synthetic_image": graph.value("bench image"),
        **areas,
    }
    known = graph.add("AmodalKnownBackgroundMask", threshold=0.0, **seen)
    seeded = graph.add("AmodalSeededMask", features=features, level=0, **seen)
    mask_at_k = graph.add(
        "AmodalChooseMask",
        known_background=known,
        known_background_alone=known[3],
        seeded=seeded,
        seeded_alone=seeded[3],
        **areas,
    )
    noised = graph.add(
        "AmodalNoiseToStep", model=checkpoint, noise=noise, sigmas=at_k[2], latent=conditions[2]
    )
    mixed = graph.add("AmodalCompositeAtStep", object=at_k, background=noised, mask_at_k=mask_at_k)
    return graph.add(
        "AmodalResumeFromStep",
        noise=noise,
        guider=guider,
        sampler=sampler,
        sigmas=at_k[2],
        latent=mixed,
    )
