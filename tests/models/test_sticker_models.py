"""The trained sticker models in ComfyUI: the same networks as trained, and as good as claimed.

Bounds are a little below what the shipped weights reach (research/training/README.md).
"""

import sys

import numpy as np
import pytest
import stickers_at_hand
import torch
from stickers_at_hand import (
    Loaded,
    fresh,
    image_of,
    iou,
    masks_of,
    module_of,
    psnr,
)

from amodal.stickers import catalog, weight_files
from amodal.stickers.scenes import make_scene
from research.training import bank, diffusion, order, pool


@pytest.fixture(scope="module")
def models(real_host):
    return Loaded()


@pytest.fixture(scope="module")
def trained(real_host):
    """The network as trained: the shipped weights under the names of diffusers."""
    import comfy.utils

    state, about = weight_files.read("stickers_unet")
    names = comfy.utils.unet_to_diffusers(about["unet"])
    net = diffusion.Model()
    net.unet.load_state_dict({key: state[names[key]] for key in net.unet.state_dict()})
    net.table.data = weight_files.read("stickers_text")[0]["table"]
    return net.eval().requires_grad_(False)


def test_the_kept_names_of_the_unets_weights_are_the_hosts(real_host):
    import comfy.utils

    theirs = comfy.utils.unet_to_diffusers(diffusion.unet_config())
    ours = diffusion.host_names()
    assert set(ours) == set(diffusion.Model().unet.state_dict())
    assert ours == {name: theirs[name] for name in ours}


def noisy(count: int, level: int, seed: int = 0) -> dict:
    """Random inputs of the network at noise level 0..999: x, sigma, cond (mask, masked), words."""
    make = torch.Generator().manual_seed(seed)
    sigma = diffusion.sd_sigmas()[level].view(1, 1, 1, 1)
    x = torch.randn(count, 8, 16, 16, generator=make) * (sigma**2 + 1).sqrt()
    mask = (torch.rand(count, 1, 16, 16, generator=make) > 0.5).float()
    masked = torch.randn(count, 8, 16, 16, generator=make)
    words = torch.randint(len(catalog.WORDS), (count,), generator=make)
    return {
        "x": x,
        "sigma": sigma,
        "level": torch.full((count,), level),
        "cond": torch.cat([mask, masked], 1),
        "words": words,
    }


# --- the networks as trained ----------------------------------------------------------------------


@pytest.mark.parametrize("level", [20, 400, 980])
def test_the_hosts_unet_is_the_trained_one(models, trained, level):
    at = noisy(2, level)
    net = models["model"].model.diffusion_model
    x = torch.cat([at["x"] / (at["sigma"] ** 2 + 1).sqrt(), at["cond"]], 1)
    with torch.inference_mode():
        ours = net(x, at["level"], context=trained.table[at["words"]])
        theirs = trained(at["x"], at["sigma"], at["level"], at["cond"], at["words"])
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_decoder_level_three_is_the_third_up_block(models, trained):
    """As in Stable Diffusion 2, so that "third level" means what it means in the paper."""
    at, kept = noisy(2, 500), {}
    trained.unet.up_blocks[2].register_forward_hook(
        lambda module, inputs, output: kept.update(theirs=output)
    )
    net = models["model"].model.diffusion_model
    capture = module_of("AmodalCaptureFeatures").capture
    ends = sys.modules[capture.__module__].level_ends(net)

    def patch(h, skip, options):
        if options["block"] == ("output", ends[2] + 1):
            kept["ours"] = h.clone()
        return h, skip

    x = torch.cat([at["x"] / (at["sigma"] ** 2 + 1).sqrt(), at["cond"]], 1)
    with torch.inference_mode():
        net(
            x,
            at["level"],
            context=trained.table[at["words"]],
            transformer_options={"patches": {"output_block_patch": [patch]}},
        )
        trained(at["x"], at["sigma"], at["level"], at["cond"], at["words"])
    assert len(ends) == 4 and kept["ours"].shape[-2:] == (16, 16)
    assert (kept["ours"] - kept["theirs"]).abs().max() < 1e-4 * kept["theirs"].abs().max()


@pytest.mark.parametrize("level", [20, 400, 980])
def test_the_host_denoises_as_in_training(models, trained, level):
    """The same noise levels, the same scaling, the same meaning of v."""
    space = models["model"].model.model_sampling
    assert torch.allclose(space.sigmas, diffusion.sd_sigmas(), rtol=1e-5)
    at = noisy(2, level)
    sigma = at["sigma"]
    with torch.inference_mode():
        ours = models["model"].model.apply_model(
            at["x"],
            sigma.view(1).expand(2),
            c_concat=at["cond"],
            c_crossattn=trained.table[at["words"]],
        )
        v = trained(at["x"], sigma, at["level"], at["cond"], at["words"])
    theirs = at["x"] / (sigma**2 + 1) - v * sigma / (sigma**2 + 1).sqrt()
    assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()


@pytest.mark.parametrize("level", [0, 300, 980, 999])
def test_the_host_adds_noise_as_in_training(models, level):
    space = models["model"].get_model_object("model_sampling")
    clean, noise = torch.randn(2, 2, 8, 16, 16, generator=torch.Generator().manual_seed(3))
    sigma = diffusion.sd_sigmas()[level]
    ours = diffusion.noised(clean, sigma.view(1, 1, 1, 1), noise)
    for max_denoise in (False, True):
        theirs = space.noise_scaling(sigma, noise, clean, max_denoise)
        assert torch.allclose(ours, theirs, atol=1e-5)
    back = space.inverse_noise_scaling(sigma, ours - sigma * noise)
    assert level == 999 or torch.allclose(back, clean, atol=1e-3)
    if level == 999:
        assert torch.allclose(theirs, sigma * noise, atol=1e-5)  # pure noise


def test_the_hosts_inpaint_conditioning_is_the_banks(models, host, graph):
    """Inpaint Model Conditioning makes the same inputs as the training."""
    item = bank.random_item(np.random.default_rng([11, 987]))
    encoded = bank.encode(bank.load_autoencoder(), [item])
    picture, mask = torch.from_numpy(item[0])[None].float(), torch.from_numpy(item[1])[None].float()
    words = stickers_at_hand.words(graph, models["clip"], item[2])
    made = stickers_at_hand.inpaint(graph, models, words, words, picture, mask)
    kept = host.run(graph.keep(positive=made[0], latent=made[2])).values
    extra = kept["positive"][0][1]
    cond = models["model"].model.concat_cond(
        noise=kept["latent"]["samples"],
        device=torch.device("cpu"),
        concat_latent_image=extra["concat_latent_image"],
        concat_mask=extra["concat_mask"],
    )
    assert torch.equal(cond[:, :1], encoded["mask"].float())
    assert (cond[:, 1:] - encoded["masked"].float()).abs().mean() < 0.02
    assert (kept["latent"]["samples"] - encoded["target"].float()).abs().mean() < 0.02


# --- as ordinary MODEL, CLIP and VAE -------------------------------------------------------------


def test_cores_nodes_take_the_checkpoint_as_it_is(models, host, graph):
    scene = fresh(1)[0]
    picture = image_of(scene)[None]
    mask = torch.from_numpy(scene.amodal() & ~scene.modal())[None].float()
    positive = stickers_at_hand.words(graph, models["clip"], f"a photo of a {scene.word}")
    made = stickers_at_hand.inpaint(
        graph, models, positive, stickers_at_hand.words(graph, models["clip"], ""), picture, mask
    )
    latent = graph.add(
        "KSampler",
        model=graph.value("sticker model", models["model"]),
        positive=made[0],
        negative=made[1],
        latent_image=made[2],
        seed=3,
        steps=6,
        cfg=3.0,
        sampler_name="euler",
        scheduler="normal",
        denoise=1.0,
    )
    image = graph.add("VAEDecode", samples=latent[0], vae=graph.value("sticker vae"))
    result = host.run(graph.keep(image=image[0])).values["image"]
    assert result.shape == picture.shape and result.isfinite().all()
    assert result.min() >= 0 and result.max() <= 1
    seen = mask[0] < 0.5
    assert (result - picture)[0][seen].abs().mean() < 0.1  # given pixels are kept
    host.forget()
    assert torch.equal(host.run(graph).values["image"], result)


def test_a_prompt_is_its_known_words_tokens(models):
    encode = models["clip"]

    def tokens(text):
        return encode.encode_from_tokens(encode.tokenize(text))

    bear, dog, nothing = tokens("a photo of a teddy bear"), tokens("dog"), tokens("")
    assert bear.shape == dog.shape == nothing.shape == (1, 32, 128)
    assert torch.equal(tokens("Teddy bear and dog"), torch.cat([bear, dog], 1))
    assert torch.equal(tokens("a walrus, blurry"), nothing)
    assert not torch.equal(bear, dog) and not torch.equal(dog, nothing)


def test_the_word_helps_to_denoise(models, trained):
    """With half of a picture hidden, the object's word improves the estimate."""
    level = 700  # nearly pure noise
    half = np.zeros((128, 128), bool)
    half[:, 64:] = True
    made = [
        make_scene(stickers_at_hand.FRESH + i, background="gray", occluder=None, scale=(0.6, 0.75))
        for i in range(24)
    ]
    data = bank.encode(bank.load_autoencoder(), [(s.image, half, s.word) for s in made])
    target, mask = data["target"].float(), data["mask"].float()
    sigma = diffusion.sd_sigmas()[level].view(1, 1, 1, 1)
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    x, at = diffusion.noised(target, sigma, noise), torch.full((len(target),), level)
    cond = torch.cat([mask, data["masked"].float()], 1)
    errors = {}
    for name, words in (
        ("right", data["word"]),
        ("none", torch.full_like(data["word"], len(catalog.WORDS))),
        ("wrong", (data["word"] + 7) % len(catalog.WORDS)),
    ):
        with torch.inference_mode():
            v = trained(x, sigma, at, cond, words)
        estimate = x / (sigma**2 + 1) - v * sigma / (sigma**2 + 1).sqrt()
        errors[name] = float(((estimate - target).square() * mask).sum() / mask.sum())
    assert errors["right"] < errors["none"] and errors["right"] < 0.9 * errors["wrong"], errors


def test_the_vae_keeps_fresh_pictures(models):
    vae = models["vae"]
    pictures = torch.stack([image_of(scene) for scene in fresh(12)])
    latent = vae.encode(pictures)
    assert latent.shape == (12, 8, 16, 16)
    assert latent.std() == pytest.approx(1, abs=0.3) and abs(latent.mean()) < 0.3
    back = vae.decode(latent)
    assert np.mean([psnr(one, two) for one, two in zip(back, pictures)]) > 30
    flat = torch.full((1, 128, 128, 3), 0.5)
    assert (vae.decode(vae.encode(flat)) - flat).abs().max() < 0.05  # gray stays gray


def test_the_vae_takes_pictures_of_other_sizes(models):
    vae, picture = models["vae"], image_of(fresh(1)[0])[None]
    wide = torch.cat([picture, picture.flip(2)], 2)[:, :104]
    assert vae.decode(vae.encode(wide)).shape == (1, 104, 256, 3)


# --- the analysis models -------------------------------------------------------------------------


def best(objects, word: str, mask: torch.Tensor) -> float:
    """IoU of the best object of that word with a mask; 0 if there is none."""
    scores = [iou(m, mask) for m, label in zip(objects.masks, objects.labels) if label == word]
    return max(scores, default=0.0)


def detections(models, decoded: bool) -> list[float]:
    found = []
    for scene in fresh(32):
        image = image_of(scene)
        if decoded:
            image = models["vae"].decode(models["vae"].encode(image[None]))[0]
        objects = models["segmenter"].detect(image)
        for word, mask in zip(scene.words, masks_of(scene)):
            found.append(best(objects, word, mask))
    return found


@pytest.mark.parametrize("decoded", [False, True])
def test_the_segmenter_finds_visible_objects(models, decoded):
    """Also in pictures decoded by the autoencoder, like results of diffusion."""
    found = detections(models, decoded)
    assert np.mean(found) > 0.78, found
    assert np.mean(np.array(found) > 0.5) > 0.88, found


def test_the_segmenter_sees_nothing_in_empty_pictures(models):
    wrong = 0
    for scene in fresh(12):
        objects = models["segmenter"].detect(
            torch.from_numpy(scene.window(scene.background_sheet).copy())
        )
        wrong += float(objects.masks.sum()) / scene.size**2
    assert wrong / 12 < 0.02


def test_the_order_model_predicts_which_object_is_in_front(models):
    right = []
    for scene in fresh(48):
        table = models["order_model"].order(image_of(scene), masks_of(scene), [(0, 1)])
        right += [table[1, 0] > 0.5, table[0, 1] < 0.5]
    assert np.mean(right) > 0.95


def test_the_order_model_on_roughened_pairs(models):
    """Pairs as in training: roughened and predicted masks, holes, zooms, both orders. The pictures
    were not used for training."""
    rng = np.random.default_rng([1, 987])
    drawn = [pool.random_picture(rng, holes=0.3) for _ in range(60)]
    data = {key: np.stack([picture[key] for picture in drawn]) for key in drawn[0]}
    data["soft"] = data["image"] = pool.as_bytes(data["image"])
    views, labels = map(torch.from_numpy, order.pairs_in(data, rng))
    views[::2], labels[::2] = views[::2][:, [1, 0, 2, 3, 4]], labels[::2].flip(1)
    net = models["order_model"].net
    with torch.inference_mode():
        answers = net(views.float() / 255) > 0
    assert len(views) > 50
    assert (answers == (labels > 0.5)).float().mean() > 0.8
