"""The user study under attack: requests that no page sends, in a real host, as raw bytes."""

import gzip
import json
import socket
import sqlite3
import threading
import time
import zlib

import pytest
from studies import make_study

TOKEN = "X-Study-Token"
NAME = "attacked"
PATH = f"/amodal/study/{NAME}"
WAIT = 15.0  # seconds after which a request counts as hanging


@pytest.fixture(scope="module")
def target(study_host):
    """A host with a study and one vote in it."""
    make_study(study_host.base, NAME, items=("cup", "owl"))
    study_host.study_token = study_host.token(NAME)
    status, _, content = voted(study_host, "victim")
    assert status == 200, content
    return study_host


def trial_of(host, rater: str) -> dict:
    content = host.ask(f"{PATH}/state?rater={rater}", **{TOKEN: host.study_token})[2]
    return json.loads(content)["trial"]


def voted(host, rater: str):
    trial = trial_of(host, rater)
    body = {"rater": rater, "trial": trial["trial"], "choice": trial["choices"][0]}
    return host.ask(f"{PATH}/vote", body, **{TOKEN: host.study_token})


def sent(host, request: bytes, ends: bool = False) -> tuple[int | None, bytes]:
    """(status, whole reply) of raw bytes; None where the server closes without an answer.

    ends: the client sends no more, so that an incomplete request does not wait for the rest.
    Raises TimeoutError if neither comes in time.
    """
    with socket.create_connection(("127.0.0.1", host.port), timeout=WAIT) as connection:
        try:
            connection.sendall(request)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it was sent
        reply = b""
        try:
            while part := connection.recv(65536):
                reply += part
                if b"\r\n\r\n" in reply:
                    break
        except ConnectionResetError:
            pass
    words = reply.split(b" ", 2)
    return (int(words[1]) if len(words) > 1 and words[1].isdigit() else None), reply


def request(method, path, *headers, body=b"", host="127.0.0.1:1", token="", kind="") -> bytes:
    """The bytes of a request. host, token: None leaves the header out."""
    lines = [f"{method} {path} HTTP/1.1".encode("latin-1", "surrogateescape")]
    lines += [b"Host: " + host.encode("latin-1")] if host is not None else []
    lines += [f"{TOKEN}: {token}".encode("latin-1")] if token is not None else []
    lines += [f"Content-Type: {kind}".encode("latin-1")] if kind else []
    lines += [line.encode("latin-1") for line in headers]
    if (body or method == "POST") and not any(
        line.lower().startswith(("content-length", "transfer-encoding")) for line in headers
    ):
        lines.append(f"Content-Length: {len(body)}".encode())
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


SEGMENTS = (
    "%2e%2e",
    "..%2f..%2fuser",
    "%252e%252e%252fuser",
    "..%5c..%5cuser",
    "%5c%5cserver%5cshare",
    "%2fetc%2fpasswd",
    "%00",
    "a%00b",
    "%ff%fe",
    "%c0%ae%c0%ae%c0%af",
    "%ed%a0%80",
    "%",
    "%zz",
    "%u002e",
    "CON",
    "nul.png",
    "~root",
    "C:%5cWindows",
    "file:%2f%2f%2fetc%2fpasswd",
    "%0d%0aSet-Cookie:%20a=b",
    "<script>alert(1)<%2fscript>",
    "$(id)",
    "'%20OR%201=1--",
    f"{NAME}%2foriginal",
    f"{NAME}.sqlite",
    "x" * 5000,
    "%E2%80%AE",
    "\udcff",
)
PLACES = (
    "/amodal/study/{}/",
    "/amodal/study/{}/state?rater=a",
    PATH + "/picture/{}",
    "/api/amodal/study/{}/votes.csv",
)
METHODS = ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "FOO", "get", "P\x01ST")
DEEP = 200_000


def paths(token: str) -> dict[str, bytes]:
    return {
        f"path {place} {segment[:20]!a}": request("GET", place.format(segment), token=token)
        for place in PLACES
        for segment in SEGMENTS
    }


def methods(token: str) -> dict[str, bytes]:
    pairs = [(method, name) for method in METHODS for name in ("vote", "state?rater=a", "")]
    pairs += [("POST", name) for name in ("", "state?rater=a", "results", "votes.csv", "../")]
    pairs += [("GET", "vote"), ("GET", "undo"), ("HEAD", "vote"), ("GET", "nothing"), ("GET", "x/")]
    return {f"method {m} {name}": request(m, f"{PATH}/{name}", token=token) for m, name in pairs}


def bodies(token: str, trial: dict) -> dict[str, bytes]:
    vote = {"rater": "mallory", "trial": trial["trial"], "choice": trial["choices"][0]}
    contents = {
        "deep lists": b"[" * 8000,
        "deep closed lists": b"[" * 8000 + b"]" * 8000,
        "deep objects": b'{"a":' * 3000,
        "a deep choice": json.dumps(vote)[:-1].encode() + b',"choice":' + b"[" * 900 + b"]" * 900,
        "very deep lists": b"[" * DEEP,
        "a million spaces": b" " * 1_000_000,
        "twenty million digits": b"9" * 20_000_000,
        "empty": b"",
        "NUL": b"\0",
        "no text": b"\xff\xfe\xfd",
        "UTF-16": json.dumps([1]).encode("utf-16"),
        "half an object": b'{"rater": "mallory"',
        "NaN": b'{"rater": NaN}',
        "infinite": b'{"rater": "mallory", "vote": 1e400}',
        "too many digits": b'{"vote": ' + b"1" * 5000 + b"}",
        "a form": b"rater=mallory&trial=x&choice=y",
        **{
            f"JSON {text}": text.encode() for text in ("null", "[]", "3", '"a"', "true", "-0", "{}")
        },
        **{
            f"rater {rater!a:.30}": json.dumps({**vote, "rater": rater}).encode()
            for rater in (
                *(None, "", " ", 3, True, [], {}, ["mallory"], "x" * 41, "a\0b", "a\u202eb"),
                *("\ud800", "\n", "a\x1b[31m", "\ufdfa" * 30, 1e308, -1),
            )
        },
    }
    wrong = (None, 3, True, [], {}, "", "../cup", "x" * 9000, "\ud800", "\0", 1e308, [[["a"]]])
    only_votes = {
        **{f"trial {trial!a:.30}": {**vote, "trial": trial} for trial in wrong},
        **{f"choice {choice!a:.30}": {**vote, "choice": choice} for choice in wrong},
        "the original": {**vote, "choice": trial["original"]},
        "a method": {**vote, "choice": "mixed context"},
        "a forged identifier": {**vote, "choice": trial["choices"][0][::-1]},
        "upper case": {**vote, "choice": trial["choices"][0].upper() + " "},
    }
    json_of = {"token": token, "kind": "application/json"}
    return {
        **{
            f"{name}: {content}": request("POST", f"{PATH}/{name}", body=body, **json_of)
            for name in ("vote", "undo")
            for content, body in contents.items()
        },
        **{
            f"vote: {content}": request(
                "POST", f"{PATH}/vote", body=json.dumps(body).encode(), **json_of
            )
            for content, body in only_votes.items()
        },
    }


def heads(token: str, other: str, trial: dict) -> dict[str, bytes]:
    """Votes that were good, but for one header."""
    vote = {"rater": "mallory", "trial": trial["trial"], "choice": trial["choices"][0]}
    body = json.dumps(vote).encode()

    def good(*headers, **changed):
        given = {"token": token, "kind": "application/json", "body": body}
        return request("POST", f"{PATH}/vote", *headers, **{**given, **changed})

    hosts = (
        *("evil.example", "evil.example:8188", "127.0.0.1.evil.example", "localhost.evil.example"),
        *(
            "evil.localhost",
            "xn--localhost-x",
            "",
            "[",
            "[::1",
            "a b",
            "0x7f.1",
            "127.1",
            "2130706433",
        ),
        *("localhost:8188.evil.example", "evil.example#127.0.0.1", "evil.example/@localhost"),
    )
    origins = ("https://elsewhere.example", "null", "", "http://127.0.0.1:2", "\xff", "file://")
    sites = ("cross-site", "same-site", "", "SAME-ORIGIN")
    tokens = ("", ".", "a.b", token[:-1], token + "0", token[::-1], other, "\xff" * 40, "x" * 5000)
    kinds = ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json")
    small, bomb = gzip.compress(body), gzip.compress(b" " * 30_000_000)
    return {
        **{f"host {host}": good(host=host) for host in hosts},
        "no host": good(host=None),
        "two hosts": good("Host: evil.example"),
        **{f"origin {origin!a}": good(f"Origin: {origin}") for origin in origins},
        **{f"site {site}": good(f"Sec-Fetch-Site: {site}") for site in sites},
        **{f"token {token[:20]!a}": good(token=token) for token in tokens},
        "no token": good(token=None),
        **{f"kind {kind}": good(kind=kind) for kind in kinds},
        "no gzip": good("Content-Encoding: gzip"),
        "no deflate": good("Content-Encoding: deflate", body=zlib.compress(b"x")[:5]),
        "an unknown encoding": good("Content-Encoding: br"),
        "half a gzip": good("Content-Encoding: gzip", body=small[: len(small) // 2]),
        "a gzip bomb": good("Content-Encoding: gzip", body=bomb),
        "an unknown charset": good(kind="application/json; charset=nothing", body=b"\xff{"),
    }


def frames(token: str) -> dict[str, bytes]:
    """What is hardly HTTP."""
    line = f"GET {PATH}/votes.csv HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
    post = f"POST {PATH}/vote HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
    said = f"{TOKEN}: {token}\r\n".encode()
    kind = b"Content-Type: application/json\r\n"
    chunked = post + said + kind + b"Transfer-Encoding: chunked\r\n\r\n"
    return {
        "nothing": b"\r\n\r\n",
        "noise": bytes(range(256)) * 20,
        "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200,
        "another version": f"GET {PATH}/votes.csv HTTP/9.9\r\nHost: a\r\n\r\n".encode(),
        "no version": f"GET {PATH}/votes.csv\r\n\r\n".encode(),
        "a long header": line + b"A: " + b"x" * 100_000 + b"\r\n\r\n",
        "many headers": line + b"".join(b"A%d: b\r\n" % n for n in range(5000)) + b"\r\n",
        "NUL in a header": line + b"A: \0\r\n\r\n",
        "a header without a colon": line + b"nothing\r\n\r\n",
        "a space before a colon": line + b"A : b\r\n\r\n",
        "a negative length": post + said + kind + b"Content-Length: -1\r\n\r\n",
        "no number as length": post + said + kind + b"Content-Length: \xb2\r\n\r\n",
        "a length beyond the body": post + said + kind + b"Content-Length: 900\r\n\r\n{}",
        "two lengths": post + kind + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "length and chunks": post
        + kind
        + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "no chunk": chunked + b"zz\r\n{}\r\n0\r\n\r\n",
        "a negative chunk": chunked + b"-2\r\n{}\r\n0\r\n\r\n",
        "a chunk cut short": chunked + b"ff\r\n{}",
        "endless chunks": chunked + (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 50,
        "an absolute target": f"GET http://evil.example{PATH}/votes.csv HTTP/1.1\r\n\r\n".encode(),
        "an authority": b"GET //evil.example/amodal/study/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "a star": b"GET * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "no target": b"GET  HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "a strange expectation": post + b"Expect: everything\r\nContent-Length: 2\r\n\r\n{}",
        "a websocket": line + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    }


def everything(host) -> dict[str, bytes]:
    make_study(host.base, "other", items=("cup",))
    trial, token = trial_of(host, "mallory"), host.study_token
    ranges = {
        f"range {text}": request(
            "GET", f"{PATH}/picture/{trial['original']}", f"Range: {text}", token=token
        )
        for text in ("bytes=99999999-", "bytes=b-a", "bytes=9-1", "lines=1-2")
    }
    return {
        **paths(token),
        **methods(token),
        **bodies(token, trial),
        **heads(token, host.token("other"), trial),
        **frames(token),
        **ranges,
    }


def files(host) -> dict[str, tuple]:
    """All files of the host's base folder and of the folder around it; not the log or sqlite's
    own working files."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in host.base.parent.rglob("*")
        if path.is_file() and not path.name.endswith((".log", "-wal", "-shm", ".sqlite"))
    }


def rows(host) -> list[tuple]:
    with sqlite3.connect(host.votes_file(NAME)) as store:
        return store.execute("SELECT * FROM votes ORDER BY id").fetchall()


def test_bad_requests_are_refused_and_change_nothing(target):
    attacks, odd = everything(target), frames("").keys()
    assert len(set(attacks.values())) >= 205
    kept, stored = files(target), rows(target)
    studies = {path.name for path in target.votes_file(NAME).parent.glob("*.sqlite")}
    wrong = {}
    for name, attack in attacks.items():
        try:
            status, reply = sent(target, attack, ends=name in odd)
        except TimeoutError:
            status, reply = 0, b"it hangs"
        closed = status is None and name in odd  # what is hardly HTTP needs no answer
        if not (closed or 400 <= (status or 0) < 500) or b"root:" in reply:
            wrong[name] = reply[:200]
    assert wrong == {}
    assert rows(target) == stored and files(target) == kept
    assert {path.name for path in target.votes_file(NAME).parent.glob("*.sqlite")} == studies
    assert voted(target, "honest")[0] == 200  # it still works


def test_the_guards_are_on_every_response_of_the_study_and_on_no_other(target):
    """The host was started with --disable-api-nodes and --enable-cors-header, whose middlewares
    set headers of their own."""
    trial = trial_of(target, "guarded")
    paths = ("", "state?rater=a", "results", "votes.csv", "vote", "nothing", "picture/x.png")
    paths = [f"{PATH}/{path}" for path in (*paths, f"picture/{trial['original']}")]
    paths += ["/amodal/study/", "/amodal/study", PATH, "/amodal/study/none/"]
    paths += ["/amodal/study/page.mjs", "/amodal/study/page.css"]
    for path in (*paths, *(f"/api{path}" for path in paths)):
        headers = target.ask(path, **{TOKEN: target.study_token})[1]
        policy = headers.get_all("Content-Security-Policy")
        assert len(policy) == 1 and policy[0].startswith("default-src 'none'; script-src"), path
        assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"], path
        stored = headers["Cache-Control"]
        may_keep = "/picture/" in path or path.endswith((".mjs", ".css"))
        assert stored == "no-store" or (may_keep and stored == "private, no-cache"), path
    assert "'none'" not in target.ask("/")[1]["Content-Security-Policy"]  # the host's own


@pytest.mark.parametrize("path", ["", "state?rater=a", "results", "picture/{}", "../page.css"])
def test_only_an_address_or_a_known_name_opens_the_study(target, path):
    path = f"{PATH}/{path.format(trial_of(target, 'x')['original'])}".replace(f"{NAME}/../", "")
    known = ("127.0.0.1", "192.168.1.7:8188", "[::1]:8188", "LOCALHOST", "localhost.:80")
    for host in (*known, "lab.example", "b:8188"):
        answer = target.ask(path, **{TOKEN: target.study_token}, Host=host)
        assert answer[0] == 200, (host, answer)
    for host in ("evil.example", "lab.example.evil.example", "localhost.evil.example:8188"):
        status, _, content = target.ask(path, **{TOKEN: target.study_token}, Host=host)
        assert status == 403 and b"AMODAL_STUDY_HOSTS" in content
        assert b"study-token" not in content and b"PNG" not in content


def test_a_lock_on_one_study_delays_no_other(target):
    """More requests wait for the locked study than the server has threads for all others."""
    make_study(target.base, "locked", items=("cup",))
    token = target.token("locked")
    lock = sqlite3.connect(target.votes_file("locked"), isolation_level=None)
    lock.execute("PRAGMA locking_mode = EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    body = {"rater": "ann", "vote": 1}
    answered = []

    def wait():
        answer = target.ask("/amodal/study/locked/undo", body, **{TOKEN: token})
        answered.append((answer[0], time.monotonic()))

    waiting = [threading.Thread(target=wait) for _ in range(40)]
    for thread in waiting:
        thread.start()
    time.sleep(1.0)
    began = time.monotonic()
    assert voted(target, "meanwhile")[0] == 200
    assert target.ask("/amodal/study/")[0] == 200
    ended = time.monotonic()
    assert ended - began < 5
    lock.execute("ROLLBACK")
    lock.close()
    for thread in waiting:
        thread.join()
    assert [status for status, _ in answered] == [200] * 40
    assert min(at for _, at in answered) > ended  # all of them waited meanwhile
