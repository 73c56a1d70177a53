"""A client of a running ComfyUI: uploads pictures, runs prompts, follows them, fetches pictures.

It uses HTTP and a websocket, and imports nothing from the host.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import address
from .run import Event, NodeClock, Run, RunError, refusal, take

if TYPE_CHECKING:
    from websocket import WebSocket

INPUTS = "amodal"  # subfolder of the host's input folder for uploaded pictures
SILENCE_LIMIT = 600.0  # seconds without a message from the host until a run is given up
LONGEST = 80  # characters of a picture's name that are kept; file systems take 255 bytes
CUT_OFF = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


class Client:
    """A client of the ComfyUI at `url`, in any form that `address.url_of` takes.

    Every method raises RunError if no ComfyUI answers there.
    """

    def __init__(self, url: str):
        self.url = address.url_of(url)
        self.id = uuid.uuid4().hex
        self._open = address.opener(self.url)

    def get(self, path: str, **query: str) -> dict:
        """The JSON reply to a GET."""
        return self._parsed(self.read(with_query(path, query)))

    def post(self, path: str, data: dict) -> dict:
        """The JSON reply to a POST of `data` as JSON; {} if the reply is empty."""
        reply = self.read(path, json.dumps(data).encode(), "application/json")
        return self._parsed(reply) if reply.strip() else {}

    def upload(self, picture: Path) -> str:
        """Sends a picture to the host's input folder and returns its name for LoadImage.

        The name contains a hash of the content, so the same picture is stored only once, and the
        end of the picture's name in plain characters.
        """
        content, boundary = picture.read_bytes(), uuid.uuid4().hex
        own = re.sub(r"[^A-Za-z0-9._-]", "_", picture.name)[-LONGEST:]
        name = f"{hashlib.sha256(content).hexdigest()[:12]}_{own}"
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
        sent = self._parsed(self.read("/upload/image", body, kind), "name")
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

        place = self.url.replace("http", "ws", 1) + f"/ws?clientId={self.id}"
        try:
            socket = websocket.create_connection(place, timeout=SILENCE_LIMIT)
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
            reply = self.read("/prompt", body, "application/json")
            return self._parsed(reply, "prompt_id")["prompt_id"]
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
            if error.code == 413:
                raise too_large(data) from None
            if error.code == 404:
                raise Missing(f"{path}: the host answered 404, no such file or page") from None
            raise RunError(f"{path}: the host answered {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            if data and isinstance(getattr(error, "reason", error), CUT_OFF):
                raise too_large(data) from None  # the host may hang up before it has read all
            raise RunError(f"No ComfyUI answers at {self.url}: {error}") from None

    def names(self, path: str) -> list[str]:
        """The names that the host lists at a path. Raises RunError for anything else."""
        reply = self.read(path)
        try:
            data = json.loads(reply)
        except ValueError:
            data = None
        if not isinstance(data, list):
            raise RunError(f"{path}: {self.url} gives no list. Remedy: check the address")
        return [str(name) for name in data]

    def _parsed(self, reply: bytes, wanted: str = "") -> dict:
        """The JSON object in a reply. Raises RunError for anything else, or without `wanted`."""
        try:
            data = json.loads(reply)
        except ValueError:
            data = None
        if not isinstance(data, dict) or (wanted and wanted not in data):
            raise RunError(
                f"Something answers at {self.url}, but not as ComfyUI does. Remedy: check the "
                "address; behind a proxy, it ends with the path of ComfyUI"
            )
        return data


class Missing(RunError):
    """The host replied with HTTP 404."""


def too_large(data: bytes | None) -> RunError:
    """The error for data that the host does not take, which is the user's input."""
    megabytes = len(data or b"") / 2**20
    return RunError(
        f"The host does not take {megabytes:.1f} MB at once. Remedy: make the picture smaller, or "
        "start ComfyUI with --max-upload-size and a larger number of MB",
        kind="refused",
    )


class Refused(RunError):
    """The host replied with HTTP 400; `reply` is the body."""

    def __init__(self, reply: bytes):
        try:
            self.reply: dict = json.loads(reply)
        except ValueError:
            self.reply = {"error": reply.decode(errors="replace")}
        super().__init__(f"The host refused: {self.reply}", kind="refused")


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


def with_query(path: str, query: dict) -> str:
    """The path with an encoded query string."""
    return f"{path}?{urllib.parse.urlencode(query)}" if query else path
