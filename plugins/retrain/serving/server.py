"""Runs the gateway as a process."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from typing_extensions import override

from retrain.errors import GatewayError
from retrain.serving.gateway import Gateway
from retrain.serving.options import Options
from retrain.settings import Settings
from retrain.site import Site

DRAIN_SECONDS = 30
"""How long requests under way may take once the gateway is told to stop."""

SWITCH_SECONDS = 0.001
"""How long a model's thread may hold Python's lock while the event loop waits for it; Python's default is 5 ms."""

BACKLOG = 2048
"""Connections that may wait to be accepted."""

log = logging.getLogger(__name__)


def serve(
    settings: Settings,
    names: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = 8600,
    *,
    options: Options | None = None,
) -> None:
    """Serve pipelines until SIGTERM or SIGINT; then finish what is under way, ship the log and return.

    :param names: the pipelines; empty for all in ``settings.pipelines``.
    :param port: 0 for a free one. The address is printed, as ``listening on http://host:port``, once requests are
        answered there.
    :raises GatewayError: if the port is taken, or the gateway may not write into its home.
    :raises UsageError: if there is no such pipeline.
    """
    gateway = Gateway(Site(settings), tuple(names), options or Options.load())
    listener = _listen(host, port)
    config = uvicorn.Config(
        gateway.app(),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=75,
        backlog=BACKLOG,
    )
    sys.setswitchinterval(SWITCH_SECONDS)
    log.info("Serving %s.", ", ".join(gateway.pipelines))
    _Server(config, f"http://{authority(host, listener.getsockname()[1])}").run(sockets=[listener])
    log.info("Stopped.")


class _Server(uvicorn.Server):
    """uvicorn, which says where it listens once it does, and ends with status 0 when it is told to stop.

    By itself it would end the process with the signal it was stopped by.
    """

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"listening on {self._address}", flush=True)
            log.info("Listening on %s.", self._address)

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def authority(host: str, port: int) -> str:
    """Host and port as a URL holds them: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    listener = None
    try:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)  # two processes may bind one port; only one may listen
    except OSError as error:
        if listener is not None:
            listener.close()
        raise GatewayError(
            f"The gateway cannot listen: {error.strerror or error}.",
            where=authority(host, port),
            do="stop what listens there, or choose another --host or --port.",
        ) from None
    return listener
