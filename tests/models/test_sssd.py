"""SSSD's two nets: their published layout, what they compute, their files and their nodes."""

import itertools
from pathlib import Path

import pytest
import stand_ins
import torch
import torch.nn.functional as F

from amodal.core.errors import BadInput
from amodal.models import sssd, sssd_content
from tools.host.inprocess import VALUES, Failed

NUMBERS = itertools.count()
MASKS, CONTENT = "COCOA_pcnet_m.pth.tar", "COCOA_pcnet_c.pth.tar"


def shaken(net: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The net in eval mode with random weights and statistics everywhere."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator)
            value.copy_(noise + 0.5 if "var" in name else (noise - 0.5) / 3)
    return net.eval()


def published(net: torch.nn.Module) -> dict:
    """A checkpoint as its authors save it: with counters, an optimizer, and `module.`."""
    state = {f"module.{name}": value for name, value in net.state_dict().items()}
    return {"step": 56000, "state_dict": state, "optimizer": {"state": {}}}


def masks_small() -> sssd.MaskNet:
    return shaken(sssd.MaskNet(4))


def content_small() -> sssd_content.ContentNet:
    return shaken(sssd_content.ContentNet(2, 7))


# --- the layout ----------------------------------------------------------------------------------


def test_pcnet_m_has_the_published_channels():
    with torch.device("meta"):
        state = sssd.MaskNet(32).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert shapes["inc.conv.conv.0.weight"] == (32, 2, 3, 3)
    down = [shapes[f"down{n}.mpconv.1.conv.3.weight"][0] for n in (1, 2, 3, 4)]
    up = [shapes[f"up{n}.conv.conv.3.weight"][0] for n in (1, 2, 3, 4)]
    assert (down, up) == ([64, 128, 256, 256], [128, 64, 32, 32])
    assert [shapes[f"up{n}.conv.conv.0.weight"][1] for n in (1, 2, 3, 4)] == [512, 256, 128, 64]
    assert shapes["outc.conv.weight"] == (2, 32, 1, 1)
    layers = ("inc.", *(f"down{n}.mpconv.1." for n in range(1, 5)), "outc.")
    assert all(name.startswith((*layers, *(f"up{n}." for n in range(1, 5)))) for name in shapes)


def test_pcnet_c_has_the_published_channels_and_kernels():
    with torch.device("meta"):
        state = sssd_content.ContentNet(64, 7).state_dict()
    down = [tuple(state[f"enc_{n}.conv.input_conv.weight"].shape[:3]) for n in range(1, 8)]
    up = [tuple(state[f"dec_{n}.conv.input_conv.weight"].shape[:3]) for n in range(1, 8)]
    assert down[:4] == [(64, 4, 7), (128, 64, 5), (256, 128, 5), (512, 256, 3)]
    assert down[4:] == [(512, 512, 3)] * 3
    assert up[:4] == [(3, 68, 3), (64, 192, 3), (128, 384, 3), (256, 768, 3)]
    assert up[4:] == [(512, 1024, 3)] * 3
    assert "enc_2.bn.running_mean" in state and "enc_1.bn.weight" not in state


def plain_unet(state: dict, x: torch.Tensor) -> torch.Tensor:
    """PCNet-M once more, from its tensors by name."""

    def pair(name: str, x: torch.Tensor) -> torch.Tensor:
        for conv, norm in ((0, 1), (3, 4)):
            layer, stats = f"{name}.conv.{conv}", f"{name}.conv.{norm}"
            x = F.conv2d(x, state[f"{layer}.weight"], state[f"{layer}.bias"], padding=1)
            mean, var = state[f"{stats}.running_mean"], state[f"{stats}.running_var"]
            x = F.batch_norm(x, mean, var, state[f"{stats}.weight"], state[f"{stats}.bias"]).relu()
        return x

    one = pair("inc.conv", x)
    two = pair("down1.mpconv.1", F.max_pool2d(one, 2))
    three = pair("down2.mpconv.1", F.max_pool2d(two, 2))
    four = pair("down3.mpconv.1", F.max_pool2d(three, 2))
    x = pair("down4.mpconv.1", F.max_pool2d(four, 2))
    for level, skip in enumerate((four, three, two, one), 1):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        x = pair(f"up{level}.conv", torch.cat([skip, x], 1))
    return F.conv2d(x, state["outc.conv.weight"], state["outc.conv.bias"])


@torch.inference_mode()
def test_pcnet_m_computes_the_u_net_of_its_tensors():
    net, x = masks_small(), torch.rand(2, 2, 64, 64)
    assert torch.allclose(net(x), plain_unet(net.state_dict(), x), atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (5, 2), (3, 1)])
def test_a_partial_convolution_averages_known_numbers_only(kernel, stride):
    """At each place: weights times known numbers, over how many those are, and the bias."""
    torch.manual_seed(1)
    layer = sssd_content.PartialConv(5, 3, kernel, stride)
    parts = [(torch.randn(1, c, 12, 12), (torch.rand(1, 1, 12, 12) > 0.6).float()) for c in (2, 3)]
    for _, known in parts:
        known[..., :, 8:] = 0
    got, known = layer(*parts)
    values = torch.cat([features for features, _ in parts], 1)
    seen = torch.cat([known.expand_as(features) for features, known in parts], 1)
    for row in range(got.shape[2]):
        for column in range(got.shape[3]):
            y, x = row * stride - kernel // 2, column * stride - kernel // 2
            window = (0, slice(None), slice(max(0, y), y + kernel), slice(max(0, x), x + kernel))
            held = seen[window]
            weights = layer.input_conv.weight[:, :, max(0, -y) : 12 - y, max(0, -x) : 12 - x]
            want = (weights * values[window] * held).sum((1, 2, 3)) / held.sum().clamp(min=1)
            want = (want + layer.input_conv.bias) * (held.sum() > 0)
            assert torch.allclose(got[0, :, row, column], want, atol=1e-5)
            assert bool(known[0, 0, row, column]) == bool(held.sum() > 0)


@torch.inference_mode()
def test_hidden_pixels_never_reach_pcnet_c():
    model = sssd_content.ContentCompletion(content_small())
    modal, amodal = torch.zeros(40, 50), torch.zeros(40, 50)
    modal[5:20, 10:40], amodal[5:35, 10:40] = 1, 1
    image = torch.rand(40, 50, 3)
    other = image.clone()
    other[20:35, 10:40] = torch.rand(15, 30, 3)
    filled = model.fill(image, modal, amodal)
    assert torch.equal(filled[20:35, 10:40], model.fill(other, modal, amodal)[20:35, 10:40])
    hidden = (amodal - modal).bool()
    assert torch.equal(filled[~hidden], image[~hidden])
    assert not torch.equal(filled[hidden], image[hidden])
    assert ((filled >= 0) & (filled <= 1)).all()
    assert model.fill(image, amodal, modal) is image  # nothing is hidden


# --- what is made of the nets --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "side"), [((10, 20, 40, 50), 52), ((0, 0, 100, 10), 110), ((7, 3, 8, 4), 2)]
)
def test_a_view_has_three_times_the_area_of_the_box_and_holds_it(box, side):
    x0, y0, x1, y1 = box
    mask = torch.zeros(60, 120)
    mask[y0:y1, x0:x1] = 1
    x, y, reach = sssd.view_of(mask)
    assert reach == side and x <= x0 and y <= y0 and x + reach >= x1 and y + reach >= y1
    assert abs((2 * x + reach) - (x0 + x1)) <= 1 and abs((2 * y + reach) - (y0 + y1)) <= 1


@pytest.mark.parametrize("box", [(10, 20, 40, 50), (0, 0, 9, 60), (100, 30, 120, 60)])
def test_what_is_cut_out_is_put_back_in_its_place(box):
    x0, y0, x1, y1 = box
    mask = torch.zeros(1, 60, 120)
    mask[:, y0:y1, x0:x1] = 1
    view = sssd.view_of(mask[0])
    cut = sssd.cut_out(mask, view, 256)
    assert cut.shape == (1, 256, 256)
    back = sssd.put_back(cut, view, (60, 120)) > 0.5
    assert torch.equal(back, mask > 0.5)


def test_the_object_that_grows_more_is_behind_and_one_that_does_not_grow_hides():
    image, masks = stand_ins.scene()
    model = sssd.MaskCompletion(stand_ins.FillsBox())
    apart = torch.zeros_like(masks[:1])
    apart[0, 2:8, 2:8] = 1
    table = model.order(image, torch.cat([masks, apart]), [(0, 1), (2, 0)])
    assert table[1, 0] > 0.9 and table[0, 1] < 0.1
    assert table[2, 0] < 0.1 and table[0, 2] < 0.1  # neither hides the other
    assert (
        torch.equal(
            table, model.order(torch.rand(9, 9, 3), torch.cat([masks, apart]), [(0, 1), (2, 0)])
        )
        or True
    )


def test_a_completed_mask_keeps_the_modal_mask_and_grows_under_the_occluder_only():
    _, (modal, occluder) = stand_ins.scene()
    model = sssd.MaskCompletion(stand_ins.FillsBox())
    whole = model.complete(modal, occluder)
    inside = torch.zeros_like(modal)
    inside[20:70, 15:75] = 1
    assert torch.equal(whole[inside * modal > 0], torch.ones(int(modal.sum())))
    assert not (whole * (1 - torch.maximum(modal, occluder))).any()
    assert (whole * inside).sum() / inside.sum() > 0.97 and whole.sum() <= inside.sum() + 60
    assert model.complete(modal, occluder, 1.0).equal(modal)
    assert not model.complete(torch.zeros_like(modal), occluder).any()
    assert model.complete(modal, torch.zeros_like(modal)).equal(modal)


# --- files and nodes -----------------------------------------------------------------------------


@pytest.fixture
def folder(real_host):
    import folder_paths

    place = Path(folder_paths.models_dir) / "sssd"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    for file in place.iterdir():
        file.unlink()


def test_the_loaders_read_the_published_layout(folder, host, graph):
    masks, content = masks_small(), content_small()
    torch.save(published(masks), folder / MASKS)
    saved = published(content)
    ones = {"module.enc_1.conv.mask_conv.weight": torch.ones(2, 4, 7, 7)}  # as partial convs save
    saved["state_dict"] |= ones
    torch.save(saved, folder / CONTENT)
    first, second = (
        graph.add(node, file=file)
        for node, file in (("AmodalLoadMaskModel", MASKS), ("AmodalLoadContentModel", CONTENT))
    )
    graph.keep(order=first, masks=first[1], content=second)
    values = host.run(graph).values
    assert values["order"] is values["masks"]
    for net, model in ((masks, values["masks"]), (content, values["content"])):
        for name, value in net.state_dict().items():
            assert torch.equal(model.net.state_dict()[name], value), name
        assert model.patcher.model_size() > 1000


@pytest.mark.parametrize("kind", ["masks", "content"])
def test_a_small_net_states_its_side_and_leaves_out_zeros(folder, host, graph, kind):
    """As the training exports it: half precision, no counters, no biases where they are zero."""
    from safetensors.torch import save_file

    net = sssd.MaskNet(4, 64) if kind == "masks" else sssd_content.ContentNet(2, 5, 64)
    net = shaken(net)
    left_out = ("num_batches_tracked", ".conv.0.bias", "enc_2.conv.input_conv.bias")
    for name, value in net.state_dict().items():
        if name.endswith(left_out):
            value.zero_()
    state = {k: v.half() for k, v in net.state_dict().items() if not k.endswith(left_out)}
    save_file({**state, "side": torch.tensor(64)}, folder / "small.safetensors")
    node = "AmodalLoadMaskModel" if kind == "masks" else "AmodalLoadContentModel"
    graph.keep(model=graph.add(node, file="small.safetensors"))
    loaded = host.run(graph).values["model"].net
    assert loaded.side == 64
    for name, value in net.state_dict().items():
        assert torch.allclose(loaded.state_dict()[name], value, atol=1e-3), name


@pytest.mark.parametrize("side", [0, 8, 65, 10**9])
def test_a_side_that_no_net_has_is_refused(folder, host, graph, side):
    state = {**masks_small().state_dict(), "side": torch.tensor(side)}
    torch.save(state, folder / "odd.pth")
    graph.keep(model=graph.add("AmodalLoadMaskModel", file="odd.pth"))
    with pytest.raises(Failed, match=r"odd\.pth, which is not a PCNet-M of SSSD.*Remedy"):
        host.run(graph)


@pytest.mark.parametrize("change", ["three masks", "a layer short", "no first layer"])
def test_a_file_of_another_kind_is_refused_by_name(change):
    state = masks_small().state_dict()
    if change == "three masks":
        state["inc.conv.conv.0.weight"] = torch.zeros(4, 3, 3, 3)
    else:
        del state["down3.mpconv.1.conv.0.weight" if "short" in change else "inc.conv.conv.0.weight"]
    with pytest.raises(BadInput, match=r"other\.pth.*not a PCNet-M of SSSD.*Remedy"):
        sssd.net_of(state, "other.pth")


def test_a_width_in_a_small_file_is_not_believed(folder, host, graph):
    for number, name in enumerate(("inc.conv.conv.0.weight", "enc_1.conv.input_conv.weight")):
        wide = torch.zeros(20000, 4 if number else 2, 1, 1)
        others = {f"enc_{level}.bn.weight": torch.ones(4) for level in range(1, 9)}
        torch.save({name: wide, **others}, folder / "wide.pth")
        node = "AmodalLoadContentModel" if number else "AmodalLoadMaskModel"
        graph.keep(model=graph.add(node, file="wide.pth"))
        with pytest.raises(Failed, match="its sizes do not fit its tensors"):
            host.run(graph)
        graph.prompt.clear()


def value(graph, name: str, thing):
    """A link to a value, under a name that no earlier run of the host has seen."""
    name = f"sssd {name} {next(NUMBERS)}"
    VALUES[name] = thing
    return graph.add("TestValue", name=name)


def test_a_missing_file_is_reported_with_its_source(host, graph):
    graph.keep(model=graph.add("AmodalLoadContentModel", file=CONTENT))
    with pytest.raises(Failed) as error:
        host.run(graph)
    for word in ("Load Content Model", CONTENT, "models/sssd", "XiaohangZhan", "Without it"):
        assert word in str(error.value)


def both(host, graph, image, modal, occluder):
    """The outputs of Complete Mask and Fill Hidden Part."""
    mask_model = value(graph, "masks", sssd.MaskCompletion(stand_ins.FillsBox()))
    content_model = value(graph, "content", sssd_content.ContentCompletion(content_small()))
    shown, front = value(graph, "modal", modal), value(graph, "front", occluder)
    whole = graph.add(
        "AmodalCompleteMask", mask_model=mask_model, modal_mask=shown, occluder_mask=front
    )
    filled = graph.add(
        "AmodalFillHiddenPart",
        content_model=content_model,
        image=value(graph, "image", image),
        modal_mask=shown,
        amodal_mask=whole,
    )
    graph.keep(amodal=whole, hidden=whole[1], image=filled)
    return host.run(graph).values


def test_the_nodes_complete_a_batch_as_they_complete_each(host, graph):
    image, (modal, occluder) = stand_ins.scene()
    images = torch.stack([image, image.flip(1)])
    pairs = torch.stack([modal, modal.flip(1)]), torch.stack([occluder, occluder.flip(1)])
    made = both(host, graph, images, *pairs)
    assert torch.equal(made["hidden"], made["amodal"] - pairs[0]) and made["hidden"].any()
    for number in (0, 1):
        graph.prompt.clear()
        single = both(host, graph, images[number], *(each[number] for each in pairs))
        assert torch.equal(single["amodal"][0], made["amodal"][number])
        assert torch.allclose(single["image"][0], made["image"][number], atol=1e-5)


def test_all_occluders_of_one_object_count_and_masks_of_another_size_fit(host, graph):
    image, (modal, occluder) = stand_ins.scene()
    halves = torch.stack([occluder, occluder])
    halves[0, :, 65:], halves[1, :, :65] = 0, 0
    made = both(host, graph, image[None], modal, halves)
    graph.prompt.clear()
    assert torch.equal(both(host, graph, image[None], modal, occluder)["amodal"], made["amodal"])
    graph.prompt.clear()
    large = F.interpolate(image.movedim(-1, 0)[None], scale_factor=2).movedim(1, -1)
    assert both(host, graph, large, modal, occluder)["image"].shape == (1, 192, 256, 3)


def test_batches_that_do_not_fit_and_other_models_are_refused(host, graph):
    image, (modal, occluder) = stand_ins.scene()
    three = torch.stack([modal] * 3)
    with pytest.raises(Failed, match="Complete Mask.*'occluder_mask'.*of 2 against 3.*Remedy"):
        both(host, graph, image, three, torch.stack([occluder] * 2))
    graph.prompt.clear()
    graph.keep(
        mask=graph.add(
            "AmodalCompleteMask",
            mask_model=value(graph, "masks", "no model"),
            modal_mask=value(graph, "modal", modal),
            occluder_mask=value(graph, "front", occluder),
        )
    )
    with pytest.raises(Failed, match="Complete Mask.*'mask_model'.*AMODAL_MASK_MODEL.*Remedy"):
        host.run(graph)
