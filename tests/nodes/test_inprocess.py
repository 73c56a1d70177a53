"""The host in this process tells a prompt that failed from one that succeeded."""

import pytest

from tools.host.inprocess import CACHES, Failed


class Broken:
    """Expands into the graph of `expansion`; its result is that graph's node "a"."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("STRING",), "expand", "test"
    expansion = {}

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def expand(self):
        return {"result": (["a", 0],), "expand": self.expansion}


def test_list(value) -> dict:
    return {"class_type": "TestList", "inputs": {"value": value}}


test_list.__test__ = False


@pytest.mark.parametrize(
    "expansion, words",
    [
        ({"a": test_list(["b", 0]), "b": test_list(["a", 0])}, "cycle"),
        ({"a": test_list(["a", 0])}, "cycle"),
        ({"a": test_list(["nowhere", 0])}, "nowhere"),
        ({"a": test_list(1) | {"class_type": "NoSuchNode"}}, "NoSuchNode"),
        ({"b": test_list(1)}, "a"),
    ],
)
@pytest.mark.parametrize("cache", CACHES)
def test_a_fault_of_an_expansion_fails_the_prompt(
    host, graph, monkeypatch, expansion, words, cache
):
    host.forget(cache)
    monkeypatch.setitem(host.classes, "Broken", Broken)
    monkeypatch.setattr(Broken, "expansion", expansion)
    with pytest.raises(Failed, match=words) as caught:
        host.run(graph.keep(value=graph.add("Broken", "broken")))
    assert caught.value.details["event"] == "execution_error"


@pytest.mark.parametrize("cache", CACHES)
def test_a_prompt_runs_with_every_kind_of_cache(host, graph, cache):
    host.forget(cache)
    assert host.run(graph.keep(value=graph.value("number", 3))).values == {"value": 3}
    rerun = graph.keep(again=graph.add("PrimitiveInt", value=4))
    assert host.run(rerun).values == {"value": 3, "again": 4}
