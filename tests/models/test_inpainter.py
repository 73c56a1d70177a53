"""Remove Objects with a learned inpainter: sizes, borders, spandrel's LaMa, and its loader."""

from pathlib import Path

import pytest
import torch

from amodal.method import smooth_fill
from amodal.models import inpainter
from amodal.models.inpainter import Needs
from tools.host.inprocess import Failed

SIZES = [(64, 64), (61, 203), (7, 5), (1, 9), (130, 40)]


@pytest.mark.parametrize(
    "needs, size, fits",
    [
        (Needs(), (61, 203), (61, 203)),
        (Needs(16, 8), (61, 203), (64, 208)),
        (Needs(16, 8), (7, 5), (16, 16)),
        (Needs(512, 512, True), (512, 640), (1024, 1024)),
        (Needs(512, 512, True), (100, 200), (512, 512)),
    ],
)
def test_the_smallest_size_that_fits(needs, size, fits):
    assert needs.size(*size) == fits


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("needs", [Needs(), Needs(16, 8), Needs(256, 256, square=True)])
def test_only_the_hole_is_painted_at_every_size(size, needs):
    image = torch.rand(1, *size, 3)
    removed = torch.zeros(1, *size)
    removed[:, : size[0] // 2 + 1, size[1] // 2 :] = 1
    seen = []

    def call(picture, hole):
        seen.append((picture.clone(), hole.clone()))
        return torch.full_like(picture, 2.0)

    filled = inpainter.fill(call, image, removed, needs)
    hole = removed[0] > 0
    assert filled.shape == image.shape and (filled[0][hole] == 1).all()
    assert torch.equal(filled[0][~hole], image[0][~hole])
    ((picture, mask),) = seen
    assert picture.shape[-2:] == mask.shape[-2:] == needs.size(*size)
    assert set(mask.unique().tolist()) <= {0.0, 1.0} and not (picture * mask).any()


def test_a_hole_at_the_border_continues_in_the_padding():
    """The padding next to an unknown edge is unknown too."""
    image, removed = torch.rand(1, 20, 20, 3), torch.zeros(1, 20, 20)
    removed[:, :, 12:] = 1

    def call(picture, hole):
        assert hole[..., :20, 20:27].all() and not hole[..., 20:, :12].any()
        return picture + hole

    inpainter.fill(call, image, removed, Needs(32, 32))


def test_nothing_to_paint_and_nothing_known():
    def never(*_):
        raise AssertionError("the model was asked")

    image = torch.rand(1, 9, 9, 3)
    assert torch.equal(inpainter.fill(never, image, torch.zeros(1, 9, 9), Needs()), image)
    gray = inpainter.fill(never, image, torch.ones(1, 9, 9), Needs())
    assert torch.equal(gray, smooth_fill.smooth(image, torch.ones(1, 9, 9)))


def test_nan_of_a_model_becomes_gray():
    image, removed = torch.rand(1, 8, 8, 3), torch.zeros(1, 8, 8)
    removed[:, :4] = 1
    filled = inpainter.fill(lambda p, m: p / 0, image, removed, Needs())
    assert filled.isfinite().all()


# --- in the host ---------------------------------------------------------------------------------


class FakeInpainter:
    """A model of another pack: its own class, with a network and the name of an architecture."""

    class architecture:
        id = "MAT"

    def __init__(self):
        self.model = torch.nn.Conv2d(4, 3, 1)
        self.sizes = []

    def __call__(self, image, mask):
        self.sizes.append(tuple(image.shape[-2:]))
        return torch.cat([mask, image[:, :2]], 1)


@pytest.fixture
def folder(real_host):
    import folder_paths

    place = Path(folder_paths.models_dir) / "inpaint"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    for file in place.iterdir():
        file.unlink()


def remove(graph, model, size=(61, 83)):
    mask = torch.zeros(1, *size)
    mask[:, 10:30, 20:50] = 1
    return graph.add(
        "AmodalRemoveObjects",
        image=graph.value("photo", torch.rand(1, *size, 3)),
        modal_mask=graph.value("modal mask", mask),
        occluder_mask=graph.value("none", mask * 0),
        inpaint_model=model,
    )


def removed(host, graph, model, size=(61, 83)):
    node = remove(graph, model, size)
    graph.keep(image=node[0], removed=node[1], photo=graph.value("photo"))
    return host.run(graph).values


def test_another_packs_model_gets_the_size_of_its_architecture(host, graph):
    model = FakeInpainter()
    values = removed(host, graph, graph.value("foreign model", model))
    assert model.sizes == [(512, 512)]
    hole = values["removed"][0] > 0
    assert (values["image"][0][hole][:, 0] == 1).all()
    assert torch.equal(values["image"][0][~hole], values["photo"][0][~hole])
    assert model.amodal_patcher.model.net is model.model


def test_something_else_on_the_socket_is_refused(host, graph):
    with pytest.raises(Failed, match="Remove Objects.*'inpaint_model' is a str"):
        removed(host, graph, graph.value("not a model", "LaMa"))


def test_lama_saved_and_loaded_through_spandrel(folder, host, graph):
    from spandrel.architectures.LaMa import LaMa

    torch.manual_seed(0)
    net = LaMa(in_nc=4, out_nc=3).eval()
    state = {k.replace("model.model", "generator.model"): v for k, v in net.state_dict().items()}
    torch.save({"state_dict": state}, folder / "big-lama.pt")
    model = graph.add("AmodalLoadInpaintModel", file="big-lama.pt")
    values = removed(host, graph, model)
    hole = (values["removed"] > 0).float()[:, None]
    picture = inpainter.mirrored(values["photo"].movedim(-1, 1), (64, 88))
    mask = inpainter.mirrored(hole, (64, 88))
    with torch.inference_mode():
        want = net(picture, mask)[..., :61, :83].clamp(0, 1)
    assert torch.allclose(values["image"].movedim(-1, 1), want, atol=1e-4)


def test_a_model_that_does_not_inpaint_is_refused_by_name(folder, host, graph):
    torch.save({"a.weight": torch.zeros(2)}, folder / "other.pth")
    graph.keep(model=graph.add("AmodalLoadInpaintModel", file="other.pth"))
    with pytest.raises(Failed, match=r"other\.pth, which is not an inpainting model.*spandrel"):
        host.run(graph)


def test_torchscript_files_give_their_tensors_and_nothing_else(folder, host, graph):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "traced.pt")
    graph.keep(model=graph.add("AmodalLoadInpaintModel", file="traced.pt"))
    with pytest.raises(Failed, match=r"traced\.pt, which is not an inpainting model"):
        host.run(graph)


def test_a_missing_file_is_reported_with_the_alternative(host, graph):
    graph.keep(model=graph.add("AmodalLoadInpaintModel", file="big-lama.pt"))
    with pytest.raises(Failed) as error:
        host.run(graph)
    for word in (
        "Load Inpaint Model",
        "big-lama.pt",
        "models/inpaint",
        "0.2 GB",
        "https://",
        "Without it: Remove Objects fills smoothly",
    ):
        assert word in str(error.value)


@pytest.mark.slow
def test_mat_paints_the_hole_at_its_own_size(host, graph, folder):
    """A MAT with random weights, in the layout of Places_512_FullData_G.pth, by the loader."""
    extra = pytest.importorskip("spandrel_extra_arches.architectures.MAT")
    torch.manual_seed(3)
    net = extra.MAT()
    torch.save(net.state_dict(), folder / "Places_512_FullData_G.pth")
    model = graph.add("AmodalLoadInpaintModel", file="Places_512_FullData_G.pth")
    graph.keep(model=model)
    values = removed(host, graph, model)
    assert values["model"].architecture.id == "MAT"
    hole = values["removed"][0] > 0
    assert torch.equal(values["image"][0][~hole], values["photo"][0][~hole])
    painted = values["image"][0][hole]
    assert painted.isfinite().all() and (painted - values["photo"][0][hole]).abs().mean() > 0.01
