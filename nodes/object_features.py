"""Features of a single object in a square, for correspondence: of a diffusion model, of a ViT."""

import comfy.sample
import comfy.samplers
import node_helpers
import torch

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.method import feature_levels
from ..amodal.method.sampling import ExactX
from .assembly import sees_around_hole
from .sampler_segment import fitted_latent, from_samples
from .unet_features import capture, depth_of


def of_diffusion(
    model, vae, positive, pictures, noise: float, levels: str, ensemble: int, seed: int
) -> list[list[torch.Tensor]]:
    """For each of the pictures [B, S, S, 3] its maps [C, h, w], one for each level (DIFT, ref. 48).

    noise: the noise level, a fraction (0 to 1) of the model's training steps. levels: as Capture
    Features takes them. ensemble: over how many noises the features are averaged. Raises BadInput
    for a model without features, and for levels that it does not have.
    """
    latent = fitted_latent(model, {"samples": vae.encode(pictures)}, "vae")
    guider = comfy.samplers.CFGGuider(model)
    guider.set_cfg(1.0)
    wanted = feature_levels.levels_of(levels, depth_of(guider))
    sigma = float(model.get_model_object("model_sampling").percent_to_sigma(1 - noise))
    sigmas = torch.tensor([sigma, 0.0])
    found = []
    for samples in latent.split(1):
        guider.inner_set_conds({"positive": shown_whole(model, positive, samples)})
        several = samples.expand(ensemble, *samples.shape[1:]).clone()
        x = from_samples(model, several, sigma, comfy.sample.prepare_noise(several, seed))
        exact = ExactX(x, several, sigma, torch.zeros_like(several))
        features = capture(guider, sigmas, exact, None, wanted)
        found.append([features[level].mean(0) for level in wanted])
    return found


def shown_whole(model, positive, samples):
    """The conditioning, in which an inpainting model sees the whole picture and no hole."""
    if not sees_around_hole(model):
        return positive
    nothing = torch.zeros(1, *validate.size_of(samples))
    return node_helpers.conditioning_set_values(
        positive, {"concat_latent_image": samples, "concat_mask": nothing}
    )


def of_vision(clip_vision, pictures: torch.Tensor) -> list[list[torch.Tensor]]:
    """For each of the pictures [B, S, S, 3] the map [C, h, w] of a CLIP_VISION's last layer.

    It may be CLIP, SigLIP or DINOv2; what comes before the tokens of the square grid (the class
    token, registers) is left out.
    """
    tokens = clip_vision.encode_image(pictures, crop=False)["last_hidden_state"].float().cpu()
    side = int(tokens.shape[1] ** 0.5)
    if side < 2:
        raise BadInput(
            "clip_vision",
            f"gives {tokens.shape[1]} tokens, which are no map",
            "use a model of Load CLIP Vision, such as CLIP, SigLIP or DINOv2",
        )
    grid = tokens[:, -side * side :].movedim(1, 2).unflatten(2, (side, side))
    return [[single] for single in grid]
