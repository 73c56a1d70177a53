"""A session of seeded fuzzing in the real host: nox -s fuzz -- --minutes 3 --seed 1.

Each case has a number, and seed and number decide all of it: --first N goes on at a number, and
--only N repeats one. The end shows, for each kind of case, how many were refused by name (of the
input, with a remedy), came out right, or went wrong: another error, NaN or values outside 0..1 in
an output, or no end within LIMIT seconds. The exit status is 1 if any went wrong.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import functools
import logging
import resource
import signal
import sys
import time
from pathlib import Path
from random import Random

import torch

from amodal.app import workflow
from amodal.core.errors import BadInput
from tools.fuzz import examples, files, run, values
from tools.host import inprocess

LIMIT = 60  # seconds for a case
MEMORY = 24 * 2**30  # bytes of addresses; more is refused to the process, not to the machine
FIXED = {"occluded"}  # of Loop End: another pass needs a Loop Start behind the loop's link
OUTCOMES = ("refused by name", "right", "raw error", "silently wrong", "hang")
KINDS = (*3 * ["inputs"], *3 * ["model files"], "data sets", "workflows")
LOADED = {  # node -> (folder, input, its other inputs)
    "AmodalLoadOrderModel": ("instaorder", "file", {}),
    "AmodalLoadInpaintModel": ("inpaint", "file", {}),
    "AmodalLoadMaskModel": ("sssd", "file", {}),
    "AmodalLoadContentModel": ("sssd", "file", {}),
    "AmodalLoadSegmenter": (
        *("grounding-dino", "detector"),
        {"vocabulary": "a", "box_threshold": 0.3, "text_threshold": 0.3, "overlap": 0.7},
    ),
}


class Session:
    """The host with valid inputs of every node, and a place for broken files."""

    def __init__(self) -> None:
        self.host = inprocess.host()
        import folder_paths  # the host's

        self.good = examples.examples(self.host)
        self.models, self.inputs = (
            Path(folder_paths.models_dir),
            Path(folder_paths.get_input_directory()),
        )
        for folder, _, _ in LOADED.values():
            files.write_models(self.models / folder)
        self.whole = {form: (self.models / "inpaint" / form).read_bytes() for form in files.FORMS}
        words = self.models / "bert-base-uncased" / "vocab.txt"
        words.parent.mkdir(parents=True, exist_ok=True)
        words.write_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\na\n.")
        files.write_models(self.models / "sams")
        self.cases = {
            "inputs": self.node_inputs,
            "model files": self.model_files,
            "data sets": self.data_sets,
            "workflows": self.workflows,
        }
        self.schemas = functools.cache(lambda: {k: info(c) for k, c in self.host.classes.items()})

    def attempt(self, kind: str, draw: Random, case: str) -> tuple[str, str]:
        """The outcome of a case, and what happened."""
        try:
            with time_limit():
                what, outputs, kinds = self.cases[kind](draw, case)
        except TimeoutError:
            return "hang", kind
        except (inprocess.Failed, BadInput) as error:
            return judged(error)
        except Exception as error:
            return "raw error", f"{type(error).__name__}: {error}"
        wrong = [
            f"{what}: output {number} ({kind})"
            for number, (value, kind) in enumerate(zip(outputs, kinds))
            if is_wrong(value, kind)
        ]
        return ("silently wrong", wrong[0]) if wrong else ("right", what)

    def node_inputs(self, draw: Random, case: str) -> tuple[str, list, list]:
        """A node with one or two wrong inputs."""
        node = draw.choice([name for name in sorted(self.good) if self.good[name]])
        schema = self.host.pack[node].define_schema()
        sockets = [s for s in schema.inputs if s.id in self.good[node] and s.id not in FIXED]
        given = dict(self.good[node])
        for socket in draw.sample(sockets, min(len(sockets), draw.randint(1, 2))):
            good = given[socket.id]
            bad = values.wrong(draw, socket, good[0] if isinstance(good, list) else good)
            given[socket.id] = [bad] if schema.is_input_list and draw.random() < 0.9 else bad
        outputs = run.outputs(self.host, node, given, case)
        return node, outputs, [output.get_io_type() for output in schema.outputs]

    def model_files(self, draw: Random, case: str) -> tuple[str, list, list]:
        """A loader of a damaged file, or of a folder with a broken configuration."""
        node = draw.choice(sorted(LOADED))
        folder, name, others = LOADED[node]
        form = draw.choice(files.FORMS)
        (self.models / folder / form).write_bytes(files.damaged(draw, self.whole[form]))
        given = {**others, name: form}
        if node == "AmodalLoadSegmenter":
            given["masker"] = files.FORMS[0]
            if draw.random() < 0.3:
                place = self.models / folder / "whole"
                place.mkdir(exist_ok=True)
                (place / "model.safetensors").write_bytes(self.whole[files.FORMS[3]])
                config = {"model_type": "grounding-dino", "d_model": 8, "text_config": {"a": 1}}
                (place / "config.json").write_bytes(files.broken_json(draw, config))
                given[name] = "whole"
        return node, run.outputs(self.host, node, given, case), []

    def data_sets(self, draw: Random, case: str) -> tuple[str, list, list]:
        """Load Pseudo-Occluded Item on a broken data set."""
        files.write_items(draw, self.inputs / "broken")
        node = "AmodalLoadItem"
        outputs = run.outputs(self.host, node, {"folder": "broken", "index": 0}, case)
        schema = self.host.pack[node].define_schema()
        return node, outputs, [output.get_io_type() for output in schema.outputs]

    def workflows(self, draw: Random, case: str) -> tuple[str, list, list]:
        """A broken workflow file, read and filled as the command line does."""
        path = self.inputs / "broken.json"
        files.write_workflow(draw, path)
        prompt = workflow.load(path, self.schemas)
        workflow.fill(prompt, "a.png", words="cat", text="a {label}", seed=1)
        return "workflow", [], []


def info(node: type) -> dict:
    """What the command line reads of a node in the host's /object_info."""
    return {"input": node.INPUT_TYPES(), "display_name": node.__name__}


def judged(error: Exception) -> tuple[str, str]:
    """The outcome of a refusal: by name only if it names an input, and the remedy or the value."""
    said = " ".join(str(error).split())
    details = getattr(error, "details", None)
    kind = details.get("exception_type", "") if isinstance(details, dict) else ""
    if "TimeoutError" in kind:
        return "hang", said
    by_host = isinstance(details, dict) and "exception_type" not in details
    named = "input '" in said and "Remedy" in said
    if named or (by_host and "input_name" in said):
        return "refused by name", said
    where = details.get("node_type", "") if isinstance(details, dict) else ""
    return "raw error", f"{where} {kind.rsplit('.', 1)[-1]}: {said}"


def is_wrong(value: object, kind: str) -> bool:
    """Does an output hold NaN, or a picture or mask a value outside 0..1?"""
    found = examples.tensors(value)
    if kind == "AMODAL_ORDER":  # NaN stands for unknown
        return False
    if any(not bool(torch.isfinite(t).all()) for t in found):
        return True
    pixels = kind in ("IMAGE", "MASK")
    if pixels and any(t.numel() and not 0 <= float(t.min()) <= float(t.max()) <= 1 for t in found):
        return True
    return isinstance(value, float) and value != value


@contextlib.contextmanager
def time_limit():
    """Raises TimeoutError after LIMIT seconds."""

    def stop(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)


def table(counts: dict[str, collections.Counter]) -> str:
    """The figures as a Markdown table."""
    lines = [f"| kind | tried | {' | '.join(OUTCOMES)} |", "| --- " * 7 + "|"]
    counts = {**counts, "all": sum(counts.values(), collections.Counter())}
    for kind, found in counts.items():
        cells = [str(found[outcome]) for outcome in OUTCOMES]
        lines.append(f"| {kind} | {found.total()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog="nox -s fuzz --", description=__doc__)
    options.add_argument("--minutes", type=float, default=3)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--first", type=int, default=0, metavar="N")
    options.add_argument("--only", type=int, metavar="N")
    given = options.parse_args(words)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    session = Session()
    logging.disable(logging.CRITICAL)
    counts: dict[str, collections.Counter] = {
        k: collections.Counter() for k in dict.fromkeys(KINDS)
    }
    first = given.first if given.only is None else given.only
    told, number, end = set(), first, time.monotonic() + 60 * given.minutes
    while number == first or (given.only is None and time.monotonic() < end):
        kind = KINDS[number % len(KINDS)]
        outcome, what = session.attempt(kind, Random(f"{given.seed} {number}"), str(number))
        counts[kind][outcome] += 1
        if given.only is not None or (outcome in OUTCOMES[2:] and what[:60] not in told):
            told.add(what[:60])
            print(f"{number} {kind}: {outcome}: {what[:300]}", flush=True)
        inprocess.VALUES.clear()
        number += 1
    print(f"\nSeed {given.seed}, cases {first} to {number - 1}\n\n{table(counts)}")
    return int(any(found[outcome] for found in counts.values() for outcome in OUTCOMES[2:]))


if __name__ == "__main__":
    sys.exit(main())
