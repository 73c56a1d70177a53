"""Every name of the host that the pack's nodes import is there, on the host at hand."""

import ast
import importlib
from pathlib import Path

import pytest

NODES = Path(__file__).parents[2] / "nodes"
HOSTS = ("comfy", "comfy_api", "comfy_execution", "folder_paths", "latent_preview", "server")


def imported(tree: ast.AST) -> set[tuple[str, str]]:
    """(module, name) of what is imported from the host, and of each use of an imported module."""
    found, modules = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and is_of_host(node.module):
            found |= {(node.module, alias.name) for alias in node.names}
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if is_of_host(alias.name)}
            found |= {(alias.name, "") for alias in node.names if is_of_host(alias.name)}
            short = {alias.asname: alias.name for alias in node.names if alias.asname}
            found |= uses(tree, short)
    return found | uses(tree, {name: name for name in modules})


def is_of_host(module: str | None) -> bool:
    return (module or "").split(".")[0] in HOSTS


def uses(tree: ast.AST, modules: dict) -> set[tuple[str, str]]:
    """(module, name) of each attribute that is taken of a module, by the name it has here."""
    return {
        (modules[written], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (written := ast.unparse(node.value)) in modules
        if is_of_host(modules[written])
    }


FILES = [path for path in sorted(NODES.rglob("*.py")) if imported(ast.parse(path.read_text()))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(NODES)))
def test_the_host_has_every_name(real_host, path):
    missing = []
    for module, name in imported(ast.parse(path.read_text(encoding="utf-8"))):
        here = importlib.import_module(module)
        if name and not hasattr(here, name):
            try:
                importlib.import_module(f"{module}.{name}")
            except ModuleNotFoundError:
                missing.append(f"{module}.{name}")
    assert missing == []


def test_names_are_found_in_every_form_of_import():
    tree = ast.parse(
        "import comfy.samplers\nimport comfy.utils as tools\nfrom comfy.ops import cast\n"
        "comfy.samplers.KSAMPLER(tools.load)\nimport torch\ntorch.ones"
    )
    assert imported(tree) == {
        ("comfy.samplers", ""),
        ("comfy.utils", ""),
        ("comfy.samplers", "KSAMPLER"),
        ("comfy.utils", "load"),
        ("comfy.ops", "cast"),
    }
