"""Decoder features on the real host: the run's own, whatever patches and prompts are chained."""

from pathlib import Path

import pytest
import torch
from setting import SIZE, first_half, second_half, setting, whole

K = 2
ENDS = {1: 3, 2: 6, 3: 9}  # SD2's levels end before these output blocks, with 2 residual blocks
ALL = "1, 2, 3, 4"


@pytest.fixture(scope="session")
def deep(small):
    """A model of SD2's block counts: 12 output blocks in 4 levels."""
    return small.model("eps", 4, seed=4, blocks=2)


def with_model(graph, at, model) -> dict:
    """The setting with another MODEL link."""
    at["model"] = model
    graph.prompt[at["guider"].node_id]["inputs"]["model"] = model[0]
    return at


class Recorder:
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
        for level, block in ENDS.items():
            if options["block"] == ("output", block):
                self.store(level, h)
        return h, skip


def captured(host, graph, at, levels=ALL, k=K, **other):
    half = first_half(graph, at, k)
    inputs = {"guider": at["guider"], "sigmas": half[2], "latent": half[0], "levels": levels}
    graph.keep(features=graph.add("AmodalCaptureFeatures", **{**inputs, **other}))
    return host.run(graph).values["features"]


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpmpp_2m"])
@pytest.mark.parametrize("batch", [1, 2])
def test_features_are_the_runs_own(host, graph, small, deep, sampler, mask, batch):
    """What an uninterrupted run of the host computes in step k, bit for bit."""
    at = setting(graph, small, sampler=sampler, mask=mask, batch=batch)
    with_model(graph, at, graph.value("deep", deep))
    features = captured(host, graph, at)
    recorder = Recorder(deep)
    with_model(graph, at, graph.value(f"recorded {sampler} {mask} {batch}", recorder.model))
    graph.keep(run=whole(graph, at))
    host.forget()
    recorder.calls.clear()
    for node in [n for n, spec in graph.prompt.items() if spec["class_type"].startswith("Amodal")]:
        del graph.prompt[node]
    graph.prompt = {
        n: spec for n, spec in graph.prompt.items()
        if spec["class_type"] != "TestKeep" or spec["inputs"]["name"] == "run"
    }
    host.run(graph)
    assert features.k == K
    for level in (1, 2, 3, 4):
        assert features.levels[level].shape[0] == batch
        assert torch.equal(features.levels[level], recorder.calls[K][level]), level


def test_levels_have_sd2s_shapes(host, graph, small, deep):
    at = with_model(graph, setting(graph, small), graph.value("deep", deep))
    features = captured(host, graph, at)
    shapes = {level: tuple(h.shape) for level, h in features.levels.items()}
    assert shapes == {
        1: (1, 128, 4, 4), 2: (1, 128, 8, 8), 3: (1, 64, 16, 16), 4: (1, 32, 16, 16)
    }
    assert features.size == (8 * SIZE, 8 * SIZE)
    assert features.sigma > 0


def test_one_residual_block_a_level_works_too(host, graph, small):
    features = captured(host, graph, setting(graph, small, "v", 9))
    assert [h.shape[-1] for h in features.levels.values()] == [4, 8, 16, 16]


def test_the_sampling_is_left_as_it_was(host, graph, small, deep):
    """Same result with and without a capture in between; no hook, no patch stays behind."""
    at = with_model(graph, setting(graph, small), graph.value("deep", deep))
    half = first_half(graph, at)
    graph.keep(end=second_half(graph, at, half), guider=at["guider"])
    before = host.run(graph).values["end"]["samples"]
    captured(host, graph, at)
    host.forget()
    values = host.run(graph).values
    assert torch.equal(before, values["end"]["samples"])
    assert not deep.model.diffusion_model.out._forward_pre_hooks
    options = values["guider"].model_options["transformer_options"]
    assert not options.get("patches")
    assert not options.get("wrappers")


def test_only_the_positive_prompt_matters(host, graph, small):
    """The negative prompt's branch is computed, as in the run, but not kept."""
    features = captured(host, graph, setting(graph, small))
    again = captured(host, graph, setting(graph, small, cfg=1.0))
    assert not torch.allclose(features.levels[3], again.levels[3])  # another x_k, so another h


GUIDERS = {
    "BasicGuider": lambda at, more: {"model": at["model"], "conditioning": more["positive"]},
    "DualCFGGuider": lambda at, more: {
        "model": at["model"], "cond1": more["positive"], "cond2": more["middle"],
        "negative": more["negative"], "cfg_conds": 3.0, "cfg_cond2_negative": 2.0,
        "style": "regular",
    },
    "PerpNegGuider": lambda at, more: {
        "model": at["model"], "positive": more["positive"], "negative": more["negative"],
        "empty_conditioning": more["middle"], "cfg": 3.0, "neg_scale": 1.0,
    },
}


@pytest.mark.parametrize("name", GUIDERS)
def test_every_guider_gives_its_positive_branch(host, graph, small, name):
    """At one and the same x, features of a guider's positive prompt are those of the plain one."""
    at = setting(graph, small)
    more = {
        "positive": graph.value("positive 4"), "negative": graph.value("negative 4"),
        "middle": graph.value("middle", small.words(5)),
    }
    half = first_half(graph, at)
    other = graph.add(name, **GUIDERS[name](at, more))
    for key, guider in (("plain", at["guider"]), ("other", other)):
        graph.keep(**{key: graph.add("AmodalCaptureFeatures", guider=guider, sigmas=half[2],
                                     latent=half[0], levels="3")})
    values = host.run(graph).values
    plain, other = values["plain"].levels[3], values["other"].levels[3]
    assert torch.allclose(plain, other, atol=1e-4 * plain.abs().max())


def features_with(host, graph, small, model_of, k=K):
    """Features at step k of a fixed latent, and the run's end, with a MODEL made by `model_of`."""
    at = setting(graph, small)
    at = with_model(graph, at, model_of(graph, at["model"]))
    half = first_half(graph, at, k)
    graph.keep(
        features=graph.add("AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2],
                           latent=half[0], levels="3"),
        one=whole(graph, at), two=second_half(graph, at, half),
    )
    values = host.run(graph).values
    return values["features"].levels[3], values["one"]["samples"], values["two"]["samples"]


def lora(graph, model):
    """A LoRA file for the small model through the host's own loader."""
    import folder_paths
    from safetensors.torch import save_file

    folder = folder_paths.get_folder_paths("loras")[0]
    path = f"{folder}/test.safetensors"
    name = "diffusion_model.output_blocks.3.0.in_layers.2"
    unet = graph_model(graph, model).model.diffusion_model
    out, into = unet.output_blocks[3][0].in_layers[2].weight.shape[:2]
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_file({
        f"{name}.lora_up.weight": torch.ones(out, 2, 1, 1) * 0.05,
        f"{name}.lora_down.weight": torch.ones(2, into, 3, 3) * 0.05,
        f"{name}.alpha": torch.tensor(2.0),
    }, path)
    return graph.add("LoraLoaderModelOnly", model=model, lora_name="test.safetensors",
                     strength_model=1.0)


def graph_model(graph, link):
    import hosting

    return hosting.VALUES[graph.prompt[link.node_id]["inputs"]["name"]]


def free_u(graph, model):
    return graph.add("FreeU_V2", model=model, b1=1.3, b2=1.4, s1=0.9, s2=0.2)


def other_patch(graph, model):
    """A pack's own output block patch, at a block before level 3's end."""
    value = graph_model(graph, model).clone()
    value.set_model_output_block_patch(
        lambda h, skip, options: (h * (1.2 if options["block"][1] == 1 else 1.0), skip)
    )
    return graph.value("patched", value)


@pytest.mark.parametrize("patch", [lora, free_u, other_patch])
def test_other_peoples_patches_chain(host, graph, small, patch):
    import hosting

    plain, end, _ = features_with(host, hosting.Graph(), small, lambda graph, model: model)
    host.forget()
    patched, one, two = features_with(host, graph, small, patch)
    assert not torch.allclose(plain, patched, atol=1e-3)  # the patch acts on the features,
    assert not torch.allclose(end, one, atol=1e-3)  # and on the run,
    assert torch.equal(one, two)  # whose two halves are still the whole
    host.forget()
    again, _, _ = features_with(host, hosting.Graph(), small, lambda graph, model: model)
    assert torch.equal(plain, again)  # and it is gone with its MODEL


def test_control_nets_chain(host, graph, small):
    at = setting(graph, small)
    applied = graph.add(
        "ControlNetApplyAdvanced", positive=graph.value("positive 4"),
        negative=graph.value("negative 4"), control_net=graph.value("net", small.control_net()),
        image=graph.value("hint", torch.rand(1, 128, 128, 3)), strength=1.0, start_percent=0.0,
        end_percent=1.0,
    )
    plain = captured(host, graph, at, "3").levels[3]
    graph.prompt[at["guider"].node_id]["inputs"] |= {
        "positive": applied[0], "negative": applied[1]
    }
    half = first_half(graph, at)
    features = graph.add("AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2],
                         latent=half[0], levels="3")
    graph.keep(features=features, one=whole(graph, at), two=second_half(graph, at, half))
    values = host.run(graph).values
    assert not torch.allclose(values["features"].levels[3], plain, atol=1e-3)
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])


def test_mixed_context_runs_end_to_end(host, graph, small):
    """Swap, sample to k, features, clusters, M^k, noise, composite, resume: one prompt."""
    at = setting(graph, small, "eps", 9)
    half = first_half(graph, at)
    features = graph.add("AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2],
                         latent=half[0], levels="3")
    clusters = graph.add("AmodalClusterFeatures", features=features, level=3, clusters=4, seed=0)
    modal, area = torch.zeros(1, 128, 128), torch.zeros(1, 128, 128)
    modal[:, 20:60, 20:60], area[:, 60:100, 20:60] = 1, 1
    chosen = graph.add("AmodalSelectClusters", clusters=clusters, overlap=0.2,
                       mask=graph.value("modal", modal), inpaint=graph.value("area", area))
    plate = graph.value("plate", {"samples": small.tensor(1, 4, SIZE, SIZE, seed=9)})
    noised = graph.add("AmodalNoiseToStep", model=at["model"], noise=at["noise"], sigmas=half[2],
                       latent=plate)
    mixed = graph.add("AmodalCompositeAtStep", object=half[0], background=noised, mask=chosen)
    graph.keep(end=second_half(graph, at, half, latent=mixed), mask=chosen, kept=chosen[1],
               clusters=clusters, picture=clusters[1], plain=second_half(graph, at, half))
    values = host.run(graph).values
    assert values["end"]["samples"].isfinite().all()
    assert not torch.equal(values["end"]["samples"], values["plain"]["samples"])
    assert values["clusters"].shape == (4, 128, 128)
    assert (values["clusters"].sum(0) == 1).all()
    assert values["picture"].shape == (1, 128, 128, 3)
    assert (values["mask"] >= modal).all()
    assert (values["mask"] <= torch.maximum(modal, area)).all()
    assert values["kept"].startswith("kept ")


def test_a_level_the_model_does_not_have_is_refused(host, graph, small):
    import hosting

    with pytest.raises(hosting.Failed, match="levels 1 .deepest. to 4"):
        captured(host, graph, setting(graph, small), levels="3 5")


@pytest.mark.parametrize("levels", ["", "third", "0", "3.5"])
def test_levels_that_are_no_numbers_are_refused(host, graph, small, levels):
    import hosting

    with pytest.raises(hosting.Failed, match="Capture Features .Amodal.: input 'levels' is"):
        captured(host, graph, setting(graph, small), levels=levels)


def test_a_level_that_was_not_captured_is_refused(host, graph, small):
    import hosting

    at = setting(graph, small)
    half = first_half(graph, at)
    features = graph.add("AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2],
                         latent=half[0], levels="2")
    graph.keep(clusters=graph.add("AmodalClusterFeatures", features=features, level=3, clusters=4,
                                  seed=0))
    with pytest.raises(hosting.Failed, match="captured were .2."):
        host.run(graph)


def test_a_model_without_a_unet_decoder_is_refused(host, graph, small):
    import hosting

    at = setting(graph, small)
    half = first_half(graph, at)
    value = small.model()
    value.add_object_patch("diffusion_model", torch.nn.Linear(1, 1))
    other = graph.add("CFGGuider", model=graph.value("no unet", value), cfg=3.0,
                      positive=graph.value("positive 4"), negative=graph.value("negative 4"))
    graph.keep(features=graph.add("AmodalCaptureFeatures", guider=other, sigmas=half[2],
                                  latent=half[0], levels="3"))
    with pytest.raises(hosting.Failed, match="Linear, which has no UNet decoder"):
        host.run(graph)
