"""What the nodes send to the editor's widgets, on the real host."""

import importlib
from pathlib import Path

import analysis
import numpy as np
import pytest
import setting
import torch
from growing_loop import growing_loop, square
from PIL import Image

from amodal.core import detections, visualize
from tools.host.inprocess import Failed


def told(run, event: str) -> list[dict]:
    """The content of each event of this name that a run sent."""
    return [data for name, data in run.events if name == event]


def opened(image: dict) -> Image.Image:
    import folder_paths

    assert image["type"] == "temp"
    folder = Path(folder_paths.get_temp_directory())
    return Image.open(folder / image["subfolder"] / image["filename"])


def test_a_loop_sends_a_frame_after_each_pass_and_its_status_at_the_end(host):
    run = host.run(growing_loop(), "run 1")
    frames = told(run, "amodal.pass")
    assert [(frame["number"], frame["of"], frame["status"]) for frame in frames] == [
        (1, 6, None),
        (2, 6, None),
        (3, 6, None),
        (4, 6, "completed"),
    ]
    assert {(frame["node"], frame["loop"], frame["prompt_id"]) for frame in frames} == {
        ("end", "end", "run 1")
    }
    assert frames[-1]["line"].startswith("completed (enclosed): ")
    assert frames[0]["line"].startswith("pass 1: enclosed by square; mask changed")
    assert opened(frames[0]["image"]).size == (64, 64)
    assert frames[-1]["image"] is None


@pytest.mark.parametrize(
    "seeds, expected",
    [((), None), ((5,), 5), ((["number", 0],), 9), ((5, 5), 5), ((5, 6), None)],
)
def test_the_seed_of_a_loop_is_read_from_its_body(host, seeds, expected):
    from comfy_execution.graph import DynamicPrompt

    package = host.classes["AmodalLoopEnd"].__module__.rpartition(".")[0]
    loop_graph = importlib.import_module(f"{package}.loop_graph")
    prompt = growing_loop().prompt
    prompt["number"] = {"class_type": "PrimitiveInt", "inputs": {"value": 9}}
    for number, seed in enumerate(seeds):
        inputs = {"seed": seed, "pass_number": ["start", 4]}
        prompt[f"seed{number}"] = {"class_type": "AmodalPassSeed", "inputs": inputs}
        prompt["grow"]["inputs"][f"seed{number}"] = [f"seed{number}", 0]
    assert loop_graph.seed_of(DynamicPrompt(prompt), "end") == expected


def test_the_history_keeps_the_frames(host):
    run = host.run(growing_loop())
    kept = [frame for shown in run.ui.values() for frame in shown.get("amodal_pass", [])]
    assert kept == told(run, "amodal.pass")


def test_a_rerun_sends_no_frame(host):
    host.run(growing_loop())
    assert not told(host.run(growing_loop()), "amodal.pass")


def test_the_film_of_a_free_object_shows_the_unchanged_picture(host):
    (frame,) = told(host.run(growing_loop(target=16)), "amodal.pass")
    assert frame["status"] == "nothing to complete" and opened(frame["image"]).size == (64, 64)


def test_a_large_canvas_is_shown_small(host):
    run = host.run(growing_loop(picture=torch.rand(1, 64, 64, 3).repeat(1, 10, 20, 1)))
    assert opened(told(run, "amodal.pass")[0]["image"]).size == (512, 256)


def test_a_loop_sends_its_pass_and_current_stage(host):
    run = host.run(growing_loop(cap=5), "run 2")
    stages = told(run, "amodal.stage")
    assert [(stage["number"], stage["done"]) for stage in stages] == [
        (1, False),
        (2, False),
        (3, False),
        (4, False),
        (4, True),
    ]
    assert {(stage["node"], stage["loop"], stage["of"], stage["loops"]) for stage in stages} == {
        ("end", "end", 5, 1)
    }
    assert stages[0]["doing"] == "finding what hides the object"
    assert stages[-1]["doing"].startswith("completed (enclosed): ")


def test_sampling_in_a_loop_sends_its_step_and_the_number_of_steps(host, graph, small):
    loop, at = growing_loop(target=32, step=8), setting.setting(graph, small)
    for key, node in graph.prompt.items():
        loop.prompt[f"s{key}"] = {
            **node,
            "inputs": {
                name: [f"s{value[0]}", value[1]] if isinstance(value, list) else value
                for name, value in node["inputs"].items()
            },
        }
    given = {
        name: [f"s{at[name].node_id}", 0]
        for name in ("noise", "guider", "sampler", "sigmas", "latent")
    }
    # the seed depends on the pass, so that the sampling is in the loop's body
    loop.prompt[f"s{at['noise'].node_id}"]["inputs"]["noise_seed"] = ["start", 4]
    half = loop.add("AmodalSampleToStep", "half", k=2, **given)
    rest = {**given, "sigmas": half[2], "latent": half[0]}
    end = loop.add("AmodalResumeFromStep", "rest", **rest)
    loop.add("TestKeep", "kept", name="end", value=end, after=None)
    steps = [stage for stage in told(host.run(loop), "amodal.stage") if stage["steps"]]
    first = [(stage["step"], stage["steps"]) for stage in steps if stage["number"] == 1]
    assert first == [(step, setting.STEPS) for step in range(1, setting.STEPS + 1)]
    assert [stage["doing"].split()[-1] for stage in steps[:3]] == ["background"] * 2 + ["picture"]


def test_sampling_outside_a_loop_sends_no_stage(host, graph, small):
    at = setting.setting(graph, small)
    graph.keep(half=setting.first_half(graph, at))
    assert not told(host.run(graph), "amodal.stage")


def clusters():
    """Four stripes [4, 64, 64] and an object's mask [1, 64, 64] that lies half in each of the
    first two."""
    stripes = torch.zeros(4, 64, 64)
    for number in range(4):
        stripes[number, :, 16 * number : 16 * number + 16] = 1
    mask = torch.zeros(1, 64, 64)
    mask[:, 10:30, 8:24] = 1
    return stripes, mask


def selecting(graph, **inputs):
    stripes, mask = clusters()
    return graph.add(
        "AmodalSelectClusters",
        "select",
        clusters=graph.value("stripes", stripes),
        modal_mask=graph.value("object", mask),
        inpaint_mask=graph.value("object"),
        overlap=0.2,
        **inputs,
    )


def test_clusters_are_shown_over_the_picture_with_those_that_were_kept(host, graph):
    picture = torch.rand(1, 64, 64, 3)
    graph.keep(mask=selecting(graph, image=graph.value("picture", picture)))
    run = host.run(graph)
    (shown,) = told(run, "amodal.clusters")
    assert run.ui["select"] == {"amodal_clusters": [shown]} and shown["node"] == "select"
    assert shown["kept"] == [0, 1] and shown["overlaps"] == [0.5, 0.5, 0, 0]
    areas = opened(shown["areas"])
    assert [areas.getpixel((x, 5)) for x in (2, 20, 40, 60)] == [1, 2, 3, 4]
    tint = visualize.coloured(clusters()[0])[0, 0, 40]
    assert shown["colours"][2] == [round(255 * float(part)) for part in tint]
    seen = torch.from_numpy(np.asarray(opened(shown["image"])).copy()) / 255
    assert torch.allclose(seen, picture[0], atol=0.01)


def test_without_a_picture_clusters_are_shown_on_gray(host, graph):
    graph.keep(mask=selecting(graph))
    (shown,) = told(host.run(graph), "amodal.clusters")
    assert opened(shown["image"]).getcolors() == [(64 * 64, (128, 128, 128))]


def test_clusters_of_every_pass_are_shown_on_the_node_in_the_graph(host):
    loop = growing_loop()
    loop.add(
        "AmodalSelectClusters",
        "select",
        clusters=["joined", 0],
        modal_mask=["start", 2],
        inpaint_mask=["check", 0],
        overlap=0.2,
    )
    loop.add("MaskPreview", "preview", mask=["select", 0])
    shown = told(host.run(loop), "amodal.clusters")
    assert [overlay["node"] for overlay in shown] == ["select"] * 3


def pasting(graph, image, mask, pad: int, **canvas):
    """Crop To Object at 64 pixels on a canvas that grows by `pad` on each side, and Paste Back."""
    pads = dict.fromkeys(("left", "top", "right", "bottom"), pad)
    given = {"image": image, "modal_mask": mask, "size": 64, "context": 0.0, **pads, **canvas}
    crop = graph.add("AmodalCropToObject", "crop", **given)
    painted = {"completed": crop[0], "amodal_mask": crop[1], "inpaint_mask": crop[2]}
    return graph.add(
        "AmodalPasteBack", "paste", image=image, modal_mask=mask, crop=crop[3], **painted
    )


def capturing(graph, small, seed=11):
    """Capture Features at step k of a small model, whose decoder has four levels."""
    at = setting.setting(graph, small, seed=seed)
    half = setting.first_half(graph, at)
    inputs = {"guider": at["guider"], "sigmas": half[2], "latent": half[0]}
    return graph.add("AmodalCaptureFeatures", "capture", levels="paper", **inputs)


def test_paste_back_says_how_much_it_enlarged_and_is_cached(host, graph):
    sea, object_mask = graph.value("sea", torch.rand(1, 64, 64, 3)), graph.value("48", square(48))
    pasted = pasting(graph, sea, object_mask, pad=(6 * 64 - 48) // 2)
    run = host.run(graph.keep(info=pasted[3]))
    assert "enlarged 6 times" in run.values["info"]
    assert run.ui["paste"] == {"text": [run.values["info"]]}
    assert told(run, "progress_text") == [{"node": "paste", "text": run.values["info"]}]
    assert not {"crop", "paste"} & set(host.run(graph).executed)


def test_capture_features_says_which_level_it_took_and_is_cached(host, graph, small):
    run = host.run(graph.keep(taken=capturing(graph, small)[1]))
    assert run.values["taken"] == "level 3 of 4"
    assert run.ui["capture"] == {"text": ["level 3 of 4"]}
    assert told(run, "progress_text") == [{"node": "capture", "text": "level 3 of 4"}]
    assert "capture" not in host.run(graph).executed


def test_the_texts_of_every_pass_are_shown_on_the_node_in_the_graph(host, small):
    loop = growing_loop()
    pasted = pasting(loop, ["start", 1], ["start", 2], pad=56, canvas=["start", 3])
    loop.add("MaskPreview", "preview", mask=pasted[1])
    taken = capturing(loop, small, seed=["start", 4])[1]  # so that it is in the loop's body
    loop.add("PreviewAny", "level", source=taken)
    said = [(text["node"], text["text"]) for text in told(host.run(loop), "progress_text")]
    assert [text for node, text in said if node == "capture"] == ["level 3 of 4"] * 4
    scales = [text for node, text in said if node == "paste"]
    windows = [side + 2 * 56 for side in (16, 24, 32, 40)]  # it grows by 4 pixels a side
    assert [text.split("x")[0] for text in scales] == [str(side) for side in windows]
    for side, text in zip(windows, scales):
        assert f"enlarged {side / 64:.2g} times" in text
    assert {node for node, _ in said} == {"capture", "paste"}


@pytest.mark.parametrize("name", ["AmodalPasteBack", "AmodalCaptureFeatures"])
def test_a_node_that_shows_a_text_does_not_run_for_its_sake(host, name):
    schema = host.classes[name].define_schema()
    assert not schema.is_output_node and not host.classes[name].OUTPUT_NODE


def picking(graph, **inputs):
    image, _ = analysis.scene()
    detected = graph.add(
        "AmodalDetectObjects",
        image=graph.value("scene", image),
        segmenter=graph.value("by colour", analysis.ByColour()),
    )
    picked = graph.add("AmodalPickObject", "pick", **{"objects": detected, **inputs})
    graph.keep(label=picked[1])
    return graph


def test_picking_shows_the_detected_objects(host, graph):
    run = host.run(picking(graph, point="0.15,0.5"))
    (shown,) = told(run, "amodal.objects")
    assert run.ui["pick"] == {"amodal_objects": [shown]}
    assert shown["labels"] == [*analysis.COLOURS]
    assert shown["node"] == "pick" and shown["size"] == [128, 96]
    areas, picture = opened(shown["areas"]), opened(shown["image"])
    assert areas.mode == "L" and areas.size == picture.size == (128, 96)
    by_name = {name: i + 1 for i, name in enumerate(shown["labels"])}
    assert areas.getpixel((118, 10)) == by_name["far"]
    assert areas.getpixel((44, 60)) == by_name["ball"]
    assert areas.getpixel((20, 30)) == by_name["plate"] and areas.getpixel((80, 5)) == 0


def test_detected_objects_are_shown_even_if_the_point_hits_none(host, graph):
    with pytest.raises(Failed, match="hits no detected object"):
        host.run(picking(graph, point="0.99,0.99"))
    assert [data["labels"] for name, data in host.server.events if name == "amodal.objects"] == [
        [*analysis.COLOURS]
    ]


def test_detect_runs_only_the_copy_of_the_node_and_its_result_stays_cached(host, graph):
    """The request of js/pick_object.js: a partial run of a copy of the node without a choice."""
    prompt = picking(graph, point="0.99,0.99").prompt
    detect = {
        "class_type": "AmodalPickObject",
        "inputs": {
            "objects": prompt["pick"]["inputs"]["objects"],
            "point": "",
            "words": "",
            "index": -1,
        },
    }
    run = host.run({**prompt, "pick.detect": detect}, only=["pick.detect"])
    assert "pick" not in run.executed and run.executed[-1] == "pick.detect"
    (shown,) = told(run, "amodal.objects")
    assert shown["node"] == "pick" and shown["id"] == "pick.detect"
    prompt["pick"]["inputs"]["point"] = "0.15,0.5"
    after = host.run(prompt)
    assert "AmodalDetectObjects" not in after.executed_classes()  # cached
    assert after.values["label"] == "plate"


def test_objects_from_masks_are_shown_on_the_picture_given_to_pick_object(host, graph):
    image, mask = analysis.scene()
    objects = detections.from_masks(mask, ["plate"])
    graph.add(
        "AmodalPickObject",
        "pick",
        objects=graph.value("masks", objects),
        image=graph.value("scene", image),
    )
    graph.add("AmodalPickObject", "bare", objects=graph.value("masks"))
    pictures = {
        shown["node"]: opened(shown["image"]) for shown in told(host.run(graph), "amodal.objects")
    }
    assert len(pictures["pick"].getcolors(9999)) > 3 and len(pictures["bare"].getcolors(9999)) == 1


def test_the_result_is_shown_as_a_picture_before_and_after(host, graph):
    image, mask = analysis.scene()
    graph.keep(
        mask=graph.add(
            "AmodalTrimAndOverlay",
            "trim",
            image=graph.value("scene", image),
            amodal_mask=graph.value("mask", mask),
            original_image=graph.value("scene"),
            edge=1.5,
        )[2]
    )
    run = host.run(graph)
    (shown,) = told(run, "amodal.result")
    assert run.ui["trim"] == {"amodal_result": [shown]} and shown["size"] == [128, 96]
    modes = {name: opened(shown[name]).mode for name in ("before", "after", "object", "mask")}
    assert modes == {"before": "RGB", "after": "RGB", "object": "RGBA", "mask": "RGBA"}
