"""Correspondence by features whose true field is known, and the frames and pictures around it."""

import pytest
import torch
import torch.nn.functional as F

from amodal.applications import correspondence, framing, match_pictures
from amodal.core.errors import BadInput

CELLS = 24


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def disc(cells=CELLS, radius=0.4) -> torch.Tensor:
    line = (torch.arange(cells) + 0.5) / cells - 0.5
    return ((line[:, None] ** 2 + line[None] ** 2) < radius**2).float()


def objects(move, mask=None, other_mask=None):
    """An object of random features, and the same after `move` of [..., G, G]."""
    features = random(12, CELLS, CELLS)
    mask = disc() if mask is None else mask
    first = correspondence.object_of([[features]], mask, CELLS)
    second = correspondence.object_of(
        [[move(features)]], move(mask) if other_mask is None else other_mask, CELLS
    )
    return first, second


def turned(grid):
    return torch.rot90(grid, 1, (-2, -1))


def mirrored(grid):
    return grid.flip(-1)


def shifted(grid):
    return grid.roll((1, -2), (-2, -1))


TRUE = {  # where a point (x, y) in cells goes
    turned: lambda p: torch.stack([p[:, 1], CELLS - p[:, 0]], 1),
    mirrored: lambda p: torch.stack([CELLS - p[:, 0], p[:, 1]], 1),
    shifted: lambda p: p + torch.tensor([-2.0, 1.0]),
}


@pytest.mark.parametrize("move", TRUE, ids=lambda move: move.__name__)
def test_a_known_move_is_found_in_both_directions(move):
    first, second = objects(move)
    there, back = correspondence.match(first, second)
    own = correspondence.points_in(first.inside)
    assert torch.equal(there.targets[first.inside], TRUE[move](own))
    found = back.targets[second.inside]
    assert torch.equal(TRUE[move](found), correspondence.points_in(second.inside))
    for field in (there, back):
        assert field.mutual[field.inside].all() and not field.mutual[~field.inside].any()
        assert (field.cycle[field.inside] == 0).all()
        assert torch.allclose(field.confidence[field.inside], torch.tensor(1.0), atol=1e-5)
        assert not field.confidence[~field.inside].any()
    assert correspondence.agreement(there, 0) == 1


def test_what_the_other_object_lacks_is_told_apart():
    """Half of the second object is hidden: the other half's points do not come back."""
    half = turned(disc()).clone()
    half[: CELLS // 2] = 0
    first, second = objects(turned, other_mask=half)
    there, back = correspondence.match(first, second)
    own = correspondence.points_in(first.inside)
    in_reach = TRUE[turned](own)[:, 1] > CELLS / 2
    assert torch.equal(there.mutual[first.inside], in_reach)
    assert (there.cycle[first.inside][~in_reach] > 0).all()
    assert (back.cycle[second.inside] == 0).all()
    assert second.inside[tuple((there.targets[first.inside].flip(1) - 0.5).long().T)].all()


def test_second_features_decide_where_the_first_tell_nothing():
    plain, telling = torch.ones(3, 6, 6), random(200, 12, 12)
    alone = correspondence.object_of([[plain]], disc(), CELLS)
    assert correspondence.agreement(correspondence.match(alone, alone)[0], 0) < 0.1
    both = correspondence.object_of([[plain], [telling]], disc(), CELLS)
    assert correspondence.agreement(correspondence.match(both, both)[0], 0) == 1


def test_groups_weigh_the_same_whatever_their_channels_and_scale():
    """Cosines are the mean of the groups' own, each of which is the mean of its maps'."""
    groups = [[random(4, 6, 6), 50 * random(9, 12, 12, seed=1)], [0.01 * random(500, 4, 4, seed=2)]]
    together = correspondence.object_of(groups, disc(), CELLS).features
    single = [[correspondence.on_cells(m, CELLS) for m in group] for group in groups]
    cosine = together.view(-1, together.shape[-1]) @ together[3, 5]
    expected = sum(
        sum(m.view(-1, m.shape[-1]) @ m[3, 5] for m in group) / len(group) for group in single
    ) / len(groups)
    assert torch.allclose(cosine, expected, atol=1e-5)
    assert torch.allclose(together.norm(dim=-1), torch.tensor(1.0), atol=1e-5)


def test_points_between_cells_move_as_smoothly_as_the_cells():
    there, _ = correspondence.match(*objects(shifted))
    points = 8 + 8 * torch.rand(50, 2, generator=torch.Generator().manual_seed(3))
    targets, confidence, cycle = correspondence.at(there, points)
    assert torch.allclose(targets, TRUE[shifted](points), atol=1e-3)
    assert (confidence > 0.999).all() and (cycle == 0).all()


def test_a_point_outside_moves_as_the_nearest_cell_and_has_no_confidence():
    there, _ = correspondence.match(*objects(shifted))
    point = torch.tensor([[0.5, CELLS / 2]])
    targets, confidence, cycle = correspondence.at(there, point)
    assert torch.allclose(targets, TRUE[shifted](point))
    assert float(confidence) == 0 and float(cycle) > CELLS


def test_the_best_pairs_are_mutual_sure_and_apart():
    first, second = objects(turned)
    there, _ = correspondence.match(first, second)
    there.cycle[:, : CELLS // 2] = 5  # the left half does not come back
    pairs = correspondence.best_pairs(there, 2, 10)
    assert 1 < len(pairs) <= 10 and (pairs[:, 0] > CELLS / 2).all()
    assert torch.equal(pairs[:, 2:4], TRUE[turned](pairs[:, :2]))
    assert (pairs[:-1, 4] >= pairs[1:, 4]).all()
    apart = torch.cdist(pairs[:, :2], pairs[:, :2]) + 100 * torch.eye(len(pairs))
    assert float(apart.min()) > 2
    assert correspondence.best_pairs(there, -1, 10).shape == (0, 6)


def test_a_tiny_object_keeps_one_cell():
    mask = torch.zeros(64, 64)
    mask[10, 50] = 1
    found = correspondence.object_of([[random(3, 8, 8)]], mask, 8)
    assert found.inside.nonzero().tolist() == [[1, 6]] and found.side == 1


def test_features_of_two_models_are_refused():
    one = correspondence.object_of([[random(3, 8, 8)]], disc(), CELLS)
    other = correspondence.object_of([[random(4, 8, 8)]], disc(), CELLS)
    with pytest.raises(BadInput, match="features"):
        correspondence.match(one, other)


# --- frames ---------------------------------------------------------------------------------------


def picture(height=40, width=60, box=(20, 5, 44, 29)) -> torch.Tensor:
    """A smooth RGBA picture whose object fills a box."""
    smooth = F.interpolate(random(1, 3, 5, 5, seed=4).sigmoid(), (height, width), mode="bicubic")
    rgba = torch.cat([smooth[0].movedim(0, -1).clamp(0, 1), torch.zeros(height, width, 1)], -1)
    rgba[box[1] : box[3], box[0] : box[2], 3] = 1
    return rgba


@pytest.mark.parametrize(
    "box", [(20, 5, 44, 29), (0, 0, 24, 24), (36, 16, 60, 40), (3, 30, 59, 33)]
)
def test_an_object_lies_in_the_middle_of_its_frame(box):
    rgba = picture(box=box)
    frame = framing.frame_of(rgba[..., 3], 0.1)
    larger = max(box[2] - box[0], box[3] - box[1])
    assert frame.side == round(larger / 0.8)
    square = framing.cut_out(rgba, frame, frame.side)
    x0, y0, x1, y1 = (
        int(v) for v in (box[0] - frame.x, box[1] - frame.y, box[2] - frame.x, box[3] - frame.y)
    )
    assert abs(x0 - (frame.side - x1)) <= 1 and abs(y0 - (frame.side - y1)) <= 1
    assert torch.allclose(square[y0:y1, x0:x1], rgba[box[1] : box[3], box[0] : box[2]], atol=1e-6)
    assert float(square[..., 3].sum()) == (box[2] - box[0]) * (box[3] - box[1])


def test_no_ground_bleeds_into_a_resized_object():
    rgba = picture()
    rgba[..., :3] = torch.where(rgba[..., 3:] > 0, 0.8, 0.0)
    small = framing.cut_out(rgba, framing.frame_of(rgba[..., 3], 0.13), 17)
    assert torch.allclose(small[..., :3][small[..., 3] > 0.01], torch.tensor(0.8), atol=1e-4)
    assert torch.allclose(framing.on_ground(small, 0.8), torch.tensor(0.8), atol=1e-4)


def test_alpha_comes_from_the_picture_or_a_mask():
    rgba = picture()[None]
    assert torch.equal(framing.with_alpha(rgba), rgba)
    mask = 1 - rgba[..., 3]
    assert torch.equal(framing.with_alpha(rgba[..., :3], mask)[..., 3], mask)
    assert torch.equal(framing.with_alpha(rgba, mask)[..., 3], mask)  # the mask takes precedence
    for bad in (rgba[..., :3], rgba * 0):
        with pytest.raises(BadInput, match="object"):
            framing.with_alpha(bad)


# --- pictures -------------------------------------------------------------------------------------


def matched_with_itself(rgba):
    frame = framing.frame_of(rgba[..., 3], 0.1)
    square = framing.cut_out(rgba, frame, 96)
    own = correspondence.object_of([[random(32, 32, 32)]], square[..., 3], 32)
    there, back = correspondence.match(own, own)
    return frame, square, there, back


def test_an_object_warped_onto_itself_is_itself():
    rgba = picture(80, 120, (30, 10, 90, 70))
    frame, _, _, back = matched_with_itself(rgba)
    result = match_pictures.warped(rgba, frame, rgba, frame, back)
    assert torch.equal(result[..., 3], rgba[..., 3])
    inside = rgba[..., 3] > 0
    assert float((result - rgba)[inside].abs().max()) < 0.02
    assert not result[~inside].any()


def test_equal_colours_correspond_and_the_unsure_is_gray():
    frame, square, there, back = matched_with_itself(picture())
    one, two = match_pictures.maps(square, square, there, back, (0.0, 0.0))
    inside = square[..., 3] > 0.5
    assert float((one - two)[inside].abs().max()) < 0.02
    assert len(torch.unique((one[inside] * 50).round(), dim=0)) > 50
    there.cycle[:] = 9
    gray, _ = match_pictures.maps(square, square, there, back, (0.0, 0.0))
    shades = gray[inside][:, :3]
    assert float((shades.amax(1) - shades.amin(1)).max()) < 1e-5


def test_lines_join_the_two_ends():
    _, square, there, _ = matched_with_itself(picture())
    pairs = torch.tensor([[0.25, 0.5, 0.75, 0.5]])
    drawn = match_pictures.lines(square, square, pairs)
    assert drawn.shape == (96, 192, 3)
    changed = (drawn - match_pictures.side_by_side(square, square)).abs().sum(-1) > 0.02
    columns = changed.any(0).nonzero()
    assert abs(int(columns[0]) - 24) <= 4 and abs(int(columns[-1]) - (96 + 72)) <= 4
    assert changed[48, 24:168].all()
