"""Every input of every node is checked against the node's own schema before anything runs."""

import copy
import dataclasses
import math
import sys

import pytest
import torch

from amodal.core import types as payloads

TEXTS = (3, 2.5, [], {}, b"text")
NUMBERS = ("3", math.nan, math.inf, -math.inf, True, 1j, [1], torch.ones(2))
MENUS = ("", "no such choice", 3, ["gray"], "\udcff")


def bad_values(io, socket) -> list:
    """Values that a socket must refuse; one for anything refuses nothing."""
    if socket.get_io_type() == io.AnyType.io_type:
        return []
    if isinstance(socket, io.Combo.Input):
        options = [str(option) for option in socket.options or []]
        cased = [option.swapcase() for option in options if option.swapcase() not in options]
        return [*MENUS, *cased]
    if isinstance(socket, io.Int.Input | io.Float.Input):
        below = [] if socket.min is None else [socket.min - 1]
        above = [] if socket.max is None else [socket.max + 1, 10**400]
        part = [0.5] if isinstance(socket, io.Int.Input) else []
        return [*NUMBERS, *below, *above, *part]
    if isinstance(socket, io.String.Input):
        return list(TEXTS)
    if isinstance(socket, io.Boolean.Input):
        return ["yes", 0.5, [], torch.ones(2)]
    if isinstance(socket, io.Image.Input | io.Mask.Input):
        return ["picture", 3, {}, (1, 2)]
    return ["text", 3, {"masks": 1}, (1, 2), object(), [1], ["text"]]


@pytest.fixture(scope="module")
def cases(real_host) -> list[tuple]:
    from comfy_api.latest import io

    found = []
    for node in real_host.pack.values():
        schema = node.define_schema()
        own = node.validate_inputs.__code__.co_varnames if "validate_inputs" in vars(node) else ()
        for socket in schema.inputs:
            if not (isinstance(socket, io.Combo.Input) and socket.id in own):
                may_be_open = socket.optional or getattr(socket, "lazy", False)
                may_be_open = may_be_open or socket.get_io_type() == io.AnyType.io_type
                for value in [*bad_values(io, socket), *([] if may_be_open else [None])]:
                    found.append((node, socket.id, [value] if schema.is_input_list else value))
    return found


def test_every_bad_value_is_refused_by_node_input_and_remedy(cases, real_host):
    from amodal.core.errors import BadInput

    slipped = []
    for node, name, value in cases:
        schema = node.define_schema()
        try:
            node.execute(**{name: copy.copy(value)})
        except Exception as error:
            said = str(error)
            by_name = type(error).__name__ == BadInput.__name__
            if by_name and f"{schema.display_name}: input '{name}'" in said and "Remedy" in said:
                said.encode()  # no lone surrogate, which would end the host's worker
                continue
            slipped.append((schema.node_id, name, value, repr(error)[:80]))
        else:
            slipped.append((schema.node_id, name, value, "ran"))
    assert slipped == [] and len(cases) > 1000


@pytest.mark.parametrize("value", [4.0, 4, torch.tensor(4).item()])
def test_a_whole_float_is_an_integer(real_host, value):
    node = real_host.pack["AmodalPassSeed"]
    door = sys.modules[f"{node.__module__.rsplit('.', 1)[0]}.door"]
    given = door.checked(node, {"seed": value, "pass_number": 2})
    assert given == {"seed": 4, "pass_number": 2} and type(given["seed"]) is int


def test_a_menu_in_another_case_stops_the_run_and_the_host_lives_on(host, graph):
    """The host checks no menu in an expanded graph, and no menu of a V3 node that a link feeds."""
    from tools.host.inprocess import Failed

    masks = graph.add("SolidMask", value=1.0, width=8, height=8)
    objects = graph.add("AmodalObjectsFromMasks", masks=masks)
    depth = graph.add("EmptyImage", width=8, height=8, batch_size=1, color=0)
    order = graph.add("AmodalOrderFromDepth", depth=depth, objects=objects, near="Bright")
    graph.keep(order=order)
    with pytest.raises(Failed, match="near"):
        host.run(graph)
    whole = type(graph)()
    whole.keep(mask=whole.add("SolidMask", value=1.0, width=8, height=8))
    assert host.run(whole).values["mask"].shape == (1, 8, 8)


@pytest.mark.parametrize("node", ["AmodalPickObject", "AmodalObjectsFromMasks"])
def test_a_lone_surrogate_in_a_text_does_not_end_the_host(host, graph, node):
    from tools.host.inprocess import Failed

    masks = graph.add("SolidMask", value=1.0, width=8, height=8)
    objects = graph.add("AmodalObjectsFromMasks", masks=masks, labels="cat\udcff")
    if node == "AmodalPickObject":
        graph.keep(mask=graph.add(node, objects=objects, words="dog\udcff"))
        with pytest.raises(Failed, match="udcff") as error:
            host.run(graph)
        str(error.value).encode()
    else:
        graph.keep(objects=objects)
        assert host.run(graph).values["objects"].labels == ["cat\\udcff"]


BAD_PICTURES = {
    "no channels": torch.rand(40, 60),
    "two channels": torch.rand(1, 8, 8, 2),
    "an empty batch": torch.zeros(0, 8, 8, 3),
    "bytes as floats": torch.rand(1, 8, 8, 3) * 255,
    "nan": torch.full((1, 8, 8, 3), math.nan),
    "infinity": torch.full((1, 8, 8, 3), math.inf),
}
TAKERS = {  # node -> (input that takes pictures, its other inputs)
    "AmodalLabelledGrid": ("images", {}),
    "AmodalPickBest": ("objects", {"amodal_masks": [torch.ones(1, 8, 8)], "scores": [0.5]}),
    "AmodalAddToStudy": ("images", {"study": ["s"], "method": ["m"], "name": ["n"]}),
}


@pytest.mark.parametrize("bad", BAD_PICTURES)
@pytest.mark.parametrize("kind", TAKERS)
def test_pictures_in_lists_are_checked_too(real_host, kind, bad):
    name, others = TAKERS[kind]
    node = real_host.pack[kind]
    with pytest.raises(ValueError, match=f"input '{name}'.*Remedy"):
        node.execute(**others, **{name: [BAD_PICTURES[bad]]})


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_grid_shows_pictures_of_any_channels(real_host, channels):
    grid = real_host.pack["AmodalLabelledGrid"].execute(images=[torch.rand(2, 8, 8, channels)])
    assert grid.result[0].shape[-1] == 3


def test_a_picture_without_a_batch_is_one_picture(real_host):
    one = real_host.pack["AmodalLabelledGrid"].execute(images=[torch.rand(40, 60, 3)])
    same = real_host.pack["AmodalLabelledGrid"].execute(images=[torch.rand(1, 40, 60, 3)])
    assert one.result[0].shape == same.result[0].shape


UNSOUND = {  # socket type -> (node, input, its field, values that it cannot have)
    "AMODAL_OBJECTS": (
        *("AmodalSelectOccluders", "objects"),
        {
            "masks": (None, torch.rand(8, 8), torch.rand(2, 8, 8), torch.rand(1, 8, 8)),
            "labels": ("cat", [1], ["a", "b"]),
            "scores": (None, torch.rand(2), torch.tensor([math.nan])),
            "boxes": (torch.rand(1, 3), [[1, 2, 3, 4]]),
            "image": ("picture", torch.rand(8, 8, 3)),
        },
    ),
    "AMODAL_CANVAS": (
        *("AmodalLoopStart", "canvas"),
        {
            "original": ((0, 8), (8.5, 8), (9, 8), "8"),
            "size": ((-8, 8), (8,), (10**9, 8), None),
            "offset": ((-1, 0), (1, 0), (math.nan, 0)),
            "inpainted": (3, ((1, 2, 3, "4"),)),
        },
    ),
    "AMODAL_CROP": (
        *("AmodalPasteBack", "crop"),
        {
            "canvas": (None, "canvas"),
            "box": ((0, 0, 0, 0), (4, 4, 2, 8), (0, 0, 8), (20, 20, 28, 28), (0.5, 0, 8, 8)),
            "size": ((0, 64), (64,), (-64, 64), 64),
            "grown": ((-1, 0), None),
        },
    ),
    "AMODAL_PADDING": (
        *("AmodalCropToObject", "padding"),
        {"left": (-1, 10**9, 0.5, "1", None, True), "sides": (3, (1,))},
    ),
    "AMODAL_OCCLUSION": (
        *("AmodalCheckOcclusion", "occlusion"),
        {"occluders": ((1,), 3), "surrounding": (None,), "sides": ("left", (2,))},
    ),
    "AMODAL_FEATURES": (
        *("AmodalClusterFeatures", "features"),
        {"levels": ({}, [], {3: 1}, {3: torch.rand(4, 4)}), "size": ((0, 8), (8,), None, (1.5, 8))},
    ),
    "LATENT": (
        *("AmodalCompositeAtStep", "object"),
        {
            "noise_mask": ("mask", torch.rand(()), torch.full((1, 8, 8), math.nan)),
            "batch_index": ("0", [0, 1], [-1], [10**9], [0.5], 3),
            "amodal_x": ("x", 3, {}),
        },
    ),
}
GOOD = {
    "AMODAL_OBJECTS": lambda p: p.Objects(
        torch.ones(1, 8, 8, dtype=torch.bool),
        ["cat"],
        torch.ones(1),
        torch.tensor([[0.0, 0, 8, 8]]),
    ),
    "AMODAL_CANVAS": lambda p: p.Canvas.whole(8, 8),
    "AMODAL_CROP": lambda p: p.Crop(p.Canvas.whole(8, 8), (0, 0, 8, 8), (64, 64)),
    "AMODAL_PADDING": lambda p: p.Padding(),
    "AMODAL_OCCLUSION": lambda p: p.OcclusionReport(),
    "AMODAL_FEATURES": lambda p: p.Features({3: torch.rand(1, 4, 2, 2)}, 1.0, 1, (8, 8)),
    "LATENT": lambda p: {"samples": torch.rand(1, 4, 8, 8), "noise_mask": torch.rand(1, 8, 8)},
}
CASES = [
    (kind, field, value)
    for kind, (_, _, fields) in UNSOUND.items()
    for field, values in fields.items()
    for value in values
]


@pytest.mark.parametrize("kind", GOOD)
def test_a_sound_payload_passes_the_door_unchanged(real_host, kind):
    node, name, _ = UNSOUND[kind]
    node, good = real_host.pack[node], GOOD[kind](payloads)
    door = sys.modules[f"{node.__module__.rsplit('.', 1)[0]}.door"]
    assert door.checked(node, {name: good})[name] is good


@pytest.mark.parametrize(("kind", "field", "value"), CASES)
def test_a_payload_with_a_field_of_no_sense_is_refused_by_name(real_host, kind, field, value):
    node, name, _ = UNSOUND[kind]
    good = GOOD[kind](payloads)
    changed = {field: value}
    bad = {**good, **changed} if isinstance(good, dict) else dataclasses.replace(good, **changed)
    with pytest.raises(ValueError, match=f"input '{name}' is no valid {kind}.*Remedy"):
        real_host.pack[node].execute(**{name: bad})


def test_an_optional_input_that_is_none_takes_its_default(real_host):
    node = real_host.pack["AmodalPadIfTouching"]
    mask = torch.zeros(1, 64, 64)
    mask[:, :20, 10:40] = 1
    usual = node.execute(modal_mask=mask)
    assert node.execute(modal_mask=mask, amount=None, margin=None).result == usual.result
