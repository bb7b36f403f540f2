"""From ``retrain rollback`` to the last answer by the old model, under load; no request may fail."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from measure import Figure, figure, output
from served import Served, served_flights

from retrain.demo.data import live_requests, month_frame
from retrain.demo.traffic import Traffic
from retrain.demo.waiting import looks
from retrain.ledger import Release

RUNS, RATE = 5, 400
PATIENCE = 60.0


def measure(*, short: bool) -> list[Figure]:
    """Roll back and forth between two versions while requests flow; in short once, and fewer requests."""
    runs, rate = (1, RATE // 8) if short else (RUNS, RATE)
    requests = list(live_requests(month_frame(5).head(5000)))
    typed, written = [], []
    with tempfile.TemporaryDirectory() as scratch, served_flights(Path(scratch)) as served:
        for number in range(runs):
            old, new = (2, 1) if number % 2 == 0 else (1, 2)
            with Traffic(served.url, requests, name=f"bench{number}", rate=rate) as traffic:
                _await_answers(traffic, old, rate)
                began = time.time()
                _roll_back(served, to=new)
                entry, _ = next(served.site.ledger("flights").of(Release))
                _await_answers(traffic, new, 2 * rate)  # for two seconds: late ones by the old model have come by then
            if traffic.tally.failed:
                raise RuntimeError(f"{traffic.tally.failed} requests failed, the first one with {traffic.first_error}")
            last = max(answer.at for answer in traffic.answers if answer.version == old)
            typed.append(last - began)
            written.append(last - entry.at.timestamp())
    load = f"{rate} requests/s, 0 failed"
    return [
        figure("rollback: command typed → last answer by the old model", typed, "s", goal="< 1", peer=load),
        figure("rollback: ledger entry → last answer by the old model", written, "s", goal="< 1", peer=load),
    ]


def _await_answers(traffic: Traffic, version: int, count: int) -> None:
    """Wait until a version has given so many answers."""
    for _ in looks(PATIENCE):
        if traffic.tally.versions.get(version, 0) >= count:
            return
    raise RuntimeError(f"{traffic.tally} after {PATIENCE:g} s; the first error: {traffic.first_error}")


def _roll_back(served: Served, *, to: int) -> None:
    retrain = Path(sys.executable).with_name("retrain")
    output([str(retrain), "rollback", "flights", "--to", str(to), "--reason", "benchmark"], served.environment)
