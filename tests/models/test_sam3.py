"""Load SAM 3 Segmenter: its words, its prompts, the host's own node, and hosts without it."""

import contextlib
import sys

import pytest
import stand_ins
import torch
from stickers_at_hand import module_of

from amodal.core.errors import BadInput
from amodal.models import sam3
from tools.host.inprocess import Failed

FILE = "sam3.1_multiplex_fp16.safetensors"


class Answers:
    """A network that keeps what it is asked, and gives these (mask, score) rows for every name."""

    def __init__(self, *rows, mask=None):
        self.rows, self.mask, self.asked = rows, mask, []

    def named(self, image, name, most, threshold):
        self.asked.append((name, most, threshold))
        size = image.shape[:2]
        masks = [mask for mask, _ in self.rows]
        stacked = torch.stack(masks) if masks else torch.zeros(0, *size, dtype=torch.bool)
        return stacked, torch.tensor([score for _, score in self.rows])

    def one_picture(self):
        return contextlib.nullcontext()

    def boxed(self, image, box):
        self.asked.append(box)
        return self.mask

    def pointed(self, image, points):
        self.asked.append(points)
        return self.mask


PICTURE = torch.rand(20, 30, 3)


def rectangle(x0, y0, x1, y1):
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[y0:y1, x0:x1] = True
    return mask


LEFT, RIGHT = rectangle(0, 0, 10, 20), rectangle(20, 0, 30, 20)


def test_the_objects_of_all_names_come_with_their_names_the_best_first():
    model = sam3.Sam3Segmenter(Answers((LEFT, 0.9), (RIGHT, 0.6)), ["x"], most=7)
    found = model.detect(PICTURE, ["cat", "traffic light"], 0.55)
    assert found.labels == ["cat", "traffic light", "cat", "traffic light"]
    assert found.scores.tolist() == pytest.approx([0.9, 0.9, 0.6, 0.6])
    assert torch.equal(found.masks[0], LEFT) and torch.equal(found.masks[2], RIGHT)
    assert model.sam3.asked == [("cat", 7, 0.55), ("traffic light", 7, 0.55)]


def test_masks_below_the_threshold_and_empty_ones_are_dropped():
    empty = torch.zeros_like(LEFT)
    model = sam3.Sam3Segmenter(Answers((LEFT, 0.9), (RIGHT, 0.4), (empty, 0.8)), ["x"])
    assert model.detect(PICTURE, None, 0.5).scores.tolist() == pytest.approx([0.9])
    assert len(model.detect(PICTURE, None, 0.95)) == 0


@pytest.mark.parametrize(
    "words, asked",
    [
        (["apple:3", "red, ripe apple"], ["apple 3", "red ripe apple"]),  # which core would read
        (["cup (blue)", "cup", " cup ", "\u200b", "."], ["cup blue", "cup"]),
        (["\u732b", "caf\xe9"], ["\u732b", "caf\xe9"]),
        ([], ["known", "other"]),
    ],
)
def test_what_sam_3_reads_in_a_text_is_taken_from_words(words, asked):
    model = sam3.Sam3Segmenter(Answers(), ["known", "other"])
    model.detect(PICTURE, words)
    assert [name for name, *_ in model.sam3.asked] == asked


@pytest.mark.parametrize("words", [[""], [".", ":"], ["\u200b"], ["(,)"]])
def test_words_that_name_nothing_are_refused(words):
    with pytest.raises(BadInput, match="'words' is .*names nothing"):
        sam3.Sam3Segmenter(Answers(), ["known"]).detect(PICTURE, words)


@pytest.mark.parametrize(
    "prompt, mask, kept",
    [
        ({"points": [(5, 5)]}, LEFT, True),
        ({"points": [(5, 5)]}, RIGHT, False),  # SAM 3 always answers; this is no answer
        ({"points": [(5, 5), (6, 9), (25, 5)]}, LEFT, True),
        ({"points": [(29.9, 19.9)]}, RIGHT, True),
        ({"box": (0, 0, 12, 20)}, LEFT, True),
        ({"box": (0, 0, 12, 20)}, LEFT | RIGHT, False),
        ({"box": (-3, -3, 12, 40)}, LEFT, True),
        ({"prior_mask": LEFT.float()}, LEFT, True),
        ({"prior_mask": LEFT.float()}, RIGHT, False),
        ({"prior_mask": LEFT.float()[None], "painted": RIGHT.float()}, LEFT | RIGHT, True),
        ({"points": []}, LEFT, False),
    ],
)
def test_an_answer_that_does_not_agree_with_its_prompt_is_no_object(prompt, mask, kept):
    found = sam3.Sam3Segmenter(Answers(mask=mask), ["x"]).segment(PICTURE, **prompt)
    assert found.shape == (20, 30) and torch.equal(found > 0.5, mask if kept else mask & False)


def test_the_object_is_found_again_by_its_label_first():
    model = sam3.Sam3Segmenter(Answers((LEFT, 0.9), mask=RIGHT), ["x"])
    seen = rectangle(0, 0, 8, 20).float()
    assert torch.equal(model.segment(PICTURE, prior_mask=seen, label="cat") > 0.5, LEFT)
    assert model.sam3.asked == [("cat", 10, 0.5)]


# --- the host's node ---------------------------------------------------------------------------


@pytest.fixture
def file(real_host, tmp_path):
    """The published file is in the host's folder of checkpoints; it holds nothing."""
    import folder_paths

    place = folder_paths.models_dir + "/checkpoints"
    path = type(tmp_path)(place) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    yield path
    path.unlink()


def loader(graph, **inputs):
    inputs = {"file": FILE, "vocabulary": "green box, red box", "most": 10, "refine": 2, **inputs}
    return graph.add("AmodalLoadSam3Segmenter", **inputs)


@pytest.fixture
def stand_in(real_host, monkeypatch):
    import stand_in_sam3

    stand_in_sam3.put(monkeypatch)
    return stand_in_sam3


def test_words_become_labelled_instances_in_a_graph(host, graph, stand_in, file):
    image, masks = stand_ins.scene()
    image[:10, :10] = torch.tensor([0.9, 0.1, 0.1])  # a second, smaller red box
    detected = graph.add(
        "AmodalDetectObjects", image=graph.value("sam3 scene", image[None]), segmenter=loader(graph)
    )
    graph.keep(objects=detected, masks=detected[1])
    values = host.run(graph).values
    assert sorted(values["objects"].labels) == ["green box", "red box"]  # 0.75 * 2/3 is 0.5
    for label, mask in zip(stand_ins.WORDS, masks):
        found = values["objects"].masks[values["objects"].labels.index(label)]
        assert (found & (mask > 0)).sum() / (found | (mask > 0)).sum() > 0.95
    graph.prompt[detected.node_id]["inputs"]["threshold"] = 0.4
    found = host.run(graph).values["objects"]
    assert sorted(found.labels) == ["green box", "red box", "red box"]
    assert found.scores.tolist() == pytest.approx([0.75, 0.75, 0.5], abs=1e-3)
    loaded = next(n for n in graph.prompt.values() if n["class_type"].startswith("AmodalLoad"))
    loaded["inputs"]["most"] = 1
    assert sorted(host.run(graph).values["objects"].labels) == ["green box", "red box"]


def test_nothing_found_is_no_objects(host, graph, stand_in, file):
    picture = graph.value("sam3 nothing", torch.full((1, 40, 50, 3), 0.5))
    graph.keep(found=graph.add("AmodalDetectObjects", image=picture, segmenter=loader(graph)))
    found = host.run(graph).values["found"]
    assert len(found) == 0 and found.masks.shape == (0, 40, 50)


def test_a_host_without_sam_3_is_told_the_version_that_has_it(host, graph, file, monkeypatch):
    monkeypatch.delitem(host.classes, "SAM3_Detect", raising=False)
    graph.keep(segmenter=loader(graph))
    with pytest.raises(Failed) as error:
        host.run(graph)
    said = str(error.value)
    version = sys.modules["comfyui_version"].__version__
    assert f"needs SAM 3, which ComfyUI {version} does not have" in said
    assert "Load SAM 3 Segmenter" in said and "0.20 or newer" in said
    module = module_of("AmodalLoadSam3Segmenter")
    with pytest.raises(ValueError, match="0.20"):  # in an expanded graph nothing is validated
        module.LoadSam3Segmenter.execute(file=FILE, vocabulary="", most=1, refine=0)


def test_the_missing_file_is_named_with_its_source(host, graph, stand_in):
    graph.keep(segmenter=loader(graph))
    with pytest.raises(Failed, match="huggingface.co/Comfy-Org/sam3.1.*models/checkpoints"):
        host.run(graph)


def test_a_checkpoint_of_another_kind_is_refused_by_name(host, graph, small, stand_in, file):
    import safetensors.torch

    state = {
        f"first_stage_model.{k}": v for k, v in small.vae().first_stage_model.state_dict().items()
    }
    other = file.with_name("other.safetensors")
    safetensors.torch.save_file({k: v.contiguous().clone() for k, v in state.items()}, other)
    graph.keep(segmenter=loader(graph, file="other.safetensors"))
    try:
        with pytest.raises(Failed, match="other.safetensors, which is not a SAM 3 model"):
            host.run(graph)
    finally:
        other.unlink()


def test_the_menu_starts_with_sam_3_also_where_it_is_missing(real_host, file):
    menu = module_of("AmodalLoadSam3Segmenter").files()
    assert menu[0] == FILE
    file.rename(file.with_name("a.safetensors"))
    try:
        menu = module_of("AmodalLoadSam3Segmenter").files()
        assert menu[0] == FILE and "a.safetensors" in menu
    finally:
        file.with_name("a.safetensors").rename(file)


@pytest.fixture
def real_sam3(host, file, monkeypatch):
    """The host's own SAM 3.1 of a checkpoint with random weights, as a segmenter's network."""
    if "SAM3_Detect" not in host.classes:
        pytest.skip("needs ComfyUI 0.20, which has SAM 3; AMODAL_COMFYUI may name one")
    import small_sam3

    small_sam3.shrunk(monkeypatch)
    small_sam3.write(file)
    module = module_of("AmodalLoadSam3Segmenter")
    return module.CoreSam3(*module.loaded(FILE), refine=1)


@pytest.mark.slow
def test_the_hosts_own_network_answers_every_prompt(real_sam3):
    """With random weights no answer means anything; their number, shape and kind do."""
    image, _ = stand_ins.scene()
    masks, scores = real_sam3.named(image, "red box", 2, 0.0)
    assert masks.shape == (2, 96, 128) and masks.dtype == torch.bool
    assert scores.shape == (2,) and (scores.diff() <= 0).all() and scores.min() > 0
    none, no_scores = real_sam3.named(image, "red box", 2, 1.0)
    assert none.shape == (0, 96, 128) and no_scores.shape == (0,)
    for mask in (
        real_sam3.boxed(image, [15, 20, 75, 70]),
        real_sam3.pointed(image, [[20.5, 30.5], [60.0, 40.0]]),
    ):
        assert mask.shape == (96, 128) and mask.dtype == torch.bool
    objects = sam3.Sam3Segmenter(real_sam3, ["green box", "red box"], 1).detect(image, None, 0.0)
    assert set(objects.labels) <= {"green box", "red box"} and len(objects) <= 2


@pytest.mark.slow
def test_the_picture_is_looked_at_once_for_all_names_and_the_answers_stay_the_same(real_sam3):
    image, _ = stand_ins.scene()
    names = ["green box", "red box", "cat"]
    backbone = real_sam3.model.model.diffusion_model.detector.backbone["vision_backbone"]
    sizes = []
    hook = backbone.trunk.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].sum()))
    real_sam3.refine = 0  # refining looks at crops
    alone = [real_sam3.named(image, name, 1, 0.0) for name in names]
    assert len(sizes) == 3
    with real_sam3.one_picture():
        together = [real_sam3.named(image, name, 1, 0.0) for name in names]
        other = real_sam3.named(image.flip(0), "cat", 1, 0.0)
    assert len(sizes) == 5  # the three names shared one, and another picture is looked at
    for (mask, score), (same_mask, same_score) in zip(alone, together):
        assert torch.equal(mask, same_mask) and torch.equal(score, same_score)
    flipped = real_sam3.named(image.flip(0), "cat", 1, 0.0)
    assert len(sizes) == 6 and torch.equal(flipped[1], other[1])
    assert "forward" not in vars(backbone)
    hook.remove()
