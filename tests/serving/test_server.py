"""The gateway as a server."""

from __future__ import annotations

import queue
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from retrain.errors import GatewayError
from retrain.serving import server
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


def test_a_port_belongs_to_one_gateway_before_it_answers() -> None:
    """Two sockets may be bound to one port as long as none of them listens."""
    first = server._listen("127.0.0.1", 0)
    with pytest.raises(GatewayError, match="cannot listen"):
        server._listen("127.0.0.1", first.getsockname()[1])
    first.close()
