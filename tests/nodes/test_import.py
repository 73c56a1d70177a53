"""Loading the pack must cost the host next to nothing: it may pull in nothing but itself."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOAD = """
import asyncio, json, sys
from tools.host import inprocess
from amodal.app.host import find_comfyui
inprocess.start(find_comfyui())
import nodes
before = set(sys.modules)
assert asyncio.run(nodes.load_custom_node(str(inprocess.ROOT)))
print("NEW " + json.dumps(sorted(set(sys.modules) - before)))
"""


def python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_host_loads_the_pack_and_nothing_else():
    """Neither sklearn nor scipy's larger parts nor transformers, and no network client."""
    line = next(line for line in python(LOAD).splitlines() if line.startswith("NEW "))
    new = json.loads(line[4:])
    own = [name for name in new if str(ROOT).replace(".", "_x_dot_") in name]
    assert any(name.endswith(".nodes.sampling") for name in own)
    foreign = {name.partition(".")[0] for name in new} - {name.partition(".")[0] for name in own}
    assert foreign - set(sys.stdlib_module_names) == set()


def test_the_root_file_imports_nothing_of_the_host():
    """Or pytest, linters and registries could not read it."""
    code = "import sys; sys.path.insert(0, '..'); before = set(sys.modules)\n"
    code += f"import importlib; importlib.import_module({ROOT.name!r})\n"
    code += "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    assert "comfy" not in python(code)
    assert "torch" not in python(code)


def test_little_is_asked_for():
    """No pins, and nothing of torch's family, which is the host's."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    asked = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    assert asked and all(re.fullmatch(r"[a-z0-9-]+", line) for line in asked)
    assert not set(asked) & {"torch", "torchvision", "torchaudio", "numpy", "comfyui"}


def test_the_method_imports_nothing_of_the_host():
    """The arrow points one way: nodes -> amodal; and heavy libraries wait for their use."""
    files = [p.relative_to(ROOT) for p in (ROOT / "amodal").rglob("*.py") if p.stem[:2] != "__"]
    names = [".".join(path.with_suffix("").parts) for path in files]
    assert "amodal.stickers.segmenter" in names
    code = "import sys, importlib\n"
    code += f"for name in {names}: importlib.import_module(name)\n"
    code += "print('HAS', *sorted({m.partition('.')[0] for m in sys.modules}))"
    has = set(next(line for line in python(code).splitlines() if line.startswith("HAS")).split())
    assert "amodal" in has
    assert not has & {"comfy", "folder_paths", "nodes", "sklearn", "scipy", "transformers", "PIL"}
