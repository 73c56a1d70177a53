"""Starts a ComfyUI with this pack as a separate process on loopback, and stops it again.

Nothing is imported from the host. `Host` runs `main.py` of the ComfyUI that `find_comfyui` returns.
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
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .address import opener

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".host"  # made by tools/host/make_host.py
PACK = "amodal_completion"  # the folder name under custom_nodes/
SHIPPED = ("__init__.py", "amodal", "nodes", "js", "locales", "workflows", "subgraphs")
READY_WITHIN = 300.0  # seconds


class HostError(RuntimeError):
    """There is no ComfyUI, or it does not start. The message says what to do."""


def find_comfyui() -> Path:
    """The folder of ComfyUI: AMODAL_COMFYUI if it is set, else `.host/ComfyUI`.

    Raises HostError if that folder has no main.py.
    """
    named = os.environ.get("AMODAL_COMFYUI")
    folder = Path(named).expanduser() if named else HOME / "ComfyUI"
    if (folder / "main.py").is_file():
        return folder
    if named:
        raise HostError(f"AMODAL_COMFYUI is set to {named}, which has no main.py")
    raise HostError(
        "There is no ComfyUI. Run 'nox -s host' to install one, set AMODAL_COMFYUI to the folder "
        "of yours, or give the address of a running one with --server"
    )


def find_python() -> Path:
    """The Python that runs ComfyUI.

    AMODAL_PYTHON if it is set, else that of a virtual environment in or beside ComfyUI's folder,
    else the running Python. Raises HostError if there is no ComfyUI.
    """
    if os.environ.get("AMODAL_PYTHON"):
        return Path(os.environ["AMODAL_PYTHON"]).expanduser()
    folder = find_comfyui()
    places = (folder / "venv", folder / ".venv", folder.parent / "venv", folder.parent / ".venv")
    for place in (*places, folder.parent / "python_embeded"):
        python = python_in(place)
        if python:
            return python
    return Path(sys.executable)


def python_in(venv: Path) -> Path | None:
    """The interpreter of a virtual environment, or None if the folder is not one."""
    for place in ("bin/python", "Scripts/python.exe", "python.exe"):
        if (venv / place).is_file():
            return venv / place
    return None


class Host:
    """A running ComfyUI: `with Host() as host: ... host.url`.

    It stops at the end of the block, or when this process ends.

    base: the folder of models/, custom_nodes/, input/, output/ and the log. None uses a temporary
    folder and removes it at the end. port: None uses a free one. arguments: further arguments of
    main.py. environment: variables for ComfyUI, in addition to those of this process.

    Entering raises HostError if the port is taken, or, with the end of the log, if ComfyUI does not
    start.
    """

    def __init__(
        self,
        base: Path | None = None,
        port: int | None = None,
        arguments: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
    ):
        self._temporary = base is None
        self.base = Path(base or tempfile.mkdtemp(prefix="amodal-host-"))
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.base / "comfyui.log"
        self._arguments = tuple(arguments)
        self._environment = dict(environment or {})
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Host:
        atexit.register(self.stop)
        try:
            check_free(self.port)
            lay_out(self.base)
            self._process = self._start()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> int:
        """Waits until the process ends, and returns its exit status.

        Raises HostError if the host was not started.
        """
        if self._process is None:
            raise HostError("ComfyUI was not started")
        return self._process.wait()

    def stop(self) -> None:
        """Stops the process and removes a temporary base folder. May be called repeatedly."""
        atexit.unregister(self.stop)
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._temporary:
            shutil.rmtree(self.base, ignore_errors=True)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log; empty if there is no log."""
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
        # OpenMP threads that spin while waiting slow down a busy small machine tenfold
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **self._environment}
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.base,
                preexec_fn=ask_to_die_with_us(),
                start_new_session=True,  # Ctrl+C reaches only this process, which stops the host
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
    """Fills a base folder: links to this pack and to ComfyUI's models, and the example pictures.

    Raises HostError if there is no ComfyUI.
    """
    for name in ("custom_nodes", "input", "output", "temp", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link(ROOT, base / "custom_nodes" / PACK, SHIPPED)
    link(find_comfyui() / "models", base / "models", ())
    shutil.copytree(ROOT / "workflows" / "inputs", base / "input", dirs_exist_ok=True)


def link(source: Path, place: Path, parts: tuple[str, ...]) -> None:
    """Makes a symbolic link, or copies the `parts` of `source` if the system refuses links.

    Does nothing if `place` exists.
    """
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
    """Whether torch in that Python sees a GPU. Without one, ComfyUI needs the argument --cpu."""
    check = (
        "import torch; t = torch; raise SystemExit(not (t.cuda.is_available() "
        "or t.backends.mps.is_available() or (hasattr(t, 'xpu') and t.xpu.is_available())))"
    )
    return subprocess.run([str(python), "-c", check], capture_output=True).returncode == 0


def answers(url: str) -> bool:
    """Whether a ComfyUI answers at the address."""
    try:
        with opener(url)(f"{url}/system_stats", timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def check_free(port: int) -> None:
    """Raises HostError if no program of ours can listen on that port of loopback.

    A second ComfyUI would only end, and the first would answer in its place.
    """
    with socket.socket() as probe:
        probe.settimeout(1)
        if not probe.connect_ex(("127.0.0.1", port)):
            raise HostError(f"Port {port} is taken. Give another with --port, or leave --port out")
    with socket.socket() as probe:
        if os.name == "posix":  # else a port counts as taken for a minute after its program ended
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            problem = f"Port {port} cannot be used ({error.strerror})"
            raise HostError(f"{problem}. Give another with --port, or leave --port out") from None


def free_port(preferred: int = 0) -> int:
    """A free port on loopback: `preferred` if possible."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask_to_die_with_us() -> Callable[[], None] | None:
    """A function for Popen's preexec_fn: on Linux, the child ends even if this process is killed.

    None on other systems.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc = ctypes.CDLL(None)
    set_parent_death_signal = 1

    def ask() -> None:
        libc.prctl(set_parent_death_signal, signal.SIGTERM)

    return ask
