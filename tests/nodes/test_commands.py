"""Commands that files outside of Python name: each is a session of noxfile.py."""

import ast
import re

import pytest
import yaml

from amodal.app import cli, workflow
from research.dataset import __main__ as dataset
from tools.docs import make_batch_picture
from tools.package.archive import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FILES = [
    ROOT / "CONTRIBUTING.md",
    ROOT / ".ci" / "run",
    ROOT / ".pre-commit-config.yaml",
    *WORKFLOWS,
]


def sessions() -> set[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(mark).startswith("nox.session") for mark in node.decorator_list)
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_nox_session_that_is_named_exists(file):
    text = file.read_text(encoding="utf-8")
    named = set(re.findall(r"nox\"? -s (\w+)", text)) | set(
        re.findall(r"^tests (\w+) --", text, re.M)
    )
    assert named and named <= sessions()


def test_the_readmes_batch_runs_in_a_fresh_clone_and_made_the_picture_below_it():
    """It takes the embedded models, and the pictures that the command before it draws."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    drawing = re.findall(r"^nox -s dataset -- (.+)$", text, re.M)
    batch = re.findall(r"^(?:python -m amodal|nox -s run --) (batch .+)$", text, re.M)
    assert (drawing, batch) == ([make_batch_picture.DRAW], [make_batch_picture.BATCH])
    made = dataset.parser().parse_args(drawing[0].split())
    options = cli.parser().parse_args(batch[0].split())
    assert options.workflow == workflow.STICKERS
    assert ROOT / options.source == made.out / "picture"


def jobs(name: str) -> dict:
    (file,) = [file for file in WORKFLOWS if file.name == name]
    return yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]


def commands(job: dict) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_every_change_is_linted_and_tested_on_every_python():
    found = jobs("tests.yml")
    assert "nox -s lint" in commands(found["lint"])
    assert "nox -s tests" in commands(found["tests"])
    assert found["pythons"]["strategy"]["matrix"]["python"] == ["3.10", "3.12", "3.13"]
    assert "nox -s pythons -- ${{ matrix.python }}" in commands(found["pythons"])


def test_a_package_is_tried_before_it_is_published():
    steps = jobs("publish.yml")["publish"]["steps"]
    tried = next(i for i, step in enumerate(steps) if step.get("run") == "nox -s package")
    (published,) = [
        i for i, step in enumerate(steps) if "publish-node-action" in step.get("uses", "")
    ]
    assert tried < published
    assert "secrets.REGISTRY_ACCESS_TOKEN" in steps[published]["with"]["personal_access_token"]
