"""Mixed context sampling in latent space: step k, noise to step k, composite (3.5, eqs 4-6).

"x at sigma" is the raw value that the sampler works on. A LATENT's `samples` differ from it by the
latent format's scaling and, for flow models, by the factor 1 - sigma.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional

from ..core.errors import BadInput

KEY = "amodal_x"  # the extra key of a LATENT that holds an ExactX


@dataclass(frozen=True)
class ExactX:
    """What a LATENT at step k carries beside its `samples`, so that sampling resumes bit for bit.

    x [B, C, h, w] is the raw x at sigma_k. `belongs_to` are the `samples` it was stored with.
    `image` [B, C, h, w] is the clean latent (unscaled) that sampling started from. `sigmas` is the
    whole schedule [N + 1] and `k` the step, both None where x did not come from a run.
    `mask_noise` [B, C, h, w] is the noise outside a noise mask, if there is one.
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
    """The exact x of a LATENT; None if it has none, or if another node changed its `samples`."""
    exact, samples = latent.get(KEY), latent["samples"]
    if exact is None or samples is exact.belongs_to:
        return exact
    same = samples.shape == exact.belongs_to.shape and torch.equal(samples, exact.belongs_to)
    return exact if same else None


def resolve_k(k: float, steps: int) -> int:
    """The step k at which contexts mix (section 4.2.1), as an integer in 1 .. N - 1.

    `k` is a step or, below 1, a fraction of all N >= 2 steps: the nearest step that leaves at least
    one on each side. So a fraction means the same in a run of 4 steps as in one of 50. Raises
    BadInput for any other value.
    """
    if 0 < k < 1:
        return min(max(round(k * steps), 1), steps - 1)
    step = round(k) if 0 < k < steps else 0
    if not 1 <= step < steps:
        raise BadInput(
            "k",
            f"is {k:g} with {steps} steps",
            f"choose a step from 1 to {steps - 1}, or a fraction between 0 and 1",
        )
    return step


def check_sigmas(sigmas: torch.Tensor, least_steps: int = 1) -> torch.Tensor:
    """A copy of a decreasing noise schedule [N + 1]. Raises BadInput for any other tensor.

    It is a copy because some samplers write into their schedule.
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
            "does not decrease at every step",
            "connect the SIGMAS of a scheduler, not flipped, or those of Sample To Step",
        )
    return sigmas.clone()


def check_latent(latent: dict, name: str) -> torch.Tensor:
    """The `samples` of a LATENT. Raises BadInput if they are missing, nested or not finite."""
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


def check_made(values: torch.Tensor, name: str) -> torch.Tensor:
    """What a model made of the LATENT `name`. Raises BadInput if it is NaN or infinite."""
    if not torch.isfinite(values).all():
        raise BadInput(
            name,
            "gives values that are not finite: they overflow in this model",
            "connect the LATENT of a picture; if it is one, run the model in bf16 or fp32",
        )
    return values


def check_picture_latent(samples: torch.Tensor, name: str) -> torch.Tensor:
    """The latent [B, C, h, w] or [B, C, 1, h, w] of pictures. Raises BadInput for any other."""
    if samples.ndim not in (4, 5) or not samples.numel():
        raise BadInput(
            name,
            f"has the shape {list(samples.shape)}, which is no latent of pictures",
            "connect the LATENT of pictures; sounds and other data cannot be composited",
        )
    return samples


def check_sigma(latent_sigma: float, sigma: float, name: str) -> None:
    """Raises BadInput unless a LATENT's noise level is `sigma` (relative tolerance 1e-4)."""
    if abs(latent_sigma - sigma) > 1e-4 * max(abs(sigma), 1e-4):
        raise BadInput(
            name,
            f"is at sigma {sigma:.4g}, the latent at sigma {latent_sigma:.4g}",
            "connect the SIGMAS and the LATENT of one and the same Sample To Step",
        )


def latent_mask(mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """A hard mask [B, 1, h, w] at latent size from a MASK [B, H, W]: 1 in cells half covered.

    It is hard because blending two noises would lower the variance of x at the seam.
    """
    mask = mask.float()[:, None]
    rows, columns = mask.shape[-2:]
    if rows >= size[0] and columns >= size[1]:
        small = functional.adaptive_avg_pool2d(mask, size)
    else:
        small = functional.interpolate(mask, size, mode="nearest-exact")
    return (small >= 0.5).to(mask.dtype)


def check_alike(latent: torch.Tensor, other: torch.Tensor, name: str, other_name: str) -> None:
    """Raises BadInput unless two latents [B, ...] have the same channels, frames and sides."""
    if latent.shape[1:] != other.shape[1:]:
        raise BadInput(
            name,
            f"has the shape {list(latent.shape)}, the {other_name} {list(other.shape)}",
            "encode both from crops of one size with one VAE",
        )


def repeat_to(tensor: torch.Tensor, batch: int, name: str) -> torch.Tensor:
    """A batch of 1 repeated to `batch`. Raises BadInput for a batch of another length."""
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
    """I_amodal^k (unnumbered, before eq. 6): the object inside M^k, the background outside.

    obj and background are [B, C, h, w] at the same noise level, mask is [B, 1, h, w] of 0 and 1;
    each may be a batch of 1. Returns [B, C, h, w]: values are selected, never blended. Latents of
    video models, [B, C, 1, h, w], work too. Raises BadInput for different shapes.
    """
    batch = max(obj.shape[0], background.shape[0], mask.shape[0])
    check_alike(background, obj, "background", "object")
    obj = repeat_to(obj, batch, "object")
    background = repeat_to(background, batch, "background").to(obj)
    mask = repeat_to(mask, batch, "mask").to(obj.device)
    mask = mask.reshape(batch, *[1] * (obj.ndim - 3), *mask.shape[-2:])
    return torch.where(mask > 0.5, obj, background)
