"""One flight a request: our gateway, with routing and a prediction log, beside ``mlflow models serve``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import orjson
from measure import Figure, figure
from served import served_flights

from retrain.demo.data import live_requests, month_frame
from retrain.demo.processes import free_port
from retrain.model.store import fetch_model

REQUESTS = 400
CLIENTS = 8
ROUNDS = 3


def measure() -> list[Figure]:
    """Ask both servers in turn, with one client and with eight."""
    bodies = [
        orjson.dumps({"dataframe_records": [request.payload]})
        for request, _ in zip(live_requests(month_frame(5)), range(REQUESTS), strict=False)
    ]
    with tempfile.TemporaryDirectory() as scratch, served_flights(Path(scratch)) as served:
        champion = served.site.ledger("flights").release().champion
        assert champion is not None
        model = fetch_model(served.site.store, champion.model, Path(scratch) / "peer")
        port = free_port()
        peer = _mlflow(model, port)
        try:
            urls = {"ours": served.url, "mlflow": f"http://127.0.0.1:{port}"}
            _await(urls["mlflow"])
            single = {name: [] for name in urls}
            many = {name: [] for name in urls}
            for _ in range(ROUNDS):
                for name, url in urls.items():
                    single[name].append(_latency(url, bodies))
                    many[name].append(_throughput(url, bodies))
        finally:
            peer.terminate()
            peer.wait(timeout=30)
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


def _mlflow(model: Path, port: int) -> subprocess.Popen[bytes]:
    """MLflow's own server on the very same model directory."""
    folder = Path(sys.executable).parent
    command = [str(folder / "mlflow"), "models", "serve", "-m", str(model), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--env-manager", "local", "--workers", "1"]
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _await(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"{url}/ping", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{url} did not come up")


def _ask(client: httpx.Client, url: str, body: bytes) -> float:
    begin = time.perf_counter()
    answer = client.post(f"{url}/invocations", content=body, headers={"content-type": "application/json"})
    answer.raise_for_status()
    return time.perf_counter() - begin


def _latency(url: str, bodies: list[bytes]) -> float:
    with httpx.Client() as client:
        return statistics.median(_ask(client, url, body) for body in bodies) * 1000


def _throughput(url: str, bodies: list[bytes]) -> float:
    def ask(share: list[bytes]) -> None:
        with httpx.Client() as client:
            for body in share:
                _ask(client, url, body)

    threads = [threading.Thread(target=ask, args=(bodies[number::CLIENTS],)) for number in range(CLIENTS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(bodies) / (time.perf_counter() - begin)
