"""A contact sheet of unseen scenes, completed by the diffusion model in training.

    python -m research.training.sheet --out output/training

Columns: picture, truth, truth through the autoencoder, inpainting in the picture, inpainting on
studio gray, mixed context (M^k by the known gray, true background).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from amodal.stickers import backgrounds, scenes
from amodal.stickers.catalog import WORDS

from .bank import load_autoencoder
from .diffusion import Model, noised, sd_sigmas
from .run import ROOT, STATE

STEPS, SWITCH, SCALE = 25, 10, 3.0
GRAY = backgrounds.GRAY


class Sampler:
    """DDIM with classifier-free guidance on the averaged weights of the training run."""

    def __init__(self):
        self.auto, self.net = load_autoencoder(), Model()
        state = torch.load(STATE / "diffusion.pt", weights_only=True, map_location="cpu")
        self.net.load_state_dict(state["ema"])
        self.steps = state["step"]
        self.net.eval().requires_grad_(False)
        table = sd_sigmas()
        self.times = torch.linspace(981, 1, STEPS).round().long()
        self.sigmas = torch.cat([table[self.times], torch.zeros(1)])

    def encode(self, image: np.ndarray) -> torch.Tensor:
        return self.auto.encode(torch.from_numpy(image).float().permute(2, 0, 1)[None])

    def decode(self, latent: torch.Tensor) -> np.ndarray:
        return self.auto.decode(latent)[0].clamp(0, 1).permute(1, 2, 0).numpy()

    def condition(self, image: np.ndarray, mask: np.ndarray) -> torch.Tensor:
        """[1, 9, h, w], as the host builds it from a picture and its inpaint mask."""
        shown = np.where(mask[..., None], np.float32(GRAY), image)
        small = F.interpolate(
            torch.from_numpy(mask).float()[None, None], scale_factor=1 / 8, mode="bilinear"
        )
        return torch.cat([small.round(), self.encode(shown)], 1)

    def estimate(self, x, at: int, condition, word: str) -> torch.Tensor:
        sigma = self.sigmas[at]
        words = torch.tensor([WORDS.index(word), len(WORDS)])
        two = [torch.cat([part, part]) for part in (x, condition)]
        v = self.net(two[0], sigma.view(1, 1, 1, 1), self.times[at], two[1], words)
        v = v[1:] + SCALE * (v[:1] - v[1:])
        return x / (sigma**2 + 1) - v * sigma / (sigma**2 + 1).sqrt()

    def run(self, x, first: int, last: int, condition, word: str):
        """Steps first..last-1; the new x and the last estimate of the clean latent."""
        clean = x
        for at in range(first, last):
            clean = self.estimate(x, at, condition, word)
            x = clean + (x - clean) * self.sigmas[at + 1] / self.sigmas[at]
        return x, clean


@torch.inference_mode()
def complete(sampler: Sampler, scene: scenes.Scene, seed: int) -> dict[str, np.ndarray]:
    """The scene's query completed in three ways; pictures [S, S, 3]."""
    modal, amodal = scene.modal(), scene.amodal()
    hiding = np.any([scene.amodal(i) for i in range(scene.query + 1, len(scene.layers))], 0)
    mask = ndimage.binary_dilation(hiding, iterations=3) & ~ndimage.binary_erosion(modal)
    gray = np.where(modal[..., None], scene.image, np.float32(GRAY))
    on_gray, on_picture = sampler.condition(gray, mask), sampler.condition(scene.image, mask)
    noise = torch.randn(1, 8, *(s // 8 for s in modal.shape), generator=seeded(seed))
    start = sampler.sigmas[0] * noise
    word = scene.word
    naive, _ = sampler.run(start, 0, STEPS, on_picture, word)
    x, clean = sampler.run(start, 0, SWITCH, on_gray, word)
    alone, _ = sampler.run(x, SWITCH, STEPS, on_gray, word)
    painted = np.abs(sampler.decode(clean) - GRAY).max(2) > 0.08
    kept = ndimage.binary_opening(painted & mask) | modal
    small = F.adaptive_max_pool2d(torch.from_numpy(kept).float()[None, None], noise.shape[-2:])
    plate = scene.window(scene.render(list(range(scene.query))))
    behind = noised(sampler.encode(plate), sampler.sigmas[SWITCH], noise)
    mixed, _ = sampler.run(x * small + behind * (1 - small), SWITCH, STEPS, on_picture, word)
    pictures = {"naive": naive, "gray": alone, "mixed": mixed}
    pictures = {name: sampler.decode(latent) for name, latent in pictures.items()}
    for name, picture in pictures.items():
        shown = gray if name == "gray" else scene.image
        pictures[name] = np.where(mask[..., None], picture, shown)
    hidden = amodal & ~modal
    truth = sampler.decode(sampler.encode(scene.truth))
    errors = {n: float(np.abs(p - scene.truth)[hidden].mean()) for n, p in pictures.items()}
    errors["autoencoder"] = float(np.abs(truth - scene.truth)[hidden].mean())
    return {"picture": scene.image, "truth": scene.truth, "auto": truth, **pictures}, errors


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def contact_sheet(path: Path, count: int, first: int):
    """`count` scenes from seed `first` on, two in a row; prints the error of hidden pixels."""
    from PIL import Image

    sampler, strips, errors = Sampler(), [], []
    for seed in range(first, first + count):
        kind = scenes.BACKGROUNDS[seed % len(scenes.BACKGROUNDS)]
        scene = scenes.make_scene(seed, hidden=(0.25, 0.55), background=kind)
        pictures, error = complete(sampler, scene, seed)
        strips.append(np.concatenate(list(pictures.values()), 1))
        errors.append(error)
    rows = [np.concatenate(strips[i : i + 2], 1) for i in range(0, len(strips) // 2 * 2, 2)]
    Image.fromarray((np.concatenate(rows) * 255).round().astype(np.uint8)).save(path)
    mean = {name: round(float(np.mean([e[name] for e in errors])), 4) for name in errors[0]}
    print(f"{sampler.steps} steps; mean |error| of hidden pixels over {count} scenes: {mean}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "training")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--first", type=int, default=900000, help="seed of the first scene")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    contact_sheet(options.out / "sheet.png", options.scenes, options.first)
