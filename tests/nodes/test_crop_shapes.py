"""Crops that are no squares, through every stage of the real graph in the real host.

Small random models of Stable Diffusion's and Flux's kinds paint them; a wide plate behind a ball is
found by its colour.
"""

import importlib

import pytest
import torch
from analysis import BACKGROUND, COLOURS, BallInFront, ByColour

from amodal.core import mask_ops
from amodal.core.errors import BadInput

HEIGHT, WIDTH = 200, 640


@pytest.fixture
def assembly(host):
    package = host.classes["AmodalCompletion"].__module__.rpartition(".")[0]
    return importlib.import_module(f"{package}.assembly")


def plate(left: int = 60):
    """A picture with a long plate, a ball before it, and the plate's modal mask."""
    image = torch.tensor(BACKGROUND).expand(HEIGHT, WIDTH, 3).clone()
    image[90:130, left:580] = torch.tensor(COLOURS["plate"])
    image[70:150, 300:360] = torch.tensor(COLOURS["ball"])
    modal = torch.zeros(1, HEIGHT, WIDTH)
    modal[:, 90:130, left:580] = 1
    modal[:, :, 300:360] = 0
    return image[None], modal


def completed(host, graph, small, model, assembly, rule: str, left: int = 60, **changes):
    """The graph of `nodes.assembly` on the plate, with stand-ins for text and segmenter."""
    image, modal = plate(left)
    source = {
        "model": graph.value(f"model of {rule}", model)[0],
        "clip": None,
        "vae": graph.value("small vae", small.vae())[0],
        "segmenter": graph.value("by colour", ByColour())[0],
        "order_model": graph.value("ball in front", BallInFront())[0],
        "image": graph.value(f"plate {left}", image)[0],
        "modal_mask": graph.value(f"modal plate {left}", modal)[0],
        "label": "plate",
        "prompt": "{label}",
        "negative": "",
        "seed": 3,
        "steps": 3,
        "k": 1.0,
        "cfg": 1.0,
        "mask_rule": rule,
        "size": 192,
        "max_passes": 1,
        "context": 0.1,
        "shape": "rectangle",
        "match_colours": 1.0,
        **changes,
    }
    return image, modal, assembly.completion(graph_of(host, graph, small), source)


def graph_of(host, graph, small):
    """The graph as `assembly` draws it, with defaults; text encoders become values."""

    class Drawn:
        def node(self, kind, name, **inputs):
            if kind == "CLIPTextEncode":
                return Links(graph.value(name, small.words(len(name))))
            given = {
                key: value.first if hasattr(value, "first") else value
                for key, value in inputs.items()
                if value is not None
            }
            return Links(graph.add(kind, name, **{**defaults(host, kind), **given}))

    return Drawn()


def defaults(host, kind: str) -> dict:
    required = host.classes[kind].INPUT_TYPES().get("required", {})
    return {
        name: more[0]["default"]
        for name, (_, *more) in required.items()
        if more and "default" in more[0]
    }


class Links:
    def __init__(self, node):
        self.node = node

    def out(self, slot: int):
        return self.node[slot]


@pytest.mark.parametrize(("rule", "left"), [("known background", 60), ("clusters", 0)])
def test_a_rectangle_passes_every_stage_and_the_rest_of_the_picture_stays(
    host, graph, small, assembly, rule, left
):
    model = small.model("eps", 9)
    image, modal, results = completed(host, graph, small, model, assembly, rule, left)
    links = {
        "crop": ["CropToObject", 3],
        "shown": ["CropToObject", 0],
        "unknown": ["CropToObject", 2],
        "info": ["CropToObject", 4],
        "mask_at_k": graph.prompt["CompositeAtStep"]["inputs"]["mask_at_k"],
        "painted": ["Painted", 0],
        "inpaint": ["CheckOcclusion", 0],
        "occlusion": ["CheckOcclusion", 2],
        "canvas": ["PasteBack", 0],
        "map": ["PasteBack", 2],
        "scale": ["PasteBack", 3],
    }
    graph.keep(**links, **{name: results[name] for name in ("object", "status")})
    values = host.run(graph).values
    wide, tall = values["crop"].size
    assert wide > tall and wide % 64 == tall % 64 == 0
    for name in ("shown", "unknown", "mask_at_k", "painted", "inpaint"):
        assert tuple(values[name].shape[1:3]) == (tall, wide), name
    assert values["occlusion"].occluders == ("ball",)
    assert values["occlusion"].sides == (("left",) if left == 0 else ())
    assert f"in a crop of {wide}x{tall}" in values["info"] and "enlarged" in values["scale"]
    x, y = values["map"].offset
    kept = values["canvas"][0, y : y + HEIGHT, x : x + WIDTH]
    changed = (kept != image[0]).any(-1)
    reach = int(values["crop"].scale * (0.04 * wide + 3))  # dilated by 3 %, and faded
    near = mask_ops.dilate((image[0, ..., 0] > 0.85).float(), reach) > 0.5
    near[:, :reach] |= left == 0  # beside the padding
    assert changed.any() and not (changed & ~near).any()
    assert values["object"].shape[-1] == 4


def test_nothing_is_occluded_only_because_the_window_reaches_beyond_the_canvas(host, graph):
    """A square crop of the plate alone: two thirds of it lie beyond the canvas."""
    image, modal = plate()
    whole = torch.zeros(1, HEIGHT, WIDTH)
    whole[:, 90:130, 60:580] = 1
    query = graph.value("whole plate", whole)
    padding = graph.add("AmodalPadIfTouching", modal_mask=query)
    crop = graph.add(
        "AmodalCropToObject",
        image=graph.value("the plate's picture", image),
        modal_mask=query,
        padding=padding,
        size=128,
    )
    nothing = graph.add("SolidMask", value=0.0, width=128, height=128)
    check = graph.add(
        "AmodalCheckOcclusion",
        occluder_mask=nothing,
        padding_mask=crop[2],
        modal_mask=crop[1],
        padding=padding,
        dilate=0.03,
    )
    graph.keep(occluded=check[1], report=check[2], unknown=crop[2])
    values = host.run(graph).values
    assert values["unknown"].mean() > 0.5
    assert values["occluded"] is False and not values["report"].nothing_left


def pasted(host, graph, completed, **inputs):
    """The canvas with a painted crop of the plate pasted back, and the crop."""
    image, modal = plate()
    query = graph.value("the modal plate", modal)
    picture = graph.value("the plate's picture", image)
    crop = graph.add(
        "AmodalCropToObject", image=picture, modal_mask=query, size=192, shape="rectangle"
    )
    hole = torch.zeros(1, *completed.shape[1:3])
    hole[:, :, completed.shape[2] // 3 : completed.shape[2] // 2] = 1
    paste = graph.add(
        "AmodalPasteBack",
        image=picture,
        modal_mask=query,
        crop=crop[3],
        completed=graph.value(f"completed {tuple(completed.shape)}", completed),
        amodal_mask=crop[1],
        inpaint_mask=graph.value(f"hole {tuple(hole.shape)}", hole),
        **inputs,
    )
    graph.keep(canvas=paste[0], crop=crop[3], info=paste[3])
    return image, host.run(graph).values


def stripes(height: int, width: int):
    """One pixel wide, so that any resizing shows."""
    return (torch.arange(width) % 2).float()[None, None, :, None].expand(1, height, width, 3)


def test_an_enlarged_crop_is_pasted_from_its_own_pixels(host, graph):
    """Enlarged to the canvas' own scale, every stripe arrives as it is."""
    image, values = pasted(host, graph, stripes(128, 320), feather=0.0)
    x0, y0, x1, y1 = values["crop"].box
    graph.prompt.clear()
    image, values = pasted(host, graph, stripes(y1 - y0, x1 - x0), feather=0.0)
    third, half = x0 + (x1 - x0) // 3 + 2, x0 + (x1 - x0) // 2 - 2
    there = values["canvas"][0, 100, third:half, 0]
    assert set(there.unique().tolist()) == {0.0, 1.0}
    assert (there[1:] != there[:-1]).all()
    assert "nothing is enlarged" in values["info"]


def test_a_stretched_crop_is_refused_by_name(host, graph):
    from tools.host.inprocess import Failed

    with pytest.raises(Failed, match=r"Paste Back.*'completed' has 192x192 pixels.*Remedy"):
        pasted(host, graph, torch.rand(1, 192, 192, 3))


def test_matching_colours_changes_only_what_is_painted(host, graph):
    generator = torch.Generator().manual_seed(5)
    noise = torch.rand(1, 128, 320, 3, generator=generator) * 0.2
    canvases = []
    for strength in (0.0, 1.0):
        graph.prompt.clear()
        image, values = pasted(host, graph, noise, match_colours=strength)
        canvases.append(values["canvas"])
    differs = (canvases[0] != canvases[1]).any(-1)
    changed = (canvases[0] != image).any(-1)
    assert differs.any() and not (differs & ~changed).any()
    assert canvases[1][changed].mean() > canvases[0][changed].mean() + 0.05


@pytest.mark.parametrize(
    ("inputs", "wrong"),
    [({"size": 100}, "size"), ({"largest": 1001}, "largest"), ({"shape": "round"}, "shape")],
)
def test_bad_sizes_and_shapes_are_refused_by_name(host, inputs, wrong):
    image, modal = plate()
    node = host.classes["AmodalCropToObject"]
    with pytest.raises(Exception, match=f"'{wrong}'") as caught:
        node.execute(image=image, modal_mask=modal, **inputs)
    assert type(caught.value).__name__ == BadInput.__name__


def test_the_one_node_gives_each_family_the_crop_it_can_paint(host, small):
    name = host.classes["AmodalCompletion"].__module__.rpartition(".")[0]
    crop = importlib.import_module(f"{name}.model_family").crop_of_family
    unet, flux = small.model("eps", 9), small.transformer("flux fill")
    rectangle = {"shape": "rectangle", "largest": 0, "match_colours": 1.0}
    assert crop(unet, 1024) == {"size": 1024, **rectangle}
    assert crop(unet, 0)["size"] in (512, 1024)
    assert crop(flux, 1024)["largest"] > 1024 and crop(flux, 512)["largest"] == 0
