"""The user study's page, in the host's own server under /amodal/study/.

Nothing a browser sends ever becomes a path: a study is looked up among those there are, a picture
by an identifier that only this server can make, and which does not tell the method. `study_guard`
says who may ask, `study_answers` what is answered.
"""

import asyncio
import contextlib
import functools
import html
import json
import sqlite3
from pathlib import Path
from string import Template
from urllib.parse import quote

from ...amodal.study import folder
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
from .node import studies_folder, votes_file

PATH = "/amodal/study"
PAGES = Path(__file__).resolve().parents[2] / "js" / "study"
ASSETS = {  # .mjs: the editor would load every .js as an extension
    "page.css": "text/css",
    "page.mjs": "text/javascript",
    "results.mjs": "text/javascript",
    "server.mjs": "text/javascript",
    "trial.mjs": "text/javascript",
}


def register() -> None:
    """Adds the routes to the host's server. Nothing is opened or read before one is asked for."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:  # the nodes are loaded without a server
        return
    routes = server.routes
    routes.get(PATH)(to_folder)
    routes.get(f"{PATH}/")(index)
    for name in ASSETS:
        routes.get(f"{PATH}/{name}")(asset)
    one = PATH + "/{study}"
    routes.get(one)(to_folder)
    routes.get(f"{one}/")(page)
    routes.get(one + "/picture/{picture}")(picture)
    routes.get(f"{one}/state")(answers(state))
    routes.post(f"{one}/vote")(answers(vote))
    routes.post(f"{one}/undo")(answers(undo))
    routes.get(f"{one}/results")(answers(results))
    routes.get(f"{one}/preference.csv")(answers(preference_csv))
    routes.get(f"{one}/votes.csv")(answers(votes_csv))


async def to_folder(request):
    """To the same path with a slash, relative: the host may lie behind a proxy's prefix."""
    from aiohttp import web

    return web.Response(status=302, headers={"Location": quote(request.path.split("/")[-1]) + "/"})


async def asset(request):
    from aiohttp import web

    name = request.path.split("/")[-1]
    body = (PAGES / name).read_bytes()
    headers = GUARDS | {"Cache-Control": "no-cache"}
    return web.Response(body=body, headers=headers, content_type=ASSETS[name], charset="utf-8")


async def index(request):
    if not (is_own(request) or is_visit(request)):
        return refused()
    names = await asyncio.to_thread(folder.studies, studies_folder())
    rows = "\n".join(f'<li><a href="{quote(n)}/">{html.escape(n)}</a></li>' for n in names)
    return filled(
        "index.html", studies=rows, some="" if names else "hidden", none="hidden" if names else ""
    )


async def page(request):
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


def filled(name: str, status: int = 200, **words: str):
    from aiohttp import web

    text = Template((PAGES / name).read_text(encoding="utf-8")).substitute(words)
    return web.Response(text=text, status=status, content_type="text/html", headers=GUARDS)


def refused(status: int = 403, why: str = "This is for the study's own page alone."):
    from aiohttp import web

    return web.json_response({"error": why}, status=status, headers=GUARDS)


def opened(name: str):
    """(study, votes) of that name; LookupError, StudyError."""
    study = folder.open_study(studies_folder(), name)
    return study, Votes(votes_file(study.name))


async def picture(request):
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


def files(study, secret: str) -> dict[str, Path]:
    """The study's pictures by the identifiers that pages know them by."""
    return {
        identifier(secret, method, item): file
        for method, found in study.files.items()
        for item, file in found.items()
    }


def answers(work):
    """A handler of `work(study, votes, asked) -> dict or CSV text`, which runs in a thread: the
    host's loop never waits for the disk."""

    @functools.wraps(work)
    async def handler(request):
        if not is_own(request):
            return refused()
        try:
            study, votes = await asyncio.to_thread(opened, request.match_info["study"])
            if not is_token(votes.secret, request.headers.get(TOKEN, "")):
                return refused()
            asked = await asked_for(request)
            return replied(await asyncio.to_thread(work, study, votes, asked))
        except LookupError as error:
            return refused(404, error.args[0])
        except ValueError as error:
            return refused(409, str(error))
        except sqlite3.Error as error:  # locked, read-only, or no room
            return refused(503, f"The file of the votes cannot be used: {error}.")

    return handler


async def asked_for(request) -> dict:
    if request.method == "GET":
        return dict(request.query)
    body = await request.text() if request.content_type == "application/json" else ""
    asked = json.loads(body or "null")
    if not isinstance(asked, dict):
        raise ValueError("The request is no JSON object.")
    return asked


def replied(answer: dict | str):
    from aiohttp import web

    if isinstance(answer, str):
        return web.Response(text=answer, content_type="text/csv", headers=GUARDS)
    return web.json_response(answer, headers=GUARDS)
