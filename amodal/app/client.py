"""A client of a running ComfyUI: uploads pictures, runs prompts, follows them, fetches pictures.

It uses HTTP and a websocket, and imports nothing from the host.
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websocket import WebSocket

INPUTS = "amodal"  # subfolder of the host's input folder for uploaded pictures
SILENCE_LIMIT = 600.0  # seconds without a message from the host until a run is given up


class RunError(RuntimeError):
    """A run that the host refused or aborted, or a host that does not answer.

    node: title and id of the node that failed, "" if unknown. kind: the exception's type in the
    host, "refused" if the prompt did not pass validation, "interrupted" if it was cancelled.
    """

    def __init__(self, message: str, node: str = "", kind: str = ""):
        super().__init__(message)
        self.node, self.kind = node, kind

    @property
    def is_bad_input(self) -> bool:
        """Whether the user's input caused the error."""
        return self.kind == "refused" or self.kind.rsplit(".", 1)[-1] == "BadInput"


@dataclass(frozen=True)
class Event:
    """A message from the host about the prompt, `seconds` after the prompt was queued."""

    kind: str
    data: dict
    seconds: float


@dataclass
class Run:
    """The result of a finished run.

    outputs: for each node that shows something, its outputs in order. A node in a loop's body has
    one for each pass. Their keys are the host's ("images", "text", ...). seconds: how long each
    node ran. blocked: messages of nodes that stopped the nodes behind them.
    total: seconds of the whole run.
    """

    prompt_id: str
    outputs: dict[str, list[dict]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)
    total: float = 0.0

    def images(self, node: str) -> list[dict]:
        """All pictures that the node showed, as `Client.fetch` takes them."""
        return [image for shown in self.outputs.get(node, []) for image in shown.get("images", [])]

    def texts(self, node: str) -> list[str]:
        """The text that the node showed last; one for each item if it got a list."""
        shown = self.outputs.get(node)
        return [str(text) for text in shown[-1].get("text", [])] if shown else []


class Client:
    """A client of the ComfyUI at `url`. Every method raises RunError if nothing answers there."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        self.id = uuid.uuid4().hex
        self._open = opener(self.url)

    def get(self, path: str, **query: str) -> dict:
        """The JSON reply to a GET."""
        return json.loads(self.read(with_query(path, query)))

    def post(self, path: str, data: dict) -> dict:
        """The JSON reply to a POST of `data` as JSON; {} if the reply is empty."""
        reply = self.read(path, json.dumps(data).encode(), "application/json")
        return json.loads(reply) if reply.strip() else {}

    def upload(self, picture: Path) -> str:
        """Sends a picture to the host's input folder and returns its name for LoadImage.

        The name contains a hash of the content, so the same picture is stored only once.
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
        """Stores a picture that a node showed in the file `place`, and returns `place`."""
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.read(with_query("/view", image)))
        return place

    def cancel(self, prompt_id: str) -> None:
        """Stops a running or waiting prompt. Other prompts on the host are not affected."""
        self.post("/queue", {"delete": [prompt_id]})
        self.post("/interrupt", {"prompt_id": prompt_id})

    def run(self, prompt: dict, on_event: Callable[[Event], None] | None = None) -> Run:
        """Runs an API-format prompt to its end.

        on_event gets every message of the run when it arrives. Any exception in between, including
        Ctrl+C, also cancels the prompt in the host.

        Raises RunError if the host refuses or aborts the prompt.
        """
        import websocket

        address = self.url.replace("http", "ws", 1) + f"/ws?clientId={self.id}"
        try:
            socket = websocket.create_connection(address, timeout=SILENCE_LIMIT)
        except (OSError, websocket.WebSocketException) as error:
            raise RunError(f"No ComfyUI answers at {self.url}: {error}") from None
        try:
            return self._run(socket, prompt, on_event or (lambda event: None))
        finally:
            socket.close()

    def _run(self, socket: WebSocket, prompt: dict, on_event: Callable[[Event], None]) -> Run:
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
            with contextlib.suppress(RunError):  # the host may have ended as well
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
        """The body of the host's reply to a GET, or to a POST of `data` of content type `kind`.

        Raises Refused for HTTP 400, and RunError for any other failure.
        """
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
    """The host replied with HTTP 400; `reply` is the body."""

    def __init__(self, reply: bytes):
        try:
            self.reply: dict = json.loads(reply)
        except ValueError:
            self.reply = {"error": reply.decode(errors="replace")}
        super().__init__(f"The host refused: {self.reply}", kind="refused")


class NodeClock:
    """Sums up in `seconds` how long each node ran, from the host's 'executing' messages."""

    def __init__(self, seconds: dict[str, float]):
        self._seconds = seconds
        self._node: str | None = None
        self._since = 0.0

    def see(self, event: Event) -> None:
        """Takes note of an event; call it for every event in order."""
        if event.kind not in ("executing", "execution_success", "execution_error"):
            return
        if self._node is not None:
            ran = event.seconds - self._since
            self._seconds[self._node] = self._seconds.get(self._node, 0.0) + ran
        self._node, self._since = node_of(event.data), event.seconds


def messages(socket: WebSocket, prompt_id: str) -> Iterator[tuple[str, dict]]:
    """The host's messages about one prompt, as (kind, data).

    Raises RunError if the connection ends or stays silent for SILENCE_LIMIT seconds.
    """
    import websocket

    while True:
        try:
            text = socket.recv()
        except websocket.WebSocketTimeoutException:
            raise RunError(f"The host sent nothing for {SILENCE_LIMIT:.0f} s") from None
        except (websocket.WebSocketException, OSError) as error:
            raise RunError(f"The connection to the host ended: {error}") from None
        if isinstance(text, bytes):
            continue  # a preview picture
        if not text:
            raise RunError("The connection to the host ended")
        message = json.loads(text)
        data = message.get("data") or {}
        if data.get("prompt_id") == prompt_id:
            yield message["type"], data


def take(run: Run, event: Event, prompt: dict) -> None:
    """Adds an event's content to the run. Raises RunError if the event ends the run early."""
    kind, data = event.kind, event.data
    if kind == "executed" and data.get("output"):
        run.outputs.setdefault(node_of(data) or "", []).append(data["output"])
    elif kind == "execution_interrupted":
        raise RunError("Cancelled", name_of(data.get("node_id"), prompt), "interrupted")
    elif kind == "execution_error":
        message = data.get("exception_message", "").strip()
        if data.get("exception_type") == "ExecutionBlocked":  # other nodes still run
            run.blocked.append(message.removeprefix("Execution Blocked: "))
            return
        node = name_of(data.get("node_id"), prompt)
        raise RunError(message, node, data.get("exception_type", ""))


def refusal(reply: dict, prompt: dict) -> RunError:
    """The error for a prompt that does not pass validation, with one line for each problem."""
    error = reply.get("error", "")
    lines = [error.get("message", "") if isinstance(error, dict) else str(error)]
    if isinstance(error, dict) and error.get("details"):
        lines[0] += f": {error['details']}"
    nodes = reply.get("node_errors") or {}
    for node, report in nodes.items():
        for error in report.get("errors", []):
            lines.append(f"{name_of(node, prompt)}: {error.get('message')}: {error.get('details')}")
    first = name_of(next(iter(nodes)), prompt) if nodes else ""
    return RunError("\n".join(lines), first, "refused")


def opener(url: str) -> Callable[..., Any]:
    """`urlopen`, which ignores the environment's proxies if `url` is on this machine."""
    local = urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    proxies = [urllib.request.ProxyHandler({})] if local else []
    return urllib.request.build_opener(*proxies).open


def node_of(data: dict) -> str | None:
    """The id of the node that a message is about. A clone in a loop has the original node's id."""
    return data.get("display_node") or data.get("node")


def name_of(node: str | None, prompt: dict) -> str:
    """Title and id of a node for people; the id alone if the prompt does not have it."""
    known = prompt.get(node or "")
    if not known:
        return node or ""
    return f"{known.get('_meta', {}).get('title') or known['class_type']} ({node})"


def with_query(path: str, query: dict) -> str:
    """The path with an encoded query string."""
    return f"{path}?{urllib.parse.urlencode(query)}" if query else path
