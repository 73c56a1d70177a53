"""The command line: completes an object of a picture without a browser.

Exit status: 0 completed or nothing to complete (result.json says which), 2 bad input, 3 not
completed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from pathlib import Path

from ..core.errors import BadInput
from . import headless, host, workflow
from .client import Client, RunError

DONE, BAD_INPUT, NOT_COMPLETED = 0, 2, 3


def main(words: list[str] | None = None) -> int:
    options = parser().parse_args(words)
    try:
        return options.does(options)
    except BadInput as error:
        return stop(BAD_INPUT, error)
    except host.HostError as error:
        return stop(NOT_COMPLETED, error)
    except RunError as error:
        at = f"failed at {error.node}: " if error.node else ""
        return stop(BAD_INPUT if error.is_bad_input else NOT_COMPLETED, f"{at}{error}")
    except (ConnectionError, TimeoutError) as error:
        return stop(NOT_COMPLETED, f"The connection to ComfyUI broke: {error}")
    except OSError as error:
        return stop(BAD_INPUT, f"{error}. Remedy: check that path, and that it may be used")
    except KeyboardInterrupt:
        return stop(NOT_COMPLETED, "Cancelled")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m amodal", description=__doc__.split("\n\n")[0])
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("complete", help="complete an object of a picture")
    one.set_defaults(does=complete)
    one.add_argument("picture", type=Path)
    which = one.add_mutually_exclusive_group()
    which.add_argument("--mask", type=Path, help="picture that is white where the object is seen")
    which.add_argument(
        "--point", metavar="X,Y", help="a point of the object: pixels, or fractions like 0.43,0.61"
    )
    which.add_argument("--object", metavar="WORDS", help="the object's name")
    one.add_argument("--prompt", metavar="P", help="words to paint from; {label} is the name")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--count", type=int, default=1, help="completions, with the seeds after SEED")
    one.add_argument(
        "--workflow",
        type=Path,
        default=workflow.DEFAULT,
        metavar="W.json",
        help="in either of ComfyUI's formats; default: the sticker world's",
    )
    one.add_argument("--out", type=Path, required=True, metavar="DIR")
    one.add_argument(
        "--server",
        default=os.environ.get("AMODAL_SERVER"),
        metavar="URL",
        help="a running ComfyUI with this pack; default: AMODAL_SERVER, else one is started",
    )
    one.add_argument("--quiet", action="store_true", help="no progress bar")
    server = commands.add_parser("serve", help="start ComfyUI with the pack on loopback")
    server.set_defaults(does=serve)
    server.add_argument("--port", type=int, help="default: 8188, or a free one where it is taken")
    server.add_argument("--base", type=Path, default=host.HOME / "base", help="its files")
    return top


def complete(options) -> int:
    check(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if not options.server:
            print("Starting ComfyUI ...", flush=True)
        url = options.server or stack.enter_context(host.Host()).url
        client = Client(url)
        template = workflow.load(options.workflow, lambda: client.get("/object_info"))
        check_pick(template, options)
        picture = client.upload(options.picture)
        mask = client.upload(options.mask) if options.mask else None
        status = DONE
        for number in range(options.count):
            seed = options.seed + number
            prompt = workflow.fill(
                template,
                picture,
                mask=mask,
                point=options.point,
                words=options.object,
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
                done = headless.complete(client, prompt, out, about, bar)
            print(f"{done.result['status']} (seed {seed}): {out}")
            for message in done.result["messages"]:
                print(message)
            status = max(status, DONE if done.ok else NOT_COMPLETED)
        return status


def check(options) -> None:
    """Raises BadInput for what can be seen before a host is started."""
    for name in ("picture", "mask"):
        if getattr(options, name) is not None:
            check_picture(name, getattr(options, name))
    if not options.workflow.is_file():
        raise BadInput("workflow", f"{options.workflow} cannot be read", "check the path")
    if options.count < 1:
        raise BadInput("count", f"is {options.count}", "give 1 or more")
    if options.seed < 0:
        raise BadInput("seed", f"is {options.seed}", "give 0 or more")
    if options.point is not None:
        parts = [part.strip() for part in options.point.split(",")]
        pixels = all(part.isdigit() for part in parts)
        fractions = all(re.fullmatch(r"0?\.\d+|1\.0+", part) for part in parts)
        if len(parts) != 2 or not (pixels or fractions):
            raise BadInput(
                "point", f"is '{options.point}'", "give it as X,Y in pixels or as fractions"
            )


def check_pick(template: dict, options) -> None:
    """Raises BadInput where an object is named and the workflow takes its masks from elsewhere."""
    node = workflow.titled(template, "Pick the object", "AmodalPickObject", "AmodalCompletion")
    asked = next((name for name in ("mask", "point", "object") if getattr(options, name)), None)
    if node and asked and isinstance(template[node]["inputs"].get("mask"), list):
        raise BadInput(
            asked,
            f"cannot be chosen: {options.workflow.name} gives the masks itself",
            f"leave --{asked} out, or take another workflow",
        )


def check_picture(name: str, path: Path) -> None:
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise BadInput(name, f"{path} is not a file", "check the path")
    try:
        with Image.open(path) as picture:
            picture.load()
            red = picture.convert("RGB").getchannel(0) if name == "mask" else None  # what is taken
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BadInput(name, f"{path} is no picture ({error})", "save it as PNG or JPEG") from None
    if red is not None and not red.getbbox():
        raise BadInput(name, f"{path} is black", "paint white what is seen of the object")


def serve(options) -> int:
    port = options.port or host.free_port(8188)
    with host.Host(options.base, port) as running:
        print(f"ComfyUI with Amodal Completion: {running.url} (Ctrl+C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            return running.wait()
    return DONE


def stop(status: int, why) -> int:
    print(why, file=sys.stderr)
    return status
