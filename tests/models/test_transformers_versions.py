"""The loaders of GroundingDINO and SAM on the other major version of transformers: 5 or 4.57.

It is installed into a folder of its own, which only the Python started here sees.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ["test_grounding_dino.py", "test_sam.py", "test_grounded_sam.py"]
SAY = "import transformers; print(transformers.__version__)"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> tuple[str, dict]:
    """(the other major version, the environment variables with which Python finds it)."""
    import numpy
    import transformers

    has_5 = int(transformers.__version__.split(".")[0]) >= 5
    wanted = "transformers>=4.57,<5" if has_5 else "transformers>=5,<6"
    place = str(tmp_path_factory.mktemp("transformers"))
    got = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--target",
            place,
            wanted,
            f"numpy=={numpy.__version__}",
        ],
        capture_output=True,
        text=True,
    )
    if got.returncode:
        pytest.skip(f"no {wanted} to be had here: {got.stderr[-300:]}")
    return "4" if has_5 else "5", {**os.environ, "PYTHONPATH": place}


def test_files_load_and_give_the_same_outputs_on_the_other_version(other):
    version, environment = other
    says = subprocess.run(
        [sys.executable, "-c", SAY], env=environment, capture_output=True, text=True, check=True
    )
    assert says.stdout.split(".")[0] == version
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(f"tests/models/{name}" for name in TESTS)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    assert " passed" in run.stdout and "skipped" not in run.stdout
