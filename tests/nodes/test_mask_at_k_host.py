"""Decoder features and M^k in the real host, compared with an uninterrupted run."""

import dataclasses

import pytest
import torch
from setting import (
    SIZE,
    FeatureRecorder,
    captured,
    first_half,
    second_half,
    setting,
    whole,
    with_model,
)

from tools.host.inprocess import Failed, Graph

K = 2


@pytest.fixture(scope="session")
def deep(small):
    """A model of SD2's block counts: 12 output blocks in 4 levels."""
    return small.model("eps", 4, seed=4, blocks=2)


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpmpp_2m"])
@pytest.mark.parametrize("batch", [1, 2])
def test_features_equal_those_of_an_uninterrupted_run(
    host, graph, small, deep, sampler, mask, batch
):
    """Equal to the bit to what the host computes in step k of an uninterrupted run."""
    at = setting(graph, small, sampler=sampler, mask=mask, batch=batch)
    with_model(graph, at, graph.value("deep", deep))
    features = captured(host, graph, at)
    recorder = FeatureRecorder(deep)
    with_model(graph, at, graph.value(f"recorded {sampler} {mask} {batch}", recorder.model))
    graph.keep(run=whole(graph, at))
    host.forget()
    recorder.calls.clear()
    for node in [n for n, spec in graph.prompt.items() if spec["class_type"].startswith("Amodal")]:
        del graph.prompt[node]
    graph.prompt = {
        n: spec
        for n, spec in graph.prompt.items()
        if spec["class_type"] != "TestKeep" or spec["inputs"]["name"] == "run"
    }
    host.run(graph)
    assert features.k == K
    for level in (1, 2, 3, 4):
        assert features.levels[level].shape[0] == batch
        assert torch.equal(features.levels[level], recorder.calls[K][level]), level


def test_levels_have_sd2s_shapes(host, graph, small, deep):
    at = with_model(graph, setting(graph, small), graph.value("deep", deep))
    features = captured(host, graph, at)
    shapes = {level: tuple(h.shape) for level, h in features.levels.items()}
    assert shapes == {1: (1, 128, 4, 4), 2: (1, 128, 8, 8), 3: (1, 64, 16, 16), 4: (1, 32, 16, 16)}
    assert features.size == (8 * SIZE, 8 * SIZE)
    assert features.sigma > 0


def test_one_residual_block_a_level_works_too(host, graph, small):
    features = captured(host, graph, setting(graph, small, "v", 9))
    assert [h.shape[-1] for h in features.levels.values()] == [4, 8, 16, 16]


def test_capturing_does_not_change_the_sampling(host, graph, small, deep):
    """The result is the same with and without a capture, and no hook or patch remains."""
    at = with_model(graph, setting(graph, small), graph.value("deep", deep))
    half = first_half(graph, at)
    graph.keep(end=second_half(graph, at, half), guider=at["guider"])
    before = host.run(graph).values["end"]["samples"]
    captured(host, graph, at)
    host.forget()
    values = host.run(graph).values
    assert torch.equal(before, values["end"]["samples"])
    assert not deep.model.diffusion_model.out._forward_pre_hooks
    options = values["guider"].model_options["transformer_options"]
    assert not options.get("patches")
    assert not options.get("wrappers")


def test_features_depend_on_the_positive_prompt_alone(host, graph, small):
    """At the same x. The negative prompt's branch is computed, but not kept."""
    at = setting(graph, small)
    half = first_half(graph, at)
    positive, negative = graph.value("positive 4"), graph.value("negative 4")
    other = graph.value("other", small.words(6))
    for name, prompts in (
        ("plain", (positive, negative)),
        ("other negative", (positive, other)),
        ("other positive", (other, negative)),
    ):
        guider = graph.add(
            "CFGGuider", model=at["model"], cfg=3.0, positive=prompts[0], negative=prompts[1]
        )
        graph.keep(
            **{
                name: graph.add(
                    "AmodalCaptureFeatures",
                    guider=guider,
                    sigmas=half[2],
                    latent=half[0],
                    levels="3",
                )
            }
        )
    levels = {name: value.levels[3] for name, value in host.run(graph).values.items()}
    assert torch.equal(levels["plain"], levels["other negative"])
    assert not torch.allclose(levels["plain"], levels["other positive"], atol=1e-3)


GUIDERS = {
    "BasicGuider": lambda at, more: {"model": at["model"], "conditioning": more["positive"]},
    "DualCFGGuider": lambda at, more: {
        "model": at["model"],
        "cond1": more["positive"],
        "cond2": more["middle"],
        "negative": more["negative"],
        "cfg_conds": 3.0,
        "cfg_cond2_negative": 2.0,
        "style": "regular",
    },
    "PerpNegGuider": lambda at, more: {
        "model": at["model"],
        "positive": more["positive"],
        "negative": more["negative"],
        "empty_conditioning": more["middle"],
        "cfg": 3.0,
        "neg_scale": 1.0,
    },
}


@pytest.mark.parametrize("name", GUIDERS)
def test_every_guider_gives_its_positive_branch(host, graph, small, name):
    """At the same x, the features of a guider's positive prompt equal those of the CFG guider."""
    at = setting(graph, small)
    more = {
        "positive": graph.value("positive 4"),
        "negative": graph.value("negative 4"),
        "middle": graph.value("middle", small.words(5)),
    }
    half = first_half(graph, at)
    other = graph.add(name, **GUIDERS[name](at, more))
    for key, guider in (("plain", at["guider"]), ("other", other)):
        graph.keep(
            **{
                key: graph.add(
                    "AmodalCaptureFeatures",
                    guider=guider,
                    sigmas=half[2],
                    latent=half[0],
                    levels="3",
                )
            }
        )
    values = host.run(graph).values
    plain, other = values["plain"].levels[3], values["other"].levels[3]
    assert torch.allclose(plain, other, atol=1e-4 * plain.abs().max())


def clustered(graph, at, half):
    """Clusters of the third level at step k, a modal mask, and an inpaint mask beside it."""
    features = graph.add(
        "AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2], latent=half[0], levels="3"
    )
    clusters = graph.add("AmodalClusterFeatures", features=features, level=3, clusters=4, seed=0)
    modal, area = torch.zeros(1, 128, 128), torch.zeros(1, 128, 128)
    modal[:, 20:60, 20:60], area[:, 60:100, 20:60] = 1, 1
    return clusters, modal, area


def test_mixed_context_runs_end_to_end(host, graph, small):
    """Swap, sample to k, features, clusters, M^k, noise, composite, resume: one prompt."""
    at = setting(graph, small, "eps", 9)
    half = first_half(graph, at)
    clusters, modal, area = clustered(graph, at, half)
    chosen = graph.add(
        "AmodalSelectClusters",
        clusters=clusters,
        overlap=0.2,
        modal_mask=graph.value("modal", modal),
        inpaint_mask=graph.value("area", area),
    )
    plate = graph.value("plate", {"samples": small.tensor(1, 4, SIZE, SIZE, seed=9)})
    noised = graph.add(
        "AmodalNoiseToStep", model=at["model"], noise=at["noise"], sigmas=half[2], latent=plate
    )
    mixed = graph.add("AmodalCompositeAtStep", object=half[0], background=noised, mask_at_k=chosen)
    graph.keep(
        end=second_half(graph, at, half, latent=mixed),
        mask=chosen,
        kept=chosen[1],
        clusters=clusters,
        picture=clusters[1],
        plain=second_half(graph, at, half),
    )
    values = host.run(graph).values
    assert values["end"]["samples"].isfinite().all()
    assert not torch.equal(values["end"]["samples"], values["plain"]["samples"])
    assert values["clusters"].shape == (4, 128, 128)
    assert (values["clusters"].sum(0) == 1).all()
    assert values["picture"].shape == (1, 128, 128, 3)
    assert (values["mask"] >= modal).all()
    assert (values["mask"] <= torch.maximum(modal, area)).all()
    assert values["kept"].startswith("kept ")


def rules_on(graph, features, estimate, modal, area) -> dict:
    """{name: link} to the M^k of every rule and of the choice, and to the text of the choice."""
    areas = {"modal_mask": graph.value("modal", modal), "inpaint_mask": graph.value("area", area)}
    clusters = graph.add("AmodalClusterFeatures", features=features, level=3, clusters=4, seed=0)
    gray = graph.value("ground", torch.full((1, 128, 128, 3), 0.5))
    seen = {"estimate": estimate, "synthetic_image": gray, **areas}
    rules = {
        "known_background": graph.add("AmodalKnownBackgroundMask", threshold=0.05, **seen),
        "seeded": graph.add("AmodalSeededMask", features=features, level=0, **seen),
        "clusters": graph.add("AmodalSelectClusters", clusters=clusters, overlap=0.2, **areas),
    }
    places = {"known_background": 3, "seeded": 3, "clusters": 4}
    alone = {f"{name}_alone": rules[name][place] for name, place in places.items()}
    choice = graph.add("AmodalChooseMask", **areas, **rules, **alone)
    return {**rules, "choice": choice, "chosen": choice[4]}


def test_a_batch_of_pictures_with_one_modal_mask_gives_m_k_for_each(host, graph, small):
    """Every rule, and the choice, give for two pictures what they give for each alone."""
    at = setting(graph, small, "eps", 9, batch=2)
    _, modal, area = clustered(graph, at, first_half(graph, at))
    features = captured(host, graph, at, levels="3, last")
    pictures = torch.full((2, 128, 128, 3), 0.5)
    pictures[1, 20:90, 20:60] = 0.9  # the known background finds the object in the second alone
    both = Graph()
    links = rules_on(
        both, both.value("both", features), both.value("pictures", pictures), modal, area
    )
    values = host.run(both.keep(**links)).values
    chosen = values["chosen"].splitlines()
    assert len(chosen) == 2 and chosen[1].startswith("known background (")
    lone = []
    for number in range(2):
        levels = {level: maps[number : number + 1] for level, maps in features.levels.items()}
        own = dataclasses.replace(features, levels=levels)
        one = Graph()
        picture = one.value(f"picture {number}", pictures[number : number + 1])
        links = rules_on(one, one.value(f"features {number}", own), picture, modal, area)
        lone.append(host.run(one.keep(**links)).values)
    for name in set(links) - {"chosen"}:
        assert torch.equal(values[name], torch.cat([of[name] for of in lone])), name
    assert chosen == [of["chosen"] for of in lone]


def test_the_last_level_is_the_finest_of_any_model(host, graph, small, deep):
    """'last' gives the same features as the number of the model's last level."""
    at = setting(graph, small)
    plain = captured(host, graph, at, levels="last 4")
    assert sorted(plain.levels) == [4]
    other = Graph()
    at = setting(other, small)
    with_model(other, at, other.value("deep", deep))
    assert sorted(captured(host, other, at, levels="2, last").levels) == [2, 4]


def test_a_level_the_model_does_not_have_is_refused(host, graph, small):
    from tools.host import inprocess

    with pytest.raises(inprocess.Failed, match="levels 1 .deepest. to 4"):
        captured(host, graph, setting(graph, small), levels="3 5")


@pytest.mark.parametrize("levels", ["", "third", "0", "3.5"])
def test_invalid_levels_are_refused(host, graph, small, levels):
    from tools.host.inprocess import Failed

    with pytest.raises(Failed, match="Capture Features .Amodal.: input 'levels' is"):
        captured(host, graph, setting(graph, small), levels=levels)


def test_a_level_that_was_not_captured_is_refused(host, graph, small):
    from tools.host import inprocess

    at = setting(graph, small)
    half = first_half(graph, at)
    features = graph.add(
        "AmodalCaptureFeatures", guider=at["guider"], sigmas=half[2], latent=half[0], levels="2"
    )
    graph.keep(
        clusters=graph.add("AmodalClusterFeatures", features=features, level=3, clusters=4, seed=0)
    )
    with pytest.raises(inprocess.Failed, match="the captured levels are .2."):
        host.run(graph)


def test_a_model_without_a_unet_decoder_is_refused(host, graph, small):
    from tools.host import inprocess

    at = setting(graph, small)
    half = first_half(graph, at)
    value = small.model()
    value.add_object_patch("diffusion_model", torch.nn.Linear(1, 1))
    other = graph.add(
        "CFGGuider",
        model=graph.value("no unet", value),
        cfg=3.0,
        positive=graph.value("positive 4"),
        negative=graph.value("negative 4"),
    )
    graph.keep(
        features=graph.add(
            "AmodalCaptureFeatures", guider=other, sigmas=half[2], latent=half[0], levels="3"
        )
    )
    with pytest.raises(inprocess.Failed, match="Linear, which has no UNet decoder"):
        host.run(graph)


@pytest.mark.parametrize(
    "rule, other", [("known background", "clusters"), ("clusters", "known_background")]
)
def test_only_the_nodes_of_the_chosen_rule_run(host, graph, rule, other):
    masks = {
        name: graph.add("SolidMask", value=value, width=8, height=8)
        for name, value in (("known_background", 0.25), ("clusters", 0.75))
    }
    chosen = graph.add("AmodalMaskRule", mask_rule=rule, **masks)
    run = host.run(graph.keep(mask=chosen))
    assert float(run.values["mask"].mean()) == (0.25 if rule == "known background" else 0.75)
    assert masks[other].node_id not in run.executed


def test_a_chosen_rule_that_is_not_connected_is_refused(host, graph):
    mask = graph.add("SolidMask", value=1, width=8, height=8)
    chosen = graph.add("AmodalMaskRule", mask_rule="clusters", known_background=mask)
    with pytest.raises(Failed, match="'clusters' is not connected.*Remedy"):
        host.run(graph.keep(mask=chosen))
