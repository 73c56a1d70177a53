"""Which module may import which: no circles, and no arrow from a lower floor to a higher one."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("amodal", "nodes", "research", "tools", "tests")
CORE_ONLY = ("method", "models", "measures", "batch", "stickers", "study", "applications")
LABS = ("amodal", "nodes", "research", "tools")
MAY_IMPORT = {  # the longest matching prefix decides; anything inside the prefix itself is allowed
    "amodal.core": (),
    **{f"amodal.{folder}": ("amodal.core",) for folder in CORE_ONLY},
    "amodal.app": ("amodal.core", "amodal.batch"),
    "amodal": ("amodal",),
    "nodes": ("amodal",),
    "": ("nodes", "amodal"),  # __init__.py at the root, which the host imports
    "research.dataset": ("amodal", "nodes", "tools"),
    "research.training": ("amodal", "nodes", "tools", "research.dataset"),
    "research.evaluation": LABS,
    "research.photographs": LABS,
    "research.applications": LABS,
    "research": LABS,
    "tools": ("amodal", "nodes"),
    "tests": FOLDERS,
}


def find_modules() -> dict[str, Path]:
    """{dotted name: file} of every module; the root's own __init__.py is named ""."""
    files = {"": ROOT / "__init__.py"}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            files[".".join(parts[:-1] if path.name == "__init__.py" else parts)] = path
    return files


def imports_of(name: str, source: str, is_package: bool, modules) -> set[str]:
    """The modules of this repository that `source` imports anywhere, also within functions."""
    package = name.split(".") if is_package else name.split(".")[:-1]
    targets = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*filter(None, above), *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}" if base else alias.name
                targets.add(inner if inner in modules else base)
    return {target for target in targets if target in modules} - {name}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    modules = find_modules()
    return {
        name: imports_of(name, path.read_text("utf-8"), path.name == "__init__.py", modules)
        for name, path in modules.items()
    }


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other: what is left after peeling off the ends."""
    left = {name: set(targets) for name, targets in imports.items()}
    while True:
        ends = {name for name, targets in left.items() if not targets}
        ends |= left.keys() - set().union(*left.values()) if left else set()
        if not ends:
            return [sorted(left)] if left else []
        left = {name: targets - ends for name, targets in left.items() if name not in ends}


def floor_of(name: str) -> str:
    """The longest prefix of `name` in MAY_IMPORT."""
    fitting = [floor for floor in MAY_IMPORT if is_within(name, floor)]
    return max(fitting, key=len)


def is_within(name: str, floor: str) -> bool:
    return name == floor or (floor != "" and name.startswith(f"{floor}."))


def arrows_up(imports: dict[str, set[str]]) -> list[str]:
    """'importer -> imported' for every import that MAY_IMPORT does not allow."""
    found = []
    for name, targets in imports.items():
        allowed = (floor_of(name), *MAY_IMPORT[floor_of(name)])
        for target in sorted(targets):
            if not any(is_within(target, floor) for floor in allowed):
                found.append(f"{name} -> {target}")
    return found


def test_no_modules_import_each_other(imports):
    assert circles({name: t for name, t in imports.items() if not is_within(name, "tests")}) == []


def test_no_module_imports_from_a_higher_floor(imports):
    assert arrows_up(imports) == []


def test_every_folder_of_the_pack_has_its_floor():
    folders = {path.name for path in (ROOT / "amodal").iterdir() if (path / "__init__.py").exists()}
    assert folders == {"core", "app", *CORE_ONLY}
    folders = {path.name for path in (ROOT / "research").iterdir() if list(path.glob("*.py"))}
    assert folders == {"dataset", "training", "evaluation", "photographs", "applications"}


def test_the_imports_of_this_repository_are_seen(imports):
    """Absolute, relative, and within a function."""
    assert "amodal.core.errors" in imports["research.dataset.builder"]
    assert "research.evaluation.figures" in imports["research.evaluation.runner"]
    assert "tools.host.inprocess" in imports["research.evaluation.runner"]
    assert "nodes" in imports[""]
    assert sum(map(len, imports.values())) > 300


@pytest.mark.parametrize(
    "importer, source, arrow",
    [
        ("amodal.core.x", "from ..method import loop", "amodal.method.loop"),
        ("amodal.method.x", "from ..models import sam", "amodal.models.sam"),
        (
            "nodes.x",
            "def f():\n    from research.evaluation import figures",
            "research.evaluation.figures",
        ),
        ("amodal.batch.x", "from ..app import client", "amodal.app.client"),
        ("amodal.app.x", "import tools.host.inprocess", "tools.host.inprocess"),
        ("research.training.x", "from ..evaluation import judge", "research.evaluation.judge"),
        ("research.dataset.x", "from ..training.run import ROOT", "research.training.run"),
        ("tools.x", "from research.evaluation import figures", "research.evaluation.figures"),
        ("tools.x", "from tests.support import small", "tests.support.small"),
        ("research.evaluation.x", "from tests import conftest", "tests.conftest"),
    ],
)
def test_an_arrow_up_is_found(importer, source, arrow):
    modules = {**find_modules(), importer: None}
    assert arrows_up({importer: imports_of(importer, source, False, modules)}) == [
        f"{importer} -> {arrow}"
    ]


def test_a_circle_is_found():
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}
    assert circles(imports) == [["a", "b", "c"]]
