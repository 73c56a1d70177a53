"""Layers give their picture back unmoved, and show what was hidden once one is moved."""

import io
import xml.etree.ElementTree
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from amodal.applications import open_raster, scene_layers
from amodal.applications.scene_layers import Layer
from amodal.stickers.scenes import make_scene

SEEDS = range(31_000, 31_004)


def taken_apart(seed: int, linear=False, spoil=None):
    """(picture, plate, layers) of a sticker scene of three objects, in 8 bits a channel.

    spoil(layer, generator) changes the objects, as a completion errs.
    """
    scene = make_scene(seed, behind=1, background=("plain", "gradient", "texture")[seed % 3])
    plate = rounded(scene.window(scene.background_sheet))
    picture = rounded(scene.image)
    edge = scene.size // 2
    generator = torch.Generator().manual_seed(seed)
    objects = [
        Layer(rounded(layer.rgba), -edge, -edge, layer.word).trimmed() for layer in scene.layers
    ]
    if spoil:
        objects = [spoil(layer, generator) for layer in objects]
    modal = torch.stack([torch.from_numpy(scene.modal(i)) for i in range(len(objects))]).float()
    return picture, plate, objects, scene_layers.taken_apart(picture, plate, objects, modal, linear)


def rounded(array) -> torch.Tensor:
    return (torch.as_tensor(array).float() * 255).round() / 255


def noisy(layer, generator):
    """Colours and outline are wrong everywhere; parts of the visible object are missing."""
    image = torch.rand(layer.image.shape, generator=generator)
    image[..., 3] = (layer.alpha + 0.8 * image[..., 3] - 0.4).clamp(0, 1)
    return Layer(image, layer.x, layer.y, layer.name)


def shifted(layer, generator):
    """Each object lies three pixels beside its place."""
    return layer.moved(3, -3)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("spoil", [None, noisy, shifted])
@pytest.mark.parametrize("seed", SEEDS)
def test_layers_composed_unmoved_are_the_picture(seed, spoil, linear):
    picture, _, _, layers = taken_apart(seed, linear, spoil)
    size = picture.shape[:2]
    made = scene_layers.composed(layers, size, linear)
    soft = torch.zeros(size, dtype=torch.bool)
    for layer in layers:
        alpha = layer.on(size)[..., 3]
        soft |= (alpha > 0) & (alpha < 1)
    assert torch.equal(made[~soft], picture[~soft])  # to the bit
    assert float((made - picture).abs().max()) <= 1 / 255


@pytest.mark.parametrize("spoil", [None, noisy])
@pytest.mark.parametrize("seed", SEEDS)
def test_they_are_so_in_files_of_8_bits_too(seed, spoil):
    picture, _, _, layers = taken_apart(seed, spoil=spoil)
    saved = [Layer(rounded(layer.image), layer.x, layer.y, layer.name) for layer in layers]
    made = scene_layers.composed(saved, picture.shape[:2])
    assert float((made - picture).abs().max()) <= 1 / 255 + 1e-6


def test_what_is_moved_away_uncovers_the_whole_object_behind():
    scene = make_scene(31_000, behind=0, background="plain")
    picture, plate, objects, layers = taken_apart(31_000)
    front = layers[-1].moved(1000, 0)
    size = picture.shape[:2]
    made = scene_layers.composed([*layers[:-1], front], size)
    for number, layer in enumerate(objects[:-1], 1):  # within opaque parts the truth shows
        page = layer.on(size)
        covered = torch.zeros(size, dtype=torch.bool)
        for other in objects[number:-1]:
            covered |= other.on(size)[..., 3] > 0
        whole = (page[..., 3] == 1) & ~covered
        assert whole.any() and float((made - page[..., :3])[whole].abs().max()) <= 1 / 255
    gone = layers[-1].on(size)[..., 3] == 1
    for layer in objects[:-1]:
        gone &= layer.on(size)[..., 3] == 0
    assert torch.equal(made[gone], plate[gone])
    assert scene.word in [layer.name for layer in layers]


def test_the_visible_pixel_is_the_topmost():
    """A completion that overreaches never hides what the picture shows."""
    picture, plate = torch.full((8, 8, 3), 0.25), torch.full((8, 8, 3), 0.5)
    everywhere = torch.ones(8, 8, 4)
    modal = torch.zeros(2, 8, 8)
    modal[0, :4], modal[1, 4:6] = 1, 1
    objects = [Layer(everywhere * 0.7, 0, 0, "back"), Layer(everywhere, 0, 0, "front")]
    objects[0].image[..., 3] = 1
    _, back, front = scene_layers.taken_apart(picture, plate, objects, modal)
    assert (front.y, len(front.image)) == (4, 2)  # nothing of it before the other two thirds
    assert (back.y, len(back.image)) == (0, 6)  # goes on behind the front object


def test_parts_beyond_the_picture_are_kept():
    object_ = Layer(torch.ones(6, 20, 4), -8, 1, "long")
    modal = torch.zeros(1, 8, 8)
    modal[:, 1:7] = 1
    picture = torch.rand(8, 8, 3, generator=torch.Generator().manual_seed(0))
    _, layer = scene_layers.taken_apart(picture, picture * 0, [object_], modal)
    assert (layer.x, layer.y) == (-8, 1) and layer.image.shape == (6, 20, 4)
    assert torch.equal(layer.image[:, 8:16, :3], picture[1:7])


def test_a_layer_wholly_outside_is_no_error():
    plate = Layer(torch.ones(8, 8, 4), 0, 0, "plate")
    for x, y in ((50, 0), (-50, 2), (0, 8), (3, -4)):
        made = scene_layers.composed([plate, Layer(torch.rand(4, 4, 4), x, y, "far")], (8, 8))
        assert torch.equal(made, plate.image[..., :3])


@pytest.mark.parametrize(
    "over, expected",
    [
        ([(0, 1), (1, 2)], [2, 1, 0]),
        ([(2, 0), (0, 1)], [1, 0, 2]),
        ([], [0, 1, 2]),
        ([(0, 2)], [1, 2, 0]),
    ],
)
def test_objects_lie_in_depth_order(over, expected):
    table = torch.full((3, 3), float("nan"))
    for i, j in over:
        table[i, j], table[j, i] = 0.9, 0.2
    assert scene_layers.depth_order(table) == expected


def test_a_circle_breaks_at_its_weakest_link():
    table = torch.zeros(3, 3)
    table[0, 1], table[1, 2], table[2, 0] = 0.9, 0.8, 0.3
    assert scene_layers.depth_order(table) == [2, 1, 0]


def test_the_largest_layers_are_kept_in_their_order():
    layers = [Layer(torch.ones(side, 1, 4), 0, 0, str(side)) for side in (5, 1, 9, 3)]
    assert scene_layers.largest(layers, 2) == [0, 2]
    assert scene_layers.largest(layers, 9) == [0, 1, 2, 3]


# --- OpenRaster ----------------------------------------------------------------------------------


def test_an_open_raster_file_holds_what_the_format_asks_for():
    picture, _, _, layers = taken_apart(31_001)
    layers[1] = Layer(layers[1].image, -3, 5, 'a "b" <c> & \x00\ud800d')
    content = open_raster.open_raster(layers, picture)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"image/openraster"
        assert content[30:38] == b"mimetype"
        root = xml.etree.ElementTree.fromstring(archive.read("stack.xml"))
        assert (root.get("w"), root.get("h")) == ("128", "128")
        assert root.get(f"{{{open_raster.MYPAINT}}}eotf") == "1.0"  # else it blends in linear light
        drawn = root.findall("stack/layer")
        assert [node.get("name") for node in drawn][::-1][1] == 'a "b" <c> & d'
        read = [
            Layer(read_png(archive, node.get("src")), int(node.get("x")), int(node.get("y")), "")
            for node in reversed(drawn)
        ]
        merged = read_png(archive, "mergedimage.png")
        small = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
    assert max(small.size) <= 256 and torch.equal(merged, picture)
    layers[1] = layers[1].moved(read[1].x - layers[1].x, read[1].y - layers[1].y)
    assert [(r.x, r.y) for r in read] == [(r.x, r.y) for r in layers]
    for ours, theirs in zip(layers, read):
        assert float((ours.image - theirs.image).abs().max()) <= 0.5 / 255 + 1e-6


def read_png(archive, name) -> torch.Tensor:
    with Image.open(io.BytesIO(archive.read(name))) as file:
        return torch.from_numpy(np.asarray(file).copy()).float() / 255
