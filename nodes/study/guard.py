"""Which requests the user study accepts, and the identifiers it uses for pictures.

The server must be addressed by an IP address, as localhost, or by a configured name. Otherwise
another origin's own name could lead to this server (DNS rebinding), and its pages would count as
pages of this server.

Only the study's own page may use the routes below it. Requests of other origins are recognised by
Sec-Fetch-Site or Origin, even if the host runs with --enable-cors-header. Each page contains a
token. Every request except one for a picture must send the token in a header. Another origin can
neither add that header nor read the token. The page cannot be framed, so clickjacking fails.
"""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import re
import secrets
from typing import TYPE_CHECKING

from .places import PATH, server_names

if TYPE_CHECKING:
    from aiohttp import web

HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:/@\[\]#?\\]+))(?::[0-9]*)?")  # name or [IPv6], port
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
}
REVALIDATED = "private, no-cache"  # of pictures and scripts; nothing else is stored anywhere


async def guarded(request: web.Request, response: web.StreamResponse) -> None:
    """Sets the guards on the response to any request below the study's path.

    A signal of the host's app, sent after its middlewares: with --disable-api-nodes one of them
    replaces every Content-Security-Policy.
    """
    path = request.path.removeprefix("/api")  # where the host repeats every route
    if path == PATH or path.startswith(f"{PATH}/"):
        response.headers.update(GUARDS)
        if response.headers.get("Cache-Control") != REVALIDATED:
            response.headers["Cache-Control"] = "no-store"


def host_name(request: web.Request) -> str:
    """The Host header without its port, in lower case; empty if it is missing or not valid."""
    match = HOST.fullmatch(request.headers.get("Host", "").lower())
    return (match[1] or match[2]).rstrip(".") if match else ""


def is_known_host(name: str) -> bool:
    """Whether the server may be addressed so: an IP address, localhost, or a configured name."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return name == "localhost" or name in server_names()


def is_own(request: web.Request) -> bool:
    """Whether the request comes from a page of this server, or from no page at all.

    Browsers send Sec-Fetch-Site to https and loopback addresses. They send Origin with every
    request whose reply a page could read, or that could change something. No page can set either.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin.lower().partition("://")[2] == request.host.lower()


def is_visit(request: web.Request) -> bool:
    """Whether a browser window follows a link. The linking page cannot read the reply."""
    headers = request.headers
    return headers.get("Sec-Fetch-Dest") == "document" and "Origin" not in headers


def new_token(secret: str) -> str:
    """A token that a page sends back with every request except one for a picture."""
    nonce = secrets.token_hex(8)
    return f"{nonce}.{signature(secret, 'page', nonce)}"


def is_token(secret: str, token: str) -> bool:
    """Whether `new_token` made this token with the same secret; compared in constant time."""
    nonce, _, signed = token.partition(".")
    return token.isascii() and hmac.compare_digest(signed, signature(secret, "page", nonce))


def identifier(secret: str, method: str, item: str) -> str:
    """A picture's identifier on pages: 32 hex digits that do not reveal the method."""
    return signature(secret, "picture", method, item)[:32]


def signature(secret: str, *words: str) -> str:
    """HMAC-SHA256 of the words, as 64 hex digits."""
    return hmac.digest(secret.encode(), "\0".join(words).encode(), "sha256").hex()
