"""Loops wired in unusual ways: each works, or the error names node, input and remedy."""

import json
import re
import sys
import traceback
from dataclasses import asdict

import pytest
import torch
from growing_loop import growing_loop, square

from amodal.core.types import OcclusionReport
from tools.host.inprocess import VALUES, Failed, Graph


def renamed(graph: Graph, names: dict[str, str]) -> Graph:
    """The graph with other ids for some nodes."""

    def new(value):
        is_link = isinstance(value, list)
        return [names.get(value[0], value[0]), value[1]] if is_link else value

    graph.prompt = {
        names.get(key, key): node | {"inputs": {k: new(v) for k, v in node["inputs"].items()}}
        for key, node in graph.prompt.items()
    }
    return graph


def copied(graph: Graph, names: tuple[str, ...], suffix: str = "B") -> Graph:
    """The graph with a copy of some nodes, linked to each other; "end" becomes "endB"."""
    nodes = Graph()
    nodes.prompt = json.loads(json.dumps({name: graph.prompt[name] for name in names}))
    graph.prompt |= renamed(nodes, {name: name + suffix for name in names}).prompt
    return graph


BODY = ("left", "check", "grow", "painted", "joined", "end")


def passed_on(graph: Graph, node: str, name: str) -> Graph:
    """The graph with a node of any type on the link to an input."""
    inputs = graph.prompt[node]["inputs"]
    inputs[name] = graph.add("TestPass", value=inputs[name]).first
    return graph


def passes_of(nodes, node: str) -> int:
    """How many of the ids are that of a node or of its clone in a later pass."""
    return len([one for one in nodes if one == node or one.endswith(f".{node}")])


@pytest.mark.parametrize("count", [2, 3])
def test_several_ends_on_one_start_each_repeat_their_own_body(host, count):
    """Each body has as many nodes to run as in a loop of its own."""
    alone = host.run(growing_loop(previews=True))
    graph = growing_loop(previews=True)
    for number in range(2, count + 1):
        copied(graph, ("grow", "painted", "joined", "end"), str(number))
        graph.prompt[f"grow{number}"]["inputs"]["expand"] = 4 + 2 * number
        graph.prompt[f"end{number}"]["inputs"]["max_passes"] = 1
        graph.add("MaskPreview", f"preview{number}", mask=[f"painted{number}", 0])
        graph.add("TestKeep", name=f"passes{number}", value=[f"end{number}", 4])
    host.forget()
    run = host.run(graph)
    assert run.values["passes"] == alone.values["passes"] == 3
    assert torch.equal(run.values["mask"], alone.values["mask"])
    for number in range(2, count + 1):
        assert run.values[f"passes{number}"] == 1
        assert passes_of(run.executed, f"grow{number}") == 1
        assert passes_of(run.ui, f"preview{number}") == 1
    assert passes_of(run.executed, "grow") == passes_of(alone.executed, "grow")
    assert passes_of(run.ui, "preview") == 3
    assert len(run.executed) <= len(alone.executed) * count


@pytest.mark.parametrize("name", ["image", "amodal_mask", "canvas", "occluded", "loop"])
@pytest.mark.parametrize("far", [False, True])
def test_an_end_fed_from_another_start_is_refused_before_anything_is_painted(host, name, far):
    """One input comes from a second Loop Start, directly or by way of other nodes."""
    graph = copied(growing_loop(), ("start", *BODY))
    link = graph.prompt["endB"]["inputs"][name]
    graph.prompt["end"]["inputs"][name] = link
    if far:
        passed_on(graph, "end", name)
    words = r"Loop End \(Amodal\): input '\w+' comes from Loop Start '\w+', but 'loop' comes from"
    with pytest.raises(Failed, match=f"{words}.*Remedy") as caught:
        host.run(graph)
    if name != "loop":
        assert f"input '{name}' comes from Loop Start 'startB'" in str(caught.value)
    ran = [data["node"] for event, data in host.server.events if event == "executing"]
    assert not [node for node in ran if node and "." in node]


def test_an_end_behind_another_end_of_the_same_start_is_refused(host):
    graph = copied(growing_loop(), ("end",))
    graph.prompt["endB"]["inputs"]["amodal_mask"] = ["end", 1]
    graph.add("TestKeep", name="other", value=["endB", 4])
    words = r"Loop End .*'loop' comes from the Loop Start of Loop End 'end(B)?' too.*Remedy: give"
    with pytest.raises(Failed, match=words):
        host.run(graph)
    ran = [data["node"] for event, data in host.server.events if event == "executing"]
    assert not [node for node in ran if node and "." in node]


def test_a_loop_behind_a_loop(host):
    """The second loop begins with what the first one ends with, and grows it on."""
    graph = copied(growing_loop(target=32), ("start", *BODY))
    whole = graph.value("target48", square(48))
    graph.prompt["startB"]["inputs"] |= {"image": ["end", 0], "modal_mask": ["end", 1]}
    graph.prompt["leftB"]["inputs"]["destination"] = whole.first
    graph.keep(second=["endB", 4], grown=["endB", 1])
    run = host.run(graph)
    assert (run.values["passes"], run.values["second"]) == (2, 2)
    assert torch.equal(run.values["grown"], square(48))
    assert passes_of(run.executed, "grow") == passes_of(run.executed, "growB") == 2


def test_a_loop_within_a_loop(host):
    """The inner loop takes the place of Grow Mask, and grows the mask once in each outer pass."""
    graph = copied(growing_loop(), ("start", *BODY))
    graph.prompt["startB"]["inputs"] |= {"image": ["start", 1], "modal_mask": ["start", 2]}
    graph.prompt["endB"]["inputs"]["max_passes"] = 1
    graph.prompt["painted"]["inputs"]["source"] = ["endB", 1]
    graph.add("MaskPreview", "preview", mask=["paintedB", 0])
    run = host.run(graph)
    assert (run.values["status"], run.values["passes"]) == ("completed", 3)
    assert torch.equal(run.values["mask"], square(40))
    assert passes_of(run.ui, "preview") == 3


@pytest.mark.parametrize("ends", ["loop", "image", "amodal_mask", "canvas", "occluded"])
def test_nodes_of_any_type_may_pass_on_what_loop_end_takes(host, ends):
    graph = passed_on(passed_on(growing_loop(), "end", ends), "end", ends)
    run = host.run(graph)
    assert (run.values["status"], run.values["passes"]) == ("completed", 3)
    assert torch.equal(run.values["mask"], square(40))


@pytest.mark.parametrize("name", ["loop", "occluded", "occlusion"])
def test_what_decides_may_not_wait_for_what_is_painted(host, name):
    """After the last pass, Loop End would be skipped without a word."""
    graph = growing_loop()
    link = graph.prompt["end"]["inputs"][name]
    late = graph.add("TestPass", value=link, after=["joined", 0])
    graph.prompt["end"]["inputs"][name] = graph.add("TestPass", value=late).first
    with pytest.raises(Failed, match=f"'{name}' waits for the inpaint mask.*Remedy: connect"):
        host.run(graph)


def test_one_of_two_loops_may_not_be_chosen_on_the_way(host):
    graph = copied(growing_loop(), ("start", *BODY))
    either = graph.add("TestPass", value=["start", 0], after=["startB", 0])
    graph.prompt["end"]["inputs"]["loop"] = either.first
    words = "'loop' comes from several Loop Starts: 'start', 'startB'. Remedy: connect"
    with pytest.raises(Failed, match=words):
        host.run(graph)


def test_a_loop_that_no_loop_start_began_is_refused(host):
    graph = growing_loop()
    handle = host.run(growing_loop().keep(loop=["start", 0])).values["loop"]
    graph.prompt["end"]["inputs"]["loop"] = graph.value("old handle", handle).first
    with pytest.raises(Failed, match="'loop' comes from no Loop Start. Remedy"):
        host.run(graph)


@pytest.mark.parametrize("name", ["loop", "canvas", "image", "amodal_mask", "history"])
@pytest.mark.parametrize("value", [3, None, {"image": 1}, object()])
def test_foreign_objects_are_refused_by_the_inputs_name(host, monkeypatch, name, value):
    if (name, value) == ("history", None):
        pytest.skip("None stands for the default of an optional input")
    graph = growing_loop()
    monkeypatch.setitem(VALUES, "foreign", value)
    foreign = graph.add("TestValue", name="foreign", after=["start", 0])
    graph.prompt["end"]["inputs"][name] = foreign.first
    with pytest.raises(Failed, match=rf"Loop End .*'{name}' .*Remedy"):
        host.run(graph)
    assert host.run(growing_loop()).values["passes"] == 3  # the host still works


ENTRY = {
    "pass": 1,
    "occlusion": asdict(OcclusionReport(occluders=("square",))),
    "change": 0.5,
    "seconds": None,
    "found": True,
    "joined": False,
}


@pytest.mark.parametrize(
    "history",
    [
        "",
        "nothing",
        "{}",
        "1",
        "[" * 100_000,
        "[1]",
        "[{}]",
        *(json.dumps([{k: v for k, v in ENTRY.items() if k != key}]) for key in ENTRY),
        *(json.dumps([ENTRY | {key: {"occluders": 1}}]) for key in ENTRY),
        json.dumps([ENTRY | {"more": 1}]),
        json.dumps([ENTRY | {"change": float("nan")}]),
        json.dumps([ENTRY | {"occlusion": ENTRY["occlusion"] | {"sides": [1]}}]),
        json.dumps([ENTRY | {"occlusion": ENTRY["occlusion"] | {"enclosed": "yes"}}]),
    ],
    ids=lambda text: text[:40],
)
def test_a_history_that_no_loop_wrote_is_refused(host, history):
    graph = growing_loop()
    graph.prompt["end"]["inputs"]["history"] = history
    with pytest.raises(Failed, match=r"Loop End .*'history' was not written.*Remedy: leave it"):
        host.run(graph)


@pytest.mark.parametrize(
    "names",
    [
        {"end": "Recurse"},
        {"grow": "Recurse", "preview": "again.Recurse"},
        {"grow": "a.grow", "painted": "b.grow", "preview": "c.grow"},
        {"start": "loop.start", "end": "loop.end", "preview": "3.0.0.preview"},
        {"start": "0", "end": "0.0", "grow": "0.0.0"},
        {"end": "e(n)d.*", "grow": "\\1", "painted": "12:3.4"},
        {"start": "", "preview": "."},
    ],
    ids=str,
)
def test_any_id_will_do(host, names):
    """Ids with dots, and ids that look like those of an expansion."""
    run = host.run(renamed(growing_loop(previews=True), names))
    assert (run.values["status"], run.values["passes"]) == ("completed", 3)
    assert torch.equal(run.values["mask"], square(40))
    shown = names.get("preview", "preview")
    assert len([node for node in run.ui if node == shown or node.endswith(f".0.0.{shown}")]) == 3
    frames = [data for event, data in run.events if event == "amodal.pass"]
    assert [frame["number"] for frame in frames] == [1, 2, 3, 4]
    end = names.get("end", "end")
    assert {(frame["node"], frame["loop"]) for frame in frames} == {(end, end)}


def test_an_id_that_a_clone_needs_is_refused(host):
    graph = renamed(growing_loop(), {"left": "end.0.0.grow"})
    with pytest.raises(Failed, match="'loop' needs the id 'end.0.0.grow'.*Remedy: give that node"):
        host.run(graph)


def test_a_body_of_a_thousand_nodes(host):
    """A binary tree of them, through which the mask comes; without ComfyUI's slow cache keys."""
    host.forget("none")
    graph = growing_loop(cap=1)
    inputs = graph.prompt["end"]["inputs"]
    row = [inputs["amodal_mask"]] * 512
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2])
        row = [graph.add("TestPass", value=one, after=two).first for one, two in pairs]
    (inputs["amodal_mask"],) = row
    values = host.run(graph).values
    assert (values["status"], values["passes"]) == ("stopped at cap", 1)


def in_a_row(count: int, **settings):
    """A loop with a row of nodes in its body, through which the map of the canvas comes."""
    graph = growing_loop(**settings)
    inputs = graph.prompt["end"]["inputs"]
    for _ in range(count):
        inputs["canvas"] = graph.add("TestPass", value=inputs["canvas"]).first
    return graph


@pytest.fixture
def room_for_few():
    """Python's recursion ends at 170 calls more than here: a small host for short rows."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(traceback.extract_stack()) + 170)
    yield
    sys.setrecursionlimit(usual)


def test_a_row_too_long_for_the_cache_is_refused_by_name_before_the_host_fails(host, room_for_few):
    """ComfyUI recurses along a row for its cache; without one, the same row works."""
    with pytest.raises(Failed, match="input 'loop' has more nodes in a row up to pass 2 .*Remedy"):
        host.run(in_a_row(90, cap=1))
    host.forget("none")
    values = host.run(in_a_row(90, cap=1)).values
    assert (values["status"], values["passes"]) == ("stopped at cap", 1)


def test_a_row_grown_too_long_by_its_passes_ends_with_the_passes_that_fit(host, room_for_few):
    """The refusal says how many passes fit, and with as many the loop ends."""
    with pytest.raises(Failed, match="input 'loop'") as error:
        host.run(in_a_row(20, cap=30, target=60, step=2))
    fits = int(re.search(r"set max_passes to (\d+)", str(error.value))[1])
    assert fits >= 1
    values = host.run(in_a_row(20, cap=fits, target=60, step=2)).values
    assert (values["status"], values["passes"]) == ("stopped at cap", fits)


def test_no_row_near_the_limit_fails_without_a_name(host, room_for_few):
    """Either the host can follow, or the loop refuses; what it refuses is not far from too long."""
    refused = []
    for count in range(30, 90, 6):
        try:
            host.run(in_a_row(count, cap=1))
        except Failed as error:
            assert "input 'loop'" in str(error), count
            refused.append(count)
    assert 30 < refused[0] < refused[-1]
    assert refused == [*range(refused[0], 90, 6)]
