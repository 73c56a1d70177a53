"""The workflows on today's models, end to end on small random weights of their architectures.

The diffusion models and the VAEs are of the host's own classes. The text encoders are stand-ins:
the host recognises them at their full size only. SAM 3 is the stand-in of `stand_in_sam3`, or, on a
host that has it, its node over a made-up net.
"""

import json
from pathlib import Path

import pytest
import stand_ins
import torch

from amodal.app import workflow
from amodal.core import mask_ops
from amodal.models import pretrained
from tools.host.inprocess import VALUES, Failed
from tools.workflows.drawings import editor_file

INPAINTED = ("photograph_flux_fill_sam3", "photograph_sdxl")
NAMES = (*INPAINTED, "photograph_by_instruction")
FILES = {
    "photograph_flux_fill_sam3": {
        "UNETLoader": ["flux1-fill-dev.safetensors"],
        "DualCLIPLoader": ["clip_l.safetensors", "t5xxl_fp16.safetensors"],
        "VAELoader": ["ae.safetensors"],
        "AmodalLoadSam3Segmenter": ["sam3.1_multiplex_fp16.safetensors"],
    },
    "photograph_sdxl": {
        "CheckpointLoaderSimple": ["sd_xl_base_1.0_inpainting_0.1.safetensors"],
        "AmodalLoadSam3Segmenter": ["sam3.1_multiplex_fp16.safetensors"],
    },
    "photograph_by_instruction": {
        "UNETLoader": ["flux1-dev-kontext_fp8_scaled.safetensors"],
        "DualCLIPLoader": ["clip_l.safetensors", "t5xxl_fp16.safetensors"],
        "VAELoader": ["ae.safetensors"],
        "AmodalLoadSam3Segmenter": ["sam3.1_multiplex_fp16.safetensors"],
    },
}


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def api(name) -> dict:
    return json.loads((workflow.FOLDER / f"{name}.json").read_text())


def of_class(prompt: dict, kind: str) -> list[dict]:
    return [node["inputs"] for node in prompt.values() if node["class_type"] == kind]


def test_each_loader_names_its_files_for_the_editors_own_list(name):
    saved = json.loads(editor_file(name).read_text())
    named = {
        node["type"]: node["properties"]["models"]
        for node in saved["nodes"]
        if "models" in node["properties"]
    }
    files = {kind: [file["name"] for file in models] for kind, models in named.items()}
    assert files == FILES[name]
    for node in saved["nodes"]:
        for file in node["properties"].get("models", ()):
            known = pretrained.named(file["name"])
            assert file["url"] == known.url.split(" ")[0] and file["url"].startswith("https://")
            assert file["directory"] == known.folder
            assert file["name"] in node["widgets_values"]  # else the editor ignores it


def test_the_title_names_the_least_host_and_a_note_the_other_order(name):
    saved = json.loads(editor_file(name).read_text())
    assert "ComfyUI 0.20" in editor_file(name).stem
    notes = [n["widgets_values"][0] for n in saved["nodes"] if n["type"] == "MarkdownNote"]
    assert any("Order From Depth" in note and "Depth Anything 3" in note for note in notes)


def test_flux_fill_has_its_own_settings():
    prompt = json.loads((workflow.FOLDER / "photograph_flux_fill_sam3.json").read_text())
    (guidance,) = of_class(prompt, "FluxGuidance")
    assert guidance["guidance"] == 30.0
    seen = of_class(prompt, "InpaintModelConditioning")
    kinds = [prompt[inputs["positive"][0]]["class_type"] for inputs in seen]
    assert kinds == ["FluxGuidance"] * 2
    assert {inputs["cfg"] for inputs in of_class(prompt, "CFGGuider")} == {1.0}
    (schedule,) = of_class(prompt, "BasicScheduler")
    assert (schedule["scheduler"], schedule["steps"]) == ("normal", 20)
    assert of_class(prompt, "KSamplerSelect")[0]["sampler_name"] == "euler"
    assert of_class(prompt, "AmodalSampleToStep")[0]["k"] == 0.4
    assert of_class(prompt, "AmodalCropToObject")[0]["size"] == 1024


class ReadsNothing:
    """In the place of a text encoder: the same embedding for each text, in a small width."""

    def __init__(self, small):
        self.small, self.texts = small, []

    def tokenize(self, text, **_):
        self.texts.append(text)
        return text

    def encode_from_tokens_scheduled(self, tokens, **_):
        seed = sum(map(ord, tokens))
        pooled = self.small.tensor(1, self.small.CONTEXT, seed=seed)
        return [[self.small.tensor(1, 7, self.small.CONTEXT, seed=seed), {"pooled_output": pooled}]]


def put(prompt: dict, node: str, *values) -> None:
    """Gives these objects in the place of a loader's outputs."""
    for slot, value in enumerate(values):
        VALUES[f"{node} {slot}"] = value
        prompt[f"given {node} {slot}"] = {
            "class_type": "TestValue",
            "inputs": {"name": f"{node} {slot}"},
        }
    for spec in prompt.values():
        for key, link in spec["inputs"].items():
            if isinstance(link, list) and link[0] == node:
                spec["inputs"][key] = [f"given {node} {link[1]}", 0]
    del prompt[node]


def flux(small, kind: str = "flux fill"):
    """A small Flux; newer hosts want to know which parts of a position are text's."""
    from comfy.ldm.flux.model import FluxParams

    newer = "txt_ids_dims" in FluxParams.__dataclass_fields__
    return small.transformer(kind, **({"txt_ids_dims": []} if newer else {}))


def titled(prompt: dict, title: str) -> str:
    return workflow.need(prompt, title)


@pytest.fixture
def ready(host, small, name, api, monkeypatch, tmp_path):
    """The workflow on small models, for the green box behind the red one; and its text encoder."""
    import folder_paths
    import stand_in_sam3
    from PIL import Image

    stand_in_sam3.put(monkeypatch)
    file = Path(folder_paths.models_dir) / "checkpoints" / stand_in_sam3.FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    image, _ = stand_ins.scene()
    folder = Path(folder_paths.get_input_directory())
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray((image * 255).round().byte().numpy()).save(folder / "boxes.png")
    prompt = workflow.fill(api, "boxes.png", words="green box", seed=3)
    reader = ReadsNothing(small)
    if name == "photograph_sdxl":
        put(prompt, titled(prompt, "SDXL inpainting"), small.sdxl(9), reader, small.vae())
    else:
        if name == "photograph_by_instruction":
            put(prompt, titled(prompt, "Flux Kontext"), flux(small, "flux"))
        else:
            put(prompt, titled(prompt, "Flux Fill"), flux(small))
        put(prompt, titled(prompt, "Text encoders"), reader)
        put(prompt, titled(prompt, "VAE"), small.vae(channels=16))
    prompt[titled(prompt, "SAM 3")]["inputs"]["vocabulary"] = "green box, red box"
    for spec in prompt.values():
        for key, value in {"size": 128, "steps": 5, "max_passes": 1}.items():
            if key in spec["inputs"] and not isinstance(spec["inputs"][key], list):
                spec["inputs"][key] = value
    yield prompt, reader
    file.unlink()


def test_it_runs_end_to_end(host, name, ready):
    prompt, reader = ready
    links = {
        "object": prompt[titled(prompt, "Completed object")]["inputs"]["images"],
        "mask": next(iter(of_class(prompt, "MaskToImage")))["mask"],
        "status": prompt[titled(prompt, "Status")]["inputs"]["source"],
    }
    for key, link in links.items():
        prompt[f"keep {key}"] = {"class_type": "TestKeep", "inputs": {"name": key, "value": link}}
    run = host.run(prompt)
    ran = set(run.executed_classes())
    drawn_by = "AmodalResumeFromStep" if name in INPAINTED else "AmodalRegisterToCrop"
    assert {"AmodalLoadSam3Segmenter", "AmodalBorderOrder", drawn_by} <= ran
    assert ("FluxGuidance" in ran) == (name != "photograph_sdxl")
    assert "a photo of a green box" in reader.texts
    values, (image, masks) = run.values, stand_ins.scene()
    visible = masks[0] > 0
    whole = values["mask"][0] > 0.5
    assert whole.shape == visible.shape  # nothing was padded
    assert (whole & visible).sum() > 0.98 * visible.sum()
    in_front = mask_ops.dilate(masks[1], 4) > 0
    assert not (whole & ~visible & ~in_front).any()  # it grew where the red box hid it
    kept = whole & visible & ~(mask_ops.dilate(masks[1], 10) > 0)  # beyond the soft seam
    picture = (image * 255).round() / 255
    assert kept.sum() > 1000 and torch.equal(values["object"][0, ..., :3][kept], picture[kept])
    assert values["status"]


def test_a_host_without_sam_3_opens_it_and_says_what_is_needed(host, ready, monkeypatch):
    prompt, _ = ready
    monkeypatch.delitem(host.classes, "SAM3_Detect")
    with pytest.raises(Failed) as error:
        host.run(prompt)
    wrong = [one["class_type"] for one in error.value.details.values()]
    assert wrong == ["AmodalLoadSam3Segmenter"] and "0.20 or newer" in str(error.value)
