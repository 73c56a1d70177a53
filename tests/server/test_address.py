"""Addresses in every usual form, and hosts that answer in unusual ways."""

import http.server
import json
import socket
import threading

import pytest

from amodal.app import address, cli
from amodal.app.client import Client, RunError
from amodal.app.host import Host, HostError, free_port
from amodal.core.errors import BadInput

FORMS = {
    "localhost": "http://localhost:8188",
    "localhost:9000": "http://localhost:9000",
    "192.168.1.7": "http://192.168.1.7:8188",
    "192.168.1.7:80": "http://192.168.1.7:80",
    "my-pc.local": "http://my-pc.local:8188",
    " 127.0.0.1:8188/ ": "http://127.0.0.1:8188",
    "http://127.0.0.1:8188": "http://127.0.0.1:8188",
    "http://127.0.0.1:8188///": "http://127.0.0.1:8188",
    "HTTP://Example.com": "http://example.com",
    "https://example.com": "https://example.com",
    "https://example.com:8443/comfy/": "https://example.com:8443/comfy",
    "example.com/comfy": "http://example.com:8188/comfy",
    "http://example.com/#workflow": "http://example.com",
    "::1": "http://[::1]:8188",
    "[::1]": "http://[::1]:8188",
    "[::1]:9000": "http://[::1]:9000",
    "http://[fe80::1]:8188/": "http://[fe80::1]:8188",
    "http://0.0.0.0:8188": "http://127.0.0.1:8188",
    "http://[::]:8188": "http://[::1]:8188",
}
NO_ADDRESSES = [
    *("", " ", "http://", "ftp://host", "ws://host", "file:///etc/passwd", "host:port", "host:0"),
    *(
        "host:99999",
        "host:-1",
        "[::1",
        "a b",
        "http://a b",
        "http://user:word@host",
        "host?token=1",
    ),
    *("http://" + "a" * 300, "//host", "a..b", "http://ho\nst", "javascript:alert(1)"),
]


@pytest.mark.parametrize("text", FORMS)
def test_every_usual_form_is_understood(text):
    assert address.url_of(text) == FORMS[text] == Client(text).url
    assert address.url_of(FORMS[text]) == FORMS[text]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_anything_else_is_refused_by_name(text):
    with pytest.raises(BadInput, match="(?s)input 'server' is .*Remedy"):
        address.url_of(text)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the server's `how` says; notes the paths that were asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        status, body = self.server.how
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        if self.server.how[0] != 413:
            self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(request):
    family = socket.AF_INET6 if getattr(request, "param", "") == "::1" else socket.AF_INET

    class Server(http.server.ThreadingHTTPServer):
        address_family = family

    where = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with Server((where, 0), Handler) as made:
        made.asked, made.how = [], (200, b'{"name": "x.png", "subfolder": "amodal"}')
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("server", ["127.0.0.1", "::1"], indirect=True)
def test_a_path_before_comfyui_is_kept(server):
    host, port = server.server_address[:2]
    named = f"[{host}]" if ":" in host else host
    Client(f"{named}:{port}/proxy/comfy/").get("/system_stats")
    assert server.asked == ["/proxy/comfy/system_stats"]


@pytest.mark.parametrize("reply", [b"<html>", b"[]", b"3", b"", b"\xff"])
def test_another_server_at_the_address_is_named_as_such(server, reply):
    server.how = (200, reply)
    client = Client(f"127.0.0.1:{server.server_port}")
    with pytest.raises(RunError, match="not as ComfyUI does.*Remedy"):
        client.get("/object_info")


def test_a_server_that_speaks_no_http_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            with listening.accept()[0] as caller:
                caller.recv(1000)
                caller.sendall(b"SSH-2.0-OpenSSH\r\n")

        threading.Thread(target=answer, daemon=True).start()
        port = listening.getsockname()[1]
        with pytest.raises(RunError, match=f"No ComfyUI answers at http://127.0.0.1:{port}"):
            Client(f"127.0.0.1:{port}").get("/object_info")


@pytest.mark.parametrize("size", [1000, 50 * 2**20])
def test_too_large_a_picture_says_what_to_do(server, tmp_path, size):
    """A large one: the server hangs up before it has read all."""
    server.how = (413, b"Maximum request body size exceeded")
    picture = tmp_path / "large.png"
    picture.write_bytes(bytes(size))
    with pytest.raises(RunError, match="does not take .* MB.*Remedy.*max-upload-size") as error:
        Client(f"127.0.0.1:{server.server_port}").upload(picture)
    assert error.value.is_bad_input


@pytest.mark.parametrize(
    "name", ["a" * 250 + ".png", "k\u00e4tzchen \U0001f431.png", 'a";\r\n.png']
)
def test_a_picture_of_any_name_is_uploaded_under_a_plain_one(tmp_path, name):
    sent = {}

    class Recorder(Client):
        def read(self, path, data=None, kind=""):
            sent["head"] = data.split(b"\r\n\r\n")
            return json.dumps({"name": "x.png"}).encode()

    picture = tmp_path / name
    picture.write_bytes(b"pixels")
    assert Recorder("localhost").upload(picture) == "x.png"
    (head,) = [part for part in sent["head"] if b"filename=" in part]
    stored = head.split(b'filename="')[1].split(b'"')[0].decode()
    assert stored.isascii() and stored.endswith(".png") and len(stored) <= 100
    assert head.count(b"\r\n") == 3


def test_a_name_that_the_file_system_refuses_says_so(tmp_path, capsys):
    words = ["complete", str(tmp_path / ("a" * 400)), "--out", str(tmp_path / "out")]
    assert cli.main(words) == cli.BAD_INPUT
    assert "shorten the name" in capsys.readouterr().err


def test_a_taken_port_is_told_and_the_other_server_is_not_mistaken(server, capsys):
    port = server.server_port
    with pytest.raises(HostError, match=f"Port {port} is taken.*--port"), Host(port=port):
        pass
    assert cli.main(["serve", "--port", str(port)]) == cli.NOT_COMPLETED
    said = capsys.readouterr()
    assert "is taken" in said.err and "http://" not in said.out


@pytest.mark.parametrize("port", ["0", "-1", "65536", "http", "1e3", "9" * 5000])
def test_a_port_that_is_none_is_refused_by_name(port, capsys):
    with pytest.raises(SystemExit):
        cli.main(["serve", f"--port={port}"])
    said = capsys.readouterr().err
    assert "--port" in said and "65535" in said and len(said) < 1000


def test_a_port_of_a_program_that_has_ended_is_free():
    with socket.create_server(("127.0.0.1", free_port())) as listening:
        port = listening.getsockname()[1]
        caller = socket.create_connection(("127.0.0.1", port))
        accepted, _ = listening.accept()
        accepted.close()  # this side waits: the port stays in TIME_WAIT
        caller.close()
    from amodal.app.host import check_free

    check_free(port)
