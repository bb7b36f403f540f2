"""One flight a request: our gateway, with routing and a prediction log, beside ``mlflow models serve``."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
from measure import TAIL, Figure, figure
from served import await_answer, process, served_flights

from retrain.demo.data import live_requests, month_frame
from retrain.demo.processes import free_port, inherited
from retrain.model.store import fetch_model

REQUESTS, ROUNDS = 400, 3
CLIENTS = 8
PATIENCE = 60.0
"""Seconds until an answer must be there; on a busy machine that is no matter of the servers."""


def measure(*, short: bool) -> list[Figure]:
    """Ask both servers in turn, with one client and with eight; in short in one round of fewer requests."""
    requests, rounds = (REQUESTS // 10, 1) if short else (REQUESTS, ROUNDS)
    bodies = [
        orjson.dumps({"dataframe_records": [request.payload]})
        for request, _ in zip(live_requests(month_frame(5)), range(requests), strict=False)
    ]
    with tempfile.TemporaryDirectory() as scratch, served_flights(Path(scratch)) as served:
        champion = served.site.ledger("flights").release().champion
        assert champion is not None
        model = fetch_model(served.site.store, champion.model, Path(scratch) / "peer")
        port, log = free_port(), Path(scratch) / "mlflow.log"
        urls = {"ours": served.url, "mlflow": f"http://127.0.0.1:{port}"}
        single: dict[str, list[float]] = {name: [] for name in urls}
        many: dict[str, list[float]] = {name: [] for name in urls}
        with process(*_mlflow(model, port), log) as peer:
            await_answer(f"{urls['mlflow']}/version", peer, log)  # which only MLflow answers: another may have the port
            for _ in range(rounds):
                for name, url in urls.items():
                    single[name].append(_latency(url, bodies))
                    many[name].append(_throughput(url, bodies))
    return [
        figure(
            "gateway: one row, one client, p50",
            single["ours"],
            "ms",
            peer=f"mlflow models serve: {statistics.median(single['mlflow']):.1f} ms",
        ),
        figure(
            f"gateway: {CLIENTS} clients",
            many["ours"],
            "requests/s",
            peer=f"mlflow models serve: {statistics.median(many['mlflow']):.0f} requests/s",
        ),
    ]


def _mlflow(model: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """The command and the environment of MLflow's own server, on the very same model directory."""
    folder = Path(sys.executable).parent
    command = [str(folder / "mlflow"), "models", "serve", "-m", str(model), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--env-manager", "local", "--workers", "1"]
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return command, {**inherited(), "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}


def _client() -> httpx.Client:
    return httpx.Client(timeout=PATIENCE, trust_env=False)


def _ask(client: httpx.Client, url: str, body: bytes) -> float:
    begin = time.perf_counter()
    answer = client.post(f"{url}/invocations", content=body, headers={"content-type": "application/json"})
    took = time.perf_counter() - begin
    if answer.is_error:
        raise RuntimeError(f"{url} answered {answer.status_code}: {answer.text[:TAIL]}")
    return took


def _latency(url: str, bodies: list[bytes]) -> float:
    with _client() as client:
        return statistics.median(_ask(client, url, body) for body in bodies) * 1000


def _throughput(url: str, bodies: list[bytes]) -> float:
    def ask(share: list[bytes]) -> None:
        with _client() as client:
            for body in share:
                _ask(client, url, body)

    with ThreadPoolExecutor(CLIENTS) as threads:
        begin = time.perf_counter()
        list(threads.map(ask, [bodies[number::CLIENTS] for number in range(CLIENTS)]))  # raises what one of them raised
        return len(bodies) / (time.perf_counter() - begin)
