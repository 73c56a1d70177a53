"""All trainings in one go, at a hundredth of their size on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from research.training import parts
from research.training.__main__ import STEPS

ROOT = Path(__file__).resolve().parents[2]


def run(out: Path, state: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "research.training", "--out", str(out), *words]
    extra = {"AMODAL_TRAINING": str(state), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **extra}, capture_output=True, text=True
    )


def test_the_steps_share_out_the_whole_time():
    assert abs(sum(step.share for step in STEPS) - 1) < 1e-9


def test_a_missing_device_is_said_before_anything_runs(tmp_path):
    failed = run(tmp_path / "out", tmp_path, "--device", "cuda")
    assert failed.returncode == 1 and "torch sees no CUDA device here" in failed.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_everything_is_trained_and_written_in_small_parts(tmp_path):
    shipped = {path: path.read_bytes() for path in (ROOT / "amodal").rglob("*.safetensors")}
    out = tmp_path / "out"
    done = run(out, tmp_path / "state", "--device", "cpu", "--minutes", "0.5", "--scale", "0.01")
    assert done.returncode == 0, done.stderr[-3000:]
    assert max(path.stat().st_size for path in out.iterdir()) <= 16 * 2**20
    for name in ("diffusion", "segmenter", "order"):
        assert isinstance(json.loads((out / f"{name}.json").read_text()), list)
    joined = {path.name: path for path in parts.join(out, tmp_path / "joined")}
    assert set(joined) == {
        f"stickers_{name}.safetensors" for name in ("unet", "text", "segmenter", "order")
    }
    for path, before in shipped.items():  # nothing is taken over by itself
        assert path.read_bytes() == before
        if path.name in joined:
            assert joined[path.name].read_bytes() != before
            old, new = (load_file(file) for file in (path, joined[path.name]))
            shapes = [{name: tensor.shape for name, tensor in each.items()} for each in (old, new)]
            assert shapes[0] == shapes[1]
