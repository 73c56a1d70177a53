"""InstaOrderNet_od: its architecture, its formula, its file, and the loader node."""

import math
import pickle
from pathlib import Path

import pytest
import torch
from model_files import Dangerous, put_order_model

from amodal.core.errors import BadInput
from amodal.models import instaorder
from tools.host.inprocess import Failed

FILE = "InstaOrder_InstaOrderNet_od.pth.tar"


@pytest.fixture
def folder(real_host):
    import folder_paths

    place = Path(folder_paths.models_dir) / "instaorder"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    for file in place.iterdir():
        file.unlink()


class Says(torch.nn.Module):
    """A network that returns these logits, one row for each view."""

    def __init__(self, *rows):
        super().__init__()
        self.rows = torch.nn.Parameter(torch.tensor(rows))
        self.seen = []

    def forward(self, views):
        self.seen.append(views)
        return self.rows[: len(views)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_both_orders_are_averaged_and_directions_are_independent():
    """o1 = net(i, j), o2 = net(j, i): P(i over j) = (s(o1[1]) + s(o2[0])) / 2."""
    model = instaorder.InstaOrder(Says([1.0, -2.0], [0.5, 3.0]))
    table = model.order(torch.rand(8, 8, 3), torch.ones(2, 8, 8), [(0, 1)])
    assert table[0, 1] == pytest.approx((sigmoid(-2) + sigmoid(0.5)) / 2)
    assert table[1, 0] == pytest.approx((sigmoid(1) + sigmoid(3)) / 2)
    assert table.diagonal().isnan().all()


def test_the_network_gets_binary_masks_and_the_normalised_picture():
    net = Says([0.0, 0.0], [0.0, 0.0])
    image = torch.tensor([1.0, 0.0, 0.5]).expand(2, 2, 3)
    masks = torch.tensor([[[0.6, 0.0], [0.0, 0.0]], [[0.0, 0.4], [1.0, 0.0]]])
    instaorder.InstaOrder(net).order(image, masks, [(1, 0)])
    (views,) = net.seen
    assert views.shape == (2, 5, 384, 384)
    assert torch.equal(views[0, [1, 0]], views[1, [0, 1]])
    assert views[0, 1, :192, :192].eq(1).all() and views[0, 1].sum() == 192 * 192
    assert views[0, 0, 192:, :192].eq(1).all() and views[0, 0].sum() == 192 * 192
    normal = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.5 - 0.406) / 0.225]
    assert views[0, 2:, 5, 7].tolist() == pytest.approx(normal, abs=1e-4)
    assert (views[:, 2:] - views[:, 2:, :1, :1]).abs().max() < 1e-4


def test_twenty_objects_need_a_few_batches_not_one_call_for_each_pair():
    pairs = [(i, j) for i in range(20) for j in range(i)]
    net = Says(*[[0.0, 0.0]] * (2 * instaorder.AT_ONCE))
    table = instaorder.InstaOrder(net).order(torch.rand(8, 8, 3), torch.ones(20, 8, 8), pairs)
    assert len(net.seen) == math.ceil(len(pairs) / instaorder.AT_ONCE) == 12
    assert (~table.isnan()).sum() == 2 * len(pairs)


def test_it_is_a_resnet_50_in_torchvisions_layout():
    torchvision = pytest.importorskip("torchvision")
    reference = torchvision.models.resnet50().eval()
    reference.conv1 = torch.nn.Conv2d(5, 64, 7, 2, 3, bias=False)
    reference.fc = torch.nn.Linear(2048, 2)
    net = instaorder.OrderNet().eval()
    state = {k.replace("fc.", "fc_occ."): v for k, v in reference.state_dict().items()}
    absent, surplus = net.load_state_dict(state, strict=False)
    assert surplus == [] and absent == ["fc_depth.weight", "fc_depth.bias"]
    view = torch.rand(1, 5, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(net(view), reference(view), atol=1e-5)


def test_the_loader_node_reads_the_published_file(folder, host, graph):
    state = put_order_model(folder / FILE)
    graph.keep(model=graph.add("AmodalLoadOrderModel", file=FILE))
    model = host.run(graph).values["model"]
    net = model.net.state_dict()
    assert net.keys() == {name.removeprefix("module.") for name in state}
    assert torch.equal(net["layer4.2.conv3.weight"], state["module.layer4.2.conv3.weight"])
    masks = torch.zeros(2, 40, 50)
    masks[0, :20], masks[1, 20:] = 1, 1
    table = model.order(torch.rand(40, 50, 3), masks, [(0, 1)])
    assert 0 <= table[0, 1] <= 1 and 0 <= table[1, 0] <= 1
    assert model.patcher.model_size() > 90e6


@pytest.mark.parametrize("change", ["one head", "three channels", "a layer short"])
def test_a_file_of_another_kind_is_refused_by_name(change):
    state = instaorder.OrderNet().state_dict()
    if change == "one head":
        state = {k: v for k, v in state.items() if "fc_" not in k}
    elif change == "three channels":
        state["conv1.weight"] = state["conv1.weight"][:, :3]
    else:
        del state["layer4.2.bn3.weight"]
    with pytest.raises(BadInput, match=r"other\.pth.*not an InstaOrderNet_od.*Remedy"):
        instaorder.net_of(state, "other.pth")


def test_code_in_a_file_is_not_run(folder, host, graph, capfd):
    (folder / "evil.pth").write_bytes(pickle.dumps({"state_dict": Dangerous()}))
    torch.save({"state_dict": Dangerous()}, folder / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        graph.keep(**{name[:-4]: graph.add("AmodalLoadOrderModel", file=name)})
        with pytest.raises(Failed, match=f"{name}, which is not a weights-only file"):
            host.run(graph)
        graph.prompt.clear()
    assert "ran" not in capfd.readouterr().out


def test_a_missing_file_is_reported_with_its_source(host, graph):
    graph.keep(model=graph.add("AmodalLoadOrderModel", file=FILE))
    with pytest.raises(Failed) as error:
        host.run(graph)
    for word in (
        "Load Order Model",
        FILE,
        "models/instaorder",
        "POSTECH-CVLab",
        "GB",
        "Without it: Order From Depth",
    ):
        assert word in str(error.value)


def test_an_unknown_name_is_refused(host, graph):
    graph.keep(model=graph.add("AmodalLoadOrderModel", file="../../secret.pth"))
    with pytest.raises(Failed, match=r"secret\.pth, which is not in models/instaorder"):
        host.run(graph)


def test_a_removed_folder_counts_as_empty(folder, host):
    (folder / "mine.pth").write_bytes(b"")
    options = host.pack["AmodalLoadOrderModel"].INPUT_TYPES()["required"]["file"][1]["options"]
    assert options == ["mine.pth", FILE]
    (folder / "mine.pth").unlink()
    folder.rmdir()
    options = host.pack["AmodalLoadOrderModel"].INPUT_TYPES()["required"]["file"][1]["options"]
    folder.mkdir()
    assert options == [FILE]
