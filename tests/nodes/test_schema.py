"""The node ids and the order of inputs and outputs, which saved workflows depend on.

schema.json holds the released ones. Workflows save widget values by position, so inputs and outputs
may only be added at the end. After an addition, `python tests/nodes/test_schema.py` writes
schema.json again. It refuses to if saved workflows would break.
"""

import copy
import dataclasses
import importlib
import inspect
import json
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("schema.json")


def described(node) -> dict:
    """The schema of a node class as plain JSON."""
    schema = node.define_schema()
    return {
        "display_name": schema.display_name,
        "inputs": [
            {
                "name": socket.id,
                "type": socket.get_io_type(),
                "optional": bool(socket.optional),
                **({"options": list(socket.options)} if getattr(socket, "options", None) else {}),
            }
            for socket in schema.inputs
        ],
        "outputs": [
            {"name": socket.display_name or socket.id, "type": socket.get_io_type()}
            for socket in schema.outputs
        ],
    }


def breaks(old: dict, new: dict) -> list[str]:
    """The changes in `new` that break workflows saved with `old`; both {node id: described}."""
    problems = [f"{node} is gone" for node in old if node not in new]
    for node in old.keys() & new.keys():
        for side in ("inputs", "outputs"):
            before, now = old[node][side], new[node][side]
            problems += [f"{node}: {words}" for words in row_breaks(side, before, now)]
    return sorted(problems)


def row_breaks(side: str, before: list[dict], now: list[dict]) -> list[str]:
    problems = []
    for place, was in enumerate(before):
        if place >= len(now):
            problems.append(f"{side} lost {was['name']}")
            continue
        is_now = now[place]
        if (was["name"], was["type"]) != (is_now["name"], is_now["type"]):
            problems.append(
                f"{side} {place} was {was['name']} {was['type']}, "
                f"is {is_now['name']} {is_now['type']}"
            )
        elif was.get("optional") and not is_now.get("optional"):
            problems.append(f"{side} {was['name']} is no longer optional")
        lost = set(was.get("options", [])) - set(is_now.get("options", []))
        problems += [f"{side} {was['name']} lost the option {option}" for option in sorted(lost)]
    if side == "inputs":
        problems += [
            f"inputs gained {added['name']}, which is neither optional nor a widget"
            for added in now[len(before) :]
            if not added["optional"] and added["type"] not in WIDGETS
        ]
    return problems


WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")


@pytest.fixture(scope="session")
def now(real_host) -> dict:
    return {name: described(node) for name, node in real_host.pack.items()}


def test_saved_workflows_still_load(now):
    assert breaks(json.loads(GOLDEN.read_text()), now) == []


def test_the_golden_schema_is_up_to_date(now):
    golden = json.loads(GOLDEN.read_text())
    assert golden == now, "additions only? then run: python tests/nodes/test_schema.py"


def test_every_input_and_output_has_a_tooltip(real_host):
    bare = [
        f"{name}.{socket.display_name or socket.id}"
        for name, node in real_host.pack.items()
        for socket in [*node.define_schema().inputs, *node.define_schema().outputs]
        if not (socket.tooltip or "").strip()
    ]
    assert bare == []


def test_every_node_has_a_name_a_description_and_a_category(real_host):
    for name, node in real_host.pack.items():
        schema = node.define_schema()
        assert schema.node_id == name
        assert schema.display_name.strip()
        assert schema.description.strip(), name
        assert schema.category.startswith("amodal completion"), name


def test_defaults_in_the_editor_are_those_of_the_function(real_host):
    """A node in an expanded graph gets the function's defaults, one in the editor the schema's."""
    differing, compared = [], 0
    for name, node in real_host.pack.items():
        schema = node.define_schema()
        parameters = inspect.signature(node.execute).parameters
        for socket in schema.inputs if not schema.is_input_list else []:
            parameter = parameters.get(socket.id)
            if parameter is None or parameter.default in (parameter.empty, None):
                continue
            compared += 1
            if parameter.default != socket.default:
                differing.append((name, socket.id, socket.default, parameter.default))
    assert differing == [] and compared > 30


@pytest.mark.parametrize("rule", ["known background", "clusters", "seeded", "automatic"])
def test_the_assembled_graph_gives_what_a_node_has_no_default_for(real_host, rule):
    """The host does not check the inputs of nodes in an expanded graph before it runs them."""
    from comfy_execution.graph_utils import GraphBuilder

    pack = next(iter(real_host.pack.values())).__module__.split(".nodes.")[0]
    assembly = importlib.import_module(f"{pack}.nodes.assembly")
    words = "model clip vae segmenter order_model image modal_mask label prompt negative seed"
    words += " steps k cfg size max_passes"
    graph = GraphBuilder()
    assembly.completion(graph, {**dict.fromkeys(words.split(), 1), "mask_rule": rule})
    missing = [
        (kind, name)
        for node in graph.finalize().values()
        if (kind := node["class_type"]) in real_host.pack
        for name, parameter in inspect.signature(real_host.pack[kind].execute).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD  # optional inputs, taken together
        and parameter.default is parameter.empty
        and name not in node["inputs"]
    ]
    assert missing == []


def test_ids_are_literals_in_the_source(real_host):
    """Registries and people find them by a text search."""
    source = "".join(
        path.read_text() for path in (Path(__file__).parents[2] / "nodes").rglob("*.py")
    )
    assert [name for name in real_host.pack if f'node_id="{name}"' not in source] == []


def test_the_host_describes_every_node_to_the_browser(real_host):
    for name, node in real_host.pack.items():
        info = node.GET_NODE_INFO_V1()
        assert info["name"] == name
        json.dumps(info)
        outputs = node.define_schema().outputs
        assert len(info["output_tooltips"]) == len(outputs)


@pytest.fixture
def newer_schema(monkeypatch):
    """The Schema of a newer host, which has two more fields."""
    from comfy_api.latest import io

    @dataclasses.dataclass
    class Newer(io.Schema):
        search_aliases: list[str] = dataclasses.field(default_factory=list)
        has_intermediate_output: bool = False

    monkeypatch.setattr(io, "Schema", Newer)


def test_the_schemas_work_with_this_hosts_own_fields(real_host):
    for node in real_host.pack.values():
        assert node.define_schema().node_id


def test_what_shows_results_says_so_if_the_host_knows_it(real_host, newer_schema):
    schemas = {name: node.define_schema() for name, node in real_host.pack.items()}
    says = {name for name, schema in schemas.items() if schema.has_intermediate_output}
    shows = {
        name
        for name, node in real_host.pack.items()
        if "ui=" in inspect.getsource(node) and not schemas[name].is_output_node
    }
    assert says == shows and "AmodalLoopEnd" in says


def test_nodes_have_search_aliases_if_the_host_supports_them(real_host, newer_schema):
    words = {name: node.define_schema().search_aliases for name, node in real_host.pack.items()}
    assert "deocclusion" in words["AmodalCompletion"]
    assert "for loop" in words["AmodalLoopEnd"] and words["AmodalGather"] == []


def mutated(now: dict, change) -> dict:
    new = copy.deepcopy(now)
    change(new["AmodalSampleToStep"])
    return new


BREAKING = {
    "inserted input": lambda node: node["inputs"].insert(
        1, {"name": "other", "type": "INT", "optional": True}
    ),
    "renamed input": lambda node: node["inputs"][-1].update(name="step"),
    "other type": lambda node: node["inputs"][-1].update(type="INT"),
    "lost input": lambda node: node["inputs"].pop(),
    "lost output": lambda node: node["outputs"].pop(),
    "swapped outputs": lambda node: node["outputs"].reverse(),
    "new socket that must be connected": lambda node: node["inputs"].append(
        {"name": "mask", "type": "MASK", "optional": False}
    ),
}


@pytest.mark.parametrize("change", BREAKING)
def test_a_change_that_breaks_workflows_is_noticed(now, change):
    assert len(breaks(now, mutated(now, BREAKING[change]))) >= 1


def test_a_lost_node_and_a_lost_option_are_noticed(now):
    fewer = {name: node for name, node in now.items() if name != "AmodalSampleToStep"}
    assert breaks(now, fewer) == ["AmodalSampleToStep is gone"]
    new = copy.deepcopy(now)
    new["AmodalSwapBackground"]["inputs"][2]["options"].remove("gray")
    assert breaks(now, new) == ["AmodalSwapBackground: inputs background lost the option gray"]


def test_additions_at_the_end_are_fine(now):
    def change(node):
        node["inputs"].append({"name": "more", "type": "INT", "optional": False})
        node["outputs"].append({"name": "more", "type": "MASK"})

    assert breaks(now, mutated(now, change)) == []


def write() -> None:
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tools.host import inprocess

    new = {name: described(node) for name, node in inprocess.host().pack.items()}
    problems = breaks(json.loads(GOLDEN.read_text()), new) if GOLDEN.exists() else []
    if problems:
        raise SystemExit("Not written; workflows would break:\n" + "\n".join(problems))
    GOLDEN.write_text(json.dumps(new, indent=1, sort_keys=True) + "\n")
    print(f"{GOLDEN}: {len(new)} nodes")


if __name__ == "__main__":
    write()
