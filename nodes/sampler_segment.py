"""Runs a sampler over a part of its schedule, between the host's usual preparation and clean-up.

Works with any core sampler, scheduler, guider and noise: the sampler's own function runs on a part
of the schedule.
"""

import copy

import comfy.k_diffusion.sampling as k_diffusion
import comfy.model_management
import comfy.sample
import comfy.utils
import latent_preview
import torch

from ..amodal.core.errors import BadInput
from ..amodal.method import sampling
from ..amodal.method.sampling import KEY, ExactX

# The host's samplers that draw one noise from the seed in each step but the last, and remember
# nothing else, so that a run can go on exactly as if it had never stopped.
ONE_NOISE_A_STEP = {
    "sample_euler_ancestral",
    "sample_euler_ancestral_cfg_pp",
    "sample_dpm_2_ancestral",
    "sample_dpmpp_2s_ancestral",
    "sample_dpmpp_2s_ancestral_cfg_pp",
    "sample_ddpm",
    "sample_lcm",
}


class Segment:
    """A sampler's run over the steps first..last of a schedule, from an exact x or from noise.

    The host gets the whole schedule, so that patches that read it (`sample_sigmas`, Differential
    Diffusion) see the same as in an uninterrupted run.
    """

    def __init__(self, sampler, first: int, last: int, x=None):
        if not callable(getattr(sampler, "sampler_function", None)):
            raise BadInput(
                "sampler",
                f"is a {type(sampler).__name__}, which cannot be stopped at a step",
                "use a sampler of KSamplerSelect, or one made with the host's KSAMPLER",
            )
        self.inner, self.first, self.last, self.x = sampler.sampler_function, first, last, x
        self.end: torch.Tensor | None = None
        self.noise: torch.Tensor | None = None
        self.sampler = copy.copy(sampler)
        self.sampler.sampler_function = self.run

    def run(self, model, x, sigmas, extra_args=None, **options):
        extra_args = dict(extra_args or {})
        if self.x is not None:
            x = self.x.to(x)
            seed = extra_args.get("seed")
            if seed is not None and getattr(self.inner, "__name__", "") in ONE_NOISE_A_STEP:
                options.setdefault("noise_sampler", noise_after(x, seed, self.first))
            if seed is not None:  # others that draw noise must not draw step 0's a second time
                extra_args["seed"] = seed + (self.first or 1)
        self.noise = getattr(model, "noise", None)
        part = sigmas[self.first : self.last + 1].clone()  # cloned: uni_pc writes into it
        self.end = self.inner(model, x, part, extra_args=extra_args, **options)
        return self.end


def noise_after(x, seed: int, steps: int):
    """The noise that an uninterrupted run draws after `steps` steps, if it draws one in each."""
    draw = k_diffusion.default_noise_sampler(x, seed=seed)
    for _ in range(steps or 1):
        draw(None, None)
    return draw


def sample(noise, guider, segment: Segment, sigmas, latent, image, mask, tell):
    """Run a segment.

    `latent` gives the batch indices, `image` is the clean latent that sampling starts from. `tell`
    is called with the number of each finished step of the whole schedule. Returns (exact x at the
    end, the last estimate of the clean latent in model space or None). Raises BadInput if they are
    not finite.
    """
    steps = segment.last - segment.first
    estimate: dict = {}
    shown = latent_preview.prepare_callback(guider.model_patcher, steps, estimate)

    def callback(step, denoised, x, _total):
        comfy.model_management.throw_exception_if_processing_interrupted()
        shown(step, denoised, x, steps)
        tell(segment.first + step + 1)

    guider.sample(
        noise.generate_noise({**latent, "samples": image}),
        image,
        segment.sampler,
        sigmas.clone(),
        denoise_mask=mask,
        callback=callback,
        seed=noise.seed,
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
    )
    device = comfy.model_management.intermediate_device()
    x0 = estimate.get("x0")
    assert segment.end is not None  # the sampler has run
    for made in (segment.end, x0):
        if made is not None:
            sampling.check_made(made, "latent")
    return segment.end.to(device), None if x0 is None else x0.to(device)


def schedule_of(exact: ExactX, sigmas):
    """The whole schedule and the step to resume from; the run's own if `sigmas` is its rest."""
    if exact.sigmas is not None and torch.equal(exact.sigmas[exact.k :], sigmas.cpu()):
        return exact.sigmas, exact.k
    return sigmas, 0


def to_samples(patcher, x, sigma):
    """A raw x at sigma as a LATENT's `samples`, as the host's sampler nodes give it.

    Raises BadInput if they are not finite.
    """
    space = patcher.get_model_object("model_sampling")
    scaled = space.inverse_noise_scaling(torch.as_tensor(sigma), x)
    samples = patcher.model.process_latent_out(scaled.to(torch.float32))
    return sampling.check_made(samples, "latent")


def from_samples(patcher, samples, sigma, noise=None):
    """The raw x at sigma of a clean latent and noise, or of a latent that is already noisy."""
    space = patcher.get_model_object("model_sampling")
    if torch.count_nonzero(samples) > 0:  # as the host: an empty latent is not shifted
        samples = patcher.model.process_latent_in(samples)
    noise = torch.zeros_like(samples) if noise is None else noise.to(samples)
    return space.noise_scaling(torch.as_tensor(sigma), noise, samples, False)


def fitted_latent(patcher, latent: dict, name: str) -> torch.Tensor:
    """The `samples` of a LATENT as this model takes them; an empty one gets its channels.

    Raises BadInput if they are of another model.
    """
    samples = sampling.check_latent(latent, name)
    layout = patcher.get_model_object("latent_format")
    sides = getattr(layout, "latent_dimensions", 2)
    fitted = samples
    if samples.ndim in (4, 5):
        fitted = comfy.sample.fix_empty_latent_channels(patcher, samples)
    if fitted.ndim != 2 + sides or fitted.shape[1] != layout.latent_channels:
        raise BadInput(
            name,
            f"has the shape {list(samples.shape)}, but the model ({type(layout).__name__}) takes "
            f"latents of {layout.latent_channels} channels and {sides} dimensions",
            "encode the picture with the VAE of this model",
        )
    return fitted


def exact_of(patcher, latent: dict, sigmas) -> ExactX:
    """The x of a LATENT at the first of `sigmas`: bit for bit as a run left it, or up to float
    rounding if another node made or changed the LATENT. Raises BadInput if it is of another
    model, or at another noise level."""
    sigma = float(sigmas[0])
    samples = fitted_latent(patcher, latent, "latent")
    exact = sampling.exact_x(latent)
    if exact is None:
        x = from_samples(patcher, samples, sigma)
        exact = ExactX(x, samples, sigma, torch.zeros_like(samples))
    sampling.check_sigma(exact.sigma, sigma, "sigmas")
    return exact


def marked(latent: dict, exact: ExactX) -> dict:
    """A LATENT like `latent` with the samples and the exact x of `exact`."""
    return {**latent, "samples": exact.belongs_to, KEY: exact}


def unmarked(latent: dict, samples) -> dict:
    """A LATENT like `latent` with new samples and no exact x."""
    out = {key: value for key, value in latent.items() if key != KEY}
    return {**out, "samples": samples}
