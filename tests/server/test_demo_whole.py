"""The complete demo, as the README's first command runs it."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from amodal.app.host import ROOT


@pytest.mark.slow
def test_three_scenes_are_completed_and_measured_against_the_truth(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = {}
    for story in ("easy", "co-occurring", "cut"):
        folder = tmp_path / story
        results[story] = json.loads((folder / "result.json").read_text())
        names = {path.name for path in folder.iterdir()}
        assert names >= {
            "input.png",
            "pass_1.png",
            "completed.png",
            "amodal_mask.png",
            "overlay.png",
        }
    assert all(result["passes"] >= 1 for result in results.values())
    truth = [result["against_truth"] for result in results.values()]
    assert sum(score["amodal_iou"] for score in truth) / 3 > 0.93
    assert sum(score["occluded_iou"] for score in truth) / 3 > 0.86
    assert {result["status"] for result in results.values()} == {"completed"}
    width, height = Image.open(tmp_path / "contact_sheet.png").size
    assert width > height > 600
    assert str(tmp_path / "contact_sheet.png") in done.stdout.splitlines()[-1]
