"""A loop under each of the host's caches, and cancelled: the same results as with any other."""

import gc

import pytest
import torch
from growing_loop import growing_loop, square

from tools.host.inprocess import CACHES, Failed, TestPass

OTHERS = sorted({*CACHES} - {"classic"})


@pytest.fixture(autouse=True)
def quick_collection():
    """ComfyUI 0.3.75 collects garbage for every result that it drops: spare what is there now."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("cache", OTHERS)
@pytest.mark.parametrize("settings", [{}, {"cap": 2}, {"target": 16}, {"previews": True}], ids=str)
def test_every_cache_gives_the_same_results(host, cache, settings):
    wanted = host.run(growing_loop(**settings))
    host.forget(cache)
    for again in (False, True):  # the second run finds what the cache has kept
        run = host.run(growing_loop(**settings))
        for name in ("status", "passes", "warnings"):
            assert run.values[name] == wanted.values[name]
        assert torch.equal(run.values["mask"], wanted.values["mask"])
        previews = {node for node in wanted.ui if "preview" in node}
        assert again or run.ui.keys() >= previews


@pytest.mark.parametrize("cache", CACHES)
def test_a_loop_behind_a_loop_under_every_cache(host, cache):
    """Without a cache, the second loop's passes run the first loop again."""
    host.forget(cache)
    graph = growing_loop(target=32)
    second = growing_loop(target=48)
    for name in ("start", "left", "check", "grow", "painted", "joined", "end"):
        inputs = {k: moved(v, second.prompt) for k, v in second.prompt[name]["inputs"].items()}
        graph.prompt[f"{name}B"] = second.prompt[name] | {"inputs": inputs}
    graph.prompt["startB"]["inputs"] |= {"image": ["end", 0], "modal_mask": ["end", 1]}
    graph.prompt["leftB"]["inputs"]["destination"] = graph.value("target48", square(48)).first
    values = host.run(graph.keep(grown=["endB", 1], second=["endB", 4])).values
    assert (values["passes"], values["second"]) == (2, 2)
    assert torch.equal(values["grown"], square(48))


def moved(value, prompt):
    """A link to the same node of the second loop; the nodes outside are the first loop's too."""
    own = isinstance(value, list) and not value[0].isdigit()
    return [f"{value[0]}B", value[1]] if own else value


@pytest.mark.parametrize("cache", CACHES)
def test_a_pass_in_which_nothing_is_hidden_paints_nothing(host, cache):
    """Lazy inputs: with nothing in front, the painting is not even asked for."""
    host.forget(cache)
    run = host.run(growing_loop(target=16))
    assert run.values["passes"] == 0
    assert not {"grow", "painted", "joined"} & {*run.executed}


class Cancel(TestPass):
    """Cancels the first run that comes to pass 2."""

    due = True

    def give(self, value, after=None):
        import comfy.model_management as management
        from comfy_execution.utils import get_executing_context

        if self.due and get_executing_context().node_id.startswith("end.0.0."):
            type(self).due = False
            management.interrupt_current_processing()
            management.throw_exception_if_processing_interrupted()
        return (value,)


@pytest.mark.parametrize("cache", CACHES)
def test_a_run_cancelled_in_pass_2_can_be_run_again(host, monkeypatch, cache):
    host.forget(cache)
    monkeypatch.setitem(host.classes, "Cancel", Cancel)
    monkeypatch.setattr(Cancel, "due", True)
    graph = growing_loop()
    graph.prompt["painted"]["inputs"]["source"] = graph.add("Cancel", value=["grow", 0]).first
    with pytest.raises(Failed) as caught:
        host.run(graph)
    assert caught.value.details["event"] == "execution_interrupted"
    assert caught.value.details["node_id"] == "end"
    run = host.run(graph)
    assert (run.values["status"], run.values["passes"]) == ("completed", 3)
    if cache == "classic":
        assert "grow" not in run.executed  # pass 1 is cached
