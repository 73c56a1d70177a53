"""The user study's page, in the host's own server under /amodal/study/.

The routes exist only if the environment variable AMODAL_STUDY is 1 when ComfyUI starts
(`python -m amodal serve --study` sets it). Otherwise the pack adds no route to the server.

Nothing that a browser sends becomes a path. A study is looked up among the existing folders. A
picture is looked up by an identifier that only this server can make and that does not reveal the
method. `guard` decides which requests are allowed; `answers` computes the replies.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import html
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...amodal.study import folder
from ...amodal.study.folder import Study
from ...amodal.study.votes import Votes
from .answers import (
    preference_csv,
    results,
    state,
    undo,
    vote,
    votes_csv,
)
from .guard import (
    GUARDS,
    TOKEN,
    identifier,
    is_own,
    is_token,
    is_visit,
    new_token,
)
from .places import PATH, page_is_on, studies_folder, votes_file

if TYPE_CHECKING:
    from aiohttp import web

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]
PAGES = Path(__file__).resolve().parents[2] / "js" / "study"
ASSETS = {  # .mjs, because the editor loads every .js as an extension
    "page.css": "text/css",
    "page.mjs": "text/javascript",
    "results.mjs": "text/javascript",
    "server.mjs": "text/javascript",
    "trial.mjs": "text/javascript",
}


def register() -> None:
    """Adds the routes to the host's server if AMODAL_STUDY is 1, and does nothing otherwise.

    No file is opened or read before a request arrives.
    """
    if not page_is_on():
        return
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:  # the nodes were loaded without a server
        return
    routes = server.routes
    routes.get(PATH)(to_folder)
    routes.get(f"{PATH}/")(index)
    for name in ASSETS:
        routes.get(f"{PATH}/{name}")(asset)
    study = PATH + "/{study}"
    routes.get(study)(to_folder)
    routes.get(f"{study}/")(page)
    routes.get(study + "/picture/{picture}")(picture)
    routes.get(f"{study}/state")(answers(state))
    routes.post(f"{study}/vote")(answers(vote))
    routes.post(f"{study}/undo")(answers(undo))
    routes.get(f"{study}/results")(answers(results))
    routes.get(f"{study}/preference.csv")(answers(preference_csv))
    routes.get(f"{study}/votes.csv")(answers(votes_csv))


async def to_folder(request: web.Request) -> web.Response:
    """Redirects to the same path with a slash. Relative, as the host may be behind a prefix."""
    from aiohttp import web

    return web.Response(status=302, headers={"Location": quote(request.path.split("/")[-1]) + "/"})


async def asset(request: web.Request) -> web.Response:
    """A script or style sheet of the page."""
    from aiohttp import web

    name = request.path.split("/")[-1]
    body = (PAGES / name).read_bytes()
    headers = GUARDS | {"Cache-Control": "no-cache"}
    return web.Response(body=body, headers=headers, content_type=ASSETS[name], charset="utf-8")


async def index(request: web.Request) -> web.Response:
    """The list of all studies."""
    if not (is_own(request) or is_visit(request)):
        return refused()
    names = await asyncio.to_thread(folder.studies, studies_folder())
    rows = "\n".join(f'<li><a href="{quote(n)}/">{html.escape(n)}</a></li>' for n in names)
    return filled(
        "index.html", studies=rows, some="" if names else "hidden", none="hidden" if names else ""
    )


async def page(request: web.Request) -> web.Response:
    """The page of one study: 404 if it does not exist, 409 if it cannot be shown."""
    if not (is_own(request) or is_visit(request)):
        return refused()
    try:
        study, votes = await asyncio.to_thread(opened, request.match_info["study"])
    except (LookupError, ValueError, sqlite3.Error) as error:
        status = 404 if isinstance(error, LookupError) else 409
        return filled("problem.html", status, problem=html.escape(error.args[0]))
    return filled(
        "page.html",
        study=html.escape(study.name),
        question=html.escape(study.question),
        token=new_token(votes.secret),
    )


def filled(name: str, status: int = 200, **words: str) -> web.Response:
    """An HTML page of js/study/ with `words` in place of its $names."""
    from aiohttp import web

    text = Template((PAGES / name).read_text(encoding="utf-8")).substitute(words)
    return web.Response(text=text, status=status, content_type="text/html", headers=GUARDS)


def refused(
    status: int = 403, why: str = "Only the study's own page may send this request."
) -> web.Response:
    """An error as JSON: {"error": why}."""
    from aiohttp import web

    return web.json_response({"error": why}, status=status, headers=GUARDS)


def opened(name: str) -> tuple[Study, Votes]:
    """The study of that name and its votes.

    Raises LookupError if there is no such study, StudyError if it cannot be shown, and
    sqlite3.Error if the file of the votes cannot be used.
    """
    study = folder.open_study(studies_folder(), name)
    return study, Votes(votes_file(study.name))


async def picture(request: web.Request) -> web.StreamResponse:
    """A picture of the study, found by its identifier."""
    from aiohttp import web

    if not is_own(request):
        return refused()
    with contextlib.suppress(LookupError, ValueError):
        study, votes = await asyncio.to_thread(opened, request.match_info["study"])
        file = files(study, votes.secret).get(request.match_info["picture"])
        if file is not None:
            headers = GUARDS | {"Cache-Control": "private, no-cache"}
            return web.FileResponse(file, headers=headers)
    return refused(404, "There is no such picture.")


def files(study: Study, secret: str) -> dict[str, Path]:
    """The study's pictures by the identifiers that the page uses for them."""
    return {
        identifier(secret, method, item): file
        for method, items in study.files.items()
        for item, file in items.items()
    }


def answers(work: Callable[[Study, Votes, dict], dict | str]) -> Handler:
    """A request handler around `work(study, votes, query)`, which returns a dict or CSV text.

    `work` runs in a thread, so the server's event loop never waits for the disk.
    """

    @functools.wraps(work)
    async def handler(request: web.Request) -> web.StreamResponse:
        if not is_own(request):
            return refused()
        try:
            study, votes = await asyncio.to_thread(opened, request.match_info["study"])
            if not is_token(votes.secret, request.headers.get(TOKEN, "")):
                return refused()
            query = await query_of(request)
            return replied(await asyncio.to_thread(work, study, votes, query))
        except LookupError as error:
            return refused(404, error.args[0])
        except ValueError as error:
            return refused(409, str(error))
        except sqlite3.Error as error:  # locked, read-only, or the disk is full
            return refused(503, f"The file of the votes cannot be used: {error}.")

    return handler


async def query_of(request: web.Request) -> dict:
    """The query of a GET, or the JSON body of a POST. Raises ValueError for any other body."""
    if request.method == "GET":
        return dict(request.query)
    body = await request.text() if request.content_type == "application/json" else ""
    query = json.loads(body or "null")
    if not isinstance(query, dict):
        raise ValueError("The request is not a JSON object.")
    return query


def replied(answer: dict | str) -> web.Response:
    """A dict as JSON, text as CSV."""
    from aiohttp import web

    if isinstance(answer, str):
        return web.Response(text=answer, content_type="text/csv", headers=GUARDS)
    return web.json_response(answer, headers=GUARDS)
