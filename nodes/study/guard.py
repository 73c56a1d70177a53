"""Who may ask what of the user study's page, and the names that it knows pictures by.

Only the page itself may use what lies under it. Another origin is told by Sec-Fetch-Site or Origin,
whatever --enable-cors-header says; each page carries a token, and every request but that for a
picture sends it back in a header, which no other origin can add (nor read from the page). The page
cannot be framed, so that no click on it can be stolen.
"""

import hashlib
import hmac
import secrets

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


def new_token(secret: str) -> str:
    """What a page sends back with every request but that for a picture."""
    nonce = secrets.token_hex(8)
    return f"{nonce}.{signature(secret, 'page', nonce)}"


def is_token(secret: str, token: str) -> bool:
    nonce, _, signed = token.partition(".")
    return hmac.compare_digest(signed.encode(), signature(secret, "page", nonce).encode())


def identifier(secret: str, method: str, item: str) -> str:
    """A picture's name on pages; it does not tell the method."""
    return signature(secret, "picture", method, item)[:32]


def signature(secret: str, *words: str) -> str:
    return hmac.new(secret.encode(), "\0".join(words).encode(), hashlib.sha256).hexdigest()
