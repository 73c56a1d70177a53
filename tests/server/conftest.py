"""A real ComfyUI in a process of its own, with the pack, over HTTP and websocket."""

import os

import numpy as np
import pytest
from graphs import empty_cache
from PIL import Image
from studies import StudyHost

from amodal.app.client import Client
from amodal.app.host import Host
from tools.host.browser import CHROMIUM, NEWEST, QUIET, needs_newest, open_editor

FOUR_EDITORS = ("classic", "vue", "newest classic", "newest vue")


@pytest.fixture(scope="session")
def running():
    with Host(arguments=["--fp32-text-enc"]) as host:
        yield host


@pytest.fixture(scope="session")
def running_newest():
    """The same host with the front end that AMODAL_FRONTEND names."""
    with Host(arguments=["--fp32-text-enc", "--front-end-root", NEWEST]) as host:
        yield host


@pytest.fixture(scope="session")
def study_host(tmp_path_factory):
    """A host that any origin may read, if it were for the host alone; it can be killed."""
    host = StudyHost(tmp_path_factory.mktemp("study-host"))
    yield host
    host.stop()


@pytest.fixture(scope="module")  # while it lives, its event loop holds the thread
def chromium():
    if "CI" not in os.environ:  # there a missing package is a failure
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


def pytest_generate_tests(metafunc):
    """A test of the editor runs in the classic canvas and with Vue nodes, in the host's own front
    end and in the newest, or in those that its module names in EDITORS. A module may have a page of
    its own."""
    if "page" in metafunc.fixturenames and not hasattr(metafunc.module, "page"):
        editors = getattr(metafunc.module, "EDITORS", FOUR_EDITORS)
        marks = {name: needs_newest for name in editors if "newest" in name}
        params = [pytest.param(name, marks=marks.get(name, ())) for name in editors]
        metafunc.parametrize("page", params, indirect=True)


@pytest.fixture
def page(request, chromium):
    """The editor; nothing of the pack's has broken when it is closed."""
    host = request.getfixturevalue("running_newest" if "newest" in request.param else "running")
    empty_cache(Client(host.url))
    page = open_editor(chromium, host.url, vue="vue" in request.param)
    page.broken = []
    page.on("pageerror", lambda error: page.broken.append(str(error)))
    yield page
    ours = [error for error in page.broken if "amodal" in error.lower()]
    page.close()
    assert not ours


@pytest.fixture
def client(running):
    return Client(running.url)


@pytest.fixture(scope="session")
def picture(tmp_path_factory):
    """A red square that a blue one covers in part, on white; its file."""
    image = np.full((96, 128, 3), 255, np.uint8)
    image[20:70, 20:70] = 200, 30, 30
    image[50:90, 50:100] = 30, 30, 200
    place = tmp_path_factory.mktemp("pictures") / "squares.png"
    Image.fromarray(image).save(place)
    return place


@pytest.fixture(scope="session")
def mask(tmp_path_factory):
    """Where the red square is seen: white."""
    image = np.zeros((96, 128), np.uint8)
    image[20:70, 20:70] = 255
    image[50:90, 50:100] = 0
    place = tmp_path_factory.mktemp("masks") / "seen.png"
    Image.fromarray(image).save(place)
    return place
