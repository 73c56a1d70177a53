"""Stable Diffusion XL, and models without inpainting inputs, which use the noise mask."""

import functools
import sys

import pytest
import torch
from setting import (
    SIZE,
    STEPS,
    FeatureRecorder,
    conditions,
    first_half,
    second_half,
    setting,
    whole,
    with_model,
)
from stickers_at_hand import Loaded, image_of, masks_of, module_of

from amodal.stickers.scenes import make_scene
from tools.host.inprocess import Failed

K = 2


def family():
    return sys.modules[f"{module_of('AmodalCompletion').__package__}.model_family"]


ENDS = {1: 3, 2: 6}  # XL's first two levels end before these output blocks; the third is the last


@functools.cache
def model_of(small, kind: str, inputs: int):
    return small.sdxl(inputs) if kind == "xl" else small.model(kind, inputs)


def of_kind(graph, small, kind: str, inputs: int, **other) -> dict:
    """The setting with a model of a kind. XL's prompts also have a pooled output."""
    at = setting(graph, small, "eps", inputs, **other)
    at["model_value"] = model_of(small, kind, inputs)
    with_model(graph, at, graph.value(f"family {kind} {inputs}", at["model_value"]))
    graph.prompt[at["sigmas"].node_id]["inputs"]["model"] = at["model"][0]
    if kind == "xl":
        for seed, name in ((1, "positive"), (2, "negative")):
            extra = {**conditions(small, inputs), "pooled_output": small.tensor(1, small.CONTEXT)}
            value = graph.value(f"xl {name} {inputs}", small.words(seed, **extra))
            graph.prompt[at["guider"].node_id]["inputs"][name] = value[0]
    return at


@pytest.mark.parametrize("inputs", [4, 9])
def test_xl_in_two_halves_equals_one_run_and_so_do_its_features(host, graph, small, inputs):
    at = of_kind(graph, small, "xl", inputs)
    half = first_half(graph, at, K)
    graph.keep(
        one=whole(graph, at),
        two=second_half(graph, at, half),
        features=graph.add(
            "AmodalCaptureFeatures",
            guider=at["guider"],
            sigmas=half[2],
            latent=half[0],
            levels="1 2 3",
        ),
    )
    values = host.run(graph).values
    assert values["one"]["samples"].std() > 0.01
    assert torch.equal(values["one"]["samples"], values["two"]["samples"])
    recorder = XlRecorder(at["model_value"])
    graph.prompt.clear()
    at = of_kind(graph, small, "xl", inputs)
    with_model(graph, at, graph.value(f"recorded xl {inputs}", recorder.model))
    host.run(graph.keep(run=whole(graph, at)))
    found = values["features"].levels
    assert {level: tuple(h.shape) for level, h in found.items()} == {
        1: (1, 128, 8, 8),
        2: (1, 64, 16, 16),
        3: (1, 32, 16, 16),
    }
    for level, features in found.items():
        assert torch.equal(features, recorder.calls[K][level]), level


class XlRecorder(FeatureRecorder):
    """Keeps the outputs of XL's decoder, whose last level is the third."""

    def store(self, level, h):
        super().store({4: 3}.get(level, level), h)

    def see(self, h, skip, options):
        if options["block"] in (("output", 3), ("output", 6)):
            self.store(options["block"][1] // 3, h)
        return h, skip


@pytest.mark.parametrize("kind", ["eps", "v", "flow", "xl"])
def test_an_ordinary_model_keeps_everything_outside_the_noise_mask(host, graph, small, kind):
    """To step k on gray, then in the picture: each half keeps its own pixels outside the mask."""
    at = of_kind(graph, small, kind, 4)
    area = torch.zeros(1, 8 * SIZE, 8 * SIZE)
    area[:, 40:100, 24:88] = 1
    latents = {
        name: small.tensor(1, 4, SIZE, SIZE, seed=seed)
        for seed, name in enumerate(("gray", "plate", "picture"), 3)
    }
    links = {
        name: graph.value(f"family {name}", {"samples": samples, "noise_mask": area})
        for name, samples in latents.items()
    }
    at["latent"] = links["gray"]
    half = first_half(graph, at, K)
    features = graph.add(
        "AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2], latent=half[0], levels="3"
    )
    noised = graph.add(
        "AmodalNoiseToStep",
        model=at["model"],
        noise=at["noise"],
        sigmas=half[2],
        latent=links["plate"],
    )
    modal = torch.zeros_like(area)
    modal[:, 10:70, 30:60] = 1
    mixed = graph.add(
        "AmodalCompositeAtStep",
        object=half[0],
        background=noised,
        mask_at_k=graph.value("family modal", modal),
    )
    graph.keep(
        estimate=half[1],
        features=features,
        end=second_half(graph, at, half, latent=mixed, image_latent=links["picture"]),
    )
    values = host.run(graph).values
    inside = area[0, ::8, ::8].bool()
    for name, wanted in (("estimate", "gray"), ("end", "picture")):
        off = (values[name]["samples"] - latents[wanted])[0].abs().amax(0)
        assert off[~inside].max() < 1e-4 and off[inside].mean() > 0.1, name
    assert values["features"].levels[3].isfinite().all()


@pytest.mark.parametrize("inputs", [4, 9])
def test_amodal_completion_keeps_the_surroundings_of_an_ordinary_model(host, graph, small, inputs):
    """A noise mask keeps everything outside it; an inpainting model gets the masked picture."""
    scene = make_scene(4, query="rabbit", occluder="co-occurring", hidden=(0.2, 0.4))
    others = Loaded()  # the tokens of the sticker text encoder have 128 channels
    made = graph.add(
        "AmodalCompletion",
        "one",
        image=graph.value("scene", image_of(scene)[None]),
        model=graph.value(f"wide {inputs}", small.model("eps", inputs, context=128)),
        vae=graph.value("small vae", small.vae()),
        words=scene.word,
        point="",
        negative="",
        modal_mask=graph.value("modal", masks_of(scene)[scene.query][None]),
        seed=1,
        count=1,
        cfg=2.5,
        prompt="a photo of a {label}",
        steps=STEPS,
        k=float(K),
        mask_rule="known background",
        size=8 * SIZE,
        max_passes=1,
        **{
            name: graph.value(f"sticker {name}", others[name])
            for name in ("clip", "segmenter", "order_model")
        },
    )
    run = host.run(graph.keep(passes=made[4]))
    assert run.values["passes"] == 1
    end, picture = given(host, run, "ResumeFromStep")[0], given(host, run, "See-context")[2]
    hole = torch.nn.functional.avg_pool2d(given(host, run, "CheckOcclusion")[0], 8)[0]
    off = (end["samples"] - picture["samples"])[0].abs().amax(0)
    assert off[hole == 1].mean() > 0.1
    assert (off[hole == 0].max() < 1e-3) == (inputs == 4)


def given(host, run, name: str) -> list:
    """The cached output of a node in the first pass of Amodal Completion."""
    node = next(one for one in run.executed if one.endswith(f"-{name}"))
    return [values[0] for values in host.outputs(node)]


@pytest.mark.parametrize(
    ("kind", "sees"),
    {"flux fill": True, "flux": False, "sd3": False, "qwen": False, "sticker": True}.items(),
)
def test_which_models_are_given_the_masked_picture(real_host, small, kind, sees):
    """As in ComfyUI's concat_cond: with a mask, if the model takes one."""
    model = Loaded()["model"] if kind == "sticker" else small.transformer(kind)
    assert family().sees_around_hole(model) == sees
    channels = model.model.latent_format.latent_channels
    extra = model.model.concat_cond(
        noise=torch.zeros(1, channels, 8, 8),
        device="cpu",
        concat_mask=torch.ones(1, 1, 64, 64),
        concat_latent_image=torch.zeros(1, channels, 8, 8),
    )
    assert (extra is not None) == sees


FAMILIES = {
    "sticker": (128, True),
    "eps": (512, False),
    "v": (512, False),
    "xl": (1024, False),
    "flux": (1024, False),
    "flux fill": (1024, False),
    "sd3": (1024, False),
    "qwen": (1024, False),
}


def of_family(small, kind: str):
    if kind == "sticker":
        return Loaded()["model"]
    return small.transformer(kind) if kind in small.TRANSFORMERS else model_of(small, kind, 4)


@pytest.mark.parametrize(("kind", "wanted"), FAMILIES.items())
def test_the_size_a_family_was_trained_at(real_host, small, kind, wanted):
    model = of_family(small, kind)
    assert (family().native_size(model), family().square_only(model)) == wanted


PAPERS = {"sampler": "ddim", "scheduler": "ddim_uniform", "guidance": None}
FLOW = {"sampler": "euler", "scheduler": "simple"}
SAMPLED = {  # of 20 steps
    "sticker": {**PAPERS, "cfg": 2.5},
    "eps": {**PAPERS, "cfg": 7.5},
    "v": {**PAPERS, "cfg": 7.5},
    "xl": {**PAPERS, "cfg": 7.5},
    "flux": {**FLOW, "cfg": 1.0, "guidance": 3.5},
    "flux fill": {**FLOW, "cfg": 1.0, "guidance": 30.0},
    "sd3": {**FLOW, "cfg": 4.0, "guidance": None},
    "qwen": {**FLOW, "cfg": 4.0, "guidance": None},
}


@pytest.mark.parametrize("kind", SAMPLED)
def test_a_family_is_sampled_as_it_wants_unless_told(real_host, small, kind):
    model, wanted = of_family(small, kind), SAMPLED[kind]
    assert family().sampling_of_family(model, {"steps": 20, "cfg": 0, "guidance": 0}) == wanted
    told = {"steps": 20, "cfg": 3.3, "guidance": 2.2, "scheduler": "karras"}
    found = family().sampling_of_family(model, told)
    assert (found["cfg"], found["scheduler"]) == (3.3, "karras")
    assert found["guidance"] == (2.2 if wanted["guidance"] else None)
    own = {"steps": 20, "guidance": 0, "positive_conditioning": []}
    assert family().sampling_of_family(model, own)["guidance"] is None


@pytest.mark.parametrize("steps", [2, 4, 8])
@pytest.mark.parametrize("kind", ["eps", "v", "xl", "flux", "sd3", "qwen"])
def test_few_steps_begin_at_the_highest_noise(real_host, small, kind, steps):
    """LCM, Lightning and Turbo models are told by their steps alone, and want no guidance."""
    import comfy.samplers

    model = of_family(small, kind)
    found = family().sampling_of_family(model, {"steps": steps})
    space = model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(space, found["scheduler"], steps)
    assert len(sigmas) == steps + 1
    assert float(sigmas[0]) == pytest.approx(float(space.sigma_max))
    assert (found["cfg"], found["sampler"]) == (1.0, "euler")


@pytest.mark.parametrize(
    ("kind", "taken", "same"), [("eps", "level 3 of 4", 3), ("xl", "level 2 of 3", 2)]
)
def test_the_papers_level_is_counted_from_the_end(host, graph, small, kind, taken, same):
    at = of_kind(graph, small, kind, 4)
    half = first_half(graph, at, K)

    def clusters(level):
        inputs = {"features": several[0], "clusters": 4, "seed": 5}
        return graph.add("AmodalClusterFeatures", **inputs, level=level)[0]

    def captured(levels):
        inputs = {"guider": at["guider"], "sigmas": half[2], "latent": half[0]}
        return graph.add("AmodalCaptureFeatures", **inputs, levels=levels)

    paper, several = captured("paper"), captured("1, 2, 3")
    graph.keep(
        paper=paper[0],
        taken=paper[1],
        several=several[1],
        clusters=clusters(0),
        by_number=clusters(same),
        other=clusters(1),
        number=captured(str(same))[0],
    )
    values = host.run(graph).values
    assert values["taken"] == taken
    assert values["several"].startswith("level 1, 2, 3 of ")
    assert list(values["paper"].levels) == [same]
    assert torch.equal(values["paper"].levels[same], values["number"].levels[same])
    assert torch.equal(values["clusters"], values["by_number"])
    assert not torch.equal(values["clusters"], values["other"])


def test_clusters_of_the_papers_level_need_it_captured(host, graph, small):
    at = of_kind(graph, small, "xl", 4)
    half = first_half(graph, at, K)
    last = graph.add(
        "AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2], latent=half[0], levels="3"
    )
    inputs = {"features": last[0], "level": 0, "clusters": 4, "seed": 0}
    graph.keep(clusters=graph.add("AmodalClusterFeatures", **inputs)[0])
    with pytest.raises(Failed, match="'level' is 2, but the captured levels are .3."):
        host.run(graph)


def test_the_assembled_graph_takes_the_papers_level(real_host):
    from comfy_execution.graph_utils import GraphBuilder

    assembly = sys.modules[f"{module_of('AmodalCompletion').__package__}.assembly"]
    names = "model clip vae segmenter order_model image modal_mask label prompt negative seed"
    source = dict.fromkeys(f"{names} steps k cfg size max_passes".split(), 1)
    graph = GraphBuilder()
    assembly.completion(graph, {**source, "mask_rule": "clusters"})
    inputs = {node["class_type"]: node["inputs"] for node in graph.finalize().values()}
    assert inputs["AmodalCaptureFeatures"]["levels"] == "paper"
    assert inputs["AmodalClusterFeatures"]["level"] == 0
