"""One node in the real host, on given inputs."""

from __future__ import annotations

from typing import Any

from tools.host import inprocess

Inputs = dict[str, Any]


def graph_of(host: inprocess.Host, node: str, inputs: Inputs, case: str) -> inprocess.Graph:
    """One node with its inputs as links, and what keeps its outputs, as `0`, `1`, ..."""
    graph, schema = inprocess.Graph(), host.pack[node].define_schema()
    links = {}
    for name, value in inputs.items():
        inprocess.VALUES[f"{case} {name}"] = value
        is_list = schema.is_input_list and isinstance(value, list)
        links[name] = graph.add("TestEach" if is_list else "TestValue", name=f"{case} {name}")
    made = graph.add(node, **links)
    for number in range(len(schema.outputs)):
        graph.keep(**{str(number): made[number]})
    return graph


def outputs(host: inprocess.Host, node: str, inputs: Inputs, case: str = "example") -> list:
    """What a node gives in the real host; raises inprocess.Failed."""
    host.forget()
    values = host.run(graph_of(host, node, inputs, f"{node} {case}")).values
    return [values.get(str(number)) for number in range(len(values))]
