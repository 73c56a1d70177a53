"""Mixed context sampling in latent space: step k, noise to k, composite (section 3.5, eqs 4-6).

"x at sigma" is always the raw value that the model's sampler works on, never a LATENT's `samples`,
which differ from it by the latent format's scaling (and, for flow models, by 1 - sigma).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional

from ..core.errors import BadInput

KEY = "amodal_x"  # the extra key of a LATENT that holds an ExactX


@dataclass(frozen=True)
class ExactX:
    """What a LATENT at step k needs beside its `samples` for a bit-exact continuation.

    x [B, C, h, w] is the raw x at sigma_k; `belongs_to` the very `samples` it was stored with;
    `image` [B, C, h, w] the clean latent (unscaled) that sampling began with; `sigmas` the whole
    schedule [N + 1] of the run and `k` the step, or None where the x did not come from a run;
    `mask_noise` [B, C, h, w] the noise that holds a noise mask's outside, where there is one.
    """

    x: torch.Tensor
    belongs_to: torch.Tensor
    sigma: float
    image: torch.Tensor
    sigmas: torch.Tensor | None = None
    k: int | None = None
    mask_noise: torch.Tensor | None = None

    def but(self, **changes) -> ExactX:
        return replace(self, **changes)


def exact_x(latent: dict) -> ExactX | None:
    """The exact x of a LATENT, or None where it has none or its `samples` were changed since."""
    exact, samples = latent.get(KEY), latent["samples"]
    if exact is None or samples is exact.belongs_to:
        return exact
    same = samples.shape == exact.belongs_to.shape and torch.equal(samples, exact.belongs_to)
    return exact if same else None


def resolve_k(k: float, steps: int) -> int:
    """The step to switch at (section 4.2.1): a step, or, below 1, a fraction of all N steps.

    Returns an integer in 1 .. N - 1. Raises BadInput for anything that rounds outside of it.
    """
    asked = f"is {k:g} with {steps} steps"
    if not 0 < k < steps:
        raise BadInput("k", asked, f"choose a step from 1 to {steps - 1}, or a fraction of 1")
    step = round(k * steps) if k < 1 else round(k)
    if not 1 <= step < steps:
        raise BadInput(
            "k",
            f"{asked}, which is step {step}",
            f"choose a step from 1 to {steps - 1}, or a fraction between {1 / steps:.2g} and "
            f"{1 - 1 / steps:.2g}",
        )
    return step


def check_sigmas(sigmas: torch.Tensor, least_steps: int = 1) -> torch.Tensor:
    """A private copy of a falling noise schedule [N + 1]. Raises BadInput for any other.

    A copy, because some samplers write into the schedule they are given.
    """
    steps = sigmas.shape[-1] - 1 if sigmas.ndim == 1 else 0
    if steps < least_steps:
        raise BadInput(
            "sigmas",
            f"has the shape {tuple(sigmas.shape)}, which is {max(steps, 0)} steps",
            f"connect a schedule of at least {least_steps} steps, such as Basic Scheduler's",
        )
    if not torch.isfinite(sigmas).all() or (sigmas[1:] >= sigmas[:-1]).any():
        raise BadInput(
            "sigmas",
            "does not fall from step to step",
            "connect a scheduler's SIGMAS unflipped, or the SIGMAS of Sample To Step",
        )
    return sigmas.clone()


def check_latent(latent: dict, name: str) -> torch.Tensor:
    """The `samples` of a LATENT. Raises BadInput when missing, nested, or not finite."""
    samples = latent.get("samples") if isinstance(latent, dict) else None
    if not isinstance(samples, torch.Tensor):
        raise BadInput(name, "holds no plain tensor", "connect the LATENT of one picture or batch")
    if not torch.isfinite(samples).all():
        raise BadInput(
            name,
            "holds NaN or infinite values",
            "check the VAE and the pictures it came from; on half precision try a fp32 VAE",
        )
    return samples


def check_sigma(latent_sigma: float, sigma: float, name: str) -> None:
    """Raises BadInput where a LATENT's noise level is not the one asked for (tolerance 1e-4)."""
    if abs(latent_sigma - sigma) > 1e-4 * max(abs(sigma), 1e-4):
        raise BadInput(
            name,
            f"is at sigma {sigma:.4g}, the latent at sigma {latent_sigma:.4g}",
            "connect the SIGMAS and the LATENT of one and the same Sample To Step",
        )


def latent_mask(mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """A hard mask [B, 1, h, w] at latent size from a MASK [B, H, W]: cells at least half covered.

    Hard, because mixing two independent noises would lower the variance of x at the seam.
    """
    mask = mask.float()[:, None]
    rows, columns = mask.shape[-2:]
    if rows >= size[0] and columns >= size[1]:
        small = functional.adaptive_avg_pool2d(mask, size)
    else:
        small = functional.interpolate(mask, size, mode="nearest-exact")
    return (small >= 0.5).to(mask.dtype)


def repeat_to(tensor: torch.Tensor, batch: int, name: str) -> torch.Tensor:
    """A batch of 1 repeated to `batch`. Raises BadInput where it has another length."""
    if tensor.shape[0] == batch:
        return tensor
    if tensor.shape[0] != 1:
        raise BadInput(
            name,
            f"is a batch of {tensor.shape[0]} beside a batch of {batch}",
            "give one for all, or one for each",
        )
    return tensor.expand(batch, *tensor.shape[1:])


def composite(obj: torch.Tensor, background: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The composite I_amodal^k (unnumbered, before eq. 6): object inside M^k, plate outside.

    obj and background [B, C, h, w] at the same noise level, mask [B, 1, h, w] of 0 and 1; any of
    them may be a batch of 1. Returns [B, C, h, w]; values are selected, never blended. Latents of
    models that count frames, [B, C, 1, h, w], are taken as well.
    """
    batch = max(obj.shape[0], background.shape[0], mask.shape[0])
    if obj.shape[1:] != background.shape[1:]:
        raise BadInput(
            "background",
            f"has the shape {tuple(background.shape)}, the object {tuple(obj.shape)}",
            "encode both from crops of one size with one VAE",
        )
    obj = repeat_to(obj, batch, "object")
    background = repeat_to(background, batch, "background").to(obj)
    mask = repeat_to(mask, batch, "mask").to(obj.device)
    mask = mask.reshape(batch, *[1] * (obj.ndim - 3), *mask.shape[-2:])
    return torch.where(mask > 0.5, obj, background)
