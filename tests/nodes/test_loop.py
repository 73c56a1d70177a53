"""The loop in the real host: a body of core nodes that grows a mask until it fills a target."""

import json

import pytest
import torch
from growing_loop import SIZE, growing_loop, square

from amodal.core.types import OcclusionReport, Padding
from amodal.method.loop import describe, pass_seed
from tools.host.inprocess import Failed, Graph


@pytest.mark.parametrize(
    "settings, status, warnings, passes, side",
    [
        ({}, "completed", "enclosed", 3, 40),
        ({"target": 16}, "nothing to complete", "", 0, 16),
        ({"cap": 2}, "stopped at cap", "enclosed", 2, 32),
        ({"cap": 3}, "completed", "enclosed", 3, 40),
        ({"step": 0}, "unchanged", "enclosed", 1, 16),
    ],
)
def test_status_warnings_and_report_say_why_it_stopped(
    host, settings, status, warnings, passes, side
):
    values = host.run(growing_loop(**settings)).values
    assert (values["status"], values["warnings"]) == (status, warnings)
    assert values["passes"] == passes
    assert torch.equal(values["mask"], square(side))
    lines = values["report"].splitlines()
    assert len(lines) == passes + 1
    assert all("enclosed by square" in line for line in lines[:-1])
    assert lines[-1].startswith(f"{status} ({warnings}): " if warnings else f"{status}: ")


def test_a_one_sided_occluder_gives_no_enclosed_warning(host):
    values = host.run(growing_loop(one_sided=True)).values
    assert (values["status"], values["warnings"], values["passes"]) == ("completed", "", 3)
    assert "hidden by square" in values["report"] and "enclosed" not in values["report"]


def test_surrounding_objects_judged_to_be_behind_give_the_enclosed_warning(host):
    """Nothing hides the object, but Select Occluders reports a surrounding object."""
    graph = growing_loop(target=16)
    report = OcclusionReport(surrounding=("plate",))
    graph.prompt["check"]["inputs"]["occlusion"] = graph.value("plate around", report).first
    values = host.run(graph).values
    assert (values["status"], values["passes"]) == ("nothing to complete", 0)
    assert values["warnings"] == "enclosed"
    assert values["report"].endswith("enclosed by plate (judged to be behind it)")


@pytest.mark.parametrize(
    "inside, touching, beyond, occluded, words",
    [
        (True, False, False, False, "hidden by yarn; nothing left to paint"),
        (False, True, False, False, "cut at the left; nothing left to paint"),
        (False, True, True, True, "cut at the left"),
        (False, False, True, False, "nothing hides the object"),
        (False, False, False, False, "nothing hides the object"),
    ],
)
def test_check_occlusion_reports_an_occluded_object_with_nothing_left_to_paint(
    host, inside, touching, beyond, occluded, words
):
    """`inside`: occluders within the mask. `beyond`: unknown padding outside the canvas' border."""
    graph = Graph()
    blank = graph.value("blank", torch.zeros(1, SIZE, SIZE))
    strip = graph.value("strip", torch.ones(1, SIZE, SIZE) - square(60))
    check = graph.add(
        "AmodalCheckOcclusion",
        occluder_mask=graph.value("few", square(8)) if inside else blank,
        padding_mask=strip if beyond else blank,
        modal_mask=graph.value("mask", square(32)),
        occlusion=graph.value("yarn", OcclusionReport(occluders=("yarn",) if inside else ())),
        padding=graph.value("padding", Padding(left=8, sides=("left",)) if touching else Padding()),
        dilate=0.0,
    )
    values = host.run(graph.keep(occluded=check[1], occlusion=check[2])).values
    report = values["occlusion"]
    assert (values["occluded"], describe(report)) == (occluded, words)
    assert report.occluders == (("yarn",) if inside else ())
    assert report.sides == (("left",) if touching else ())
    assert report.nothing_left == ((inside or touching) and not occluded)


def test_the_loop_warns_if_the_object_is_occluded_but_nothing_is_left_to_paint(host):
    graph = growing_loop(target=8)  # within the mask of 16
    graph.prompt["left"]["inputs"]["operation"] = "multiply"
    values = host.run(graph).values
    assert (values["status"], values["warnings"]) == (
        "nothing to complete",
        "nothing left to paint",
    )
    assert values["passes"] == 0


def test_a_rerun_executes_nothing(host):
    graph = growing_loop()
    assert host.run(graph).values["passes"] == 3
    assert not {*host.run(graph).executed_classes()} - {"TestKeep"}


def test_a_higher_cap_runs_only_what_is_new(host):
    """Two passes are cached, so only the third pass and Loop End run."""
    host.run(growing_loop(cap=2))
    again = host.run(growing_loop(cap=6))
    assert again.values["passes"] == 3
    bodies = [node for node in again.executed if node.split(".")[-1] == "grow"]
    assert len(bodies) == 1


def test_previews_in_the_body_show_every_pass(host):
    run = host.run(growing_loop(previews=True))
    shown = [node for node in run.ui if node.split(".")[-1] == "preview"]
    analysed = [node for node in run.ui if node.split(".")[-1] == "analysis"]
    assert len(shown) == 3
    assert len(analysed) == 4  # pass 4 only analyses


def test_previews_do_not_paint_beyond_the_cap(host):
    run = host.run(growing_loop(previews=True, cap=2))
    assert len([node for node in run.executed if node.split(".")[-1] == "grow"]) == 2
    assert len([node for node in run.ui if node.split(".")[-1] == "preview"]) == 2


def test_nothing_is_painted_where_nothing_hides_the_object(host):
    run = host.run(growing_loop(target=16, previews=True))
    assert run.values["passes"] == 0
    assert not [node for node in run.ui if node.split(".")[-1] == "preview"]


def test_the_body_can_be_rewired(host):
    """A core node added between Grow Mask and the composite runs in every pass."""
    graph = growing_loop()
    twice = graph.add("GrowMask", "twice", mask=["grow", 0], expand=4, tapered_corners=False)
    graph.prompt["painted"]["inputs"]["source"] = twice.first
    run = host.run(graph)
    assert run.values["passes"] == 2
    assert len([node for node in run.executed if node.split(".")[-1] == "twice"]) == 2


def test_each_pass_has_its_own_reproducible_seed(host):
    def seeds_from(first: int) -> list[int]:
        graph = growing_loop(cap=3)
        seed = graph.add("AmodalPassSeed", seed=first, pass_number=["start", 4])
        graph.add("PreviewAny", "seed", source=seed)
        run = host.run(graph)
        shown = [ui for node, ui in run.ui.items() if node.split(".")[-1] == "seed"]
        return sorted(int(text) for ui in shown for text in ui["text"])

    seeds = seeds_from(5)
    assert seeds == sorted(pass_seed(5, number) for number in (1, 2, 3))
    assert 5 in seeds and len(set(seeds)) == 3 and max(seeds) < 2**64
    assert not set(seeds) & set(seeds_from(6))


def test_the_loop_passes_links_and_no_tensors(host):
    """Every input of a cloned node is a link or a primitive, so the host can cache it."""
    graph = growing_loop()
    host.run(graph)
    ephemeral = host.executor.caches.outputs.dynprompt.ephemeral_prompt
    assert len(ephemeral) > 10
    for node in ephemeral.values():
        json.dumps(node["inputs"])  # raises for a tensor


def test_loops_share_identical_nodes(host):
    """Several seeds of one picture rely on it: pass 1 runs once up to the sampling."""
    graph = growing_loop()
    copies = json.loads(json.dumps(graph.prompt))
    names = ("start", "left", "check", "grow", "painted", "joined", "end")
    for name in names:
        node = copies[name]
        for key, value in node["inputs"].items():
            if isinstance(value, list) and value[0] in names:
                node["inputs"][key] = [value[0] + "B", value[1]]
        graph.prompt[name + "B"] = node
    graph.add("TestKeep", name="other", value=["endB", 4])
    run = host.run(graph)
    assert run.values["other"] == run.values["passes"] == 3
    assert len([n for n in run.executed if n in ("grow", "growB")]) == 1


def test_a_batch_is_refused_with_the_remedy(host):
    with pytest.raises(Failed, match=r"Loop Start.*'image' is a batch of 2.*Amodal Completion"):
        host.run(growing_loop(picture=torch.rand(2, SIZE, SIZE, 3)))


def test_an_unconnected_end_is_refused(host):
    graph = growing_loop()
    graph.prompt["end"]["inputs"]["amodal_mask"] = graph.value("mask16").first
    graph.prompt["end"]["inputs"]["canvas"] = ["start", 3]
    del graph.prompt["end"]["inputs"]["image"]
    with pytest.raises(Failed):
        host.run(graph)
    assert host.run(growing_loop()).values["passes"] == 3  # the host still works


def test_an_error_in_a_later_pass_names_its_node_and_is_shown_on_loop_end(host):
    """Pass 1 works; in pass 2 the mask of one cloned node is empty.

    The host shows an error inside an expansion on the node that expanded. The message names the
    node at fault.
    """
    graph = growing_loop()
    bad = graph.add(
        "AmodalSelectClusters",
        "bad",
        clusters=["joined", 0],
        modal_mask=["rest", 0],
        inpaint_mask=["check", 0],
        overlap=0.2,
    )
    begun = graph.value("begun", square(24))
    graph.add(
        "MaskComposite",
        "rest",
        destination=begun,
        source=["start", 2],
        x=0,
        y=0,
        operation="subtract",
    )  # in pass 1 square 24 minus square 16; empty when the object has grown to 24
    graph.prompt["end"]["inputs"]["amodal_mask"] = graph.add(
        "MaskComposite",
        "sum",
        destination=["joined", 0],
        source=bad.first,
        x=0,
        y=0,
        operation="add",
    ).first
    with pytest.raises(Failed, match="Select Clusters .*'modal_mask' is empty. Remedy") as caught:
        host.run(graph)
    assert caught.value.details["node_id"] == "end"
    ran = [data["node"] for event, data in host.server.events if event == "executing"]
    assert len([node for node in ran if node and node.split(".")[-1] == "sum"]) == 1


def test_a_list_of_pictures_is_refused_with_the_remedy(host):
    graph = growing_loop()
    graph.prompt["end"]["inputs"]["image"] = graph.add("TestList", value=["start", 1]).first
    with pytest.raises(Failed, match=r"'image' is a list of several.*Amodal Completion"):
        host.run(graph)
    assert host.run(growing_loop()).values["passes"] == 3


def test_it_stops_if_the_object_is_not_found_again(host):
    graph = growing_loop()
    graph.prompt["end"]["inputs"]["found"] = graph.add("PrimitiveBoolean", value=False).first
    values = host.run(graph).values
    assert (values["status"], values["warnings"]) == ("not found again", "enclosed")
    assert values["passes"] == 1
    assert "object not found again" in values["report"].splitlines()[0]


def test_found_is_not_evaluated_if_nothing_is_painted(host):
    graph = growing_loop(target=16)
    graph.prompt["end"]["inputs"]["found"] = graph.add("TestValue", name="missing").first  # raises
    assert host.run(graph).values["status"] == "nothing to complete"


def test_a_2d_mask_of_another_size_is_resized_to_the_canvas(host):
    graph = growing_loop()
    graph.prompt["end"]["inputs"]["amodal_mask"] = graph.value("small", torch.ones(10, 10)).first
    values = host.run(graph).values
    assert (values["status"], values["warnings"]) == ("completed", "enclosed")
    assert values["passes"] == 1
    assert torch.equal(values["mask"], torch.ones(1, SIZE, SIZE))
