"""The gateway as a server."""

from __future__ import annotations

import errno
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from retrain.errors import GatewayError
from retrain.serving import server
from retrain.serving.home import require_writable
from retrain.serving.options import Options
from retrain.serving.pipeline import ServedPipeline
from retrain.site import Site


def test_it_listens_before_it_says_so(site: Site, pipeline_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pipelines there are, and however slowly they start."""
    for number in range(20):
        folder = pipeline_folder.with_name(f"flights-{number}")
        shutil.copytree(pipeline_folder, folder)
    start, running, said = ServedPipeline.start, [], queue.SimpleQueue[str]()

    def start_slowly(this: ServedPipeline) -> None:
        time.sleep(0.02)
        start(this)

    class Kept(server._Server):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            running.append(self)

    def connect(text: str, **_: Any) -> None:
        host, _, port = text.removeprefix("listening on http://").partition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        said.put(text)

    monkeypatch.setattr(ServedPipeline, "start", start_slowly)
    monkeypatch.setattr(server, "_Server", Kept)
    monkeypatch.setattr(server, "print", connect, raising=False)
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: None)
    thread = threading.Thread(target=server.serve, args=(site.settings,), kwargs={"port": 0, "options": Options()})
    thread.start()
    try:
        url = said.get(timeout=20).removeprefix("listening on ")
        assert len(httpx.get(f"{url}/pipelines").json()["pipelines"]) == 21
    finally:
        running[0].should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def test_an_address_of_version_6_stands_in_brackets() -> None:
    assert server.authority("::1", 8600) == "[::1]:8600"
    assert server.authority("127.0.0.1", 8600) == "127.0.0.1:8600"
    with pytest.raises(GatewayError, match=r"Where: \[2001:db8::1\]:8600"):  # nobody's address
        server._listen("2001:db8::1", 8600)


@pytest.mark.parametrize("taken", ["home", "home/gateway", "home/gateway/segments/flights"])
def test_a_gateway_that_cannot_write_says_so_instead_of_listening(
    site: Site, pipeline_folder: Path, tmp_path: Path, taken: str
) -> None:
    """A file where its folder should be stops root, too, as a read-only disk does."""
    place = tmp_path / taken
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    done = subprocess.run(
        [sys.executable, "-c", "from retrain.cli import main; main()", "serve", "--port", "0"],
        env={**os.environ, **site.settings.environment()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 3
    assert "listening" not in done.stdout
    for part in ("does not start", str(site.settings.home / "gateway"), "RETRAIN_HOME"):
        assert part in done.stderr


def test_a_full_disk_is_no_reason_not_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    require_writable(tmp_path)


def test_a_port_belongs_to_one_gateway_before_it_answers() -> None:
    """Two sockets may be bound to one port as long as none of them listens."""
    first = server._listen("127.0.0.1", 0)
    with pytest.raises(GatewayError, match="cannot listen"):
        server._listen("127.0.0.1", first.getsockname()[1])
    first.close()
