"""Amodal Completion's inputs for any model, and lists of any of its inputs."""

import functools

import pytest
import torch
from stickers_at_hand import Loaded, image_of, masks_of

from amodal.stickers.scenes import make_scene
from tools.host import inprocess

STEPS = 4
OUTPUTS = {"object": 0, "status": 3, "passes": 4}


@functools.cache
def scene():
    return make_scene(4, query="rabbit", occluder="co-occurring", hidden=(0.2, 0.4))


def picture() -> torch.Tensor:
    return image_of(scene())[None]


def mask() -> torch.Tensor:
    return masks_of(scene())[scene().query][None]


@pytest.fixture
def collecting(host):
    host.classes["TestCollect"] = Collect
    return host


class Collect:
    """Keeps a whole list of results."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "keep", "test", True
    INPUT_IS_LIST = True

    @classmethod
    def INPUT_TYPES(cls):
        anything = inprocess.Anything("*")
        return {"required": {"name": ("STRING", {}), "value": (anything, {})}}

    def keep(self, name, value):
        inprocess.VALUES["kept"][name[0]] = value
        return ()


def completing(graph, **changes):
    """Amodal Completion on the sticker models, as the node "one"; changes are values or links."""
    models = Loaded()
    inputs = {
        **{
            name: graph.value(f"sticker {name}", models[name])
            for name in ("model", "clip", "vae", "segmenter", "order_model")
        },
        "image": graph.value("picture", picture()),
        "modal_mask": graph.value("mask", mask()),
        "words": "rabbit",
        "point": "",
        "prompt": "a photo of a {label}",
        "negative": "",
        "seed": 1,
        "count": 1,
        "steps": STEPS,
        "k": 0.4,
        "cfg": 0.0,
        "mask_rule": "known background",
        "size": 128,
        "max_passes": 1,
        **changes,
    }
    inputs = {name: value for name, value in inputs.items() if value is not None}
    made = graph.add("AmodalCompletion", "one", **inputs)
    for name, slot in OUTPUTS.items():
        graph.add("TestCollect", name=name, value=made[slot])
    return graph


def given(host, run, name: str) -> list:
    """The cached output of a node in the first pass of Amodal Completion."""
    node = next(one for one in run.executed if one.endswith(f"-{name}"))
    return [values[0] for values in host.outputs(node)]


def ran(run, name: str) -> bool:
    return any(node.endswith(f"-{name}") for node in run.executed)


def test_conditioning_takes_the_place_of_the_prompts(collecting, graph, small):
    """Any text encoder fits: its conditioning goes into both halves as it is."""
    tokens = {
        name: [[small.tensor(1, 5, 128, seed=seed), {"mark": name}]]
        for seed, name in enumerate(("positive", "negative"))
    }
    links = {f"{name}_conditioning": graph.value(name, own) for name, own in tokens.items()}
    run = collecting.run(completing(graph, **links))
    assert not ran(run, "Positive") and not ran(run, "Negative")
    for half in ("See-object", "See-context"):
        for place, name in enumerate(("positive", "negative")):
            ((found, extra),) = given(collecting, run, half)[place]
            assert torch.equal(found, tokens[name][0][0]) and extra["mark"] == name
    assert run.values["passes"] == [1]


def test_the_given_sampler_and_scheduler_sample_both_halves(collecting, graph):
    import comfy.samplers

    seen = []

    def spy(model, x, sigmas, extra_args=None, **_options):
        seen.append(sigmas.clone())
        return x

    sampler = graph.value("spy", comfy.samplers.KSAMPLER(spy))
    collecting.run(completing(graph, sampler=sampler, scheduler="karras"))
    model = Loaded()["model"].get_model_object("model_sampling")
    wanted = comfy.samplers.calculate_sigmas(model, "karras", STEPS)
    assert [len(part) for part in seen] == [3, 3]  # k = 0.4 of 4 steps is 2
    assert torch.allclose(torch.cat([seen[0], seen[1][1:]]).cpu(), wanted)


@pytest.mark.parametrize(
    ("guidance", "own", "wanted"), [(0.0, False, 30.0), (12.0, False, 12.0), (12.0, True, 12.0)]
)
def test_flux_fill_gets_its_guidance(collecting, graph, small, guidance, own, wanted):
    """30 and cfg 1, unless given; the prompts come from a stand-in for its text encoders."""
    links = flux_fill(graph, small)
    if own:
        links["positive_conditioning"] = graph.value("own", prompt(small, "x"))
    run = collecting.run(completing(graph, guidance=guidance, **links))
    assert given(collecting, run, "See-object")[0][0][1]["guidance"] == wanted
    assert given(collecting, run, "Guide-object")[0].cfg == 1.0
    assert run.values["passes"] == [1]


def test_flux_fills_conditioning_keeps_its_own_guidance(collecting, graph, small):
    own = graph.value("own guided", prompt(small, "x", guidance=7.0))
    links = {**flux_fill(graph, small), "positive_conditioning": own}
    run = collecting.run(completing(graph, **links))
    assert given(collecting, run, "See-object")[0][0][1]["guidance"] == 7.0


def prompt(small, text: str, **extra) -> list:
    pooled = {"pooled_output": small.tensor(1, small.CONTEXT, seed=len(text)), **extra}
    return [[small.tensor(1, 7, small.CONTEXT, seed=len(text)), pooled]]


class Encoder:
    """In the place of Flux's text encoders, which are recognised at full size only."""

    def __init__(self, small):
        self.small = small

    def tokenize(self, text, **_options):
        return text

    def encode_from_tokens_scheduled(self, tokens):
        return prompt(self.small, tokens)


def flux_fill(graph, small) -> dict:
    return {
        "model": graph.value("flux fill", small.transformer("flux fill")),
        "vae": graph.value("flux vae", small.vae(channels=16)),
        "clip": graph.value("flux clip", Encoder(small)),
    }


def test_the_inpaint_model_removes_object_and_occluder(collecting, graph):
    asked = []

    class Remover:
        model = torch.nn.Linear(1, 1)
        device, dtype, size_requirements = torch.device("cpu"), torch.float32, None

        def to(self, *_args):
            return self

        def __call__(self, image, hole):
            asked.append(hole)
            return torch.full_like(image, 0.25)

    remover = graph.value("remover", Remover())
    run = collecting.run(completing(graph, inpaint_model=remover))
    removed = given(collecting, run, "RemoveObjects")[0]
    assert asked and ((removed - 0.25).abs().amax(-1) < 1e-3)[mask() > 0.5].all()


LISTS = {
    "pictures of two sizes": lambda: {"image": [picture(), picture().flip(2)[:, :96]]},
    "all others": lambda: {
        "modal_mask": [mask(), mask().roll(2, 2)],
        "words": ["rabbit", "hare"],
        "seed": [1, 7],
        "k": [0.3, 0.8],
        "mask_rule": ["known background", "clusters"],
        "model": [Loaded()["model"], Loaded()["model"].clone()],
        "segmenter": [Loaded()["segmenter"]] * 2,
    },
}


@pytest.mark.parametrize("case", LISTS)
def test_lists_of_any_inputs_make_a_loop_for_each_item(collecting, graph, case):
    """Each item gives what it gives alone."""
    lists = LISTS[case]()
    inprocess.VALUES.update({f"several {name}": items for name, items in lists.items()})
    links = {name: graph.add("TestEach", name=f"several {name}") for name in lists}
    without_mask = {"modal_mask": None} if "image" in lists else {}
    together = collecting.run(completing(graph, **without_mask, **links)).values
    assert all(len(values) == 2 for values in together.values())
    for place in (0, 1):
        alone = inprocess.Graph()
        items = {name: alone.value(f"{name} {place}", lists[name][place]) for name in lists}
        values = collecting.run(completing(alone, **without_mask, **items)).values
        assert torch.equal(values["object"][0], together["object"][place])


def test_lists_of_different_lengths_go_together_as_elsewhere_in_the_host(collecting, graph):
    """The last item of the shorter one repeats."""
    inprocess.VALUES.update(seeds=[1, 2, 3], counts=[1, 2])
    seeds, counts = (graph.add("TestEach", name=name) for name in ("seeds", "counts"))
    run = collecting.run(completing(graph, seed=seeds, count=counts, steps=2))
    assert len(run.values["object"]) == 1 + 2 + 2
    (told,) = [data for name, data in run.events if name == "amodal.loops"]
    named = [(loop["object"], loop["seed"]) for loop in told["loops"]]
    assert named == [(1, 1), (2, 2), (2, 3), (3, 3), (3, 4)]


@pytest.mark.parametrize("name", ["image", "seed", "model"])
def test_an_empty_list_is_named(collecting, graph, name):
    inprocess.VALUES["nothing"] = []
    graph = completing(graph, **{name: graph.add("TestEach", name="nothing")})
    with pytest.raises(inprocess.Failed, match=f"Amodal Completion: input '{name}' is an empty"):
        collecting.run(graph)


def test_a_wrong_item_of_a_list_names_this_node_and_the_input(collecting, graph):
    inprocess.VALUES["bad"] = [picture(), torch.zeros(1, 8, 8)]
    graph = completing(graph, image=graph.add("TestEach", name="bad"))
    with pytest.raises(inprocess.Failed, match="Amodal Completion: input 'image'"):
        collecting.run(graph)
