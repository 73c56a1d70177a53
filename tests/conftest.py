"""Fixtures: the real host in this process, once for all tests."""

import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# Shells ignore SIGINT for what runs in the background, and processes of tests inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[:0] = [str(Path(__file__).parent / "support"), str(Path(__file__).parents[1])]

from model_files import models, prompt  # noqa: E402, F401  fixtures

from amodal.app.host import HostError, find_comfyui  # noqa: E402
from tools.host import inprocess  # noqa: E402

settings.register_profile("slow machines too", deadline=None)
settings.load_profile("slow machines too")


def pytest_report_header(config):
    """Says which ComfyUI the tests run on."""
    try:
        folder = find_comfyui()
    except HostError as error:
        return f"ComfyUI: none ({error})"
    version = re.search(r'"(.+)"', (folder / "comfyui_version.py").read_text(encoding="utf-8"))
    return f"ComfyUI: {version[1] if version else 'of unknown version'} in {folder}"


@pytest.fixture(autouse=True)
def same_numbers_each_time():
    """Random tensors are the same in each run of a test."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def real_host():
    """The host's own executor with the pack loaded; see inprocess.Host."""
    if os.environ.get("AMODAL_TESTS_WITHOUT_HOST"):  # `nox -s pythons` sets it
        pytest.skip("needs a host")
    return inprocess.host()


@pytest.fixture
def host(real_host):
    """`real_host` with empty caches."""
    real_host.forget()
    return real_host


@pytest.fixture
def graph():
    return inprocess.Graph()


@pytest.fixture
def no_network(monkeypatch):
    """Python's sockets open no connection and look up no name; the test fails where one tried."""
    tried = []

    def refuse(*where, **options):
        tried.append(where)
        raise OSError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield tried
    assert tried == []


@pytest.fixture(scope="session")
def small(real_host):
    """The module `small`: tiny models with random weights, importable once the host is there."""
    import small

    return small


def pytest_make_parametrize_id(config, val, argname):
    """Ids without random values or addresses: workers must collect the same tests."""
    text = "" if isinstance(val, str | int | float | bool | None) else repr(val)
    return argname if "tensor(" in text or " at 0x" in text else None
