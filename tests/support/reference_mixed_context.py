"""The paper's equations 4 to 6 written once more, on diffusers' components alone, for the tests.

Nothing here is the pack's or the host's, but for the host's names of a UNet's weights. What the
host does otherwise than diffusers' own pipeline is followed: the mask is halved to the latent's
size bilinearly and rounded, the VAE gives its posterior's mode, the last step ends at alpha 1.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from sklearn.cluster import KMeans

SCALE = 0.18215  # of Stable Diffusion's latents
WIDTHS, HEAD, CONTEXT = (32, 64, 128, 128), 16, 32
PREDICTION = {"eps": "epsilon", "v": "v_prediction"}


def unet_of(state: dict, names: dict) -> UNet2DConditionModel:
    """SD2's topology with a host's weights; names: diffusers' name of each -> the host's."""
    net = UNet2DConditionModel(
        in_channels=9,
        out_channels=4,
        block_out_channels=WIDTHS,
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=CONTEXT,
        attention_head_dim=tuple(width // HEAD for width in WIDTHS),
        use_linear_projection=True,
    )
    net.load_state_dict({name: state[names[name]] for name in net.state_dict()})
    return net.eval()


def small_vae(seed: int = 0) -> AutoencoderKL:
    torch.manual_seed(seed)
    return AutoencoderKL(
        block_out_channels=(32,) * 4,
        layers_per_block=1,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).eval()


@dataclass
class Pass:
    """One pass: pictures [1, H, W, 3] in 0..1, masks [1, H, W], prompts [1, n, CONTEXT]."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    kind: str  # eps or v
    positive: torch.Tensor
    negative: torch.Tensor
    cfg: float
    steps: int
    noise: torch.Tensor

    def __post_init__(self):
        self.scheduler = DDIMScheduler(
            num_train_timesteps=1000,
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            clip_sample=False,
            set_alpha_to_one=True,
            steps_offset=1,
            timestep_spacing="leading",
            prediction_type=PREDICTION[self.kind],
        )
        self.scheduler.set_timesteps(self.steps)
        self.times = self.scheduler.timesteps

    def encode(self, picture):
        return self.vae.encode(picture.movedim(-1, 1) * 2 - 1).latent_dist.mode() * SCALE

    def decode(self, latent):
        return (self.vae.decode(latent / SCALE).sample / 2 + 0.5).clamp(0, 1).movedim(1, -1)

    def condition(self, picture, inpaint):
        """What an inpainting UNet sees beside x: the mask, and the picture grayed under it."""
        gray = torch.where(inpaint[..., None] > 0.5, 0.5, picture)
        latent = self.encode(gray)
        mask = F.interpolate(inpaint[:, None], latent.shape[-2:], mode="bilinear").round()
        return torch.cat([mask, latent], 1)

    def predict(self, x, time, condition):
        def with_prompt(prompt):
            return self.unet(torch.cat([x, condition], 1), time, prompt).sample

        said = with_prompt(self.positive)
        if self.cfg == 1:
            return said
        other = with_prompt(self.negative)
        return other + self.cfg * (said - other)

    def denoise(self, x, condition, first: int, last: int):
        """Steps first .. last - 1 of DDIM."""
        for time in self.times[first:last]:
            said = self.predict(x, time, condition)
            x = self.scheduler.step(said, time, x, eta=0.0).prev_sample
        return x

    def noised(self, latent, step: int):
        return self.scheduler.add_noise(latent, self.noise, self.times[step][None])

    def features(self, x, condition, step: int):
        """What leaves the third block of the UNet's decoder, of the positive prompt."""
        kept = []
        hook = self.unet.up_blocks[2].register_forward_hook(lambda *call: kept.append(call[2]))
        self.unet(torch.cat([x, condition], 1), self.times[step], self.positive)
        hook.remove()
        return kept[0]

    @torch.inference_mode()
    def run(self, picture, modal, inpaint, plate, k: int) -> dict:
        """Section 3.5: the latents and masks of a pass by name, scaled as the UNet sees them."""
        synthetic = torch.where(modal[..., None] > 0.5, picture, 0.5)
        on_gray = self.condition(synthetic, inpaint)
        object_k = self.denoise(self.noised(self.encode(synthetic), 0), on_gray, 0, k)  # eq. 4
        mask_k = self.mask(self.features(object_k, on_gray, k), modal, inpaint)
        background_k = self.noised(self.encode(plate), k)  # eq. 5
        inside = F.avg_pool2d(mask_k[:, None], 8) >= 0.5
        mixed = torch.where(inside, object_k, background_k)
        end = self.denoise(mixed, self.condition(picture, inpaint), k, self.steps)  # eq. 6
        return {
            "object": object_k,
            "mask": mask_k,
            "background": background_k,
            "mixed": mixed,
            "end": end,
            "painted": self.decode(end),
        }

    def mask(self, features, modal, inpaint, clusters: int = 4):
        """M^k: the clusters that hold more than a fifth of what is seen of the object."""
        points = features[0].flatten(1).T.numpy()
        labels = KMeans(clusters, n_init=1, random_state=0).fit_predict(points)
        labels = torch.from_numpy(labels).reshape(1, 1, *features.shape[-2:]).float()
        labels = F.interpolate(labels, modal.shape[-2:], mode="nearest")[0]
        kept = torch.zeros_like(modal)
        for cluster in range(clusters):
            one = (labels == cluster).float()
            if (one * modal).sum() > 0.2 * modal.sum():
                kept = torch.maximum(kept, one)
        return torch.maximum(kept, modal) * torch.maximum(modal, inpaint)
