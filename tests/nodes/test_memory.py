"""8 GB of GPU memory suffice for Stable Diffusion 2 at 512x512, computed from tensor sizes."""

import pytest

from tools.bench import memory


@pytest.fixture(scope="module")
def stages(real_host):
    return {name: (weights, working) for name, weights, working in memory.stages(real_host)}


def test_every_stage_fits_into_8_gigabytes(stages):
    assert max(sum(both) for both in stages.values()) < memory.LIMIT


def test_diffusion_fits_beside_its_vae_and_text_encoder(stages):
    """A pass then never moves them between CPU and GPU."""
    names = ("text encoder", "UNet, two prompts", "VAE, decoding")
    weights = sum(stages[name][0] for name in names)
    assert weights + max(stages[name][1] for name in names) < memory.LIMIT


def test_the_sizes_are_those_of_the_published_files(stages):
    """In half precision: 866, 354 (with the projection), 84 and 641 million parameters."""
    for name, wanted in (
        ("UNet, two prompts", 1.73),
        ("text encoder", 0.71),
        ("VAE, decoding", 0.167),
        ("SAM, ViT-H", 1.28),
    ):
        assert stages[name][0] == pytest.approx(wanted, abs=0.02)
