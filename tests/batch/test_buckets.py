"""Source and results in a bucket: a real S3 server on loopback, through pyarrow."""

import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import batch_workers
import pytest

from amodal.app.host import free_port
from amodal.batch import crews, journal, manifest
from amodal.batch.driver import Batch
from amodal.batch.items import Item, Keys
from amodal.batch.places import parent_and_name, place_of
from amodal.batch.source import Source, source_of
from amodal.core.errors import BadInput
from tools.bench import stand_ins

ROOT = Path(__file__).resolve().parents[2]
MISSING = [name for name in ("moto", "flask", "pyarrow") if not importlib.util.find_spec(name)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs the packages {MISSING}")
SECRETS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture(scope="module")
def server():
    """The address host:port of an S3 server; the process has what it takes to call it."""
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, **quiet)
    give_up = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            break
        except (urllib.error.URLError, OSError):
            assert process.poll() is None and time.monotonic() < give_up
            time.sleep(0.1)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def bucket(server, request):
    """The address of a fresh bucket."""
    name = f"b{abs(hash(request.node.name)) % 10**9}"
    put = urllib.request.Request(f"http://{server}/{name}", method="PUT")
    urllib.request.urlopen(put, timeout=10).close()
    return f"s3://{name}?scheme=http&endpoint_override={server}&region=us-east-1"


def below(bucket: str, name: str) -> str:
    start, _, query = bucket.partition("?")
    return f"{start}/{name}?{query}"


def test_a_place_in_a_bucket_is_like_a_folder(bucket, tmp_path):
    for place in (place_of(below(bucket, "a/b")), place_of(tmp_path)):
        for name in ("x/1.png", "x/2.png", "y.txt"):
            place.write(name, name.encode())
        place.write("y.txt", b"new")
        assert list(place.names("x")) == ["x/1.png", "x/2.png"]
        assert sorted(place.names()) == ["x/1.png", "x/2.png", "y.txt"]
        assert place.read("y.txt") == b"new" and place.has("y.txt") and not place.has("x")
        digest = place.digest("y.txt")
        place.remove("x")
        place.remove("missing")
        assert list(place.names()) == ["y.txt"] and place.digest("y.txt") == digest
        with pytest.raises(FileNotFoundError):
            place.read("x/1.png")
        with pytest.raises(FileNotFoundError):
            place.digest("x/1.png")


def test_pictures_masks_globs_and_manifests_of_a_bucket(bucket):
    place = place_of(below(bucket, "in"))
    rows = [{"picture": "cat.jpg", "mask": "cat_mask.png"}, {"picture": "sub/dog.png"}]
    for name in ("cat.jpg", "cat_mask.png", "sub/dog.png"):
        place.write(name, name.encode())
    place.write("rows.jsonl", "\n".join(map(json.dumps, rows)).encode())
    folder = below(bucket, "in")
    assert sorted(i.name for i in source_of(folder)) == ["cat.jpg", "sub/dog.png"]
    assert [i.mask for i in source_of(folder, "masks")] == ["cat_mask.png"]
    assert [i.name for i in source_of(below(bucket, "in/*/*.png"))] == ["sub/dog.png"]
    items = list(source_of(below(bucket, "in/rows.jsonl")))
    assert items == [
        Item(folder, "cat.jpg", mask="cat_mask.png"),
        Item(folder, "sub/dog.png"),
    ]
    assert items[1].source == below(bucket, "in/sub/dog.png")
    assert place_of(parent_and_name(items[1].source)[0]).read("dog.png") == b"sub/dog.png"
    listed = [Keys("s")(item) for item in source_of(folder)]  # digests while it is listed
    assert listed == [Keys("s")(item) for item in list(source_of(folder))]
    key = Keys("s")(items[0])
    assert Keys("s")(items[0]) == key
    place.write("cat.jpg", b"another picture")
    assert Keys("s")(items[0]) != key


def batch_of(address: str, names, make=None) -> Batch:
    crew = functools.partial(crews.Threads, 2, make or batch_workers.recording())
    items = [Item("nowhere", name) for name in names]
    return Batch(place_of(address), Source(lambda: iter(items)), Keys("s"), crew, quiet=True)


def test_results_journal_and_manifest_in_a_bucket(bucket, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr(journal, "SEGMENT", 4)
    address = below(bucket, "out")
    make = stand_ins.making(address, 0.0)
    batch_of(address, "abcdef", make).run()
    batch_of(address, "abcdefgh", make).run()
    place = place_of(address)
    rows = list(manifest.records(place))
    assert sorted(row["source"][-1] for row in rows) == list("abcdefgh")
    assert all(stand_ins.is_whole(place.read(name)) for row in rows for name in row["files"])
    system, root = place._root
    assert pq.read_table(f"{root}/manifest.parquet", filesystem=system).num_rows == 8
    assert not place.has("journal/driver.json")


def test_a_second_driver_on_a_bucket_is_refused_until_the_first_is_gone(bucket):
    place = place_of(below(bucket, "out"))
    with (
        journal.alone_with(place),
        pytest.raises(BadInput, match=r"in use.*Remedy"),
        journal.alone_with(place),
    ):
        pass
    held = {"id": "other", "machine": "elsewhere", "process": 1, "time": time.time()}
    place.write("journal/driver.json", json.dumps(held).encode())
    with pytest.raises(BadInput, match="elsewhere"), journal.alone_with(place):
        pass
    held["time"] -= journal.LEASE + 1  # it shows no life
    place.write("journal/driver.json", json.dumps(held).encode())
    with journal.alone_with(place) as lease:
        place.write("journal/driver.json", json.dumps(held).encode())  # another one takes over
        lease._written = 0
        with pytest.raises(BadInput, match="in use"):
            lease.renew()


@pytest.mark.slow
def test_a_killed_driver_of_a_bucket_goes_on(bucket, tmp_path):
    address, log = below(bucket, "out"), tmp_path / "log"
    log.mkdir()
    words = [sys.executable, "-m", "tools.bench.batch_kills", address, str(log), "16", "0.2", ""]
    first = subprocess.Popen(words, cwd=ROOT, env={**os.environ})
    place, give_up = place_of(address), time.monotonic() + 60
    while sum(1 for _ in manifest.records(place)) < 4:
        assert first.poll() is None and time.monotonic() < give_up
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    subprocess.run(words, cwd=ROOT, check=True, timeout=100)
    rows = list(manifest.records(place))
    assert len(rows) == len({row["key"] for row in rows}) == 16
    assert all(stand_ins.is_whole(place.read(name)) for row in rows for name in row["files"])


def test_a_bucket_that_is_not_there_is_an_error(server, tmp_path):
    address = f"s3://no-such?scheme=http&endpoint_override={server}&region=us-east-1"
    with pytest.raises(BadInput, match="'source'.*Remedy"):
        source_of(address)
    with pytest.raises(BadInput, match="Remedy"):
        place_of("nonsense://x/y")
