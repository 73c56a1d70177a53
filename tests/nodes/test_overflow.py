"""Finite inputs whose results are not: every sampling node refuses them by name."""

import pytest
import torch
from setting import SIZE, first_half, second_half, setting, with_model

from tools.host.inprocess import Failed, Graph

KEYS = ("sigmas", "latent")
HUGE = (1e30, -3e38)


def nodes(graph, at) -> dict:
    """Links to each node that calls the model or its noise scaling, on the setting's latent."""
    rest = {key: at[key] for key in KEYS}
    return {
        "sample": first_half(graph, at),
        "noise": graph.add("AmodalNoiseToStep", model=at["model"], noise=at["noise"], **rest),
        "resume": second_half(graph, at, {2: at["sigmas"], 0: at["latent"]}),
        "capture": graph.add("AmodalCaptureFeatures", guider=at["guider"], levels="3", **rest),
    }


@pytest.mark.parametrize("kind", ["eps", "flow"])
@pytest.mark.parametrize("name", ["sample", "noise", "resume", "capture"])
@pytest.mark.parametrize("size", HUGE)
def test_a_latent_of_huge_numbers_is_refused_or_stays_finite(host, small, kind, name, size):
    graph = Graph()
    at = setting(graph, small, kind, latent=torch.full((1, 4, SIZE, SIZE), size))
    node = nodes(graph, at)[name]
    try:
        value = host.run(graph.keep(end=node)).values["end"]
    except Failed as error:
        assert "input 'latent'" in str(error) and "Remedy" in str(error)
    else:
        made = value.levels[3] if name == "capture" else value["samples"]
        assert torch.isfinite(made).all()


@pytest.mark.parametrize("name", ["sample", "resume", "capture"])
def test_a_model_that_gives_nan_is_refused(host, graph, small, name):
    """As a model of half precision does, where its activations overflow."""
    at = setting(graph, small)
    broken = at["model_value"].clone()
    broken.set_model_unet_function_wrapper(
        lambda apply, given: apply(given["input"] * float("nan"), given["timestep"], **given["c"])
    )
    with_model(graph, at, graph.value("broken", broken))
    with pytest.raises(Failed, match="input 'latent' .*not finite.*Remedy"):
        host.run(graph.keep(end=nodes(graph, at)[name]))
