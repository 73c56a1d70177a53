"""Every node once with half-precision inputs, and with tensors that have no memory."""

import json
from pathlib import Path

import pytest
import torch

from tools.fuzz import examples, run
from tools.host.inprocess import Failed

NODES = sorted(json.loads((Path(__file__).parent / "schema.json").read_text()))
TENSORS = ("IMAGE", "MASK", "LATENT", "SIGMAS", "AMODAL_OBJECTS", "AMODAL_ORDER", "AMODAL_FEATURES")
SLOW = "AmodalCompletion"  # expands into the nodes of its stages, which are all here


@pytest.fixture(scope="module")
def known(real_host) -> dict:
    return examples.examples(real_host)


def mapped(value, change):
    """A value in which every tensor is changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: change(part) if key == "samples" else part for key, part in value.items()}
    if isinstance(value, list):
        return [mapped(part, change) for part in value]
    if hasattr(value, "masks"):  # which are bool
        numbers = {name: change(getattr(value, name)) for name in ("scores", "boxes")}
        return type(value)(**{**vars(value), **numbers})
    if hasattr(value, "levels"):
        levels = {level: change(maps) for level, maps in value.levels.items()}
        return type(value)(**{**vars(value), "levels": levels})
    return value


def with_tensors(host, known, node: str) -> list[str]:
    """The inputs of an example that hold tensors and are always read; skips nodes without any."""
    sockets = [s for s in host.pack[node].define_schema().inputs if not getattr(s, "lazy", False)]
    given = known.get(node, {})
    names = [s.id for s in sockets if s.get_io_type() in TENSORS and given.get(s.id) is not None]
    if not names:
        pytest.skip("takes no tensors" if node in known else "takes a file or folder")
    return names


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("node", [node for node in NODES if node != SLOW])
def test_half_precision_gives_the_same_as_its_values_in_full(real_host, known, node, dtype):
    names = with_tensors(real_host, known, node)
    full, half = dict(known[node]), dict(known[node])
    for name in names:
        if name != "sigmas":  # rounded, they are no schedule
            full[name] = mapped(full[name], lambda t: t.to(dtype).float())
            half[name] = mapped(half[name], lambda t: t.to(dtype))
    wanted = examples.tensors(run.outputs(real_host, node, full, f"full {dtype}"))
    found = examples.tensors(run.outputs(real_host, node, half, f"half {dtype}"))
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        assert one.dtype == other.dtype != dtype
        assert torch.allclose(one, other, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("node", NODES)
def test_a_tensor_without_memory_is_refused_by_name(real_host, known, node):
    for name in with_tensors(real_host, known, node):
        lost = mapped(known[node][name], lambda t: t.to("meta"))
        with pytest.raises(Failed, match=f"input '{name}' is a tensor without memory.*Remedy"):
            run.outputs(real_host, node, {**known[node], name: lost}, f"meta {name}")


@pytest.mark.parametrize("node", [node for node in NODES if node != SLOW])
def test_a_flat_mask_is_a_mask_of_one(real_host, known, node):
    """[H, W], [B, 1, H, W] and [B, H, W, 1] give what [B, H, W] gives."""
    names = with_tensors(real_host, known, node)
    masks = [
        name
        for name in names
        if isinstance(known[node][name], torch.Tensor)
        and known[node][name].ndim == 3
        and len(known[node][name]) == 1
    ]
    if not masks:
        pytest.skip("takes no mask")
    wanted = examples.tensors(run.outputs(real_host, node, known[node], "whole"))
    for how in (lambda m: m[0], lambda m: m[:, None], lambda m: m[..., None]):
        flat = {**known[node], **{name: how(known[node][name]) for name in masks}}
        found = examples.tensors(run.outputs(real_host, node, flat, "flat"))
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted):
            assert torch.allclose(one, other, atol=1e-6, equal_nan=True)
