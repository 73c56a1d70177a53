"""A whole pass of the pack's nodes against the paper's equations on diffusers' components.

The same small random UNet and VAE in both; see reference_mixed_context.
"""

import pytest
import reference_mixed_context
import torch

STEPS, K, SIDE = 10, 4, 128
TOLERANCE = 1e-4


def picture(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 8, 8, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bicubic").clamp(0, 1)
    return fine.movedim(1, -1)


def box(x0, y0, x1, y1) -> torch.Tensor:
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, y0:y1, x0:x1] = 1
    return mask


PICTURE, PLATE = picture(1), picture(2)
# edges inside cells of the latent, so that both roundings of masks matter
MODAL, INPAINT = box(20, 21, 75, 67), box(37, 67, 101, 109)


@pytest.fixture(scope="module", params=["eps", "v"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def models(small, kind):
    """(ComfyUI's MODEL and VAE, and those of diffusers with the same weights)."""
    import comfy.sd
    import comfy.utils

    model, vae = small.model(kind, 9, seed=3, blocks=2), reference_mixed_context.small_vae()
    names = comfy.utils.unet_to_diffusers(small.unet_config(9, blocks=2))
    unet = reference_mixed_context.unet_of(model.model.diffusion_model.state_dict(), names)
    config = {
        "params": {
            "embed_dim": 4,
            "ddconfig": {
                "double_z": True,
                "z_channels": 4,
                "resolution": 256,
                "in_channels": 3,
                "out_ch": 3,
                "ch": 32,
                "ch_mult": [1, 1, 1, 1],
                "num_res_blocks": 1,
                "attn_resolutions": [],
                "dropout": 0.0,
            },
        }
    }
    theirs = comfy.sd.VAE(sd=dict(vae.state_dict()), config=config)
    return model, theirs, unet, vae


def theirs(small, kind, models, cfg) -> reference_mixed_context.Pass:
    noise = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(11))
    return reference_mixed_context.Pass(
        models[2], models[3], kind, small.words(1)[0][0], small.words(2)[0][0], cfg, STEPS, noise
    )


def ours(host, graph, small, models, cfg) -> dict:
    """The shipped workflow's nodes of section 3.5, with the paper's rule for M^k."""
    model, vae = graph.value("parity model", models[0]), graph.value("parity vae", models[1])
    image, modal, area = (
        graph.value(f"parity {name}", value)
        for name, value in (("picture", PICTURE), ("modal", MODAL), ("inpaint", INPAINT))
    )

    def seen(pixels):
        made = graph.add(
            "InpaintModelConditioning",
            positive=graph.value("parity +", small.words(1)),
            negative=graph.value("parity -", small.words(2)),
            vae=vae,
            pixels=pixels,
            mask=area,
            noise_mask=False,
        )
        guider = graph.add("CFGGuider", model=model, positive=made[0], negative=made[1], cfg=cfg)
        return guider, made[2]

    run = {
        "noise": graph.add("RandomNoise", noise_seed=11),
        "sampler": graph.add("KSamplerSelect", sampler_name="ddim"),
    }
    sigmas = graph.add(
        "BasicScheduler", model=model, scheduler="ddim_uniform", steps=STEPS, denoise=1.0
    )
    synthetic = graph.add("AmodalSwapBackground", image=image, modal_mask=modal, background="gray")
    guider, latent = seen(synthetic)
    half = graph.add(
        "AmodalSampleToStep", **run, guider=guider, sigmas=sigmas, latent=latent, k=float(K)
    )
    features = graph.add(
        "AmodalCaptureFeatures", guider=guider, sigmas=half[2], latent=half[0], levels="3"
    )
    clusters = graph.add("AmodalClusterFeatures", features=features, level=3, clusters=4, seed=0)
    mask = graph.add(
        "AmodalSelectClusters", clusters=clusters, modal_mask=modal, inpaint_mask=area, overlap=0.2
    )
    plate = graph.add("VAEEncode", pixels=graph.value("parity plate", PLATE), vae=vae)
    noised = graph.add(
        "AmodalNoiseToStep", model=model, noise=run["noise"], sigmas=half[2], latent=plate
    )
    mixed = graph.add("AmodalCompositeAtStep", object=half[0], background=noised, mask_at_k=mask)
    guider, _ = seen(image)
    end = graph.add("AmodalResumeFromStep", **run, guider=guider, sigmas=half[2], latent=mixed)
    painted = graph.add("VAEDecode", samples=end[0], vae=vae)
    graph.keep(
        object=half[0],
        background=noised,
        mixed=mixed,
        end=end[0],
        mask=mask[0],
        painted=painted,
        features=features,
    )
    return host.run(graph).values


def as_diffusers(latent: dict) -> torch.Tensor:
    """x at unit variance; ComfyUI's LATENT has noise of sigma on a clean latent."""
    exact = latent.get("amodal_x")
    if exact is None:
        return latent["samples"] * reference_mixed_context.SCALE
    return exact.x / (1 + exact.sigma**2) ** 0.5


@pytest.mark.parametrize("cfg", [1.0, 7.5])
def test_a_whole_pass_is_the_papers_equations_on_diffusers(host, graph, small, kind, models, cfg):
    made = ours(host, graph, small, models, cfg)
    wanted = theirs(small, kind, models, cfg).run(PICTURE, MODAL, INPAINT, PLATE, K)
    assert torch.equal(made["mask"], wanted["mask"])
    assert wanted["mask"].sum() > MODAL.sum()  # clusters with more than the modal mask
    for name in ("object", "background", "mixed", "end"):
        assert wanted[name].std() > 0.1, name
        off = (as_diffusers(made[name]) - wanted[name]).abs().max()
        # with random weights and epsilon, latents exceed the unit variance of a trained model
        assert off < TOLERANCE * max(1, wanted[name].std()), (name, float(off))
    assert (made["painted"] - wanted["painted"]).abs().max() < TOLERANCE
    assert (wanted["end"] - wanted["mixed"]).abs().max() > 0.1


def test_features_are_what_leaves_the_third_decoder_block(host, graph, small, kind, models):
    """For the same x: up_blocks[2] of diffusers, with the positive prompt."""
    made = ours(host, graph, small, models, 7.5)
    other = theirs(small, kind, models, 7.5)
    gray = torch.where(MODAL[..., None] > 0.5, PICTURE, 0.5)
    with torch.inference_mode():
        wanted = other.features(as_diffusers(made["object"]), other.condition(gray, INPAINT), K)
    found = made["features"].levels[3]
    assert found.shape == wanted.shape == (1, 64, SIDE // 8, SIDE // 8)
    assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-5 * wanted.abs().max())
