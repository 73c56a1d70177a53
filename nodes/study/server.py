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
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from ...amodal.core.files import parsed
from ...amodal.core.text import encodable
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
    REVALIDATED,
    TOKEN,
    guarded,
    host_name,
    identifier,
    is_known_host,
    is_own,
    is_token,
    is_visit,
    new_token,
)
from .places import NAMES, PATH, page_is_on, studies_folder, votes_file

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")
Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]
PAGES = Path(__file__).resolve().parents[2] / "js" / "study"
ASSETS = {  # .mjs, because the editor loads every .js as an extension
    "page.css": "text/css",
    "page.mjs": "text/javascript",
    "results.mjs": "text/javascript",
    "server.mjs": "text/javascript",
    "trial.mjs": "text/javascript",
}
FAILURES = (LookupError, ValueError, sqlite3.Error, OSError)
THREADS = 4  # for each study
LONGEST = 16_384  # bytes of a request's body


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
    server.app.on_response_prepare.append(guarded)
    study = PATH + "/{study}"
    handlers: dict[str, Handler] = {
        PATH: to_folder,
        f"{PATH}/": index,
        **{f"{PATH}/{name}": asset for name in ASSETS},
        study: to_folder,
        f"{study}/": page,
        study + "/picture/{picture}": picture,
        f"{study}/state": answers(state),
        f"{study}/results": answers(results),
        f"{study}/preference.csv": answers(preference_csv),
        f"{study}/votes.csv": answers(votes_csv),
    }
    for path, handler in handlers.items():
        server.routes.get(path)(addressed(handler))
    server.routes.post(f"{study}/vote")(addressed(answers(vote)))
    server.routes.post(f"{study}/undo")(addressed(answers(undo)))


def addressed(handler: Handler) -> Handler:
    """The handler for requests that address the server by a known name; others are refused."""

    @functools.wraps(handler)
    async def checked(request: web.Request) -> web.StreamResponse:
        name = host_name(request)
        if is_known_host(name):
            return await handler(request)
        problem = (
            f"This server does not know the name '{encodable(name)}'. Open the page by the "
            f"server's IP address, or restart ComfyUI with {NAMES} set to its name"
        )
        return filled("problem.html", 403, problem=html.escape(problem))

    return checked


async def to_folder(request: web.Request) -> web.Response:
    """Redirects to the same path with a slash. Relative, as the host may be behind a prefix."""
    from aiohttp import web

    return web.Response(status=302, headers={"Location": quote(request.path.split("/")[-1]) + "/"})


async def asset(request: web.Request) -> web.Response:
    """A script or style sheet of the page."""
    from aiohttp import web

    name = request.path.split("/")[-1]
    body = (PAGES / name).read_bytes()
    headers = {"Cache-Control": REVALIDATED}
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
        study, votes = await opened(request.match_info["study"])
    except FAILURES as error:
        status, problem = failure(error)
        return filled("problem.html", status, problem=html.escape(problem.rstrip(".")))
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
    return web.Response(text=text, status=status, content_type="text/html")


def refused(
    status: int = 403, why: str = "Only the study's own page may send this request."
) -> web.Response:
    """An error as JSON: {"error": why}."""
    from aiohttp import web

    return web.json_response({"error": why}, status=status)


def failure(error: Exception) -> tuple[int, str]:
    """(HTTP status, message) of one of FAILURES."""
    if isinstance(error, LookupError):
        return 404, str(error.args[0])
    if isinstance(error, ValueError):
        return 409, str(error)
    why = getattr(error, "strerror", None) or error  # of an OSError without its path
    return 503, f"The file of the votes cannot be used: {why}."  # locked, or the disk is full


@functools.cache
def threads_of(study: str) -> ThreadPoolExecutor:
    """The threads of one study: a lock on its votes does not delay the others."""
    return ThreadPoolExecutor(THREADS, f"study {study}")


async def in_thread(study: Study, work: Callable[..., T], *words: Any) -> T:
    """work(*words) in a thread of the study, so that the event loop never waits for it."""
    return await asyncio.get_running_loop().run_in_executor(threads_of(study.name), work, *words)


async def opened(name: str) -> tuple[Study, Votes]:
    """The study of that name and its votes.

    Raises LookupError if there is no such study, StudyError if it cannot be shown, and
    sqlite3.Error or OSError if the file of the votes cannot be used.
    """
    study = await asyncio.to_thread(folder.open_study, studies_folder(), name)
    return study, await in_thread(study, Votes, votes_file(study.name))


async def picture(request: web.Request) -> web.StreamResponse:
    """A picture of the study, found by its identifier."""
    from aiohttp import web

    if not is_own(request):
        return refused()
    try:
        study, votes = await opened(request.match_info["study"])
        file = await in_thread(study, found, study, votes.secret, request.match_info["picture"])
    except FAILURES as error:
        return refused(*failure(error))
    if file is None:
        return refused(404, "There is no such picture.")
    return web.FileResponse(file, headers={"Cache-Control": REVALIDATED})


def found(study: Study, secret: str, wanted: str) -> Path | None:
    """The file of the picture with this identifier, or None."""
    return next(
        (
            file
            for method, items in study.files.items()
            for item, file in items.items()
            if identifier(secret, method, item) == wanted
        ),
        None,
    )


def answers(work: Callable[[Study, Votes, dict], dict | str]) -> Handler:
    """A request handler around `work(study, votes, query)`, which returns a dict or CSV text."""

    @functools.wraps(work)
    async def handler(request: web.Request) -> web.StreamResponse:
        if not is_own(request):
            return refused()
        try:
            study, votes = await opened(request.match_info["study"])
            if not is_token(votes.secret, request.headers.get(TOKEN, "")):
                return refused()
            query = await query_of(request)
            if query is None:
                return refused(400, "The request is not a JSON object.")
            return replied(await in_thread(study, work, study, votes, query))
        except FAILURES as error:
            return refused(*failure(error))

    return handler


async def query_of(request: web.Request) -> dict | None:
    """The query of a GET, or the JSON body of a POST; None for any other body."""
    from aiohttp import web

    if request.method != "POST":
        return dict(request.query)
    if request.content_type != "application/json":
        return None
    with contextlib.suppress(ValueError, web.RequestPayloadError):  # no JSON, or not even bytes
        query = parsed(await request.clone(client_max_size=LONGEST).read())
        return query if isinstance(query, dict) else None
    return None


def replied(answer: dict | str) -> web.Response:
    """A dict as JSON, text as CSV."""
    from aiohttp import web

    if isinstance(answer, str):
        return web.Response(text=answer, content_type="text/csv")
    return web.json_response(answer)
