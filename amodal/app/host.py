"""Starts a ComfyUI with this pack in it as a process of its own, on loopback, and ends it again.

Nothing of the host is imported: this runs `main.py` of the ComfyUI that `find_comfyui` names.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
from pathlib import Path

from .client import opener

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".host"  # what tools/host/make_host.py makes
PACK = "amodal_completion"  # the folder name under custom_nodes/
SHIPPED = ("__init__.py", "amodal", "nodes", "js", "locales", "workflows")
READY_WITHIN = 300.0  # seconds


class HostError(RuntimeError):
    """No ComfyUI, or one that does not come up; the message says what to do."""


def find_comfyui() -> Path:
    """The ComfyUI that AMODAL_COMFYUI names, else the one in `.host/`. Raises HostError."""
    named = os.environ.get("AMODAL_COMFYUI")
    folder = Path(named).expanduser() if named else HOME / "ComfyUI"
    if (folder / "main.py").is_file():
        return folder
    if named:
        raise HostError(f"AMODAL_COMFYUI names {named}, which has no main.py")
    raise HostError(
        "No ComfyUI. Run 'nox -s host' to make one, set AMODAL_COMFYUI to the folder of yours, "
        "or give the address of a running one with --server"
    )


def find_python() -> Path:
    """The Python that runs that ComfyUI: AMODAL_PYTHON, else a venv beside it, else this one."""
    if os.environ.get("AMODAL_PYTHON"):
        return Path(os.environ["AMODAL_PYTHON"]).expanduser()
    folder = find_comfyui()
    places = (folder / "venv", folder / ".venv", folder.parent / "venv", folder.parent / ".venv")
    for place in (*places, folder.parent / "python_embeded"):
        if python_in(place):
            return python_in(place)
    return Path(sys.executable)


def python_in(venv: Path) -> Path | None:
    """The interpreter of a virtual environment, None where there is none."""
    for place in ("bin/python", "Scripts/python.exe", "python.exe"):
        if (venv / place).is_file():
            return venv / place
    return None


class Host:
    """A running ComfyUI: `with Host() as host: ... host.url`. Ends with the block, or with us.

    base: the folder for models/, custom_nodes/, input/, output/ and the log; a temporary one, gone
    at the end, where None. port: None takes a free one. arguments: more words for main.py.
    Raises HostError with the tail of the log where it does not come up.
    """

    def __init__(self, base: Path | None = None, port: int | None = None, arguments=()):
        self._temporary = base is None
        self.base = Path(base or tempfile.mkdtemp(prefix="amodal-host-"))
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.base / "comfyui.log"
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Host:
        atexit.register(self.stop)
        try:
            lay_out(self.base)
            self._process = self._start()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self) -> int:
        """Blocks until the host ends; its exit status."""
        return self._process.wait()

    def stop(self) -> None:
        atexit.unregister(self.stop)
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._temporary:
            shutil.rmtree(self.base, ignore_errors=True)

    def log_tail(self, lines: int = 15) -> str:
        text = self.log.read_text(errors="replace") if self.log.is_file() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _start(self) -> subprocess.Popen:
        python = find_python()
        command = [
            str(python),
            str(find_comfyui() / "main.py"),
            "--listen",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--base-directory",
            str(self.base),
            "--database-url",
            "sqlite:///:memory:",
            "--disable-api-nodes",
            "--disable-auto-launch",
            "--use-pytorch-cross-attention",
            *([] if has_accelerator(python) else ["--cpu"]),
            *self._arguments,
        ]
        # waiting OpenMP threads that spin cost a busy small machine a factor of ten
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.base,
                preexec_fn=ask_to_die_with_us(),
                start_new_session=True,  # Ctrl+C is for us alone; we end the host
            )

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + READY_WITHIN
        while not answers(self.url):
            if not self.alive:
                raise HostError(f"ComfyUI ended while starting. Its log:\n{self.log_tail()}")
            if time.monotonic() > give_up:
                raise HostError(f"ComfyUI did not answer in time. Its log:\n{self.log_tail()}")
            time.sleep(0.1)


def lay_out(base: Path) -> None:
    """Makes a base directory: this pack, the ComfyUI's models, and the example pictures."""
    for name in ("custom_nodes", "input", "output", "temp", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link(ROOT, base / "custom_nodes" / PACK, SHIPPED)
    link(find_comfyui() / "models", base / "models", ())
    shutil.copytree(ROOT / "workflows" / "inputs", base / "input", dirs_exist_ok=True)


def link(source: Path, place: Path, parts: tuple[str, ...]) -> None:
    """A symbolic link, or, where the system refuses, a copy of its `parts`."""
    if place.is_symlink() or place.exists():
        return
    try:
        place.symlink_to(source, target_is_directory=True)
    except OSError:
        place.mkdir()
        for part in (source / name for name in parts):
            if part.is_dir():
                shutil.copytree(part, place / part.name)
            elif part.is_file():
                shutil.copy(part, place / part.name)


def has_accelerator(python: Path) -> bool:
    """Whether that Python's torch sees a GPU; ComfyUI does not start without one unless told."""
    look = (
        "import torch; t = torch; raise SystemExit(not (t.cuda.is_available() "
        "or t.backends.mps.is_available() or (hasattr(t, 'xpu') and t.xpu.is_available())))"
    )
    return subprocess.run([str(python), "-c", look], capture_output=True).returncode == 0


def answers(url: str) -> bool:
    try:
        with opener(url)(f"{url}/system_stats", timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def free_port(rather: int = 0) -> int:
    """A port on loopback that nothing listens on: `rather` where that is free."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", rather))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask_to_die_with_us():
    """For Popen's preexec_fn: on Linux, the child is ended even when we are killed outright."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    set_parent_death_signal = 1

    def ask() -> None:
        libc.prctl(set_parent_death_signal, signal.SIGTERM)

    return ask
