"""The real host in this process: its own executor, with the pack loaded as a custom node.

`host()` starts it once (about 7 s). Prompts are in API format; `Graph` writes them. Python objects
(a small MODEL, a mask, a latent) enter a prompt by name, through the node `TestValue`.
"""

import asyncio
import atexit
import copy
import functools
import gc
import importlib
import inspect
import os
import shutil
import sys
import tempfile
from pathlib import Path

from amodal.app.host import find_comfyui

ROOT = Path(__file__).resolve().parents[2]
VALUES = {}  # the outputs of TestValue, by name
CACHES = {"classic": "CLASSIC", "lru": "LRU", "none": "NONE", "ram": "RAM_PRESSURE"}
# lru: one result. ram: no machine has so much free memory (GB), so every result is dropped soon.
CACHE_ARGS = {"lru": 1, "ram": 1e6, "ram_inactive": 1e6}


class Routes:
    """Accepts every route and registers none."""

    def __getattr__(self, _name):
        return lambda *args, **options: lambda handler: handler


class FakeServer:
    """The parts of the host's server that the executor and the nodes use; keeps sent events."""

    client_id = last_node_id = last_prompt_id = None
    routes = Routes()

    def __init__(self):
        self.events, self.sockets_metadata = [], {}

    def send_sync(self, event, data, sid=None):
        self.events.append((event, data))

    def send_progress_text(self, text, node, sid=None):
        self.events.append(("progress_text", {"node": node, "text": text}))

    def queue_updated(self):
        pass


class Failed(RuntimeError):
    """A prompt that failed. `details`: the host's error message as a browser gets it."""

    def __init__(self, message: str, details=None):
        super().__init__(message)
        self.details = details


class Run:
    """The result of a prompt.

    values: what TestKeep nodes received, by name. ui: the nodes' ui outputs. events: what the host
    sent. executed, cached: ids of the nodes that ran, and of those taken from the cache.
    """

    def __init__(self, values, ui, events, classes):
        self.values, self.ui, self.events, self.classes = values, ui, events, classes
        nodes = [data["node"] for event, data in events if event == "executing" and data["node"]]
        self.executed = nodes
        self.cached = [
            node for event, data in events if event == "execution_cached" for node in data["nodes"]
        ]

    def progress(self, node: str) -> list[tuple[int, int]]:
        """The (value, max) pairs that a node reported, in order."""
        return [
            (data["value"], data["max"])
            for event, data in self.events
            if event == "progress" and data["node"] == node
        ]

    def executed_classes(self) -> list[str]:
        """Classes of the executed nodes; a clone made during the run is given by its id."""
        return [self.classes.get(node, node) for node in self.executed]


class Host:
    """The host with the pack and the test nodes. Raises Failed if the pack does not load."""

    def __init__(self, comfy: Path):
        start(comfy)
        import execution
        import server

        import nodes

        self.classes = nodes.NODE_CLASS_MAPPINGS
        self.server = server.PromptServer.instance
        add_test_nodes(self.classes)
        if not asyncio.run(nodes.load_custom_node(str(ROOT))):
            raise Failed("the host could not load the pack; its log says why")
        self.fresh = lambda cache: execution.PromptExecutor(
            self.server, cache_type=execution.CacheType[CACHES[cache]], cache_args=CACHE_ARGS
        )
        self.validate = execution.validate_prompt
        self.executor = self.fresh("classic")

    @property
    def pack(self) -> dict[str, type]:
        """The pack's node classes by id."""
        return {name: node for name, node in self.classes.items() if name.startswith("Amodal")}

    def forget(self, cache: str = "classic") -> None:
        """Empties the caches: takes a new executor with this kind of cache, a key of CACHES."""
        from comfy.cli_args import args

        args.cache_none = cache == "none"  # as the host's own start with it
        self.executor = self.fresh(cache)

    def outputs(self, node: str) -> list:
        """What a node of the last prompt gave, from the cache: a list of values for each output."""
        kept = self.executor.caches.outputs.get(node)
        if inspect.isawaitable(kept):  # in newer hosts
            kept = asyncio.run(kept)
        return kept.outputs

    def run(self, prompt: dict, prompt_id: str = "test", only: list[str] | None = None) -> Run:
        """Validates and executes a prompt.

        only: ids of the output nodes to run, as in a browser's partial execution.

        Raises Failed if the prompt is not valid, fails or is interrupted.
        """
        prompt = copy.deepcopy(getattr(prompt, "prompt", prompt))  # the host writes into it
        ok, error, outputs, node_errors = asyncio.run(self.validate(prompt_id, prompt, only))
        if not ok:
            raise Failed(f"{error} {node_errors}", node_errors)
        self.server.events.clear()
        VALUES["kept"] = {}
        self.executor.execute(prompt, prompt_id, {"client_id": "test"}, outputs)
        event, details = self.executor.status_messages[-1]
        if event != "execution_success":  # `success` stays true where an expansion makes a cycle
            raise Failed(details.get("exception_message", event), {"event": event, **details})
        classes = {node: spec["class_type"] for node, spec in prompt.items()}
        ui = self.executor.history_result["outputs"]
        return Run(dict(VALUES["kept"]), ui, list(self.server.events), classes)


class Graph:
    """A prompt, written node by node: `graph.add("Class", input=value)` returns its outputs."""

    def __init__(self):
        self.prompt = {}

    def add(self, class_type: str, node_id: str | None = None, **inputs) -> "Links":
        node_id = node_id or str(len(self.prompt) + 1)
        inputs = {name: getattr(value, "first", value) for name, value in inputs.items()}
        self.prompt[node_id] = {"class_type": class_type, "inputs": inputs}
        return Links(node_id)

    def value(self, name: str, value=None) -> "Links":
        """An output that gives the object `value`; the host's cache knows it by `name` only."""
        if value is not None:
            VALUES[name] = value
        return self.add("TestValue", name=name)

    def keep(self, **links) -> "Graph":
        """Adds a TestKeep node for each link, so that `Run.values` has its value by name."""
        for name, link in links.items():
            self.add("TestKeep", name=name, value=link)
        return self


class Links:
    """The outputs of a node: `links[1]` is the second output; the object itself is the first."""

    def __init__(self, node_id: str):
        self.node_id = node_id

    def __getitem__(self, index: int) -> list:
        return [self.node_id, index]

    @property
    def first(self) -> list:
        return self[0]


class Anything(str):
    """A socket type that the host accepts for every other type."""

    def __ne__(self, other):
        return False


class TestValue:
    """Gives the object that VALUES has under `name`, once what `after` links to has run."""

    RETURN_TYPES, FUNCTION, CATEGORY = (Anything("*"),), "give", "test"
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"name": ("STRING", {})},
            "optional": {"after": (Anything("*"), {})},
        }

    def give(self, name, after=None):
        return (VALUES[name],)


class TestPass:
    """Gives its input, once what `after` links to has run."""

    RETURN_TYPES, FUNCTION, CATEGORY = (Anything("*"),), "give", "test"
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"value": (Anything("*"), {})},
            "optional": {"after": (Anything("*"), {})},
        }

    def give(self, value, after=None):
        return (value,)


class TestList:
    """Gives its input twice, as a list."""

    RETURN_TYPES, OUTPUT_IS_LIST = (Anything("*"),), (True,)
    FUNCTION, CATEGORY = "give", "test"
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (Anything("*"), {})}}

    def give(self, value):
        return ([value, value],)


class TestEach(TestValue):
    """Gives the list that VALUES has under `name`, item by item."""

    OUTPUT_IS_LIST = (True,)


class TestKeep:
    """Stores its input for `Run.values`.

    Linked to an output of Loop End by `after`, it is outside the loop's body and is not cloned into
    every pass.
    """

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "keep", "test", True
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"name": ("STRING", {}), "value": (Anything("*"), {})},
            "optional": {"after": (Anything("*"), {})},
        }

    @classmethod
    def IS_CHANGED(cls, **_inputs):
        return float("nan")  # always runs, so that it also stores cached values

    def keep(self, name, value, after=None):
        VALUES["kept"][name] = value
        return ()


def add_test_nodes(classes: dict) -> None:
    """Registers the test nodes with the host."""
    classes |= {node.__name__: node for node in (TestValue, TestPass, TestList, TestEach, TestKeep)}


def start(comfy: Path) -> None:
    """Imports the host in the order it needs, with an empty base directory.

    It runs on the CPU unless AMODAL_TEST_DEVICE has another value than "cpu".
    """
    base = tempfile.mkdtemp(prefix="comfy-base-")
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    atexit.register(release)
    sys.path.insert(0, str(comfy))
    import comfy.options  # noqa: F401  keeps the host from parsing pytest's arguments
    from comfy import cli_args

    cli_args.args.cpu = os.environ.get("AMODAL_TEST_DEVICE", "cpu") == "cpu"
    cli_args.args.base_directory = base
    cli_args.args.use_pytorch_cross_attention = True
    cli_args.args.fp32_text_enc = True
    cli_args.args.disable_api_nodes = True
    for name in ("folder_paths", "utils.install_util", "nodes"):  # nodes.py shadows `utils`
        importlib.import_module(name)
    import server

    import nodes

    server.PromptServer.instance = FakeServer()
    report_progress(server.PromptServer.instance)
    asyncio.run(nodes.init_builtin_extra_nodes())


def report_progress(server: FakeServer) -> None:
    """Makes progress bars send events, as in a host that serves a browser."""
    import comfy.utils
    from comfy_execution.utils import get_executing_context

    def hook(value, total, preview, prompt_id=None, node_id=None):
        context = get_executing_context()
        node = node_id or (context and context.node_id)
        server.send_sync("progress", {"node": node, "value": value, "max": total})

    comfy.utils.set_progress_bar_global_hook(hook)


def release() -> None:
    """Frees all models at exit, while Python's modules are still complete.

    The host's models have destructors that use module globals. If a cache keeps a model until the
    interpreter is torn down, these globals are None already and the destructor prints an error.
    """
    cached_function = type(functools.cache(release))
    caches = [item for item in gc.get_objects() if type(item) is cached_function]
    for function in caches:
        if is_own(function):
            function.cache_clear()
    VALUES.clear()
    gc.collect()


def is_own(function) -> bool:
    """Whether a file of this project defines the cached function."""
    code = getattr(function.__wrapped__, "__code__", None)
    return code is not None and Path(code.co_filename).is_relative_to(ROOT)


@functools.cache
def host() -> Host:
    """The only host of this process, started by the first call."""
    return Host(find_comfyui())
