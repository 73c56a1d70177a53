"""Every long loop and every long call of a library stops when the user cancels."""

import json
import sys
import threading
import time

import pytest
import torch
from model_files import LOADER, WORDS, small_sam
from reference_groundingdino import DATA, weights

from amodal.core import detections, interrupts, mask_ops, validate, visualize
from amodal.core.types import Features, Objects
from amodal.measures.table import Table
from amodal.method import occluder_selection, smooth_fill
from amodal.models import border_order, grounded_sam, impact_segs
from tools.host.inprocess import Failed

MANY = 40


def masks(count: int = MANY) -> torch.Tensor:
    """Small squares [count, 64, 64] in a row, each apart from the others."""
    result = torch.zeros(count, 64, 64)
    for i in range(count):
        result[i, i // 8 * 8 : i // 8 * 8 + 5, i % 8 * 8 : i % 8 * 8 + 5] = 1
    return result


def objects() -> Objects:
    return detections.from_masks(masks(), [])


def half() -> torch.Tensor:
    removed = torch.zeros(1, 64, 64)
    removed[:, 20:40] = 1
    return removed


def segs() -> tuple:
    class Segment:
        cropped_mask, crop_region, label, confidence = torch.ones(5, 5), (0, 0, 5, 5), "cat", 1.0

    return (64, 64), [Segment()] * MANY


LOOPS = {  # each makes at least MANY steps
    "objects of masks": lambda: detections.from_masks(masks(), []),
    "alike objects": lambda: detections.distinct(objects()),
    "the query among objects": lambda: detections.with_query(objects(), masks(1)),
    "neighbours": lambda: occluder_selection.neighbours(objects(), 0.1),
    "a table of pairs": lambda: occluder_selection.table(objects(), torch.zeros(MANY, MANY)),
    "borders": lambda: border_order.BorderOrder().order(
        torch.zeros(64, 64, 3), masks(), [(0, i) for i in range(1, MANY + 1) if i < MANY] * 2
    ),
    "boxes": lambda: grounded_sam.suppressed(torch.rand(MANY, 4), torch.ones(MANY), 0.1, 0.9),
    "boxes of masks": lambda: [mask_ops.box_of(mask) for mask in masks()],
    "growing masks": lambda: [mask_ops.dilate(mask, 3) for mask in masks()],
    "a list of pictures": lambda: validate.each_picture([torch.rand(1, 8, 8, 3)] * MANY, "images"),
    "a grid": lambda: visualize.grid([torch.rand(8, 8, 3)] * MANY, []),
    "an overlay": lambda: visualize.overlay(torch.rand(1, 64, 64, 3), masks()),
    "areas": lambda: visualize.index_map(masks(), 64),
    "a table of measures": lambda: Table.of(
        [f"a: {i}" for i in range(MANY)], [str(i) for i in range(MANY)]
    ).markdown(),
    "segments": lambda: impact_segs.as_objects(segs()),
    "relaxations": lambda: smooth_fill.smooth(torch.rand(1, 64, 64, 3), half()),
}


@pytest.fixture
def asked(monkeypatch) -> list:
    """The times at which anything asked whether the run is cancelled."""
    times: list[float] = []
    monkeypatch.setattr(interrupts, "_asked", [lambda: times.append(time.monotonic())])
    return times


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_asks_at_every_step(asked, name):
    LOOPS[name]()
    assert len(asked) >= MANY


def test_a_cancelled_loop_ends_at_its_next_step(monkeypatch):
    class Cancelled(Exception):
        pass

    steps = []

    def ask():
        steps.append(1)
        if len(steps) == 5:
            raise Cancelled

    monkeypatch.setattr(interrupts, "_asked", [ask])
    with pytest.raises(Cancelled):
        detections.distinct(objects())
    assert len(steps) == 5


def test_a_waited_call_gives_its_result_its_error_and_the_mode_of_its_caller(asked):
    with torch.inference_mode():
        assert interrupts.waited_for(torch.is_inference_mode_enabled)
    assert not interrupts.waited_for(torch.is_inference_mode_enabled)
    with pytest.raises(ZeroDivisionError):
        interrupts.waited_for(lambda: 1 / 0)
    before = len(asked)
    interrupts.waited_for(lambda: time.sleep(0.5))
    assert len(asked) - before >= 3


def test_the_thread_of_a_cancelled_call_ends_and_takes_no_later_cancellation(monkeypatch):
    flags, ended = [False], threading.Event()

    def ask():
        if flags[0]:
            flags[0] = False  # as the host does
            raise KeyboardInterrupt

    def work():
        flags[0] = True
        try:
            while True:
                interrupts.check()
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(interrupts, "_asked", [ask])
    with pytest.raises(KeyboardInterrupt):
        interrupts.waited_for(work)
    flags[0] = True  # a later run is cancelled at once
    assert ended.wait(5)
    assert flags[0]


@pytest.fixture
def detector(models):
    """Small GroundingDINO and SAM, and BERT's words, in the host's folders."""
    for folder in ("grounding-dino", "sams", "bert-base-uncased"):
        (models / folder).mkdir(parents=True, exist_ok=True)
    (models / "bert-base-uncased" / "vocab.txt").write_text("\n".join(WORDS))
    torch.save(small_sam().state_dict(), models / "sams" / "good.pth")
    shapes = json.loads(DATA.read_text())["shapes"]
    torch.save(weights(shapes), models / "grounding-dino" / "good.pth")


def vocabulary(graph):
    words = ", ".join(f"cat {i}" for i in range(10_000))
    loader = graph.add(
        "AmodalLoadSegmenter",
        **{**LOADER, "vocabulary": words, "detector": "good.pth", "masker": "good.pth"},
    )
    image = graph.add("EmptyImage", width=64, height=64, batch_size=1, color=0)
    return graph.add("AmodalDetectObjects", image=image, segmenter=loader, threshold=0.01)


def clusters(graph):
    features = graph.value(
        "features", Features({3: torch.rand(1, 200, 128, 128)}, 1.0, 1, (64, 64))
    )
    return graph.add("AmodalClusterFeatures", features=features, level=3, clusters=64, seed=0)


def pads(graph):
    image = graph.add("EmptyImage", width=64, height=64, batch_size=1, color=0)
    mask = graph.add("SolidMask", value=1.0, width=64, height=64)
    sides = {"left": 7000, "right": 7000, "top": 7000, "bottom": 7000}
    return graph.add("AmodalCropToObject", image=image, modal_mask=mask, size=4096, **sides)


def patchmatch(graph):
    pytest.importorskip("patchmatch")
    image = graph.value("texture", torch.rand(1, 1000, 1000, 3))
    mask = torch.zeros(1, 1000, 1000)
    mask[:, 200:800, 200:800] = 1
    hole = graph.value("hole", mask)
    return graph.add(
        "AmodalRemoveObjects", image=image, modal_mask=hole, occluder_mask=hole, method="patchmatch"
    )


LONG = {work.__name__: work for work in (vocabulary, clusters, pads, patchmatch)}


@pytest.mark.parametrize("name, checks", [*((name, 3) for name in LONG), ("vocabulary", 200)])
def test_a_long_node_is_cancelled_within_a_second(host, graph, detector, name, checks, monkeypatch):
    """The user cancels right after one of the node's checks, so while it computes.

    The second is of this process's own time: a busy machine takes longer by the clock.
    """
    import comfy.model_management as management

    node = LONG[name](graph)
    seen, cancelled = [], []
    host_check = management.throw_exception_if_processing_interrupted

    def check():
        host_check()
        begun = [data["node"] for event, data in host.server.events if event == "executing"]
        if begun and begun[-1] == node.node_id:
            seen.append(node.node_id)
        if len(seen) == checks and not cancelled:
            management.interrupt_current_processing()
            cancelled.append(time.process_time())

    monkeypatch.setattr(of_the_pack(host), "_asked", [check])
    monkeypatch.setattr(of_the_pack(host), "EVERY", 0.01)  # no machine is done before three checks
    with pytest.raises(Failed) as error:
        host.run(graph.keep(end=node))
    assert time.process_time() - cancelled[0] < 2  # a second here; a slower machine needs more
    assert error.value.details["event"] == "execution_interrupted"


def of_the_pack(host):
    """The module `interrupts` as the host has loaded it with the pack."""
    package = host.pack["AmodalLoopEnd"].__module__.rpartition(".nodes.")[0]
    return sys.modules[f"{package}.amodal.core.interrupts"]
