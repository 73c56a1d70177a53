"""The files in workflows/, without a host: layout, notes, names, and the pictures they open."""

import json
import re

import pytest

from amodal.app import workflow
from tools.workflows.drawings import APPS, DRAWINGS, titles
from tools.workflows.wires import looks

FOLDER = workflow.FOLDER.parent
FILES = {name: FOLDER / f"{title}.json" for name, title in titles().items()}
FORMS = {name: FOLDER / f"{title}.json" for name, title in APPS.items()}
TODAY = ("photograph_flux_fill_sam3", "photograph_sdxl")
MAIN = ("amodal_completion_stickers", "amodal_completion", "beyond_the_boundary", *TODAY)
PARTS = {  # Figure 4: title of the part, colour of its node
    "1 Swap background, to step k": "#533",
    "2 Removed background, noised to k": "#335",
    "3 Segment the object at step k": "#353",
    "4 Composite, and on to the end": "#535",
}
TITLE = 30  # a node's title bar stands above its position
SHOWS = ("SaveImage", "PreviewImage", "MaskPreview", "PreviewAny", "AmodalSaveLayers")
NOTE = "MarkdownNote"


@pytest.fixture(params=FILES)
def name(request) -> str:
    return request.param


@pytest.fixture
def file(name):
    return FILES[name]


@pytest.fixture
def api(name) -> dict:
    return json.loads((workflow.FOLDER / f"{name}.json").read_text())


@pytest.fixture
def saved(file) -> dict:
    return json.loads(file.read_text())


def levels(saved: dict) -> dict:
    """{name of a subgraph: its content}, and the top level under ''."""
    inner = saved.get("definitions", {}).get("subgraphs", [])
    return {"": saved, **{graph["name"]: graph for graph in inner}}


def all_nodes(saved: dict) -> list[dict]:
    """Every node but those that stand for a subgraph, and notes."""
    folded = {graph["id"] for graph in saved.get("definitions", {}).get("subgraphs", [])}
    nodes = [node for graph in levels(saved).values() for node in graph["nodes"]]
    return [node for node in nodes if node["type"] not in folded and node["type"] != NOTE]


def box(node: dict) -> tuple:
    """left, top, right, bottom of a node with its title bar."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


def overlap(a: tuple, b: tuple) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_every_file_belongs_to_a_drawing_and_its_title_sorts_in_that_order():
    assert sorted(FOLDER.glob("*.json")) == sorted([*FILES.values(), *FORMS.values()])
    assert list(FILES.values()) == sorted(FILES.values())
    assert {path.stem for path in workflow.FOLDER.glob("*.json")} == set(DRAWINGS)


def test_there_is_a_file_in_the_api_format_too(api, saved):
    kinds = sorted(node["class_type"] for node in api.values())
    assert kinds == sorted(node["type"] for node in all_nodes(saved))


def test_sockets_without_a_widget_are_connected_or_left_open(api, saved):
    """The editor drops a value there: both formats would run differently."""
    nodes = {str(node["id"]): node for node in all_nodes(saved)}
    for key, node in api.items():
        sockets = [s["name"] for s in nodes[key]["inputs"] if "widget" not in s]
        assert all(isinstance(node["inputs"].get(name, []), list) for name in sockets), node


def test_no_two_nodes_overlap(saved):
    for graph in levels(saved).values():
        nodes = graph["nodes"]
        for number, node in enumerate(nodes):
            for other in nodes[number + 1 :]:
                assert not overlap(box(node), box(other)), (node["title"], other["title"])


def test_links_run_from_left_to_right_or_down_a_column(saved):
    nodes = {node["id"]: node for node in saved["nodes"]}
    for _, origin, _, target, _, _ in saved["links"]:
        one, other = box(nodes[origin]), box(nodes[target])
        down = one[0] == other[0] and one[3] <= other[1]
        assert down or one[2] <= other[0], (nodes[origin]["title"], nodes[target]["title"])


def test_links_in_a_subgraph_run_to_the_right_from_its_inputs_to_its_outputs(saved):
    for name, graph in levels(saved).items():
        if not name:
            continue
        nodes = {node["id"]: node for node in graph["nodes"]}
        for link in graph["links"]:
            one, other = nodes.get(link["origin_id"]), nodes.get(link["target_id"])
            if one and other:
                assert box(one)[2] <= box(other)[0], (name, one["title"], other["title"])
        left, right = graph["inputNode"]["bounding"], graph["outputNode"]["bounding"]
        for node in nodes.values():
            assert left[0] + left[2] <= box(node)[0] and box(node)[2] <= right[0]


def test_every_node_is_inside_one_group_and_groups_are_apart(saved):
    groups = [
        (x, y, x + width, y + height)
        for x, y, width, height in (group["bounding"] for group in saved["groups"])
    ]
    for number, group in enumerate(groups):
        assert not any(overlap(group, other) for other in groups[number + 1 :])
    for node in saved["nodes"]:
        left, top, right, bottom = box(node)
        inside = [
            g for g in groups if g[0] <= left and g[1] <= top and right <= g[2] and bottom <= g[3]
        ]
        assert len(inside) == 1, node["title"]


def test_every_node_leads_to_something_that_is_shown(api):
    useful = {key for key, node in api.items() if node["class_type"] in SHOWS}
    for key in reversed([*useful]):
        todo = [key]
        while todo:
            values = api[todo.pop()]["inputs"].values()
            new = {value[0] for value in values if isinstance(value, list)} - useful
            useful |= new
            todo += new
    assert [node["_meta"]["title"] for key, node in api.items() if key not in useful] == []


def test_all_of_it_is_in_the_window_at_first_sight(saved):
    scale, (x, y) = saved["extra"]["ds"]["scale"], saved["extra"]["ds"]["offset"]
    for left, top, width, height in (group["bounding"] for group in saved["groups"]):
        assert (left + x) * scale >= 0 and (left + width + x) * scale <= 1600
        assert (top + y) * scale >= 0 and (top + height + y) * scale <= 1000


def test_its_titles_can_be_read_at_first_sight(name, saved):
    """The editor leaves out most words below a scale of 0.6."""
    assert saved["extra"]["ds"]["scale"] >= 0.6


LIMITS = {  # the most nodes, crossings of wires, and wires behind nodes, at the top level
    **dict.fromkeys(MAIN, (24, 65, 60)),
    "amodal_completion": (25, 75, 60),
    "photograph_sdxl": (24, 67, 60),
    "photograph_flux_fill_sam3": (26, 65, 60),  # three loaders in the place of one
    "all_objects": (27, 110, 80),
    "photograph_by_instruction": (27, 140, 75),  # with a test of the result
    "mixed_context_step_by_step": (34, 360, 130),
}
OTHERS = (26, 215, 75)


def test_its_wires_can_be_followed(name, saved):
    nodes, crossings, behind = LIMITS.get(name, OTHERS)
    seen = looks(saved["nodes"], saved["links"])
    assert (seen.nodes <= nodes, seen.crossings <= crossings, seen.behind <= behind) == (
        True,
        True,
        True,
    ), seen
    for title, graph in levels(saved).items():
        inner = looks(graph["nodes"], graph["links"])
        assert inner.zoom >= 0.6 and (not title or inner.crossings <= 60), (title, inner)


@pytest.mark.parametrize("main", MAIN)
def test_the_top_level_of_the_main_workflows_is_figure_2(main):
    saved = json.loads(FILES[main].read_text())
    titles = [node["title"] for node in sorted(saved["nodes"], key=lambda node: node["pos"])]
    shown = (
        "Picture",
        "Pick the object",
        "Loop Start (Amodal)",
        "Mask analysis (3.4)",
        "Mixed context diffusion (3.5)",
        "Segment and paste back (3.4)",
        "Loop End (Amodal)",
        "Completed object",
    )
    assert [title for title in titles if title in shown] == list(shown)
    widgets = {
        node["title"]: [slot["name"] for slot in node["inputs"] if "widget" in slot]
        for node in saved["nodes"]
    }
    settings = {"steps", "k", "cfg", "background", "mask_rule"}
    assert settings <= set(widgets["Mixed context diffusion (3.5)"])
    assert "size" in widgets["Mask analysis (3.4)"]


@pytest.mark.parametrize("main", MAIN)
def test_inside_mixed_context_diffusion_is_figure_4_in_its_colours_each_part_with_a_note(main):
    graphs = levels(json.loads(FILES[main].read_text()))
    inside = graphs["Mixed context diffusion (3.5)"]["nodes"]
    assert PARTS.items() <= {(node["title"], node.get("bgcolor")) for node in inside}
    for name, graph in graphs.items():
        assert not name or any(node["type"] == NOTE for node in graph["nodes"]), name


def test_notes_say_how_to_begin_and_which_models_to_swap(saved):
    notes = [node["widgets_values"][0] for node in saved["nodes"] if node["type"] == NOTE]
    assert len(notes) >= 2 and any("photographs" in note for note in notes)
    assert not re.search(r"\s\s", "".join(notes))


def test_every_node_says_whose_it_is(saved):
    for node in all_nodes(saved):
        ours = node["type"].startswith("Amodal")
        assert node["properties"]["cnr_id"] == ("amodal-completion" if ours else "comfy-core")
        assert node["properties"]["ver"]


def test_the_picture_it_opens_is_an_example(saved):
    opens = ("LoadImage", "AmodalLoadItem")  # a picture, or a set of them in a folder
    names = [n["widgets_values"][0] for n in saved["nodes"] if n["type"] in opens]
    assert names and all((FOLDER / "inputs" / name).exists() for name in names)


def test_a_picture_stands_for_it_among_the_templates(file):
    from PIL import Image

    with Image.open(file.with_suffix(".jpg")) as picture:
        assert picture.width >= 256 and file.with_suffix(".jpg").stat().st_size < 60_000


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_its_workflow_that_opens_in_app_mode(form):
    graph, app = (json.loads(files[form].read_text()) for files in (FILES, FORMS))
    assert app.pop("id") != graph.pop("id")
    assert app["extra"].pop("linearMode") is True and "linearMode" not in graph["extra"]
    assert app == graph


@pytest.mark.parametrize("form", FORMS)
def test_a_form_asks_in_words_and_shows_the_object(form):
    saved = json.loads(FILES[form].read_text())
    nodes = {node["id"]: node for node in saved["nodes"]}
    asked = saved["extra"]["linearData"]
    labels = []
    for node, widget, *_ in asked["inputs"]:
        slots = {slot["name"]: slot for slot in nodes[node]["inputs"] if "widget" in slot}
        if widget == "amodal_picker":  # js/pick_object.js adds it
            assert nodes[node]["type"] == "AmodalPickObject"
            continue
        assert slots[widget]["link"] is None  # a linked widget is left out of the form
        labels.append(slots[widget]["label"])
    assert len(set(labels)) == len(labels) >= 5
    assert all(label[0].isupper() and "_" not in label for label in labels)
    shown = [nodes[node]["title"] for node in asked["outputs"]]
    assert shown == ["Completed object"]


def test_no_two_workflows_have_the_same_picture():
    files = [*FILES.values(), *FORMS.values()]
    pictures = [file.with_suffix(".jpg").read_bytes() for file in files]
    assert len(set(pictures)) == len(pictures)


def test_what_is_sampled_to_k_began_without_the_occluder(api):
    """The latent and the conditioning of the steps to k are of I_syn, in which nothing but the
    object is left of the picture; and its noise is of the pass."""
    prompt = api
    samplers = [n["inputs"] for n in prompt.values() if n["class_type"] == "AmodalSampleToStep"]
    if not samplers:
        pytest.skip("samples inside of one node, or not at all")
    for inputs in samplers:
        conditioned = prompt[inputs["latent"][0]]
        assert prompt[inputs["guider"][0]]["inputs"]["positive"][0] == inputs["latent"][0]
        assert prompt[conditioned["inputs"]["pixels"][0]]["class_type"] == "AmodalSwapBackground"
        if any(node["class_type"] == "AmodalLoopStart" for node in prompt.values()):
            seed = prompt[inputs["noise"][0]]["inputs"]["noise_seed"]
            assert prompt[seed[0]]["class_type"] == "AmodalPassSeed"
