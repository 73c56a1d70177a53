"""Which shipped workflow the command line takes for a photograph, by the models that a host has."""

import json

import pytest

from amodal.app import photographs, workflow
from amodal.core.errors import BadInput

FILES = {
    "checkpoints": ["other.safetensors", "512-inpainting-ema.safetensors"],
    "grounding-dino": ["groundingdino_swint_ogc.pth"],
    "bert-base-uncased": ["vocab.txt"],
    "sams": ["sam_vit_h_4b8939.pth"],
    "instaorder": ["InstaOrder_InstaOrderNet_od.pth.tar"],
    "inpaint": ["big-lama.pt"],
}
KONTEXT = "flux1-dev-kontext_fp8_scaled.safetensors"
TODAY = {  # files of the workflows on today's models
    "checkpoints": [
        "sam3.1_multiplex_fp16.safetensors",
        "sd_xl_base_1.0_inpainting_0.1.safetensors",
    ],
    "diffusion_models": ["flux1-fill-dev.safetensors", KONTEXT],
    "text_encoders": ["clip_l.safetensors", "t5xxl_fp16.safetensors"],
    "vae": ["ae.safetensors"],
}


class Host:
    """In the place of a client: a host with these files in its folders, and these nodes."""

    def __init__(self, files, nodes=("SAM3_Detect",)):
        self.files, self.nodes = files, nodes

    def get(self, path):
        node = path.removeprefix("/object_info/")
        return {node: {}} if node in self.nodes else {}

    def names(self, path):
        if path == "/models":
            return list(self.files)
        return self.files[path.removeprefix("/models/")]


def write(folder, name, *files):
    """A workflow whose loader names published files."""
    models = [{"name": file, "directory": place, "url": "https://x"} for file, place in files]
    saved = {
        "1": {"class_type": "Loader", "_meta": {"title": "Loader", "models": models}},
        "2": {"class_type": "Other", "_meta": {"title": ""}},
    }
    (folder / "api" / f"{name}.json").write_text(json.dumps(saved))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "api").mkdir()
    monkeypatch.setattr(workflow, "FOLDER", tmp_path / "api")
    return tmp_path


def test_the_shipped_workflow_is_taken_if_all_its_files_are_there():
    assert photographs.first_complete(Host(FILES)) == workflow.FOLDER / "amodal_completion.json"


@pytest.mark.parametrize(
    "lacking, taken",
    [
        (None, "photograph_flux_fill_sam3"),
        ("vae", "photograph_sdxl"),
        ("diffusion_models", "photograph_sdxl"),
        ("checkpoints", "amodal_completion"),
        ("SAM3_Detect", "amodal_completion"),  # the files are there, the host is too old
    ],
)
def test_todays_models_come_before_the_papers(lacking, taken):
    both = {**FILES, **TODAY, "checkpoints": FILES["checkpoints"] + TODAY["checkpoints"]}
    if lacking in both:
        both[lacking] = FILES.get(lacking, [])
    nodes = () if lacking == "SAM3_Detect" else ("SAM3_Detect",)
    assert photographs.first_complete(Host(both, nodes)).stem == taken


@pytest.mark.parametrize("painters", [[KONTEXT], TODAY["diffusion_models"]])
@pytest.mark.parametrize("sdxl", [True, False])
def test_an_edit_model_comes_after_those_that_inpaint_and_before_the_papers(painters, sdxl):
    checkpoints = FILES["checkpoints"] + TODAY["checkpoints"][: 2 if sdxl else 1]
    both = {**FILES, **TODAY, "checkpoints": checkpoints, "diffusion_models": painters}
    inpaints = "photograph_flux_fill_sam3" if len(painters) > 1 else "photograph_sdxl"
    taken = inpaints if sdxl or len(painters) > 1 else "photograph_by_instruction"
    assert photographs.first_complete(Host(both)).stem == taken


def test_every_shipped_workflow_for_photographs_has_its_place_in_the_order():
    assert [path.stem for path in photographs.shipped()] == [
        "photograph_flux_fill_sam3",
        "photograph_sdxl",
        "photograph_by_instruction",
        "amodal_completion",
    ]
    assert set(workflow.FOLDER.glob("photograph_*.json")) < set(photographs.shipped())


def test_an_older_host_is_told_what_the_newer_workflows_need():
    with pytest.raises(BadInput, match="photograph_sdxl lacks ComfyUI 0.20 with SAM3_Detect"):
        photographs.first_complete(Host({}, ()))


@pytest.mark.parametrize("folder_of", [name for name in FILES if name != "bert-base-uncased"])
@pytest.mark.parametrize("known", [True, False])
def test_each_missing_file_is_named_with_its_folder(folder_of, known):
    files = {**FILES, folder_of: []}
    if not known:  # a host lists only folders that something has registered
        del files[folder_of]
    missing = FILES[folder_of][-1]
    with pytest.raises(BadInput, match="--stickers") as error:
        photographs.first_complete(Host(files))
    assert f"lacks {missing} (models/{folder_of})." in str(error.value)


def test_berts_vocabulary_is_left_to_its_loader_which_looks_elsewhere_too():
    files = {**FILES, "bert-base-uncased": []}
    assert photographs.first_complete(Host(files)).stem == "amodal_completion"
    with pytest.raises(BadInput, match="vocab.txt .models/bert-base-uncased"):
        photographs.first_complete(Host({}))


def test_the_first_workflow_whose_files_are_there_is_taken(folder):
    write(folder, "amodal_completion", ("a.pth", "x"), ("b.pth", "y"))
    write(folder, "amodal_completion_large", ("a.pth", "x"), ("c.pth", "y"))
    write(folder, "amodal_completion_small", ("a.pth", "x"))
    write(folder, "amodal_completion_stickers")
    write(folder, "another", ("a.pth", "x"))
    for files, taken in (
        (["b.pth", "c.pth"], "amodal_completion"),
        (["c.pth"], "amodal_completion_large"),
        ([], "amodal_completion_small"),
    ):
        host = Host({"x": ["a.pth"], "y": files})
        assert photographs.first_complete(host).stem == taken
    with pytest.raises(BadInput) as error:
        photographs.first_complete(Host({"y": ["b.pth", "c.pth"]}))
    for name in ("amodal_completion lacks", "_large lacks", "_small lacks"):
        assert name in str(error.value)
    assert "_stickers lacks" not in str(error.value)


@pytest.mark.parametrize("name", ["amodal_completion_stickers", "amodal_completion_stickers.json"])
def test_a_shipped_workflow_is_found_by_its_name(name):
    assert workflow.named(workflow.Path(name)) == workflow.STICKERS


@pytest.mark.parametrize("name", ["photograph_papers_models", "photograph_papers_models.json"])
def test_the_workflow_on_the_papers_models_has_a_second_name(name, tmp_path, monkeypatch):
    assert workflow.named(workflow.Path(name)) == workflow.FOLDER / "amodal_completion.json"
    there = workflow.Path("x") / name
    assert workflow.named(there) == there
    monkeypatch.chdir(tmp_path)
    own = workflow.Path(name)
    own.write_text("{}")
    assert workflow.named(own) == own


def test_no_second_name_hides_a_shipped_workflow():
    shipped = {path.stem for path in workflow.FOLDER.glob("*.json")}
    assert not set(workflow.ALIASES) & shipped and set(workflow.ALIASES.values()) <= shipped


def test_a_path_stays_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("x/amodal_completion_stickers.json", "nowhere", "../amodal_one_node"):
        assert workflow.named(workflow.Path(path)) == workflow.Path(path)
    own = workflow.Path("amodal_one_node.json")
    own.write_text("{}")
    assert workflow.named(own) == own
