"""Workflow files in both of the host's formats, read without a host."""

import json
import random

import pytest

from amodal.app import editor_file, workflow
from amodal.app import template as of_batch
from amodal.core.errors import BadInput
from amodal.core.names import as_words
from tools.fuzz import files

SCHEMAS = {
    "LoadImage": {"input": {"required": {"image": [["a.png"], {"image_upload": True}]}}},
    "KSampler": {
        "input": {
            "required": {
                "model": ["MODEL", {}],
                "seed": ["INT", {"control_after_generate": True}],
                "steps": ["INT", {}],
                "sampler_name": [["euler", "ddim"]],
                "number": ["INT", {"forceInput": True}],
                "denoise": ["FLOAT", {}],
            }
        },
    },
    "Loader": {"input": {"required": {"name": ["COMBO", {"options": ["m"]}]}}},
}


def editor(*nodes, links=()) -> dict:
    return {"nodes": list(nodes), "links": [list(link) for link in links]}


def node(number, kind, widgets=(), inputs=(), **more) -> dict:
    sockets = [{"name": name, "link": link} for name, link in inputs]
    return {"id": number, "type": kind, "widgets_values": list(widgets), "inputs": sockets, **more}


SAMPLED = editor(
    node(1, "Loader", ["m"]),
    node(2, "KSampler", [7, "fixed", 20, "ddim", 0.5], [("model", 1), ("number", 4)]),
    node(3, "Reroute", [], [("", 2)]),
    node(4, "PrimitiveNode", [12, "fixed"]),
    node(5, "LoadImage", ["b.png", "image"], title="Picture"),
    node(6, "Note", ["words"]),
    links=[(1, 3, 0, 2, 0, "*"), (2, 1, 0, 3, 0, "*"), (4, 4, 0, 2, 4, "INT")],
)


def test_widgets_links_reroutes_and_primitives_are_translated():
    prompt = editor_file.from_editor(SAMPLED, SCHEMAS)
    assert set(prompt) == {"1", "2", "5"}
    assert prompt["2"]["inputs"] == {
        "model": ["1", 0],
        "seed": 7,
        "steps": 20,
        "sampler_name": "ddim",
        "number": 12,
        "denoise": 0.5,
    }
    assert prompt["5"]["inputs"] == {"image": "b.png"}
    assert prompt["5"]["_meta"]["title"] == "Picture"


def test_a_connected_widget_takes_the_link():
    both = editor(
        node(1, "Loader", ["m"]),
        node(2, "KSampler", [7, "fixed", 20], [("steps", 9)]),
        links=[(9, 1, 0, 2, 2, "INT")],
    )
    assert editor_file.from_editor(both, SCHEMAS)["2"]["inputs"]["steps"] == ["1", 0]


def test_muted_nodes_are_left_out_with_their_links():
    muted = editor(
        node(1, "Loader", ["m"], mode=editor_file.MUTED),
        node(2, "KSampler", [7], [("model", 1)]),
        links=[(1, 1, 0, 2, 0, "MODEL")],
    )
    assert editor_file.from_editor(muted, SCHEMAS) == {
        "2": {"class_type": "KSampler", "inputs": {"seed": 7}, "_meta": {"title": "KSampler"}}
    }


@pytest.mark.parametrize(
    "bad, said",
    [
        (
            node(1, "Loader", mode=editor_file.BYPASSED),
            "node 1 .Loader. is bypassed.*Remedy: export",
        ),
        (node(1, "Other"), "node 1 .Other. .*this host does not have.*Remedy: install"),
    ],
)
def test_nodes_that_cannot_be_translated_are_refused_with_the_remedy(bad, said):
    with pytest.raises(BadInput, match=said):
        editor_file.from_editor(editor(bad), SCHEMAS)


@pytest.mark.parametrize(
    "text, said",
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("[1]", "holds no workflow"),
        ("{}", "holds no workflow"),
        ('{"a": {"b": 1}}', "holds no workflow"),
    ],
)
def test_a_file_that_is_not_a_workflow_is_refused(tmp_path, text, said):
    place = tmp_path / "w.json"
    if text is not None:
        place.write_text(text)
    with pytest.raises(BadInput, match=said):
        workflow.load(place, dict)


def test_both_formats_load(tmp_path):
    place = tmp_path / "w.json"
    place.write_text(json.dumps(SAMPLED))
    prompt = workflow.load(place, lambda: SCHEMAS)
    place.write_text(json.dumps(prompt))
    assert workflow.load(place, dict) == prompt


def test_fill_does_not_change_the_template_and_finds_a_single_node_by_class():
    pick = {"class_type": "AmodalPickObject", "inputs": {}, "_meta": {"title": "Pick the object"}}
    template = {"1": {"class_type": "LoadImage", "inputs": {"image": "old.png"}}, "2": pick}
    filled = workflow.fill(template, "new.png", point="3,4")
    assert template["1"]["inputs"]["image"] == "old.png"
    assert filled["1"]["inputs"]["image"] == "new.png"
    assert filled["2"]["inputs"] == {"point": "3,4", "words": ""}
    with pytest.raises(BadInput, match="no node titled 'Seed'"):
        workflow.fill(template, "new.png", seed=1)


def test_fill_sets_the_inputs_of_the_one_node_workflow():
    template = workflow.load(workflow.FOLDER / "amodal_one_node.json", dict)
    filled = workflow.fill(template, "p.png", mask="m.png", words="dog", text="a {label}", seed=4)
    inputs = filled[workflow.need(filled, "", "AmodalCompletion")]["inputs"]
    assert inputs["modal_mask"] == ["given_mask", 0]
    assert (inputs["words"], inputs["prompt"]) == ("dog", "a {label}")
    assert filled[inputs["seed"][0]]["inputs"]["value"] == 4


CHOICE = {"words": "cat", "point": "0.5,0.7", "index": 3}  # which object of the file's picture
MARKS = {"occluder_hints": "0.5,0.7", "drawn_bound": "0.1,0.1; 0.9,0.1; 0.5,0.9"}
PICK = ("Pick the object", "AmodalPickObject", "AmodalCompletion")
PICKING = [
    path.stem
    for path in sorted(workflow.FOLDER.glob("*.json"))
    if "LoadImage" in path.read_text() and workflow.titled(json.loads(path.read_text()), *PICK)
]


def put(inputs: dict, values: dict) -> None:
    """Writes into the widgets of a node that no link takes the place of."""
    inputs.update({n: v for n, v in values.items() if n in inputs and type(inputs[n]) is not list})


@pytest.mark.parametrize("through", [workflow.fill, of_batch.filled], ids=["complete", "batch"])
@pytest.mark.parametrize("name", PICKING)
def test_fill_clears_what_belongs_to_the_picture_of_the_file(name, through):
    """The file's choice of an object, and the marks in every node in which a person makes them."""
    prompt = workflow.load(workflow.FOLDER / f"{name}.json", dict)
    pick = workflow.titled(prompt, *PICK)
    put(prompt[pick]["inputs"], CHOICE)
    for node in prompt.values():
        put(node["inputs"], MARKS)
    saved = json.dumps(prompt)
    assert all(json.dumps(value) in saved for value in MARKS.values())
    for query in ({"mask": "m.png"}, {"point": "3,4"}, {"words": "dog"}, {}):
        filled = through(prompt, "p.png", **query)
        assert not any(node["inputs"].get(mark) for node in filled.values() for mark in MARKS)
        inputs, wanted = filled[pick]["inputs"], {"words": "", "point": "", "index": -1, **query}
        assert all(inputs.get(choice, wanted[choice]) == wanted[choice] for choice in CHOICE)
    assert json.dumps(prompt) == saved


def test_a_batch_still_goes_through_all_objects_by_number():
    prompt = workflow.load(workflow.STICKERS, dict)
    pick = workflow.need(prompt, *PICK)
    prompt[pick]["inputs"]["index"] = 3
    assert of_batch.filled(prompt, "p.png", index=2)[pick]["inputs"]["index"] == 2
    prompt[pick]["inputs"]["index"] = ["sweep", 0]  # chosen anew by another node
    assert workflow.fill(prompt, "p.png")[pick]["inputs"]["index"] == ["sweep", 0]


def test_reroutes_in_a_circle_are_refused(tmp_path):
    circle = editor(
        node(2, "KSampler", [7], [("model", 1)]),
        node(3, "Reroute", [], [("", 2)]),
        node(4, "Reroute", [], [("", 3)]),
        links=[(1, 3, 0, 2, 0, "*"), (2, 4, 0, 3, 0, "*"), (3, 3, 0, 4, 0, "*")],
    )
    (tmp_path / "circle.json").write_text(json.dumps(circle))
    with pytest.raises(BadInput, match="circle"):
        workflow.load(tmp_path / "circle.json", lambda: SCHEMAS)


@pytest.mark.parametrize("form", ["api", "editor"])
def test_a_workflow_with_any_damage_is_filled_or_refused_by_name(tmp_path, form):
    """300 files of each form with values replaced, removed or cut."""
    api = json.loads(workflow.STICKERS.read_text(encoding="utf-8"))
    whole, path, refused = api if form == "api" else SAMPLED, tmp_path / "broken.json", 0
    for number in range(300):
        path.write_bytes(files.broken_json(random.Random(f"{form} {number}"), whole))
        try:
            workflow.fill(workflow.load(path, lambda: SCHEMAS), "a.png", words="cat", seed=1)
        except BadInput as error:
            assert error.input == "workflow"
            refused += 1
    assert refused > 0


def test_a_workflow_nested_too_deeply_is_refused(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(BadInput, match="not JSON"):
        workflow.load(tmp_path / "deep.json", dict)


@pytest.mark.parametrize("name", ["amodal_completion", "amodal_completion_stickers"])
def test_fill_gives_the_words_to_both_detections(name):
    template = workflow.load(workflow.FOLDER / f"{name}.json", dict)

    def searched(**query) -> list[list[str]]:
        filled = workflow.fill(template, "p.png", **query)
        found = [n["inputs"] for n in filled.values() if n["class_type"] == "AmodalDetectObjects"]
        assert len(found) == 2 and all(inputs["add_known"] for inputs in found)
        texts = [filled[inputs["words"][0]]["inputs"]["value"] for inputs in found]
        return list(map(as_words, texts))

    assert searched(words="red mug", occluders="hand, pole") == [["red mug", "hand", "pole"]] * 2
    assert searched(occluders="hand") == [["hand"]] * 2
    assert searched(mask="m.png") == searched(point="3,4") == searched() == [[], []]


def test_fill_gives_the_words_to_detections_without_a_text_node():
    inputs = {"words": "cat", "add_known": True}
    template = workflow.load(workflow.STICKERS, dict)
    template["own"] = {"class_type": "AmodalDetectObjects", "inputs": inputs}
    template["plain"] = {"class_type": "AmodalDetectObjects", "inputs": {"words": "cat"}}
    filled = workflow.fill(template, "p.png", words="red mug", occluders="hand")
    assert filled["own"]["inputs"]["words"] == "red mug\nhand"
    assert filled["plain"]["inputs"]["words"] == "cat"


def test_fill_names_the_occluders_in_the_one_node_and_forgets_those_of_the_file():
    template = workflow.load(workflow.FOLDER / "amodal_one_node.json", dict)
    node = workflow.need(template, "", "AmodalCompletion")
    template[node]["inputs"]["occluder_words"] = "curtain"
    filled = workflow.fill(template, "p.png", words="red mug", occluders="hand")
    assert filled[node]["inputs"]["occluder_words"] == "hand"
    assert workflow.fill(template, "p.png", words="dog")[node]["inputs"]["occluder_words"] == ""
