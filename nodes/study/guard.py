"""Which requests the user study accepts, and the identifiers it uses for pictures.

Only the study's own page may use the routes below it. Requests of other origins are recognised by
Sec-Fetch-Site or Origin, even if the host runs with --enable-cors-header. Each page contains a
token. Every request except one for a picture must send the token in a header. Another origin can
neither add that header nor read the token. The page cannot be framed, so clickjacking fails.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

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
    return hmac.compare_digest(signed.encode(), signature(secret, "page", nonce).encode())


def identifier(secret: str, method: str, item: str) -> str:
    """A picture's identifier on pages: 32 hex digits that do not reveal the method."""
    return signature(secret, "picture", method, item)[:32]


def signature(secret: str, *words: str) -> str:
    """HMAC-SHA256 of the words, as 64 hex digits."""
    return hmac.new(secret.encode(), "\0".join(words).encode(), hashlib.sha256).hexdigest()
