"""The files in workflows/, without a host: layout, notes, names, and the pictures they open."""

import json
import re

import pytest

from amodal.app import workflow

FOLDER = workflow.FOLDER.parent
FILES = sorted(FOLDER.glob("*.json"))
TITLE = 30  # a node's title bar stands above its position
SHOWS = ("SaveImage", "PreviewImage", "MaskPreview", "PreviewAny")
NOTE = "MarkdownNote"

pytestmark = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@pytest.fixture
def saved(file) -> dict:
    return json.loads(file.read_text())


def box(node: dict) -> tuple:
    """left, top, right, bottom of a node with its title bar."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


def overlap(a: tuple, b: tuple) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_there_is_a_file_in_the_api_format_too(file):
    prompt = json.loads((workflow.FOLDER / file.name).read_text())
    kinds = sorted(node["class_type"] for node in prompt.values())
    nodes = json.loads(file.read_text())["nodes"]
    assert kinds == sorted(node["type"] for node in nodes if node["type"] != NOTE)


def test_sockets_without_a_widget_are_connected_or_left_open(file):
    """The editor drops a value there: both formats would run differently."""
    saved = {str(node["id"]): node for node in json.loads(file.read_text())["nodes"]}
    for key, node in json.loads((workflow.FOLDER / file.name).read_text()).items():
        sockets = [s["name"] for s in saved[key]["inputs"] if "widget" not in s]
        assert all(isinstance(node["inputs"].get(name, []), list) for name in sockets), node


def test_no_two_nodes_overlap(saved):
    nodes = saved["nodes"]
    for number, node in enumerate(nodes):
        for other in nodes[number + 1 :]:
            assert not overlap(box(node), box(other)), (node["title"], other["title"])


def test_links_run_from_left_to_right_or_down_a_column(saved):
    nodes = {node["id"]: node for node in saved["nodes"]}
    for _, origin, _, target, _, _ in saved["links"]:
        one, other = box(nodes[origin]), box(nodes[target])
        down = one[0] == other[0] and one[3] <= other[1]
        assert down or one[2] <= other[0], (nodes[origin]["title"], nodes[target]["title"])


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


def test_every_node_leads_to_something_that_is_shown(saved):
    ahead = {}
    for _, origin, _, target, _, _ in saved["links"]:
        ahead.setdefault(origin, set()).add(target)
    useful = {node["id"] for node in saved["nodes"] if node["type"] in SHOWS}
    while more := {o for o, targets in ahead.items() if targets & useful} - useful:
        useful |= more
    idle = [n["title"] for n in saved["nodes"] if n["id"] not in useful and n["type"] != NOTE]
    assert idle == []


def test_all_of_it_is_in_the_window_at_first_sight(saved):
    scale, (x, y) = saved["extra"]["ds"]["scale"], saved["extra"]["ds"]["offset"]
    for left, top, width, height in (group["bounding"] for group in saved["groups"]):
        assert (left + x) * scale >= 0 and (left + width + x) * scale <= 1600
        assert (top + y) * scale >= 0 and (top + height + y) * scale <= 1000


def test_notes_say_how_to_begin_and_which_models_to_swap(saved):
    notes = [node["widgets_values"][0] for node in saved["nodes"] if node["type"] == NOTE]
    assert len(notes) >= 2 and any("photographs" in note for note in notes)
    assert not re.search(r"\s\s", "".join(notes))


def test_every_node_says_whose_it_is(saved):
    for node in saved["nodes"]:
        if node["type"] != NOTE:
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


def test_what_is_sampled_to_k_began_without_the_occluder(file):
    """The latent and the conditioning of the steps to k are of I_syn, in which nothing but the
    object is left of the picture; and its noise is of the pass."""
    prompt = json.loads((workflow.FOLDER / file.name).read_text())
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
