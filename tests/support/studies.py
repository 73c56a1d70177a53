"""A host with user studies, and requests from the page, another origin or no browser."""

import http.client
import json
import re
import sqlite3
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from amodal.app.host import ROOT, Host, free_port

ART = ROOT / "amodal" / "stickers" / "art"
METHODS = ("mixed context", "outpainting", "removal")
ITEMS = ("chair", "cup", "giraffe", "owl", "penguin", "zebra")


class StudyHost:
    """A host that can be killed and started again, with the same base folder and port.

    The user study's page is on. The host's own check of origins is off (--enable-cors-header).
    """

    def __init__(self, base: Path):
        self.base, self.port = base, free_port()
        self.start()

    def start(self) -> None:
        """Starts the host and waits until it answers."""
        arguments = ["--enable-cors-header"]
        environment = {"AMODAL_STUDY": "1", "AMODAL_STUDY_HOSTS": "Lab.example, b"}
        self.host = Host(self.base, self.port, arguments, environment).__enter__()
        self.url = self.host.url

    def kill(self) -> None:
        """Kills the host without a chance to clean up."""
        self.host._process.kill()
        self.host.wait()

    def stop(self) -> None:
        self.host.stop()

    def votes_file(self, name: str) -> Path:
        return self.base / "user" / "__amodal_studies" / f"{name}.sqlite"

    def votes(self, name: str) -> list[tuple]:
        """(rater, picture, chosen) of all votes in the file that were not taken back."""
        with sqlite3.connect(self.votes_file(name)) as store:
            return store.execute(
                "SELECT rater, item, chosen FROM votes WHERE undone IS NULL ORDER BY id"
            ).fetchall()

    def ask(self, path: str, body=None, **headers):
        """(status, headers, content) of one request; `path` is sent unchanged."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = None if body is None else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST" if data else "GET", path, data, {**kind, **sent})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()

    def token(self, name: str) -> str:
        """The token in a page of the study."""
        page = self.ask(f"/amodal/study/{name}/")[2].decode()
        return re.search(r'name="study-token" content="([^"]+)"', page)[1]


def make_study(base: Path, name: str, items=ITEMS, methods=METHODS, **settings) -> Path:
    """A study's folder: stickers behind a bar, and three simple completions of each."""
    folder = base / "output" / "studies" / name
    for part in ("original", *methods):
        (folder / part).mkdir(parents=True)
    for item in items:
        truth = Image.new("RGB", (256, 256), (206, 210, 204))
        sticker = Image.open(ART / f"{item}.webp").convert("RGBA").resize((200, 200))
        truth.paste(sticker, (28, 28), sticker)
        occluded = truth.copy()
        ImageDraw.Draw(occluded).rectangle((110, 60, 170, 256), (150, 96, 70))
        occluded.save(folder / "original" / f"{item}.png")
        completions = (truth, truth.filter(ImageFilter.GaussianBlur(5)), smeared(occluded))
        for method, picture in zip(methods, completions):
            picture.save(folder / method / f"{item}.png")
    if settings:
        (folder / "study.json").write_text(json.dumps(settings))
    return folder


def smeared(picture: Image.Image) -> Image.Image:
    """The picture with the bar replaced by the strip left of it, stretched."""
    strip = picture.crop((100, 60, 110, 256)).resize((61, 196))
    picture = picture.copy()
    picture.paste(strip, (110, 60))
    return picture
