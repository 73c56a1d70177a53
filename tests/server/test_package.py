"""The registry's package: what is in it, and that it works as the only copy of the pack."""

import zipfile

import pytest

from tools.package import archive, neighbours, trial

TOP = {"amodal", "js", "locales", "nodes", "subgraphs", "workflows"}  # folders that users get


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return archive.build(tmp_path_factory.mktemp("package"))


def test_it_holds_the_product_and_no_laboratory(package):
    with zipfile.ZipFile(package) as opened:
        names = opened.namelist()
    assert {name.partition("/")[0] for name in names if "/" in name} == TOP
    files = {name for name in names if "/" not in name}
    assert files >= {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "NOTICE"}
    assert not files & {"noxfile.py", "CONTRIBUTING.md", ".comfyignore", ".gitignore"}
    tracked = archive.tracked(*(f"{folder}/" for folder in TOP))
    assert set(tracked) <= set(names)
    assert package.name == "{}-{}.zip".format(*archive.project())
    assert package.stat().st_size < 50e6


def test_the_same_files_give_the_same_archive(package, tmp_path):
    assert archive.build(tmp_path).read_bytes() == package.read_bytes()


def test_a_stand_in_that_another_pack_broke_is_noticed(tmp_path):
    neighbours.install(tmp_path)
    assert {place.name for place in tmp_path.iterdir()} == set(neighbours.NAMES)
    whole = {
        node: {"input": {"required": {"owner": [[owner]]}}}
        for node, owner in neighbours.NODES.items()
    }
    assert neighbours.missing(whole) == []
    taken = {**whole, "KJStandIn": whole["ImpactStandIn"]}
    assert neighbours.missing(taken) == ["KJStandIn"]
    assert neighbours.missing({}) == list(neighbours.NODES)


def test_nodes_of_another_copy_are_noticed():
    ours, theirs = "custom_nodes.amodal-completion", "custom_nodes.amodal_completion"
    nodes = {"AmodalA": {"python_module": ours}, "LoadImage": {"python_module": "nodes"}}
    assert trial.offered(nodes, "amodal-completion") == ["AmodalA"]
    for wrong in ({**nodes, "AmodalB": {"python_module": theirs}}, {}):
        with pytest.raises(trial.Broken, match="not from amodal-completion"):
            trial.offered(wrong, "amodal-completion")


@pytest.mark.slow
def test_installed_beside_other_packs_it_runs_a_workflow(package):
    outcome = trial.run(package)
    assert outcome.status.startswith("completed")
    assert outcome.images == 3 and outcome.nodes > 40
