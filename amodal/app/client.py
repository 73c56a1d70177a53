"""Talks to a running ComfyUI: uploads pictures, queues a prompt, follows it, fetches what it made.

Plain HTTP and a websocket; nothing of the host is imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

INPUTS = "amodal"  # the folder in the host's input folder where pictures are sent
QUIET_FOR = 600.0  # seconds without a word from the host after which a run is given up


class RunError(RuntimeError):
    """A run that the host refused or broke off.

    node: id and title of the node at fault ("" where none is known); kind: the exception's type in
    the host, "refused" where the prompt did not pass validation, "interrupted" after a cancel.
    """

    def __init__(self, message: str, node: str = "", kind: str = ""):
        super().__init__(message)
        self.node, self.kind = node, kind

    @property
    def is_bad_input(self) -> bool:
        return self.kind == "refused" or self.kind.rsplit(".", 1)[-1] == "BadInput"


@dataclass(frozen=True)
class Event:
    """A message of the host about our prompt; `seconds` since it was queued."""

    kind: str
    data: dict
    seconds: float


@dataclass
class Run:
    """What a finished run gave.

    outputs: for each node of the prompt that shows something, what it showed, in order: a node in
    a loop's body once for each pass. Keys inside are the host's ("images", "text", ...).
    seconds: for each node, the time it ran for. blocked: messages of nodes that held back others.
    """

    prompt_id: str
    outputs: dict[str, list[dict]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)
    total: float = 0.0

    def images(self, node: str) -> list[dict]:
        return [image for shown in self.outputs.get(node, []) for image in shown.get("images", [])]

    def texts(self, node: str) -> list[str]:
        """What the node showed last, a text for each item of a list."""
        shown = self.outputs.get(node)
        return [str(word) for word in shown[-1].get("text", [])] if shown else []


class Client:
    """One connection to the ComfyUI at `url`; raises RunError where nothing answers there."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        self.id = uuid.uuid4().hex
        self._open = opener(self.url)

    def get(self, path: str, **query) -> dict:
        return json.loads(self.read(with_query(path, query)))

    def post(self, path: str, data: dict) -> dict:
        reply = self.read(path, json.dumps(data).encode(), "application/json")
        return json.loads(reply) if reply.strip() else {}

    def upload(self, picture: Path) -> str:
        """Sends a picture to the host's input folder; the name LoadImage knows it by there.

        It lies in a folder of its own under a name made of its content: the same picture is there
        only once, however often it is sent.
        """
        content, boundary = picture.read_bytes(), uuid.uuid4().hex
        name = f"{hashlib.sha256(content).hexdigest()[:12]}_{picture.name}"
        fields = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in (("subfolder", INPUTS), ("overwrite", "true"))
        )
        head = (
            f'{fields}--{boundary}\r\nContent-Disposition: form-data; name="image"; '
            f'filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        sent = json.loads(self.read("/upload/image", body, kind))
        return "/".join(filter(None, (sent.get("subfolder"), sent["name"])))

    def fetch(self, image: dict, place: Path) -> Path:
        """Stores a picture that a node showed at `place`."""
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.read(with_query("/view", image)))
        return place

    def cancel(self, prompt_id: str) -> None:
        """Stops a prompt that runs or waits; others on the same host go on."""
        self.post("/queue", {"delete": [prompt_id]})
        self.post("/interrupt", {"prompt_id": prompt_id})

    def run(self, prompt: dict, on_event: Callable[[Event], None] | None = None) -> Run:
        """Runs an API-format prompt to its end; RunError where the host refuses or breaks it off.

        on_event sees every message of the run as it comes. Whatever stops us in between (Ctrl+C
        too) also stops the host.
        """
        import websocket

        address = self.url.replace("http", "ws", 1) + f"/ws?clientId={self.id}"
        try:
            socket = websocket.create_connection(address, timeout=QUIET_FOR)
        except (OSError, websocket.WebSocketException) as error:
            raise RunError(f"No ComfyUI answers at {self.url}: {error}") from None
        try:
            return self._run(socket, prompt, on_event or (lambda event: None))
        finally:
            socket.close()

    def _run(self, socket, prompt: dict, on_event) -> Run:
        started = time.monotonic()
        run = Run(self._queue(prompt))
        clock = NodeClock(run.seconds)
        try:
            for kind, data in messages(socket, run.prompt_id):
                event = Event(kind, data, time.monotonic() - started)
                on_event(event)
                clock.see(event)
                take(run, event, prompt)
                if kind == "execution_success":
                    break
        except RunError:
            raise
        except BaseException:
            with contextlib.suppress(RunError):  # the host may be gone as well
                self.cancel(run.prompt_id)
            raise
        run.total = time.monotonic() - started
        return run

    def _queue(self, prompt: dict) -> str:
        body = json.dumps({"prompt": prompt, "client_id": self.id}).encode()
        try:
            return json.loads(self.read("/prompt", body, "application/json"))["prompt_id"]
        except Refused as refused:
            raise refusal(refused.reply, prompt) from None

    def read(self, path: str, data: bytes | None = None, kind: str = "") -> bytes:
        """The host's answer at a path; with `data`, to a POST of it with that content type."""
        headers = {"Content-Type": kind} if kind else {}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with self._open(request, timeout=60) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            if error.code == 400:
                raise Refused(error.read()) from None
            raise RunError(f"{path}: the host answered {error.code} {error.reason}") from None
        except (urllib.error.URLError, OSError) as error:
            raise RunError(f"No ComfyUI answers at {self.url}: {error}") from None


class Refused(RunError):
    """HTTP 400; `reply` is what the host said."""

    def __init__(self, reply: bytes):
        try:
            self.reply = json.loads(reply)
        except ValueError:
            self.reply = {"error": reply.decode(errors="replace")}
        super().__init__(f"The host refused: {self.reply}", kind="refused")


class NodeClock:
    """Adds up how long each node of the prompt ran, from the host's 'executing' messages."""

    def __init__(self, seconds: dict[str, float]):
        self._seconds, self._node, self._since = seconds, None, 0.0

    def see(self, event: Event) -> None:
        if event.kind not in ("executing", "execution_success", "execution_error"):
            return
        if self._node is not None:
            ran = event.seconds - self._since
            self._seconds[self._node] = self._seconds.get(self._node, 0.0) + ran
        self._node, self._since = node_of(event.data), event.seconds


def messages(socket, prompt_id: str) -> Iterator[tuple[str, dict]]:
    """What the host says about one prompt: (kind, data). Raises RunError when it falls silent."""
    import websocket

    while True:
        try:
            text = socket.recv()
        except websocket.WebSocketTimeoutException:
            raise RunError(f"Nothing heard from the host for {QUIET_FOR:.0f} s") from None
        except (websocket.WebSocketException, OSError) as error:
            raise RunError(f"The host went away: {error}") from None
        if isinstance(text, bytes):
            continue  # a preview picture
        if not text:
            raise RunError("The host went away")
        message = json.loads(text)
        data = message.get("data") or {}
        if data.get("prompt_id") == prompt_id:
            yield message["type"], data


def take(run: Run, event: Event, prompt: dict) -> None:
    """Notes an event's part of the result; raises RunError where it is the end."""
    kind, data = event.kind, event.data
    if kind == "executed" and data.get("output"):
        run.outputs.setdefault(node_of(data), []).append(data["output"])
    elif kind == "execution_interrupted":
        raise RunError("Cancelled", name_of(data.get("node_id"), prompt), "interrupted")
    elif kind == "execution_error":
        message = data.get("exception_message", "").strip()
        if data.get("exception_type") == "ExecutionBlocked":  # the rest of the prompt goes on
            run.blocked.append(message.removeprefix("Execution Blocked: "))
            return
        node = name_of(data.get("node_id"), prompt)
        raise RunError(message, node, data.get("exception_type", ""))


def refusal(reply: dict, prompt: dict) -> RunError:
    """The host's answer to a prompt that does not pass validation, in one line for each node."""
    error = reply.get("error", "")
    lines = [error.get("message", "") if isinstance(error, dict) else str(error)]
    if isinstance(error, dict) and error.get("details"):
        lines[0] += f": {error['details']}"
    nodes = reply.get("node_errors") or {}
    for node, found in nodes.items():
        for one in found.get("errors", []):
            lines.append(f"{name_of(node, prompt)}: {one.get('message')}: {one.get('details')}")
    first = name_of(next(iter(nodes)), prompt) if nodes else ""
    return RunError("\n".join(lines), first, "refused")


def opener(url: str):
    """urlopen, past any proxy of the environment where `url` is this machine."""
    local = urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    proxies = [urllib.request.ProxyHandler({})] if local else []
    return urllib.request.build_opener(*proxies).open


def node_of(data: dict) -> str | None:
    """The node of the prompt a message is about; clones in a loop count as what they repeat."""
    return data.get("display_node") or data.get("node")


def name_of(node: str | None, prompt: dict) -> str:
    known = prompt.get(node or "")
    if not known:
        return node or ""
    return f"{known.get('_meta', {}).get('title') or known['class_type']} ({node})"


def with_query(path: str, query: dict) -> str:
    return f"{path}?{urllib.parse.urlencode(query)}" if query else path
