"""The nodes around a sampling test: model, prompts, noise, sampler, schedule, latent."""

import functools

import torch

STEPS, SIZE = 6, 16  # steps of a run, side of a latent
LEVEL_ENDS = {
    1: 3,
    2: 6,
    3: 9,
}  # SD2's levels end before these output blocks, with 2 residual blocks


@functools.cache
def model_of(small, kind: str, inputs: int):
    return small.model(kind, inputs)


def conditions(small, inputs: int) -> dict:
    """What Inpaint Model Conditioning puts beside the words, for 9 input channels."""
    if inputs == 4:
        return {}
    area = torch.zeros(1, 8 * SIZE, 8 * SIZE)
    area[:, 40:, 30:90] = 1
    return {"concat_latent_image": small.tensor(1, 4, SIZE, SIZE, seed=5), "concat_mask": area}


def latent_of(small, batch: int, mask) -> dict:
    """A LATENT; `mask` is False, True or "soft"."""
    latent = {"samples": small.tensor(batch, 4, SIZE, SIZE, seed=3)}
    if mask:
        latent["noise_mask"] = torch.zeros(1, 8 * SIZE, 8 * SIZE)
        latent["noise_mask"][:, :70, 20:] = 1
    if mask == "soft":
        latent["noise_mask"] = torch.linspace(0, 1, 8 * SIZE).expand(1, 8 * SIZE, -1).clone()
    return latent


def setting(
    graph,
    small,
    kind="eps",
    inputs=4,
    *,
    sampler="ddim",
    scheduler="ddim_uniform",
    mask=False,
    batch=1,
    cfg=3.0,
    seed=11,
    latent=None,
    patch=None,
) -> dict:
    """Links by name; `patch` is a core node that patches the MODEL."""
    value = model_of(small, kind, inputs)
    model = graph.value(f"model {kind}{inputs}", value)
    if patch:
        model = graph.add(patch, model=model)
    extra = conditions(small, inputs)
    guider = graph.add(
        "CFGGuider",
        model=model,
        cfg=cfg,
        positive=graph.value(f"positive {inputs}", small.words(1, **extra)),
        negative=graph.value(f"negative {inputs}", small.words(2, **extra)),
    )
    given = latent_of(small, batch, mask) if latent is None else {"samples": latent}
    return {
        "model": model,
        "model_value": value,
        "guider": guider,
        "noise": graph.add("RandomNoise", noise_seed=seed),
        "sampler": graph.add("KSamplerSelect", sampler_name=sampler),
        "sigmas": graph.add(
            "BasicScheduler", model=model, scheduler=scheduler, steps=STEPS, denoise=1.0
        ),
        "latent": graph.value(f"latent {mask} {batch} {latent is None}", given),
    }


def whole(graph, at: dict):
    """The host's own uninterrupted run."""
    return graph.add(
        "SamplerCustomAdvanced",
        noise=at["noise"],
        guider=at["guider"],
        sampler=at["sampler"],
        sigmas=at["sigmas"],
        latent_image=at["latent"],
    )


def first_half(graph, at: dict, k: float = 2, **other):
    inputs = {key: at[key] for key in ("noise", "guider", "sampler", "sigmas", "latent")}
    return graph.add("AmodalSampleToStep", **{**inputs, "k": k, **other})


def second_half(graph, at: dict, half, **other):
    inputs = {key: at[key] for key in ("noise", "guider", "sampler")}
    return graph.add(
        "AmodalResumeFromStep", **{**inputs, "sigmas": half[2], "latent": half[0], **other}
    )


def composite(graph, small, at: dict, mask, **other):
    """Links of the first half, the noised plate, and the two composited."""
    half = first_half(graph, at)
    plate = graph.value("plate", {"samples": small.tensor(1, 4, SIZE, SIZE, seed=9)})
    noised = graph.add(
        "AmodalNoiseToStep", model=at["model"], noise=at["noise"], sigmas=half[2], latent=plate
    )
    links = {"object": half[0], "background": noised, **other}
    return half, noised, graph.add("AmodalCompositeAtStep", mask_at_k=mask, **links)


def with_model(graph, at, model) -> dict:
    """The setting with another MODEL link."""
    at["model"] = model
    graph.prompt[at["guider"].node_id]["inputs"]["model"] = model[0]
    return at


def captured(host, graph, at, levels="1, 2, 3, 4", k=2, **other):
    half = first_half(graph, at, k)
    inputs = {"guider": at["guider"], "sigmas": half[2], "latent": half[0], "levels": levels}
    graph.keep(features=graph.add("AmodalCaptureFeatures", **{**inputs, **other}))
    return host.run(graph).values["features"]


class FeatureRecorder:
    """Keeps what the decoder did in every call of a run, in the positive prompt's branch."""

    def __init__(self, patcher):
        self.calls, self.unet = [], patcher.model.diffusion_model
        self.model = patcher.clone()
        self.model.set_model_output_block_patch(self.see)
        self.model.set_model_unet_function_wrapper(self.call)

    def call(self, apply, options):
        self.row = options["cond_or_uncond"].index(0)
        self.parts = len(options["cond_or_uncond"])
        self.calls.append({})
        hook = self.unet.out.register_forward_pre_hook(lambda _, h: self.store(4, h[0]))
        try:
            return apply(options["input"], options["timestep"], **options["c"])
        finally:
            hook.remove()

    def store(self, level, h):
        self.calls[-1][level] = h.chunk(self.parts)[self.row].clone()

    def see(self, h, skip, options):
        for level, block in LEVEL_ENDS.items():
            if options["block"] == ("output", block):
                self.store(level, h)
        return h, skip
