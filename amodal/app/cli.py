"""The command line: completes an object of a picture without a browser.

Exit status: 0 completed or nothing to complete (result.json says which), 2 bad input, 3 not
completed.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
import tempfile
from pathlib import Path

from ..core.errors import BadInput
from ..core.text import number, whole_number
from . import batch, doctor, headless, host, photographs, pictures, workflow
from .client import Client
from .run import RunError

DONE, BAD_INPUT, NOT_COMPLETED = 0, 2, 3
STUDY = {"AMODAL_STUDY": "1"}  # turns on the user study's page; see nodes/study/server.py


def main(words: list[str] | None = None) -> int:
    """Runs the command in `words` (default: the process's arguments); returns the exit status.

    Errors of the input, the host and the run are printed to stderr. Raises SystemExit for arguments
    that argparse refuses.
    """
    options = parser().parse_args(words)
    try:
        return options.does(options)
    except BadInput as error:
        return stop(BAD_INPUT, error)
    except host.HostError as error:
        return stop(NOT_COMPLETED, error)
    except RunError as error:
        node = f"failed at {error.node}: " if error.node else ""
        return stop(BAD_INPUT if error.is_bad_input else NOT_COMPLETED, f"{node}{error}")
    except (ConnectionError, TimeoutError) as error:
        return stop(NOT_COMPLETED, f"The connection to ComfyUI broke: {error}")
    except OSError as error:
        long = error.errno == errno.ENAMETOOLONG
        remedy = "shorten the name" if long else "check the path and its permissions"
        return stop(BAD_INPUT, f"{error}. Remedy: {remedy}")
    except KeyboardInterrupt:
        return stop(NOT_COMPLETED, "Cancelled")


def parser() -> argparse.ArgumentParser:
    """The commands `complete`, `batch`, `doctor` and `serve` with their options."""
    description = "Completes an object of a picture without a browser."
    top = argparse.ArgumentParser(prog="python -m amodal", description=description)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    completing = commands.add_parser("complete", help="complete an object of a picture")
    completing.set_defaults(does=complete)
    completing.add_argument("picture", type=Path)
    which = completing.add_mutually_exclusive_group()
    which.add_argument(
        "--mask", type=Path, help="modal mask: a picture, white at the object's visible pixels"
    )
    which.add_argument(
        "--point", metavar="X,Y", help="a point of the object: pixels, or fractions like 0.43,0.61"
    )
    which.add_argument("--object", metavar="WORDS", help="the object's name")
    completing.add_argument(
        "--occluders",
        metavar="WORDS",
        help="names of what may stand in front, such as 'hand, pole', to search for as well",
    )
    completing.add_argument(
        "--prompt", metavar="P", help="text prompt; {label} stands for the object's name"
    )
    completing.add_argument("--seed", type=integer, default=0)
    completing.add_argument(
        "--count",
        type=integer,
        default=1,
        help="number of completions, with seeds SEED, SEED + 1, ...",
    )
    graph = completing.add_mutually_exclusive_group()
    graph.add_argument(
        "--workflow",
        type=Path,
        metavar="W.json",
        help="a workflow in either of ComfyUI's formats, or the name of a shipped one; default: "
        "the first one for photographs whose models ComfyUI has",
    )
    graph.add_argument(
        "--stickers",
        dest="workflow",
        action="store_const",
        const=workflow.STICKERS,
        help="the embedded models, for scenes of their 56 stickers; they know no photographs",
    )
    completing.add_argument("--out", type=Path, required=True, metavar="DIR")
    add_server(completing)
    completing.add_argument("--quiet", action="store_true", help="no progress bar")
    many = commands.add_parser("batch", help="complete the objects of a folder or a manifest")
    many.set_defaults(does=batch.run)
    batch.add_options(many, integer)
    checking = commands.add_parser("doctor", help="say which workflows run, and what others lack")
    checking.set_defaults(does=doctor.run)
    doctor.add_options(checking)
    add_server(checking)
    serving = commands.add_parser("serve", help="start ComfyUI with the pack on loopback")
    serving.set_defaults(does=serve)
    serving.add_argument(
        "--port",
        type=port_number,
        help="default: 8188, or a free port if it is in use",
    )
    serving.add_argument(
        "--base", type=Path, default=host.HOME / "base", help="folder for ComfyUI's files"
    )
    serving.add_argument(
        "--study",
        action="store_true",
        help="turn on the user study's page, /amodal/study/ (sets AMODAL_STUDY=1)",
    )
    return top


def add_server(command: argparse.ArgumentParser) -> None:
    """Adds the option `--server` to a command."""
    command.add_argument(
        "--server",
        default=os.environ.get("AMODAL_SERVER"),
        metavar="URL",
        help="a running ComfyUI with this pack, such as http://127.0.0.1:8188 or just a host; "
        "default: AMODAL_SERVER, else one is started",
    )


def integer(text: str) -> int:
    """A whole number. Raises argparse's error for any other text."""
    value = whole_number(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"'{text[:20]}' is no whole number")
    return value


def port_number(text: str) -> int:
    """A port. Raises argparse's error for any other text."""
    port = whole_number(text)
    if port is None or not 0 < port < 2**16:
        raise argparse.ArgumentTypeError(f"'{text[:20]}' is no port; give one from 1 to 65535")
    return port


def complete(options: argparse.Namespace) -> int:
    """The command `complete`: runs the workflow `count` times and stores each result.

    Raises BadInput, HostError and RunError.
    """
    check(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if not options.server:
            print("Starting ComfyUI ...", flush=True)
        url = options.server or stack.enter_context(host.Host()).url
        client = Client(url)
        options.workflow = options.workflow or photographs.first_complete(client)
        template = workflow.load(options.workflow, lambda: client.get("/object_info"))
        check_pick(template, options)
        picture = client.upload(options.picture)
        mask = None
        if options.mask:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            pictures.mask_picture(options.mask).save(folder / "mask.png")
            mask = client.upload(folder / "mask.png")
        status = DONE
        for number in range(options.count):
            seed = options.seed + number
            prompt = workflow.fill(
                template,
                picture,
                mask=mask,
                point=options.point,
                words=options.object,
                occluders=options.occluders,
                text=options.prompt,
                seed=seed,
            )
            out = options.out / str(number + 1) if options.count > 1 else options.out
            about = {
                "picture": options.picture.name,
                "workflow": options.workflow.name,
                "seed": seed,
            }
            with headless.Bar(options.picture.name, prompt, options.quiet) as bar:
                completion = headless.complete(client, prompt, out, about, bar)
            print(f"{completion.result['status']} (seed {seed}): {out}")
            for line in notes(completion.result):
                print(line)
            status = max(status, DONE if completion.ok else NOT_COMPLETED)
        return status


def notes(result: dict) -> list[str]:
    """The lines to print below the status: warnings, then messages."""
    warnings = {code for codes in result["warnings"] for code in codes}
    return [*(f"Warning: {code}" for code in sorted(warnings)), *result["messages"]]


def check(options: argparse.Namespace) -> None:
    """Raises BadInput for errors in the options that can be found without a host.

    The name of a shipped workflow becomes its path.
    """
    pictures.loaded("picture", options.picture)
    if options.mask is not None:
        pictures.mask_picture(options.mask)
    if options.workflow is not None:
        options.workflow = workflow.named(options.workflow)
        if not options.workflow.is_file():
            raise BadInput("workflow", f"{options.workflow} cannot be read", "check the path")
    if options.count < 1:
        raise BadInput("count", f"is {options.count}", "give 1 or more")
    if options.seed < 0:
        raise BadInput("seed", f"is {options.seed}", "give 0 or more")
    if options.point is not None and not is_point(options.point):
        raise BadInput("point", f"is '{options.point}'", "give it as X,Y in pixels or as fractions")


def is_point(text: str) -> bool:
    """Is it X,Y: two whole numbers of pixels, or two fractions with a decimal point?"""
    parts = [part.strip() for part in text.split(",")]
    pixels = [whole_number(part) for part in parts]
    shares = [number(part) if "." in part else None for part in parts]
    in_pixels = all(value is not None and value >= 0 for value in pixels)
    in_shares = all(value is not None and 0 <= value <= 1 for value in shares)
    return len(parts) == 2 and (in_pixels or in_shares)


def check_pick(template: dict, options: argparse.Namespace) -> None:
    """Raises BadInput if the options choose an object but the workflow supplies the masks."""
    node = workflow.titled(template, "Pick the object", "AmodalPickObject", "AmodalCompletion")
    chosen_by = next((name for name in ("mask", "point", "object") if getattr(options, name)), None)
    if node and chosen_by and isinstance(template[node]["inputs"].get("modal_mask"), list):
        raise BadInput(
            chosen_by,
            f"cannot choose the object, because {options.workflow.name} supplies the masks",
            f"leave --{chosen_by} out, or use another workflow",
        )


def serve(options: argparse.Namespace) -> int:
    """The command `serve`: runs ComfyUI until it ends or Ctrl+C. Raises HostError."""
    port = options.port or host.free_port(8188)
    environment = STUDY if options.study else {}
    with host.Host(options.base, port, environment=environment) as running:
        print(f"ComfyUI with Amodal Completion: {running.url} (Ctrl+C ends it)", flush=True)
        if options.study:
            print(f"User study: {running.url}/amodal/study/", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            return running.wait()
    return DONE


def stop(status: int, why: object) -> int:
    """Prints `why` to stderr and returns the exit status."""
    print(why, file=sys.stderr)
    return status
