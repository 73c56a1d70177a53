"""A host with a user study, and requests as a page, another origin or no browser would send."""

import http.client
import json
import re
import sqlite3
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from amodal.app.host import ROOT, Host, free_port

METHODS = ("mixed context", "outpainting", "removal")
ITEMS = ("chair", "cup", "giraffe", "owl", "penguin", "zebra")


class StudyHost:
    """One base folder and one port, through any number of lives of the host.

    It runs with --enable-cors-header, so that the host's own check of origins is off.
    """

    def __init__(self, base: Path):
        self.base, self.port = base, free_port()
        self.start()

    def start(self) -> None:
        self.host = Host(self.base, self.port, ["--enable-cors-header"]).__enter__()
        self.url = self.host.url

    def kill(self) -> None:
        self.host._process.kill()
        self.host.wait()

    def stop(self) -> None:
        self.host.stop()

    def votes_file(self, name: str) -> Path:
        return self.base / "user" / "__amodal_studies" / f"{name}.sqlite"

    def votes(self, name: str) -> list[tuple]:
        """(rater, picture, chosen) of all that count, as they lie on the disk."""
        with sqlite3.connect(self.votes_file(name)) as store:
            return store.execute(
                "SELECT rater, item, chosen FROM votes WHERE undone IS NULL ORDER BY id"
            ).fetchall()

    def ask(self, path: str, body=None, **headers):
        """(status, headers, content) of one request; `path` is sent as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = None if body is None else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST" if data else "GET", path, data, {**kind, **sent})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()

    def token(self, name: str) -> str:
        page = self.ask(f"/amodal/study/{name}/")[2].decode()
        return re.search(r'name="study-token" content="([^"]+)"', page)[1]


def make_study(base: Path, name: str, items=ITEMS, methods=METHODS, **settings) -> Path:
    """Stickers behind a bar, and what three bad methods make of them."""
    folder = base / "output" / "studies" / name
    for part in ("original", *methods):
        (folder / part).mkdir(parents=True)
    for item in items:
        whole = Image.new("RGB", (256, 256), (206, 210, 204))
        sticker = Image.open(ROOT / "art" / f"{item}.webp").convert("RGBA").resize((200, 200))
        whole.paste(sticker, (28, 28), sticker)
        hidden = whole.copy()
        ImageDraw.Draw(hidden).rectangle((110, 60, 170, 256), (150, 96, 70))
        hidden.save(folder / "original" / f"{item}.png")
        made = (whole, whole.filter(ImageFilter.GaussianBlur(5)), smeared(hidden))
        for method, picture in zip(methods, made):
            picture.save(folder / method / f"{item}.png")
    if settings:
        (folder / "study.json").write_text(json.dumps(settings))
    return folder


def smeared(picture: Image.Image) -> Image.Image:
    """The bar filled with what stands left of it."""
    strip = picture.crop((100, 60, 110, 256)).resize((61, 196))
    picture = picture.copy()
    picture.paste(strip, (110, 60))
    return picture
