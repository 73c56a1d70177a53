"""Tries the pack on every supported Python that is installed: compiles, imports, runs unit tests.

    python -m tools.package.pythons [VERSION ...]

Each version gets a virtual environment in .nox/pythons/ with the packages that the pack uses, torch
included (2 to 6 GB, depending on the package index). Tests that need a ComfyUI are skipped:
`nox -s tests` runs them on one Python. A version that is not installed is skipped with a message.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
PLACE = ROOT / ".nox" / "pythons"
PRODUCT = ("__init__.py", "amodal", "nodes")
LIGHT = (  # modules that need the standard library alone
    "amodal.app.cli",
    "amodal.app.client",
    "amodal.app.host",
    "amodal.app.workflow",
    "amodal.core.errors",
    "amodal.study.votes",
)
PACKAGES = (
    "hypothesis",
    "numpy",
    "pillow",
    "pytest",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
    "tqdm",
    "websocket-client",
)
TESTS = (
    "tests/method",
    "tests/models/test_border_order.py",
    "tests/models/test_stickers.py",
    "tests/nodes/test_study_votes.py",
    "tests/nodes/test_study_statistics.py",
)


def interpreter(version: str) -> Path | None:
    """A working Python of that version on PATH or among pyenv's; None if there is none."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(name), *sorted(pyenv.glob(f"{version}.*/bin/{name}"))]
    for candidate in filter(None, candidates):
        # pyenv puts a script on PATH for every version, which fails unless it is selected
        if subprocess.run([str(candidate), "--version"], capture_output=True).returncode == 0:
            return Path(candidate)
    return None


def check_sources(python: Path) -> str:
    """Compiles the product and imports its light modules; the output, "" if all is well."""
    imports = f"import sys; sys.dont_write_bytecode = True; import {', '.join(LIGHT)}"
    compiles = (
        "import pathlib, sys\n"
        "for top in map(pathlib.Path, sys.argv[1:]):\n"
        "    for file in [top] if top.is_file() else sorted(top.rglob('*.py')):\n"
        "        compile(file.read_bytes(), str(file), 'exec')\n"
    )
    for code, words in ((compiles, PRODUCT), (imports, ())):
        command = [str(python), "-W", "error", "-c", code, *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return done.stdout + done.stderr
    return ""


def environment(python: Path, version: str) -> Path:
    """A virtual environment of that Python with PACKAGES; its interpreter."""
    folder = PLACE / version
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not inside.is_file():
        subprocess.run([str(python), "-m", "venv", str(folder)], check=True)
    subprocess.run([str(inside), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return inside


def unit_tests(python: Path) -> int:
    """Exit status of the tests that need no host."""
    changes = {"AMODAL_TESTS_WITHOUT_HOST": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [str(python), "-m", "pytest", "-q", "-r", "fE", "-p", "no:cacheprovider", *TESTS]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **changes}).returncode


def main() -> int:
    outcomes = {}
    for version in sys.argv[1:] or VERSIONS:
        python = interpreter(version)
        if python is None:
            outcomes[version] = "skipped: not installed"
            continue
        print(f"Python {version}: {python}", flush=True)
        if faults := check_sources(python):
            print(faults)
            outcomes[version] = "FAILED: sources"
        elif unit_tests(environment(python, version)):
            outcomes[version] = "FAILED: unit tests"
        else:
            outcomes[version] = "passed"
    for version, outcome in outcomes.items():
        print(f"Python {version}: {outcome}")
    return int(any(outcome.startswith("FAILED") for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
