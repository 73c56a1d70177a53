"""From boxes to objects, segmentation with a prior mask, and the loader of both networks."""

import json

import pytest
import stand_ins
import torch
from model_files import LOADER, WORDS, put_segmenter, small_sam
from reference_groundingdino import DATA, weights

from amodal.models import grounded_sam, prompted_sam
from amodal.models.grounding_dino import Found
from tools.host.inprocess import Failed


class Gives:
    """A detector that always gives these boxes."""

    def __init__(self, *rows):
        self.rows, self.asked = rows, []

    def find(self, image, words):
        self.asked.append(words)
        boxes = torch.tensor([row[0] for row in self.rows], dtype=torch.float32).reshape(-1, 4)
        scores = torch.tensor([row[1] for row in self.rows])
        return Found(boxes, scores, [row[2] for row in self.rows])


def segmenter(*rows, **settings):
    return grounded_sam.GroundedSegmenter(Gives(*rows), stand_ins.CutsColours(), ["x"], **settings)


RED, GREEN = [55, 40, 110, 85], [15, 20, 75, 70]


def test_the_box_threshold_becomes_a_score_of_a_half():
    scores = torch.tensor([0.0, 0.175, 0.35, 0.675, 1.0])
    assert torch.allclose(grounded_sam.shifted(scores, 0.35), torch.tensor([0, 0.25, 0.5, 0.75, 1]))
    image, _ = stand_ins.scene()
    found = segmenter((RED, 0.36, "red box"), (GREEN, 0.34, "green box")).detect(image)
    assert found.labels == ["red box"] and found.scores[0] > 0.5
    both = segmenter((RED, 0.36, "red box"), (GREEN, 0.34, "green box")).detect(image, None, 0.4)
    assert both.labels == ["red box", "green box"]


def test_of_two_similar_boxes_the_better_one_is_kept():
    image, _ = stand_ins.scene()
    rows = (RED, 0.5, "box"), ([56, 41, 110, 85], 0.9, "red box"), (GREEN, 0.6, "green box")
    assert segmenter(*rows).detect(image).labels == ["red box", "green box"]
    assert len(segmenter(*rows, overlap=1.0).detect(image)) == 3


def test_no_words_mean_the_vocabulary():
    model = segmenter()
    model.detect(torch.full((8, 8, 3), 0.5))
    model.detect(torch.full((8, 8, 3), 0.5), [])
    assert model.detector.asked == [["x"], ["x"]]
    names = grounded_sam.VOCABULARY.split(", ")
    assert len(set(names)) == len(names) and names[0] == "person"
    assert {"hand", "pole", "curtain"} <= set(names)


def test_the_completed_object_is_found_again_by_its_label():
    """The prior mask is only the visible part; the detection is the whole object."""
    image, masks = stand_ins.scene()
    visible = masks[1].clone()
    visible[:, :80] = 0
    whole = segmenter((RED, 0.9, "red box")).segment(image, prior_mask=visible, label="red box")
    assert torch.equal(whole, masks[1])
    elsewhere = segmenter((GREEN, 0.9, "red box")).segment(
        image, prior_mask=visible, label="red box"
    )
    assert torch.equal(elsewhere, masks[1])  # SAM's mask for points inside the prior mask


class Answers:
    """SAM as it answers: the whole object for a box; part, object and picture for points."""

    def __init__(self, whole, part):
        self.whole, self.part = whole, part

    def masks(self, image, *, boxes=None, points=None, several=False):
        if boxes is not None:
            return torch.stack([self.whole[None] > 0.5] * len(boxes)), torch.ones(len(boxes), 1)
        answers = torch.stack([self.part, self.whole, torch.ones_like(self.whole)])
        return answers[None] > 0.5, torch.tensor([[0.94, 0.92, 0.7]])


def rectangle(x0, y0, x1, y1, size=128):
    mask = torch.zeros(size, size)
    mask[y0:y1, x0:x1] = 1
    return mask


BUS = rectangle(30, 20, 98, 100)


@pytest.mark.parametrize("detected", [True, False], ids=["detected", "by points"])
@pytest.mark.parametrize("hidden", [0.1, 0.5, 0.7, 0.9])
def test_an_object_that_was_mostly_hidden_is_found_whole(hidden, detected):
    visible = rectangle(30, 20, 98, 100 - round(80 * hidden))
    painted = rectangle(20, 100 - round(80 * hidden), 108, 128)
    rows = [([30, 20, 98, 100], 0.9, "bus")] if detected else []
    model = grounded_sam.GroundedSegmenter(Gives(*rows), Answers(BUS, visible), ["bus"])
    found = model.segment(
        torch.rand(128, 128, 3), prior_mask=visible, label="bus", painted=painted[None]
    )
    assert torch.equal(found, BUS)


def test_another_object_is_not_taken_for_a_grown_one():
    visible, painted = rectangle(30, 20, 98, 40), rectangle(20, 40, 108, 128)
    elsewhere = rectangle(0, 0, 20, 128)
    model = grounded_sam.GroundedSegmenter(
        Gives(([0, 0, 20, 128], 0.9, "bus")), Answers(elsewhere, elsewhere), ["bus"]
    )
    found = model.segment(torch.rand(128, 128, 3), prior_mask=visible, label="bus", painted=painted)
    assert not found.any()


def test_points_deep_inside_a_mask():
    mask = torch.zeros(40, 60)
    mask[5:35, 10:50] = 1
    points = prompted_sam.deep_points(mask)
    assert points.shape == (4, 2)
    assert all(mask[int(y), int(x)] == 1 for x, y in points)
    assert min((a - b).norm() for i, a in enumerate(points) for b in points[:i]) > 5
    assert prompted_sam.deep_points(torch.eye(3)).shape == (4, 2)


# --- the loader ----------------------------------------------------------------------------------


def loader(graph, detector="groundingdino_swint_ogc.pth", masker="sam_vit_b_01ec64.pth"):
    graph.keep(model=graph.add("AmodalLoadSegmenter", detector=detector, masker=masker, **LOADER))
    return graph


@pytest.mark.parametrize("vocabulary", ["bert-base-uncased/vocab.txt", "grounding-dino/vocab.txt"])
def test_published_files_become_a_segmenter(models, host, graph, vocabulary):
    put_segmenter(models, vocabulary)
    model = host.run(loader(graph)).values["model"]
    image = torch.rand(90, 120, 3)
    found = model.detect(image, ["cat", "traffic light"], 0.0)
    assert found.masks.shape[1:] == (90, 120) and set(found.labels) <= {"cat", "traffic light"}
    assert model.segment(image, box=(5, 5, 50, 60)).shape == (90, 120)
    assert model.vocabulary == ["cat", "traffic light"]


def test_a_folder_of_hugging_faces_layout_is_a_detector(models, host, graph, no_network):
    from amodal.models import grounding_dino_weights

    put_segmenter(models, None)
    place = models / "grounding-dino" / "grounding-dino-tiny"
    state = weights(json.loads(DATA.read_text())["shapes"])
    grounding_dino_weights.net_of(state, "x").save_pretrained(place, safe_serialization=True)
    (place / "vocab.txt").write_text("\n".join(WORDS))
    model = host.run(loader(graph, "grounding-dino-tiny")).values["model"]
    name = "model.text_projection.weight"
    assert torch.equal(model.detector.net.state_dict()[name], state["feat_map.weight"])
    assert "grounding-dino-tiny" in options(host, "detector")
    assert not any("model.safetensors" in one for one in options(host, "detector"))


def test_a_folder_of_hugging_faces_layout_is_a_masker(models, host, graph, no_network):
    from transformers import SamConfig, SamModel

    put_segmenter(models)
    place = models / "sams" / "sam-vit-small"
    SamModel(
        SamConfig(
            vision_config={
                "hidden_size": 32,
                "output_channels": 32,
                "num_hidden_layers": 2,
                "mlp_dim": 64,
                "num_attention_heads": 2,
                "image_size": 128,
                "window_size": 3,
                "num_pos_feats": 16,
                "global_attn_indexes": [1],
            },
            prompt_encoder_config={"hidden_size": 32, "image_size": 128, "mask_input_channels": 16},
            mask_decoder_config={"hidden_size": 32, "mlp_dim": 48, "iou_head_hidden_dim": 24},
        )
    ).save_pretrained(place, safe_serialization=True)
    model = host.run(loader(graph, masker="sam-vit-small")).values["model"]
    assert model.segment(torch.rand(40, 50, 3), box=(5, 5, 30, 20)).shape == (40, 50)


def options(host, input: str) -> list[str]:
    return host.pack["AmodalLoadSegmenter"].INPUT_TYPES()["required"][input][1]["options"]


def test_extra_model_paths_and_other_packs_folders_count(models, host, graph, tmp_path):
    """Another pack has registered 'sams' with its own file endings; its settings are kept."""
    import folder_paths

    before = folder_paths.folder_names_and_paths.get("sams")
    folder_paths.folder_names_and_paths["sams"] = ([str(tmp_path)], {".pth"})
    try:
        torch.save(small_sam().state_dict(), tmp_path / "mine.pth")
        assert "mine.pth" in options(host, "masker")
        paths, endings = folder_paths.folder_names_and_paths["sams"]
        assert paths[0] == str(tmp_path) and endings == {".pth"}
        put_segmenter(models)
        assert host.run(loader(graph, masker="mine.pth")).values["model"].masker.net
    finally:
        folder_paths.folder_names_and_paths["sams"] = before


def test_each_missing_file_is_reported_with_its_source(models, host, graph):
    with pytest.raises(Failed) as error:
        host.run(loader(graph))
    for word in (
        "Load Grounded Segmenter",
        "groundingdino_swint_ogc.pth",
        "models/grounding-dino",
        "sam_vit_b_01ec64.pth",
        "models/sams",
        "0.4 GB",
        "dl.fbaipublicfiles.com",
        "Without it: Objects From Masks",
    ):
        assert word in str(error.value)


def test_a_missing_vocabulary_is_reported_before_anything_runs(models, host, graph, monkeypatch):
    put_segmenter(models, None)
    module = __import__("sys").modules[host.pack["AmodalLoadSegmenter"].__module__]
    monkeypatch.setattr(module, "cached", lambda name: None)
    with pytest.raises(Failed) as error:
        host.run(loader(graph))
    for word in ("needs vocab.txt", "models/bert-base-uncased", "google-bert", "Without it"):
        assert word in str(error.value)
    assert "groundingdino_swint_ogc.pth" not in str(error.value).split("needs vocab")[1]


def test_a_sam_file_in_the_detectors_place_is_refused_by_name(models, host, graph):
    put_segmenter(models)
    torch.save(small_sam().state_dict(), models / "grounding-dino" / "wrong.pth")
    with pytest.raises(Failed, match=r"'detector' names wrong\.pth, which is not a GroundingDINO"):
        host.run(loader(graph, "wrong.pth"))
