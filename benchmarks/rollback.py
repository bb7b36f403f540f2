"""From ``retrain rollback`` to the last answer by the old model, under load; no request may fail."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Figure, figure
from served import Served, served_flights

from retrain.demo.data import live_requests, month_frame
from retrain.demo.traffic import Traffic
from retrain.ledger import Release

RUNS = 5
RATE = 400


def measure() -> list[Figure]:
    """Roll back and forth between two versions while requests flow."""
    requests = list(live_requests(month_frame(5).head(5000)))
    typed, written, failed = [], [], 0
    with tempfile.TemporaryDirectory() as scratch, served_flights(Path(scratch)) as served:
        for number in range(RUNS):
            with Traffic(served.url, requests, name=f"bench{number}", rate=RATE) as traffic:
                _await_answers(traffic)
                began = time.time()
                _roll_back(served, to=2 - (number + 1) % 2)
                entry, _ = next(served.site.ledger("flights").of(Release))
                time.sleep(1.5)
            failed += traffic.tally.failed
            old = traffic.answers[0].version
            last = max(answer.at for answer in traffic.answers if answer.version == old)
            typed.append(last - began)
            written.append(last - entry.at.timestamp())
    load = f"{RATE} requests/s, {failed} failed"
    return [
        figure("rollback: command typed → last answer by the old model", typed, "s", goal="< 1", peer=load),
        figure("rollback: ledger entry → last answer by the old model", written, "s", goal="< 1", peer=load),
    ]


def _await_answers(traffic: Traffic) -> None:
    while traffic.tally.answered < RATE:
        time.sleep(0.05)


def _roll_back(served: Served, *, to: int) -> None:
    retrain = Path(sys.executable).with_name("retrain")
    command = [str(retrain), "rollback", "flights", "--to", str(to), "--reason", "benchmark"]
    subprocess.run(command, env=served.environment, check=True, stdout=subprocess.DEVNULL)
