"""Editor files with subgraphs, and what else the editor writes by now, read without a host."""

import copy
import json
import random

import pytest

from amodal.app import workflow
from amodal.app.editor_file import from_editor
from amodal.core.errors import BadInput

SCHEMAS = {
    "Loader": {"input": {"required": {"name": ["COMBO", {"options": ["m"]}]}}},
    "Sampler": {
        "input": {
            "required": {"model": ["MODEL", {}], "seed": ["INT", {}], "steps": ["INT", {}]},
            "optional": {"mask": ["MASK", {}]},
        }
    },
    "Show": {"input": {"required": {"model": ["MODEL", {}]}}},
    "Menu": {
        "input": {
            "required": {
                "kind": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {"key": "plain", "inputs": {"required": {}}},
                            {
                                "key": "rich",
                                "inputs": {
                                    "required": {"size": ["INT", {}]},
                                    "optional": {"picture": ["IMAGE", {}], "note": ["STRING", {}]},
                                },
                            },
                        ]
                    },
                ],
                "last": ["FLOAT", {}],
            }
        }
    },
}


def node(number, kind, widgets=(), inputs=(), **more) -> dict:
    """inputs: (name, link), with a third item for those that have a widget."""
    sockets = [
        {"name": name, "link": link, **({"widget": {"name": name}} if rest else {})}
        for name, link, *rest in inputs
    ]
    return {"id": number, "type": kind, "widgets_values": list(widgets), "inputs": sockets, **more}


def link(number, origin, output, target, slot) -> dict:
    return {
        "id": number,
        "origin_id": origin,
        "origin_slot": output,
        "target_id": target,
        "target_slot": slot,
        "type": "*",
    }


def definition(uid, inputs, outputs, nodes, links) -> dict:
    ports = {
        side: [{"name": n} for n in names]
        for side, names in (("inputs", inputs), ("outputs", outputs))
    }
    return {"id": uid, **ports, "nodes": list(nodes), "links": list(links)}


INNER = definition(
    "inner",
    ["model", "steps"],
    ["model"],
    [node(7, "Sampler", [5, "fixed", 9], [("model", 1), ("steps", 2, True)])],
    [link(1, -10, 0, 7, 0), link(2, -10, 1, 7, 2), link(3, 7, 0, -20, 0)],
)
OUTER = definition(
    "outer",
    ["model", "steps"],
    ["model"],
    [node(6, "inner", [0], [("model", 4), ("steps", 5, True)]), node(8, "Note", ["words"])],
    [link(4, -10, 0, 6, 0), link(5, -10, 1, 6, 1), link(6, 6, 0, -20, 0)],
)


def nested(steps=(20,), **changes) -> dict:
    """A loader, a sampler two subgraphs deep, and a node that shows its result."""
    return {
        "nodes": [
            node(1, "Loader", ["m"]),
            node(2, "outer", steps, [("model", 10), ("steps", None, True)], **changes),
            node(3, "Show", [], [("model", 11)]),
        ],
        "links": [[10, 1, 0, 2, 0, "MODEL"], [11, 2, 0, 3, 0, "MODEL"]],
        "definitions": {"subgraphs": [INNER, OUTER]},
    }


def inputs(prompt: dict) -> dict:
    return {number: about["inputs"] for number, about in prompt.items()}


def test_nested_subgraphs_are_flattened_with_the_editors_ids():
    assert inputs(from_editor(nested(), SCHEMAS)) == {
        "1": {"name": "m"},
        "2:6:7": {"model": ["1", 0], "seed": 5, "steps": 20},
        "3": {"model": ["2:6:7", 0]},
    }


def test_one_definition_used_twice_has_the_values_of_each_use():
    twice = nested()
    twice["nodes"].append(node(4, "outer", [30], [("model", 12), ("steps", None, True)]))
    twice["links"].append([12, 2, 0, 4, 0, "MODEL"])
    read = inputs(from_editor(twice, SCHEMAS))
    assert read["2:6:7"]["steps"] == 20
    assert read["4:6:7"] == {"model": ["2:6:7", 0], "seed": 5, "steps": 30}


def test_a_widget_without_a_value_outside_keeps_the_value_inside():
    assert inputs(from_editor(nested(steps=()), SCHEMAS))["2:6:7"]["steps"] == 9


@pytest.mark.parametrize(
    "saved",
    [
        {"widgets_values": [1, 44], "properties": {"proxyWidgets": [["7", "x"], ["-1", "steps"]]}},
        {"widgets_values": [1], "widgets_values_named": {"steps": 44}},
    ],
)
def test_a_subgraphs_values_are_found_as_both_front_ends_save_them(saved):
    assert inputs(from_editor(nested(**saved), SCHEMAS))["2:6:7"]["steps"] == 44


def test_a_muted_subgraph_is_left_out_and_a_bypassed_one_is_refused():
    muted = from_editor(nested(mode=2), SCHEMAS)
    assert inputs(muted) == {"1": {"name": "m"}, "3": {}}
    with pytest.raises(BadInput, match="node 2 .outer. is bypassed"):
        from_editor(nested(mode=4), SCHEMAS)


def test_links_as_objects_are_read_at_the_top_level_too():
    newer = nested()
    newer["links"] = [link(*one[:5]) for one in newer["links"]]
    newer["version"] = 1
    assert from_editor(newer, SCHEMAS) == from_editor(nested(), SCHEMAS)


def test_values_saved_by_name_win_over_those_saved_by_position():
    saved = {"nodes": [node(1, "Sampler", [1, 2], widgets_values_named={"steps": 7, "x": 1})]}
    assert inputs(from_editor(saved, SCHEMAS)) == {"1": {"steps": 7}}


@pytest.mark.parametrize(
    "values, read",
    [
        (["plain", 0.5], {"kind": "plain", "last": 0.5}),
        (["rich", 64, "n", 0.5], {"kind": "rich", "kind.size": 64, "kind.note": "n", "last": 0.5}),
    ],
)
def test_the_widgets_of_a_menus_choice_follow_it(values, read):
    for saved in (
        node(1, "Menu", values),
        node(1, "Menu", [], widgets_values_named=read),
    ):
        assert inputs(from_editor({"nodes": [saved]}, SCHEMAS)) == {"1": read}


def test_a_byte_order_mark_does_not_matter(tmp_path):
    place = tmp_path / "w.json"
    place.write_text(json.dumps(nested()), encoding="utf-8-sig")
    assert workflow.load(place, lambda: SCHEMAS) == from_editor(nested(), SCHEMAS)


def test_a_link_that_leads_nowhere_names_its_node_and_input():
    for wrong in ([10, 99, 0, 2, 0, "MODEL"], None):
        broken = nested()
        broken["links"][0] = wrong
        with pytest.raises(BadInput, match=r"input 'model' of node 2 .*link 10.*leads nowhere"):
            from_editor(broken, SCHEMAS)


def test_links_in_a_circle_and_subgraphs_in_themselves_are_refused():
    ring = {
        "nodes": [
            node(1, "Reroute", [], [("", 1)]),
            node(2, "Reroute", [], [("", 2)]),
            node(3, "Show", [], [("model", 3)]),
        ],
        "links": [[1, 2, 0, 1, 0, "*"], [2, 1, 0, 2, 0, "*"], [3, 2, 0, 3, 0, "*"]],
    }
    with pytest.raises(BadInput, match="circle"):
        from_editor(ring, SCHEMAS)
    itself = nested()
    itself["definitions"] = {"subgraphs": [{**INNER, "nodes": [node(7, "outer")]}, OUTER]}
    with pytest.raises(BadInput, match="inside itself"):
        from_editor(itself, SCHEMAS)


def places(content, path=()) -> list:
    """The path of every value in nested lists and dicts."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    inner = [(*path, key) for key, _ in items]
    for key, value in list(content.items() if isinstance(content, dict) else enumerate(content)):
        if isinstance(value, (dict, list)):
            inner += places(value, (*path, key))
    return inner


def test_a_damaged_file_is_refused_with_words_and_never_breaks_the_reader():
    choose = random.Random(0)
    for path in places(nested()):
        for junk in (None, 7, "x", [], {}, [[]], choose.random()):
            damaged = copy.deepcopy(nested())
            place = damaged
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = junk
            try:
                assert isinstance(from_editor(damaged, SCHEMAS), dict)
            except BadInput as error:
                assert error.args
