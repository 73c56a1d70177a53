"""A loop in a ComfyUI of its own, with the cache options of its command line."""

import pytest
from graphs import growing

from amodal.app.client import Client
from amodal.app.host import Host, HostError, find_comfyui


def has_new_caches() -> bool:
    """Whether the RAM-pressure cache is what the ComfyUI at hand uses by itself."""
    try:
        options = (find_comfyui() / "comfy" / "cli_args.py").read_text()
    except (HostError, OSError):
        return False
    return "the default caching mode" in options


needs_new_caches = pytest.mark.skipif(
    not has_new_caches(),
    reason="needs a newer ComfyUI, which uses the RAM-pressure cache; AMODAL_COMFYUI may name one",
)
RAM = "Using RAM pressure cache"

pytestmark = pytest.mark.slow  # each starts a ComfyUI


@pytest.mark.parametrize(
    "arguments, log",
    [
        pytest.param(["--cache-none"], "Disabling intermediate node cache", id="none"),
        pytest.param([], RAM, id="default", marks=needs_new_caches),
        pytest.param(["--cache-ram", "1000", "2000"], RAM, id="full", marks=needs_new_caches),
    ],
)
def test_a_loop_runs_and_reruns_under_the_cache(arguments, log):
    """1000 GB are never free, so that everything is dropped as soon as it may be."""
    prompt = growing()
    with Host(arguments=arguments) as running:
        for _ in range(2):
            run = Client(running.url).run(prompt)
            assert run.texts("14") == ["completed"]
            assert len(run.images("13")) == 1
        assert log in running.log.read_text()
