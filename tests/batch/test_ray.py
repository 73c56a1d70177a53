"""The engine on a real Ray of this machine."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="needs the package ray")

SCRIPT = """
import json, sys
import psutil
sys.path[:0] = sys.argv[1:3]
import batch_workers
from amodal.batch import ray_crew
from amodal.batch.engine import Engine, Task

def less(words):
    return (("well",), "less") if words[0] == "memory" else None

def crew():
    return ray_crew.RayActors(2, batch_workers.Faulty, "local", cpus=0.01)

folder = sys.argv[3]
every = {
    "well": ("well",), "input": ("input",), "lost": ("lost", folder + "/lost"),
    "killed": ("killed", folder + "/killed"), "memory": ("memory",),
}
engine, found = Engine(crew, less), {}
for outcomes in engine.run(Task(key, words) for key, words in every.items()):
    for outcome in outcomes:
        assert outcome.task.key not in found
        fault = outcome.fault and outcome.fault.kind
        found[outcome.task.key] = [outcome.result, fault, outcome.task.tries]
ray = sys.modules["ray"]
heard = []
for process in psutil.Process().children(recursive=True):
    try:
        every = process.net_connections()
    except psutil.NoSuchProcess:
        continue
    heard += [one.laddr.ip.removeprefix("::ffff:") for one in every if one.status == "LISTEN"]
from ray._common.usage import usage_lib
print(json.dumps([found, engine.deaths, heard, usage_lib.usage_stats_enabled()]))
"""


@pytest.mark.slow  # Ray starts slowly on a busy machine
@needs_ray
def test_actors_work_die_and_are_replaced_and_nobody_else_can_call_them(tmp_path):
    paths = [str(ROOT), str(ROOT / "tests" / "support")]
    before = os.environ.get("PYTHONPATH", "")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *paths, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([paths[1], before])},
    )
    assert done.returncode == 0, done.stderr
    found, deaths, heard, reports = json.loads(done.stdout.splitlines()[-1])
    assert found == {
        "well": ["well", None, 0],
        "input": [None, "input", 0],
        "lost": ["lost, then well", None, 1],
        "killed": ["killed, then well", None, 1],
        "memory": ["well", None, 0],
    }
    assert deaths == 2
    assert heard and set(heard) == {"127.0.0.1"} and not reports


WITHOUT = """
import sys
sys.path.insert(0, sys.argv[1])
sys.modules["ray"] = None
from amodal.app.cli import main
raise SystemExit(main(["batch", sys.argv[2], "--out", sys.argv[2] + "/out", "--stickers",
                       "--ray", "auto"]))
"""


def test_without_ray_the_option_says_what_to_do(tmp_path):
    (tmp_path / "a.png").touch()
    words = [sys.executable, "-c", WITHOUT, str(ROOT), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "'ray'" in done.stderr and "pip install ray" in done.stderr
