"""The project's commands: `nox -s demo`, `nox -s tests`, ...; `nox -l` lists them all.

All run in one environment, `.host/` (see tools/host/make_host.py), made by whichever comes first.
"""

import os
import subprocess
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "tests"]
nox.needs_version = ">=2023.4"
ROOT = Path(__file__).parent
# Each worker starts hosts of its own, so all tests of a file go to one; 2 GB of memory for each.
SIDE_BY_SIDE = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadfile")


def in_host(session, *words, keep_status=False):
    """Runs the environment's Python with these words, from the project's folder.

    keep_status: end with the exit status of that Python, where nox would make any failure a 1.
    """
    sys.path.insert(0, str(ROOT))
    from tools.host import make_host

    python = make_host.make(make_host.host.HOME)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve small machines
    command = [str(python), *words, *session.posargs]
    if keep_status:
        status = subprocess.run(command).returncode
        if status:
            sys.exit(status)
    else:
        session.run(*command, external=True)


@nox.session
def host(session):
    """Makes the environment and nothing else."""
    in_host(session, "-c", "print('ready')")


@nox.session
def demo(session):
    """Completes six partly hidden stickers in a real ComfyUI; pictures in output/demo/."""
    in_host(session, "-m", "tools.demo")


@nox.session
def run(session):
    """Completes an object of your picture: nox -s run -- complete PICTURE --out DIR."""
    in_host(session, "-m", "amodal", keep_status=True)


@nox.session
def photographs(session):
    """Runs a folder of photographs through all workflows that can run: report, seconds, memory."""
    in_host(session, "-m", "tools.photographs", keep_status=True)


@nox.session
def serve(session):
    """Starts ComfyUI with the pack on loopback and prints its address."""
    in_host(session, "-m", "amodal", "serve")


@nox.session
def tests(session):
    """The quick tests, several files at a time: nox -s tests -- tests/method."""
    in_host(session, "-m", "pytest", *SIDE_BY_SIDE, "-m", "not slow")


@nox.session
def tests_full(session):
    """All tests, several files at a time; the slow ones: nox -s tests_full -- -m slow."""
    in_host(session, "-m", "pytest", *SIDE_BY_SIDE)


@nox.session
def fuzz(session):
    """Wrong inputs and broken files against the real host: nox -s fuzz -- --minutes 3 --seed 1."""
    in_host(session, "-m", "tools.fuzz", keep_status=True)


@nox.session
def bench(session):
    """Measures what mixed context sampling costs beside plain inpainting."""
    in_host(session, "-m", "tools.bench.bench")


@nox.session
def evaluate(session):
    """Compares methods on unseen sticker scenes; tables and pictures in output/evaluation/."""
    in_host(session, "-m", "research.evaluation")


@nox.session
def paper(session):
    """The paper's tables and figures beside ours, other programs' results, COCO, COCO-A, KINS."""
    in_host(session, "-m", "research.evaluation.paper")


@nox.session
def chain(session):
    """Proves the workflow for photographs on cut-outs, without weights; in output/chain/."""
    in_host(session, "-m", "research.photographs")


@nox.session
def dataset(session):
    """Makes pseudo-occluded objects with ground truth: nox -s dataset -- stickers --easy 20."""
    in_host(session, "-m", "research.dataset")


@nox.session
def train(session):
    """Trains the sticker models in one go: nox -s train -- --device cuda --minutes 10."""
    in_host(session, "-m", "research.training")


@nox.session
def adopt(session):
    """Takes over trained weights if 60 fixed scenes say that they are better."""
    in_host(session, "-m", "research.evaluation.adopt")


@nox.session
def curves(session):
    """Draws the training curves, completes 30 random scenes; pictures in output/training/."""
    in_host(session, "-m", "research.evaluation.training_report")


@nox.session
def docs(session):
    """Rewrites locales/en, js/docs/'s lists, and the tables of docs/nodes.md and models.md."""
    in_host(session, "-m", "tools.docs.make_docs")


@nox.session
def lint(session):
    """ruff and its formatter, without changing a file, and mypy; rules in pyproject.toml."""
    in_host(session, "-m", "ruff", "check")
    in_host(session, "-m", "ruff", "format", "--check")
    in_host(session, "-m", "mypy")


@nox.session
def package(session):
    """Builds the registry's zip, installs it beside other packs, runs it; in output/package/."""
    in_host(session, "-m", "tools.package")


@nox.session
def pythons(session):
    """Sources and unit tests on Python 3.10 to 3.13, as far as installed: nox -s pythons -- 3.12"""
    command = (sys.executable, "-m", "tools.package.pythons", *session.posargs)
    session.run(*command, external=True)
