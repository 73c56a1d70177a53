"""The counterfactual test (section 3.6): its mask, its measures, and its decision."""

from pathlib import Path

import pytest
import torch

from amodal.core.errors import BadInput
from amodal.method import curation
from tools.host.inprocess import Failed, Graph


def square(left, top, right, bottom, side=100) -> torch.Tensor:
    mask = torch.zeros(1, side, side)
    mask[:, top:bottom, left:right] = 1
    return mask


OBJECT = square(40, 40, 60, 60)  # 400 pixels


def test_everything_but_object_and_corners_is_painted():
    mask = curation.counterfactual_mask(OBJECT, 0.1)
    assert mask[0, 50, 50] == 0 and mask[0, 5, 5] == 0 and mask[0, 95, 95] == 0
    assert mask.sum() == 100 * 100 - 400 - 4 * 100
    assert curation.counterfactual_mask(OBJECT, 0).sum() == 100 * 100 - 400


@pytest.mark.parametrize(
    "after, gained",
    [
        (OBJECT, 0),
        (square(40, 40, 60, 70), 0.5),
        (square(50, 50, 55, 55), 0),
    ],
)
def test_extension_is_the_area_gained_over_the_area_before(after, gained):
    assert curation.extension(OBJECT[0], after[0]) == pytest.approx(gained)


@pytest.mark.parametrize(
    "after, complete",
    [
        (OBJECT, True),
        (square(40, 40, 60, 63), True),  # 15 %
        (square(40, 40, 60, 65), False),  # 25 %
        (square(40, 40, 62, 60), True),
        (square(1, 49, 60, 51), False),  # grows little, but to the border
    ],
)
def test_the_decision_follows_both_thresholds(after, complete):
    verdict = curation.judge(OBJECT, after)
    assert verdict.complete is complete
    assert 0 <= verdict.score <= 1


def test_the_score_falls_as_the_object_grows_and_is_half_at_the_threshold():
    scores = [curation.judge(OBJECT, square(40, 40, 60, 60 + n)).score for n in range(0, 12, 2)]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0.9
    assert curation.judge(OBJECT, square(40, 40, 60, 64)).score == pytest.approx(0.5)


def test_several_counterfactuals_are_averaged():
    both = torch.cat([OBJECT, square(40, 40, 60, 80)])
    assert curation.judge(OBJECT, both).extension == pytest.approx(0.5)


def test_without_a_verdict_a_completion_ranks_below_all_others():
    lost = curation.judge(OBJECT, OBJECT, found=False)
    assert lost.score == curation.NO_VERDICT and not lost.complete
    at_the_border = curation.judge(OBJECT, square(0, 0, 100, 100))
    assert at_the_border.score == 0 and curation.ranked([lost.score, at_the_border.score]) == [1, 0]


@pytest.mark.parametrize("found, verdict", [(True, "complete"), (False, "no verdict")])
def test_the_node_says_when_there_is_no_verdict(host, found, verdict):
    graph = Graph()
    judged = graph.add(
        "AmodalJudgeCompletion",
        image=graph.value("image", torch.full((1, 100, 100, 3), 0.5)),
        amodal_mask=graph.value("object", OBJECT),
        outpainted_mask=graph.value("same", OBJECT),
        found=graph.value("found", found),
    )
    values = host.run(graph.keep(complete=judged[0], score=judged[1], verdict=judged[4])).values
    assert values["complete"] is found and values["verdict"].startswith(verdict)
    assert (values["score"] == -1) is not found


def test_the_best_is_first_and_equals_keep_their_order():
    assert curation.ranked([0.2, 0.9, 0.2, 0.5]) == [1, 3, 0, 2]


def test_ties_are_broken_by_the_fit_and_by_nothing_else():
    assert curation.ranked([0.801, 0.9, 0.799, 0.5], [0.2, 0.1, 0.6, 1.0]) == [1, 2, 0, 3]
    assert curation.ranked([0.801, 0.799], [0.5, 0.5]) == [0, 1]


MODAL = square(40, 40, 60, 50)  # modal mask: the upper half of OBJECT


def painted(lower, upper=0.5) -> torch.Tensor:
    image = torch.full((1, 100, 100, 3), upper)
    image[:, 50:] = lower
    return image


@pytest.mark.parametrize(
    "amodal, lower, fit",
    [
        (OBJECT, 0.5, 1),  # keeps all of it, and continues its colour
        (OBJECT, 0.9, 0.6),  # a step of 0.4
        (MODAL, 0.9, 1),  # nothing completed: no seam
        (square(40, 45, 60, 60), 0.5, 0.5),  # half of the visible part is lost
        (square(40, 45, 60, 60), 0.9, 0.3),
        (square(0, 60, 20, 80), 0.5, 0),
    ],
)
def test_the_fit_is_the_kept_fraction_reduced_by_the_colour_step(amodal, lower, fit):
    assert curation.fit_to_visible(painted(lower), amodal, MODAL) == pytest.approx(fit)


def test_only_the_nearest_pixels_of_the_completed_part_are_compared():
    far = painted(0.5)
    far[:, 50 + curation.SEAM :] = 1
    assert curation.fit_to_visible(far, OBJECT, MODAL) == pytest.approx(1)


def test_the_modal_mask_is_placed_on_a_grown_canvas():
    placed = curation.on_canvas(MODAL, (110, 130), -20, -10)
    assert torch.equal(placed[:, 10:, 20:120], MODAL) and placed.sum() == MODAL.sum()
    for size, x, y in (((100, 100), -1, 0), ((90, 100), 0, 0), ((200, 200), 5, 0)):
        with pytest.raises(BadInput, match="does not fit on a canvas"):
            curation.on_canvas(MODAL, size, x, y)


@pytest.fixture
def host(real_host):
    real_host.forget()
    return real_host


def test_the_nodes_judge_and_pick(host):
    graph = Graph()
    image = graph.value("image", torch.full((1, 100, 100, 3), 0.5))
    amodal = graph.value("object", OBJECT)
    grown = graph.value("grown", square(40, 40, 60, 80))
    judged = graph.add(
        "AmodalJudgeCompletion", image=image, amodal_mask=amodal, outpainted_mask=grown
    )
    best = graph.add(
        "AmodalPickBest",
        objects=graph.add("TestList", value=image),
        amodal_masks=graph.add("TestList", value=amodal),
        scores=graph.add("TestList", value=judged[1]),
    )
    values = host.run(
        graph.keep(
            complete=judged[0],
            extension=judged[2],
            verdict=judged[4],
            picture=judged[5],
            index=best[2],
            ranking=best[3],
        )
    ).values
    assert values["complete"] is False and values["extension"] == pytest.approx(1)
    assert values["verdict"].startswith("incomplete") and "100%" in values["verdict"]
    red = values["picture"][0, 70, 50]
    assert red[0] > red[1] and values["index"] == 0 and values["ranking"].shape[0] == 1


def test_each_counterfactual_is_segmented_and_shown(host):
    """Three counterfactuals of one object on gray and light backgrounds, without growth."""
    from analysis import ByColour, scene

    picture, _ = scene(x=60)
    plate = ByColour().segment(picture[0], label="plate")[None]
    graph = Graph()
    image, mask = graph.value("scene", picture), graph.value("plate", plate)
    grounds = graph.add(
        "AmodalCounterfactualBackgrounds", image=image, amodal_mask=mask, count=3, seed=5
    )
    around = graph.add("AmodalCounterfactualMask", amodal_mask=mask, corner=0.1)
    grown = graph.add(
        "AmodalSegmentObject",
        image=grounds,
        modal_mask=mask,
        inpaint_mask=around,
        label="plate",
        segmenter=graph.value("by colour", ByColour()),
    )
    judged = graph.add(
        "AmodalJudgeCompletion", image=grounds, amodal_mask=mask, outpainted_mask=grown
    )
    values = host.run(
        graph.keep(
            grounds=grounds[0],
            grown=grown[0],
            explanation=grown[1],
            found=grown[2],
            picture=judged[5],
            extension=judged[2],
        )
    ).values
    pictures, height, width, _ = values["grounds"].shape
    assert pictures == 3 and values["grown"].shape == (3, height, width)
    assert values["found"] is True and len(values["explanation"].splitlines()) == 3
    assert values["extension"] == 0 and values["picture"].shape == (1, height, 3 * width, 3)
    corners = values["grounds"][:, 0, 0]
    assert corners[0].tolist() == [0.5] * 3 and len({tuple(c.tolist()) for c in corners}) == 3
    inside = plate[0] > 0.5
    assert all(torch.equal(one[inside], picture[0][inside]) for one in values["grounds"])


@pytest.fixture
def mine(host):
    """models/amodal_curation/mine.json, which lets an object grow by twice its area."""
    import folder_paths

    path = Path(folder_paths.models_dir) / "amodal_curation" / "sub" / "mine.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    curation.write_thresholds(path, curation.Thresholds(2.0, 0.0))
    yield path
    path.unlink()
    folder_paths.filename_list_cache.clear()


@pytest.mark.parametrize(
    "choice, complete",
    [
        ("as set here", False),
        ("paper, Stable Diffusion 2", False),
        ("sub/mine.json", True),
        ("sub\\mine.json", True),
        ("mine.json", True),
    ],
)
def test_thresholds_are_chosen_by_a_file(host, mine, choice, complete):
    graph = Graph()
    image = graph.value("image", torch.full((1, 100, 100, 3), 0.5))
    judged = graph.add(
        "AmodalJudgeCompletion",
        image=image,
        amodal_mask=graph.value("object", OBJECT),
        outpainted_mask=graph.value("grown", square(40, 40, 60, 80)),
        thresholds=choice,
    )
    assert host.run(graph.keep(complete=judged[0])).values["complete"] is complete


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[0.2, 0.02]",
        b"0.2",
        b"null",
        b'{"extension": 0.2}',
        b'{"extension": -1, "border": 0.02}',
        b'{"extension": 0.2, "border": 0.6}',
        *(
            b'{"extension": %b, "border": 0.02}' % value
            for value in (
                b"1e400",
                b"NaN",
                b"Infinity",
                b'"0.2"',
                b"null",
                b"true",
                b"[]",
                b"1" * 400,
            )
        ),
    ],
    ids=lambda content: ascii(content)[:40],
)
def test_a_file_that_holds_no_thresholds_is_refused(tmp_path, content):
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="'thresholds'.*mine.json.*Remedy"):
        curation.read_thresholds(path)


def test_a_link_to_thresholds_outside_their_folder_is_refused(host, mine, tmp_path):
    outside = tmp_path / "outside.json"
    mine.rename(outside)
    mine.symlink_to(outside)
    graph = Graph()
    graph.add(
        "AmodalJudgeCompletion",
        "judge",
        image=graph.value("image", torch.full((1, 100, 100, 3), 0.5)),
        amodal_mask=graph.value("object", OBJECT),
        outpainted_mask=graph.value("grown", square(40, 40, 60, 80)),
        thresholds="mine.json",
    )
    with pytest.raises(Failed, match="Judge Completion.*'thresholds'.*out of its folder.*Remedy"):
        host.run(graph.keep(complete=["judge", 0]))


@pytest.mark.parametrize(
    "scores, first, said",
    [
        ((0.801, 0.799), 1, "2: score 0.80, fit 1.000\n1: score 0.80, fit 0.600"),
        ((0.9, 0.7), 0, "1: score 0.90, fit 0.600\n2: score 0.70, fit 1.000"),
    ],
)
def test_the_node_breaks_ties_by_the_fit_and_says_so(host, scores, first, said):
    """Two completions on a canvas that grew to the left and upwards; the second fits better."""
    from tools.host.inprocess import VALUES

    def grown(tensor):
        wide = tensor.new_zeros(1, 110, 120, *tensor.shape[3:])
        wide[:, 10:, 20:] = tensor
        return wide

    graph = Graph()
    names = {
        "objects": [grown(painted(0.9)), grown(painted(0.5))],
        "amodal_masks": [grown(OBJECT)] * 2,
        "scores": list(scores),
        "x": [-20, -20],
        "y": [-10, -10],
    }
    VALUES.update(names)
    links = {name: graph.add("TestEach", name=name) for name in names}
    best = graph.add("AmodalPickBest", **links, modal_mask=graph.value("modal mask", MODAL))
    values = host.run(graph.keep(index=best[2], ranking=best[3], order=best[4])).values
    assert values["index"] == first and values["order"] == said
    ranking = values["ranking"]
    alone = graph.add(
        "AmodalPickBest", **{n: links[n] for n in ("objects", "amodal_masks", "scores")}
    )
    values = host.run(graph.keep(index=alone[2], plain=alone[3], order=alone[4])).values
    assert values["index"] == 0 and "fit" not in values["order"]
    if first == 0:
        assert not torch.equal(values["plain"], ranking)  # the fit is in the labels


def test_lists_of_other_lengths_are_refused(host):
    graph = Graph()
    image = graph.value("image", torch.full((1, 100, 100, 3), 0.5))
    best = graph.add(
        "AmodalPickBest",
        objects=graph.add("TestList", value=image),
        amodal_masks=graph.value("object", OBJECT),
        scores=graph.value("score", 0.5),
    )
    graph.keep(index=best[2])
    with pytest.raises(Failed, match="Pick Best.*scores.*judge every"):
        host.run(graph)
