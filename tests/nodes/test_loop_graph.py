"""Which nodes a loop clones, in random graphs; the host's dynamic prompt holds them."""

import sys

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

PLAIN, START, END = "TestPass", "AmodalLoopStart", "AmodalLoopEnd"
# ids with dots, and ids like those of a clone
IDS = st.lists(st.sampled_from("a.01R"), min_size=1, max_size=5).map("".join)


@pytest.fixture(scope="module")
def expansion(real_host):
    """The pack's module, and the host's classes that it needs."""
    from comfy_execution import graph, graph_utils

    package = real_host.pack[END].__module__.rpartition(".")[0]
    module = sys.modules[f"{package}.loop_expansion"]
    return module, graph.DynamicPrompt, graph_utils.GraphBuilder


def node(kind: str, *sources: str, **inputs) -> dict:
    links = {f"link{number}": [source, 0] for number, source in enumerate(sources)}
    return {"class_type": kind, "inputs": {**links, **inputs}}


@st.composite
def loops(draw):
    """(prompt, start, its ends): nodes linked at random, none to one behind it.

    The ends are not behind each other.
    """
    ids = draw(st.lists(IDS, min_size=6, max_size=14, unique=True))
    outside, start, inner = ids[0], ids[1], ids[2:]
    prompt = {outside: node(PLAIN), start: node(START, outside)}
    ends = draw(st.lists(st.sampled_from(inner[1:]), min_size=1, max_size=3, unique=True))
    for place, name in enumerate(inner):
        before = [outside, start, *inner[:place]]
        if name in ends:
            before = [n for n in before if not closure(prompt)[n] & {*ends}]
            carried = [[draw(st.sampled_from(before)), 0] for _ in range(3)]
            inputs = dict(zip(("image", "amodal_mask", "canvas"), carried))
            prompt[name] = node(END, loop=[start, 0], history="[]", **inputs)
        else:
            prompt[name] = node(PLAIN, *draw(st.lists(st.sampled_from(before), max_size=3)))
    return prompt, start, ends


def sources(spec: dict) -> list[str]:
    return [value[0] for value in spec["inputs"].values() if isinstance(value, list)]


def closure(prompt: dict) -> dict[str, set[str]]:
    """Each node of a prompt in order -> itself and all it depends on."""
    behind = {}
    for name, spec in prompt.items():
        behind[name] = {name}.union(*(behind[source] for source in sources(spec)))
    return behind


def clones(graph) -> dict[str, dict]:
    """The nodes of an expansion by their names in it."""
    return {name.removeprefix(graph.prefix): spec for name, spec in graph.finalize().items()}


def extended(prompt, graph, end: str) -> None:
    """Adds an expansion to the prompt, as the host does."""
    for name, spec in graph.finalize().items():
        prompt.add_ephemeral_node(name, spec, end, spec["override_display_id"])


@given(loops())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exactly_what_is_between_start_and_end_is_cloned(expansion, loop):
    module, dynamic, builder = expansion
    prompt, start, ends = loop
    end, others = ends[0], ends[1:]
    assume(not any(name.startswith(f"{end}.0.0.") for name in prompt))
    behind = closure(prompt)
    inside = {n for n in prompt if start in behind[n] and n in behind[end]}
    foreign = {n for n in prompt for o in others if start in behind[n] and n in behind[o]} - inside
    dangling = {n for n in prompt if start in behind[n] and not behind[n] & {end, *foreign}}

    running, here = dynamic(prompt), end
    for number in (2, 3, 4):  # a later pass clones the same again
        builder.set_default_prefix(here, 0, 0)
        body = clones(module.next_pass(running, here, number, "[]", with_previews=False))
        assert body.keys() == inside
        builder.set_default_prefix(here, 0, 0)
        graph = module.next_pass(running, here, number, "[]", with_previews=True)
        both = clones(graph)
        assert both.keys() == inside | dangling
        check_links(prompt, both, graph.prefix, running.get_node(here), start)
        assert both[start]["inputs"]["pass_number"] == number
        extended(running, graph, here)
        here = graph.prefix + end
    assert running.get_display_node_id(here) == end


def check_links(prompt, both, prefix, end, start):
    """Clones are linked as their originals are, and Loop Start to what this pass ends with."""
    first = both[start]["inputs"]
    assert [first[name] for name in ("image", "modal_mask", "canvas")] == [
        end["inputs"][name] for name in ("image", "amodal_mask", "canvas")
    ]
    for name in both.keys() - {start}:
        wanted = [prefix + n if n in both else n for n in sources(prompt[name])]
        assert sources(both[name]) == wanted


def test_a_body_five_thousand_nodes_deep(expansion, monkeypatch):
    """It is cloned where ComfyUI has no cache, for which it recurses; and refused by name else."""
    module, dynamic, builder = expansion
    prompt = {"start": node(START), "0": node(PLAIN, "start")}
    prompt |= {str(n): node(PLAIN, str(n - 1)) for n in range(1, 5000)}
    last = ["4999", 0]
    prompt["end"] = node(END, loop=["start", 0], image=last, amodal_mask=last, canvas=last)
    builder.set_default_prefix("end", 0, 0)
    with pytest.raises(module.BadInput, match="input 'loop' has more nodes in a row"):
        module.next_pass(dynamic(prompt), "end", 2, "[]", with_previews=True)
    monkeypatch.setattr(module.args, "cache_none", True)
    graph = module.next_pass(dynamic(prompt), "end", 2, "[]", with_previews=True)
    assert clones(graph).keys() == prompt.keys()
