"""The comparison of the rules for M^k, on one scene in the real host."""

import pytest
import torch

from research.evaluation import mask_rules, runner
from research.evaluation.scenarios import CELLS


@pytest.fixture(scope="module")
def out(tmp_path_factory, real_host):
    folder = tmp_path_factory.mktemp("mask_rules")
    runner.host()
    assert mask_rules.data_of("gray", "other-easy", 31, folder)
    return folder


def test_every_rule_is_measured_on_the_same_latent(out, monkeypatch):
    monkeypatch.setattr(mask_rules, "CELLS", {"other-easy": CELLS["other-easy"]})
    monkeypatch.setattr(mask_rules, "at_step_k", None)  # what was kept is not sampled again
    lines = mask_rules.table("gray", range(31, 32), out)
    rows = dict(line.strip("| ").split(" | ", 1) for line in lines if " to " in line)
    assert len(rows) == 4 + 3 * len(mask_rules.LEVELS)
    share = {name: float(cells.split()[0]) for name, cells in rows.items()}
    assert rows["automatic"] in (rows["known background"], rows["seeded, level 4"])
    assert 0 < share["the modal mask alone"] < max(share.values()) <= 1


def test_a_gray_object_is_gray_and_all_else_stays(out):
    scene = CELLS["other-easy"].scene(31)
    picture, visible = mask_rules.grayed(scene), scene.modal() > 0.5
    assert (picture[~visible] == scene.image[~visible]).all()
    assert abs(picture[visible] - mask_rules.GRAY).max() <= mask_rules.SHADES + 1e-6
    assert (picture[visible].max(-1) == picture[visible].min(-1)).all()


def test_only_the_painted_area_counts_in_the_second_measure():
    square = torch.zeros(1, 8, 8)
    modal, inpaint, truth = square.clone(), square.clone(), square.clone()
    modal[:, :4], inpaint[:, 4:6], truth[:, :8, :4] = 1, 1, 1
    data = {"modal": modal, "inpaint": inpaint, "truth": truth}
    right = torch.maximum(modal, truth * inpaint)
    assert mask_rules.ious(right, data) == (1.0, 1.0)
    assert mask_rules.ious(modal, data) == (pytest.approx(32 / 40), 0.0)
