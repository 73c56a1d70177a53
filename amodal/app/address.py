"""The address of a ComfyUI, in every form in which people write it."""

from __future__ import annotations

import ipaddress
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from ..core.errors import BadInput

PORT = 8188  # ComfyUI's own
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # listened on, but not to be called


def url_of(text: str) -> str:
    """http://host:port or https://..., with a path where a proxy adds one, without a last slash.

    Takes a host, host:port, an IPv6 address with or without brackets, and full addresses. Where no
    scheme is given, it is http, and the port is ComfyUI's own unless one is given.

    Raises BadInput for anything else.
    """
    words = text.strip()
    if any(c.isspace() or not c.isprintable() for c in words):
        raise wrong(text, "it holds a space")
    given = "://" in words
    try:
        parts = urllib.parse.urlsplit(words if given else f"http://{bracketed(words)}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise wrong(text, str(error)[:100]) from None
    if parts.scheme not in ("http", "https"):
        raise wrong(text, f"{parts.scheme} is not http or https")
    if not is_host(host) or port == 0:
        raise wrong(text, "it names no host" if not is_host(host) else "0 is no port")
    if parts.username is not None or parts.query:
        raise wrong(text, "it holds a password or a query, which are not supported")
    host = EVERYWHERE.get(host, host)
    port = port if given else port or PORT
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def bracketed(words: str) -> str:
    """The words, in brackets if they are an IPv6 address without them."""
    try:
        ipaddress.IPv6Address(words)
    except ValueError:
        return words
    return f"[{words}]"


def is_host(name: str) -> bool:
    """Can it be the name of a host? It is plain words with dots between, or an IPv6 address."""
    if ":" in name:
        return True
    labels = name.removesuffix(".").split(".")
    plain = all(c.isalnum() or c in "-_" for label in labels for c in label)
    return plain and all(0 < len(label) < 64 for label in labels)


def wrong(text: str, why: str) -> BadInput:
    """The error for a text that is no address."""
    return BadInput(
        "server", f"is '{text[:100]}' ({why})", f"give an address such as http://127.0.0.1:{PORT}"
    )


def opener(url: str) -> Callable[..., Any]:
    """`urlopen`, which ignores the environment's proxies if `url` is on this machine."""
    local = urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    proxies = [urllib.request.ProxyHandler({})] if local else []
    return urllib.request.build_opener(*proxies).open
