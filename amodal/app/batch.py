"""The command `batch`: completes the objects of a folder, a manifest or a bucket.

Exit status: 0 every item is completed or has nothing to complete, 2 bad input, 3 some are not.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ..batch import crews, items, report, source, worst
from ..batch.driver import Batch
from ..batch.engine import Crew
from ..batch.faults import DiskFull, NoWorkers
from ..batch.places import place_of
from ..core.errors import BadInput
from . import completing, host, photographs, template, workflow
from .client import Client

DONE, NOT_COMPLETED = 0, 3
WEIGHTS = (".safetensors", ".ckpt", ".pt", ".pth", ".tar", ".bin", ".sft", ".gguf")
EMBEDDED = Path(__file__).resolve().parents[1] / "stickers" / "weights"


def add_options(command: argparse.ArgumentParser, integer: Callable[[str], int]) -> None:
    """Adds the command's options. integer: the type of whole numbers."""
    add = command.add_argument
    add("source", help="a folder, a glob, a manifest (JSON lines, Parquet), s3://, gs://, file://")
    add("--out", required=True, metavar="DEST", help="folder for the results, or such an address")
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--workflow", type=Path, metavar="W.json", help="as of `complete`; the same default"
    )
    which.add_argument(
        "--stickers",
        dest="workflow",
        action="store_const",
        const=workflow.STICKERS,
        help="the embedded models, for scenes of their 56 stickers",
    )
    add(
        "--objects",
        metavar="all|WORDS|masks",
        help="all: every object that is found; names separated by commas; masks: those beside the "
        "pictures, cat_mask.png for cat.jpg; default: the largest object",
    )
    add("--occluders", metavar="WORDS", help="names of what may stand in front")
    add("--prompt", metavar="P", help="text prompt; {label} stands for the object's name")
    add("--seed", type=integer, default=0, help="of every item; a manifest may have its own")
    add("--seeds", type=integer, default=1, help="number of completions of each item")
    add("--best", action="store_true", help="keep the best of them by score (section 3.6)")
    add("--workers", type=integer, default=None, help="default: 1, or one for each server")
    add("--threads", type=integer, default=0, help="CPU threads of each; default: all shared out")
    add("--ray", metavar="auto|local|ADDRESS", help="run the workers on Ray")
    add("--gpus-per-worker", type=float, default=None, metavar="G", help="default: 1 if there are")
    add("--servers", metavar="URL,URL", help="running ComfyUIs with this pack, one worker for each")
    add("--again", action="store_true", help="try again what was set aside in an earlier run")
    add("--quiet", action="store_true", help="no progress")


def run(options: argparse.Namespace) -> int:
    """The command `batch`. Raises BadInput and HostError."""
    urls = [url.strip() for url in (options.servers or "").split(",") if url.strip()]
    check(options, urls)
    path = options.workflow or chosen_workflow(urls)
    path = workflow.named(path)
    prompt = workflow.load(path, functools.partial(object_info, urls))
    template.check(prompt, objects=options.objects, seeds=options.seeds, best=options.best)
    dest = place_of(options.out)
    job = completing.Job(
        dest.address,
        prompt,
        path.name,
        options.seed,
        options.seeds,
        options.best,
        options.prompt,
        options.occluders,
    )
    batch = Batch(
        dest=dest,
        source=source.source_of(options.source, options.objects, dest.address),
        keys=items.Keys(settings_of(job)),
        crew=functools.partial(crew_of, options, job, urls),
        lighter=functools.partial(completing.lighter, job),
        again=options.again,
        quiet=options.quiet,
    )
    return ended(batch, options)


def ended(batch: Batch, options: argparse.Namespace) -> int:
    """Runs the batch and says what became of it; the exit status."""
    go_on = "The same command goes on where it stopped."
    try:
        batch.run()
    except KeyboardInterrupt:
        return stopped(batch, f"Stopped. {go_on}")
    except DiskFull as error:
        return stopped(batch, f"{options.out} is full ({error}). Make room. {go_on}")
    except NoWorkers as error:
        return stopped(batch, f"No worker starts: {error}")
    for line in batch.tally.lines():
        print(line)
    if batch.replaced:
        print(f"workers replaced: {batch.replaced}")
    if worst.write(batch.dest, batch.worst.records()):
        print(f"The worst of them: {batch.dest.address}/{worst.NAME}")
    done = sum(batch.tally.of(group) for group in report.DONE)
    return DONE if done == batch.tally.total else NOT_COMPLETED


def stopped(batch: Batch, why: str) -> int:
    print(f"{batch.tally.total} items are done, {batch.done_here} of them in this run.")
    print(why, file=sys.stderr)
    return NOT_COMPLETED


def check(options: argparse.Namespace, urls: list[str]) -> None:
    """Raises BadInput for options that cannot be."""
    for name in ("seeds", "workers"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise BadInput(name, f"is {value}", "give 1 or more")
    for name in ("seed", "threads"):
        if getattr(options, name) < 0:
            raise BadInput(name, f"is {getattr(options, name)}", "give 0 or more")
    if options.gpus_per_worker is not None and not 0 <= options.gpus_per_worker < 1000:
        raise BadInput("gpus-per-worker", f"is {options.gpus_per_worker}", "give 0 or more")
    if urls and (options.ray or options.workers):
        raise BadInput(
            "servers", "are workers already", "leave --workers and --ray out, or --servers"
        )
    if options.workflow is not None and not workflow.named(options.workflow).is_file():
        raise BadInput("workflow", f"{options.workflow} cannot be read", "check the path")


def chosen_workflow(urls: list[str]) -> Path:
    """The shipped one for photographs whose models the first server, or ComfyUI's folder, has."""
    if urls:
        return photographs.first_complete(Client(urls[0]))
    comfyui = host.find_comfyui()

    def present(folder: str) -> list[str]:
        place = comfyui / "models" / folder
        return [path.name for path in place.iterdir()] if place.is_dir() else []

    def knows(node: str) -> bool:
        extras = (comfyui / "comfy_extras").glob("*.py")
        return any(f'"{node}"' in path.read_text("utf-8") for path in extras)

    return photographs.first_whole(present, knows)


def object_info(urls: list[str]) -> dict:
    """The schemas of ComfyUI's nodes, for a workflow in the editor's format."""
    if urls:
        return Client(urls[0]).get("/object_info")
    with host.Host() as running:
        return Client(running.url).get("/object_info")


def settings_of(job: completing.Job) -> str:
    """A digest of all that decides a result, but for the picture: workflow, options, weights."""
    values = [job.workflow, job.seed, job.seeds, job.best, job.prompt, job.occluders]
    return items.digest([*values, items.weights(weights_of(job.workflow))])


def weights_of(prompt: dict) -> list[Path]:
    """The weight files that a workflow names, as far as they are on this machine."""
    found = set(EMBEDDED.glob("*.safetensors"))
    named = {
        Path(value).name
        for node in prompt.values()
        for value in node["inputs"].values()
        if isinstance(value, str) and value.lower().endswith(WEIGHTS)
    }
    if named:
        try:
            models = host.find_comfyui() / "models"
        except host.HostError:
            return sorted(found)
        found |= {path for path in models.rglob("*") if path.name in named and path.is_file()}
    return sorted(found)


def crew_of(options: argparse.Namespace, job: completing.Job, urls: list[str]) -> Crew:
    """The workers that the options ask for. Raises BadInput, and HostError without a ComfyUI."""
    if urls:
        return crews.Threads(len(urls), completing.maker(job, urls, []))
    host.find_comfyui()
    size = options.workers or 1
    if options.ray:
        from ..batch.ray_crew import RayActors

        threads = {"OMP_NUM_THREADS": str(options.threads)} if options.threads else {}
        make = completing.maker(job, [], [threads])
        cpus = max(1, options.threads)
        return RayActors(size, make, options.ray, options.gpus_per_worker, cpus)
    return crews.Processes(size, completing.maker(job, [], environments(options, size)))


def environments(options: argparse.Namespace, size: int) -> list[dict[str, str]]:
    """The variables of each worker's ComfyUI: its threads, and its share of the GPUs."""
    threads = options.threads or max(1, (os.cpu_count() or 1) // size)
    each, devices = options.gpus_per_worker, gpus()
    found = []
    for slot in range(size):
        variables = {"OMP_NUM_THREADS": str(threads)}
        if devices and each != 0:
            share = each or 1.0
            first = int(slot * share)
            own = [devices[(first + at) % len(devices)] for at in range(max(1, round(share)))]
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(dict.fromkeys(own))
        found.append(variables)
    return found


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [str(number) for number, line in enumerate(listed.splitlines()) if line.strip()]
