"""The command `doctor`: true verdicts on a host, whatever files and nodes it has."""

import json
from types import SimpleNamespace

import pytest

from amodal.app import doctor, photographs, workflow
from amodal.models import pretrained

ALL = {path.stem: photographs.listed(path) for path in sorted(workflow.FOLDER.glob("*.json"))}
STATS = {
    "system": {
        "comfyui_version": "0.3.75",
        "python_version": "3.11.7 (main)",
        "pytorch_version": "2.13.0",
        "ram_free": 16_000_000_000,
    },
    "devices": [
        {"name": "cpu", "type": "cpu", "vram_free": 16_000_000_000},
        {"name": "cuda:0 A", "type": "cuda", "vram_free": 8_000_000_000},
    ],
}


class Host:
    """A stand-in for a running ComfyUI: what it has, by folder, and the nodes it lacks."""

    def __init__(self, files=(), lacks=()):
        self.files, self.lacks = {}, lacks
        for file in files:
            self.files.setdefault(file["directory"], []).append(file["name"])

    def get(self, path, **_):
        if path == "/system_stats":
            return STATS
        kind = path.removeprefix("/object_info/")
        return {} if kind in self.lacks else {kind: {}}

    def names(self, path):
        return list(self.files) if path == "/models" else self.files[path.split("/")[-1]]


def verdicts(running) -> dict:
    found = doctor.about(running)
    return {name: doctor.verdict(running, found, workflow.FOLDER / f"{name}.json") for name in ALL}


def test_without_files_the_embedded_workflows_run_and_each_other_one_lists_its_files():
    for name, verdict in verdicts(Host()).items():
        wanted = [file for file in ALL[name] if file["name"] not in photographs.FOUND_ELSEWHERE]
        assert verdict.files == wanted
        assert verdict.runs == (not wanted)


@pytest.mark.parametrize("name", [name for name, files in ALL.items() if files])
def test_a_workflow_runs_where_all_its_files_are_and_not_where_one_is_missing(name):
    assert verdicts(Host(ALL[name]))[name].runs
    for file in ALL[name]:
        if file["name"] not in photographs.FOUND_ELSEWHERE:
            rest = [other for other in ALL[name] if other is not file]
            verdict = verdicts(Host(rest))[name]
            assert not verdict.runs and verdict.files == [file]


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_node_is_named(name):
    prompt = json.loads((workflow.FOLDER / f"{name}.json").read_text())
    kind = sorted({node["class_type"] for node in prompt.values()})[0]
    verdict = verdicts(Host(ALL[name], lacks=(kind,)))[name]
    assert not verdict.runs and [line.split(":")[0] for line in verdict.nodes] == [kind]


def test_what_a_newer_host_brings_is_named_with_its_version():
    verdict = verdicts(Host(ALL["photograph_sdxl"], lacks=("SAM3_Detect",)))["photograph_sdxl"]
    assert verdict.nodes == ["ComfyUI 0.20 with SAM3_Detect"] and not verdict.runs


def test_memory_counts_each_device_once_and_says_what_does_not_fit():
    found = doctor.about(Host())
    assert found.free == {"memory": 16_000_000_000, "cuda:0 A": 8_000_000_000}
    seen = verdicts(Host())
    assert seen["amodal_completion"].fits and not seen["photograph_flux_fill_sam3"].fits
    total, largest = seen["photograph_flux_fill_sam3"].gigabytes
    assert largest == 23.8 and total > 30


def test_every_published_size_can_be_read():
    for model in pretrained.KNOWN:
        assert 0 < doctor.gigabytes(model.size) < 100


@pytest.mark.parametrize("lacks, status", [((), 0), (("AmodalLoopStart", "AmodalCompletion"), 3)])
def test_the_report_names_host_files_folders_and_sources(monkeypatch, capsys, lacks, status):
    monkeypatch.setattr(doctor, "Client", lambda url: Host(lacks=lacks))
    one_pass = [name for name in ALL if not ALL[name]]
    monkeypatch.setattr(
        doctor, "unknown_nodes", lambda client, path: list(lacks) if path.stem in one_pass else []
    )
    assert doctor.run(SimpleNamespace(server="http://here", json=False)) == status
    told = capsys.readouterr().out
    assert "ComfyUI 0.3.75" in told and "cuda:0 A 8.0 GB" in told
    for file in ALL["amodal_completion"]:
        if file["name"] not in photographs.FOUND_ELSEWHERE:
            assert f"{file['name']} ({file['size']}), into models/{file['directory']}" in told


def test_json_holds_the_same(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "Client", lambda url: Host())
    doctor.run(SimpleNamespace(server="http://here", json=True))
    told = json.loads(capsys.readouterr().out)
    assert {one["workflow"]: one["runs"] for one in told["workflows"]} == {
        name: verdict.runs for name, verdict in verdicts(Host()).items()
    }
