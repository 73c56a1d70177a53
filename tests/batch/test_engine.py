"""Every task comes back once, whatever happens to its worker."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import batch_workers
import psutil
import pytest

from amodal.batch import crews
from amodal.batch.engine import TRIES, Engine, Task, in_order
from amodal.batch.faults import DiskFull, NoWorkers

ROOT = Path(__file__).resolve().parents[2]


def run(crew, every: dict[str, tuple], lighter=lambda words: None):
    """({key: outcome}, the engine). Each key comes exactly once."""
    engine, found = Engine(lambda: crew, lighter), {}
    for outcomes in engine.run(Task(key, words) for key, words in every.items()):
        for outcome in outcomes:
            assert outcome.task.key not in found
            found[outcome.task.key] = outcome
    return found, engine


@pytest.fixture(params=["here", "threads", "processes"])
def crew_of(request):
    """Makes a crew of each kind, with a number of workers where it can have several."""
    kinds = {
        "here": lambda make, size: crews.Here(make),
        "threads": lambda make, size: crews.Threads(size, make),
        "processes": lambda make, size: crews.Processes(size, make),
    }
    return kinds[request.param]


def test_results_are_those_of_the_function_whoever_works(crew_of):
    found, engine = run(crew_of(batch_workers.doubled, 2), {str(n): (n,) for n in range(20)})
    assert {key: outcome.result for key, outcome in found.items()} == {
        str(n): 2 * n for n in range(20)
    }
    assert engine.deaths == 0


def test_each_kind_of_fault_has_its_end(crew_of, tmp_path):
    """Also that a worker that says it is lost is replaced, and its task tried again."""
    every = {
        "well": ("well",),
        "input": ("input",),
        "memory": ("memory",),
        "storage": ("storage",),
        "lost": ("lost",),
        "lost once": ("lost", str(tmp_path / "lost")),
        "storage once": ("storage", str(tmp_path / "storage")),
    }
    found, engine = run(crew_of(batch_workers.Faulty, 2), every)
    assert found.keys() == every.keys()
    assert found["well"].result == "well" and found["lost once"].result == "lost, then well"
    assert found["storage once"].result == "storage, then well"
    kinds = {key: outcome.fault.kind for key, outcome in found.items() if outcome.fault}
    assert kinds == {name: name for name in ("input", "memory", "storage", "lost")}
    tries = {key: outcome.task.tries for key, outcome in found.items()}
    assert tries == {
        **dict.fromkeys(every, 0),
        "storage": TRIES,
        "lost": TRIES,
        "lost once": 1,
        "storage once": 1,
    }
    assert engine.deaths == 4  # three of "lost", one of "lost once"
    error = found["input"].fault.error()
    assert (error.input, error.remedy) == ("picture", "save it as PNG")


@pytest.mark.parametrize("how", ["killed", "leaves"])
def test_a_worker_that_dies_is_replaced_and_its_task_tried_again(how, tmp_path):
    crew = crews.Processes(2, batch_workers.Faulty)
    every = {"once": (how, str(tmp_path / "once")), "always": (how,), "well": ("well",)}
    found, engine = run(crew, every)
    assert found["once"].result == f"{how}, then well" and found["once"].task.tries == 1
    assert found["always"].fault.kind == "lost" and found["always"].task.tries == TRIES
    assert found["well"].result == "well" and engine.deaths == 1 + TRIES


def less(words: tuple):
    seeds, small = words[0], len(words) > 1
    if seeds > 1:
        return (seeds // 2,), f"{seeds // 2} seeds"
    return None if small else ((seeds, True), "smaller crop")


def test_out_of_memory_means_fewer_seeds_then_a_smaller_crop(crew_of):
    found, _ = run(crew_of(batch_workers.Greedy, 1), {"8": (8,), "1": (1,)}, less)
    assert found["8"].result == (2, False) and found["8"].task.lighter == ["4 seeds", "2 seeds"]
    assert found["1"].result == (1, True) and found["1"].task.lighter == ["smaller crop"]


def test_a_full_disk_stops_the_run(crew_of):
    every = {str(n): ("well",) for n in range(5)} | {"full": ("full",)}
    with pytest.raises(DiskFull, match="No space"):
        run(crew_of(batch_workers.Faulty, 1), every)


def test_workers_that_never_start_are_an_error_that_says_why(crew_of):
    with pytest.raises(NoWorkers, match="there is no ComfyUI"):
        run(crew_of(batch_workers.broken, 2), {"1": ()})


def test_nothing_is_started_without_a_task():
    def refuse():
        raise AssertionError("a crew was made")

    assert list(Engine(refuse).run([])) == []


def test_no_more_is_taken_from_the_source_than_workers_can_begin():
    taken = []

    def endless():
        for number in range(10**9):
            taken.append(number)
            yield Task(str(number), (number,))

    rounds = Engine(lambda: crews.Threads(3, batch_workers.doubled)).run(endless())
    while not next(rounds):
        pass
    rounds.close()
    assert len(taken) <= 6


def test_tasks_may_be_added_while_it_runs():
    engine = Engine(lambda: crews.Here(batch_workers.doubled))
    results = []
    for outcomes in engine.run([Task("1", (1,))]):
        results += [outcome.result for outcome in outcomes]
        if outcomes and len(results) < 4:
            engine.add(Task("more", (results[-1],)))
    assert results == [2, 4, 8, 16]


def test_outcomes_can_be_put_in_order():
    tasks = [Task(str(n), (n,)) for n in range(30)]
    outcomes = Engine(lambda: crews.Processes(2, batch_workers.doubled)).run(tasks)
    assert [outcome.result for outcome in in_order(tasks, outcomes)] == [2 * n for n in range(30)]


PARENT = """
import sys
sys.path[:0] = {paths}
import batch_workers
from amodal.batch import crews
from amodal.batch.engine import Engine, Task

if __name__ == "__main__":
    crew = crews.Processes(1, batch_workers.Faulty)
    for _ in Engine(lambda: crew).run([Task("1", ("sleeps",))]):
        print(crew._running[0].pid, flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_driver(tmp_path, how):
    """Killed, or with Ctrl+C in seconds."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(paths=[str(ROOT), str(ROOT / "tests" / "support")]))
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    parent = subprocess.Popen([sys.executable, script], **quiet)
    worker = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.5)
    os.kill(parent.pid, how)
    assert parent.wait(15) != 0
    worker.wait(15)
    parent.stdout.close()
