"""The user study's page, in the host's own server under /amodal/study/.

Nothing a browser sends ever becomes a path: a study is looked up among those there are, a picture
by an identifier that only this server can make, and which does not tell the method.

Only the page itself may use what lies under it. Another origin is told by Sec-Fetch-Site or Origin,
whatever --enable-cors-header says; each page carries a token, and every request but that for a
picture sends it back in a header, which no other origin can add (nor read from the page). The page
cannot be framed, so that no click on it can be stolen.
"""

import asyncio
import contextlib
import functools
import hashlib
import hmac
import html
import json
import secrets
import sqlite3
from pathlib import Path
from string import Template
from urllib.parse import quote

from .study import studies_folder, votes_file

PATH = "/amodal/study"
PAGES = Path(__file__).resolve().parents[1] / "js" / "study"
TOKEN = "X-Study-Token"
GUARDS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
ASSETS = {  # .mjs: the editor would load every .js as an extension
    "page.css": "text/css", "page.mjs": "text/javascript",
    "results.mjs": "text/javascript", "server.mjs": "text/javascript",
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


# -- who asks --------------------------------------------------------------------------------------


def is_own(request) -> bool:
    """Does the request come from a page of this server, or from no page at all?

    Browsers send Sec-Fetch-Site to https and loopback, and Origin with whatever a page could read
    or change; no page can set either.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin.lower().partition("://")[2] == request.host.lower()


def is_visit(request) -> bool:
    """Is it a browser's window that follows a link? What it gets, the link's page cannot read."""
    asked = request.headers
    return asked.get("Sec-Fetch-Dest") == "document" and "Origin" not in asked


def signature(secret: str, *words: str) -> str:
    return hmac.new(secret.encode(), "\0".join(words).encode(), hashlib.sha256).hexdigest()


def new_token(secret: str) -> str:
    nonce = secrets.token_hex(8)
    return f"{nonce}.{signature(secret, 'page', nonce)}"


def is_token(secret: str, token: str) -> bool:
    nonce, _, signed = token.partition(".")
    return hmac.compare_digest(signed.encode(), signature(secret, "page", nonce).encode())


# -- pages -----------------------------------------------------------------------------------------


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
    from ..amodal.study import folder

    if not (is_own(request) or is_visit(request)):
        return refused()
    names = await asyncio.to_thread(folder.studies, studies_folder())
    rows = "\n".join(f'<li><a href="{quote(n)}/">{html.escape(n)}</a></li>' for n in names)
    return filled("index.html", studies=rows, some="" if names else "hidden",
                  none="hidden" if names else "")


async def page(request):
    if not (is_own(request) or is_visit(request)):
        return refused()
    try:
        study, votes = await asyncio.to_thread(opened, request.match_info["study"])
    except (LookupError, ValueError, sqlite3.Error) as error:
        status = 404 if isinstance(error, LookupError) else 409
        return filled("problem.html", status, problem=html.escape(error.args[0]))
    return filled(
        "page.html", study=html.escape(study.name), question=html.escape(study.question),
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
    from ..amodal.study import folder
    from ..amodal.study.votes import Votes

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
        for method, found in study.files.items() for item, file in found.items()
    }


def identifier(secret: str, method: str, item: str) -> str:
    return signature(secret, "picture", method, item)[:32]


# -- answers ---------------------------------------------------------------------------------------


def answers(work):
    """A handler of `work(study, votes, asked) -> dict or CSV text`, which runs in a thread: the
    host's loop never waits for the disk. `asked` is the body of a POST, the query of a GET."""

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


def state(study, votes, asked: dict) -> dict:
    """Where the rater stands: the trial to judge now and the pictures of the one after it."""
    from ..amodal.study.votes import rater_name

    rater = rater_name(asked.get("rater"))
    trials = study.trials_for(rater)
    voted = votes.of(rater)
    left = [trial for trial in trials if trial.key not in voted]
    ahead = [shown(study, votes.secret, rater, trial) for trial in left[:2]]
    return {
        "done": len(trials) - len(left), "total": len(trials), "last": votes.last(rater),
        "trial": ahead[0] if left else None, "next": ahead[1] if len(left) > 1 else None,
    }


def shown(study, secret: str, rater: str, trial) -> dict:
    """A trial as the page gets it: identifiers alone, in the rater's order."""
    from ..amodal.study.folder import ORIGINAL

    def known(method):
        return identifier(secret, method, trial.item)

    return {
        "trial": trial.key,
        "original": known(ORIGINAL) if ORIGINAL in study.files else None,
        "choices": [known(method) for method in study.methods_for(rater, trial)],
    }


def vote(study, votes, asked: dict) -> dict:
    """Keeps a vote {rater, trial, choice}; the state after it."""
    from ..amodal.study.votes import rater_name

    rater = rater_name(asked.get("rater"))
    trial = next((one for one in study.trials() if one.key == asked.get("trial")), None)
    if trial is None:
        raise ValueError("The study has changed: these pictures are no longer in it.")
    methods = study.methods_for(rater, trial)
    known = {identifier(votes.secret, method, trial.item): method for method in methods}
    chosen = known.get(str(asked.get("choice")))
    if chosen is None:
        raise ValueError("That is none of the pictures that were shown.")
    votes.cast(rater, trial, methods, chosen)
    return state(study, votes, asked)


def undo(study, votes, asked: dict) -> dict:
    """Takes back the rater's last vote {rater, vote}; the state after it."""
    from ..amodal.study.votes import rater_name

    votes.undo(rater_name(asked.get("rater")), asked.get("vote"))
    return state(study, votes, asked)


def results(study, votes, asked: dict) -> dict:
    from dataclasses import asdict

    from ..amodal.study import statistics

    cast = votes.all()
    return {
        "preferences": [asdict(row) for row in statistics.preferences(cast)],
        "agreement": asdict(statistics.agreement(cast)),
        "votes": len(cast), "pictures": len({one.item for one in cast}),
        "total": len(study.items), "left_out": study.left_out, "show": study.show,
    }


def preference_csv(study, votes, asked: dict) -> str:
    from ..amodal.study import statistics

    return statistics.table_csv(votes.all())


def votes_csv(study, votes, asked: dict) -> str:
    from ..amodal.study import statistics

    return statistics.votes_csv(votes.all())
