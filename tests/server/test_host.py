"""Starting and stopping a ComfyUI; nothing remains afterwards."""

import os
import signal
import subprocess
import sys
import time

import pytest

from amodal.app import host

HOLD = """
import sys, time
from amodal.app.host import Host
with Host() as running:
    print(running.url, flush=True)
    time.sleep(300)
"""


def gone(url: str, within: float = 20.0) -> bool:
    """Whether the host stops answering within that many seconds."""
    until = time.monotonic() + within
    while host.answers(url):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the Linux kernel")
def test_a_host_ends_with_the_process_that_started_it():
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=host.ROOT, stdout=subprocess.PIPE, text=True
    )
    url = holder.stdout.readline().strip()
    assert host.answers(url)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert gone(url)


def test_leaving_the_block_ends_the_host_and_its_folder():
    with host.Host() as running:
        assert running.alive and host.answers(running.url)
        assert (running.base / "custom_nodes" / host.PACK / "nodes").is_dir()
        base = running.base
    assert not running.alive and not base.exists()


def test_the_error_says_why_a_host_does_not_start():
    broken = host.Host(arguments=["--no-such-word"])
    with pytest.raises(host.HostError, match="unrecognized arguments: --no-such-word"):
        broken.__enter__()
    assert not broken.alive and not broken.base.exists()


def test_the_error_names_a_missing_comfyui_and_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("AMODAL_COMFYUI", str(tmp_path))
    with pytest.raises(host.HostError, match="AMODAL_COMFYUI is set to .* no main.py"):
        host.find_comfyui()
    monkeypatch.delenv("AMODAL_COMFYUI")
    monkeypatch.setattr(host, "HOME", tmp_path)
    with pytest.raises(host.HostError, match="nox -s host"):
        host.find_comfyui()


def test_the_users_own_comfyui_runs_with_the_python_beside_it(monkeypatch, tmp_path):
    comfy = tmp_path / "ComfyUI"
    (comfy / "venv" / "bin").mkdir(parents=True)
    (comfy / "main.py").touch()
    (comfy / "venv" / "bin" / "python").touch()
    monkeypatch.setenv("AMODAL_COMFYUI", str(comfy))
    monkeypatch.delenv("AMODAL_PYTHON", raising=False)
    assert host.find_comfyui() == comfy
    assert host.find_python() == comfy / "venv" / "bin" / "python"
    monkeypatch.setenv("AMODAL_PYTHON", sys.executable)
    assert str(host.find_python()) == sys.executable


def test_without_symbolic_links_the_pack_is_copied(monkeypatch, tmp_path):
    def refuse(*args, **options):
        raise OSError("not permitted")

    monkeypatch.setattr(type(tmp_path), "symlink_to", refuse)
    host.lay_out(tmp_path)
    copied = tmp_path / "custom_nodes" / host.PACK
    assert (copied / "__init__.py").is_file() and (copied / "nodes" / "loop.py").is_file()
    assert not (copied / "tests").exists()
    assert (tmp_path / "models").is_dir()
