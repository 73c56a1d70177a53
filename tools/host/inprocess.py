"""The real host in this process: its own executor, the pack loaded as the custom node it is.

`host()` starts it once (about 7 s). Prompts are in API format; `Graph` writes them. Objects made in
a test (a small MODEL, a mask, a latent) enter a prompt through the node `TestValue` by name.
"""

import asyncio
import atexit
import functools
import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from amodal.app.host import find_comfyui

ROOT = Path(__file__).resolve().parents[2]
VALUES = {}  # what TestValue gives out, by name


class Routes:
    def __getattr__(self, _name):
        return lambda *args, **options: lambda handler: handler


class FakeServer:
    """What the executor and the nodes touch of the host's server; keeps the events it sends."""

    client_id = last_node_id = last_prompt_id = None
    routes = Routes()

    def __init__(self):
        self.events, self.sockets_metadata = [], {}

    def send_sync(self, event, data, sid=None):
        self.events.append((event, data))

    def send_progress_text(self, *args, **options):
        pass

    def queue_updated(self):
        pass


class Failed(RuntimeError):
    """A prompt that did not run; `details` is what the host tells a browser about it."""

    def __init__(self, message: str, details=None):
        super().__init__(message)
        self.details = details


class Run:
    """What a prompt did: `values` as Keep nodes saw them, `ui` outputs, events, who ran."""

    def __init__(self, values, ui, events, classes):
        self.values, self.ui, self.events, self.classes = values, ui, events, classes
        nodes = [data["node"] for event, data in events if event == "executing" and data["node"]]
        self.executed = nodes
        self.cached = [
            node for event, data in events if event == "execution_cached" for node in data["nodes"]
        ]

    def progress(self, node: str) -> list[tuple[int, int]]:
        """The (value, max) that a node reported, in order."""
        return [
            (data["value"], data["max"])
            for event, data in self.events
            if event == "progress" and data["node"] == node
        ]

    def executed_classes(self) -> list[str]:
        return [self.classes.get(node, node) for node in self.executed]


class Host:
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
        self.fresh = lambda: execution.PromptExecutor(
            self.server, cache_type=execution.CacheType.CLASSIC, cache_args={"lru": 0, "ram": 0}
        )
        self.validate = execution.validate_prompt
        self.executor = self.fresh()

    @property
    def pack(self) -> dict[str, type]:
        """The pack's node classes by id."""
        return {name: node for name, node in self.classes.items() if name.startswith("Amodal")}

    def forget(self) -> None:
        """An executor with empty caches."""
        self.executor = self.fresh()

    def run(self, prompt: dict, prompt_id: str = "test", only: list[str] | None = None) -> Run:
        """Validate and execute a prompt; raises Failed, or the host's interrupt as Failed.

        only: the output nodes to run, as a browser asks for a partial execution.
        """
        prompt = getattr(prompt, "prompt", prompt)
        ok, error, outputs, node_errors = asyncio.run(self.validate(prompt_id, prompt, only))
        if not ok:
            raise Failed(f"{error} {node_errors}", node_errors)
        self.server.events.clear()
        VALUES["kept"] = {}
        self.executor.execute(prompt, prompt_id, {"client_id": "test"}, outputs)
        if not self.executor.success:
            event, details = self.executor.status_messages[-1]
            raise Failed(details.get("exception_message", event), {"event": event, **details})
        classes = {node: spec["class_type"] for node, spec in prompt.items()}
        ui = self.executor.history_result["outputs"]
        return Run(dict(VALUES["kept"]), ui, list(self.server.events), classes)


class Graph:
    """A prompt, written a node at a time: `graph.add("Class", input=value)` returns its links."""

    def __init__(self):
        self.prompt = {}

    def add(self, class_type: str, node_id: str | None = None, **inputs) -> "Links":
        node_id = node_id or str(len(self.prompt) + 1)
        inputs = {name: getattr(value, "first", value) for name, value in inputs.items()}
        self.prompt[node_id] = {"class_type": class_type, "inputs": inputs}
        return Links(node_id)

    def value(self, name: str, value=None) -> "Links":
        """A socket that gives out an object of the test; the name stands for it in the cache."""
        if value is not None:
            VALUES[name] = value
        return self.add("TestValue", name=name)

    def keep(self, **links) -> "Graph":
        """Have the run's `values` hold what arrives at these links."""
        for name, link in links.items():
            self.add("TestKeep", name=name, value=link)
        return self


class Links:
    """The outputs of a node: `links[1]` is its second; the node itself stands for its first."""

    def __init__(self, node_id: str):
        self.node_id = node_id

    def __getitem__(self, index: int) -> list:
        return [self.node_id, index]

    @property
    def first(self) -> list:
        return self[0]


class Anything(str):
    def __ne__(self, other):
        return False


class TestValue:
    RETURN_TYPES, FUNCTION, CATEGORY = (Anything("*"),), "give", "test"
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": ("STRING", {})}}

    def give(self, name):
        return (VALUES[name],)


class TestList:
    """The same value twice, as a list."""

    RETURN_TYPES, OUTPUT_IS_LIST = (Anything("*"),), (True,)
    FUNCTION, CATEGORY = "give", "test"
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (Anything("*"), {})}}

    def give(self, value):
        return ([value, value],)


class TestEach(TestValue):
    """A list of the test, item by item."""

    OUTPUT_IS_LIST = (True,)


class TestKeep:
    """Keeps a value under a name. Linked to a Loop End's output by `after`, it is no part of the
    loop's body, which would clone it into every pass."""

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
        return float("nan")  # always runs, so that a cached value is seen too

    def keep(self, name, value, after=None):
        VALUES["kept"][name] = value
        return ()


def add_test_nodes(classes: dict) -> None:
    classes |= {one.__name__: one for one in (TestValue, TestList, TestEach, TestKeep)}


def start(comfy: Path) -> None:
    """Import the host in the order it needs, with an empty base directory; on the CPU, but where
    AMODAL_TEST_DEVICE says otherwise."""
    base = tempfile.mkdtemp(prefix="comfy-base-")
    atexit.register(shutil.rmtree, base, ignore_errors=True)
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
    """Progress bars become events, as in a host that serves a browser."""
    import comfy.utils
    from comfy_execution.utils import get_executing_context

    def hook(value, total, preview, prompt_id=None, node_id=None):
        context = get_executing_context()
        node = node_id or (context and context.node_id)
        server.send_sync("progress", {"node": node, "value": value, "max": total})

    comfy.utils.set_progress_bar_global_hook(hook)


@functools.cache
def host() -> Host:
    """The one host of this process."""
    return Host(find_comfyui())
