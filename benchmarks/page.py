"""How soon the operators' page shows something, and how much it fetches, beside Airflow's own page of Dags.

A real Airflow with 1, 30 and 200 pipelines, each with a ledger of 500 entries, in a real browser whose cache is empty.
"First paint" is when the first pipeline can be read, not an empty frame.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measure import Figure, figure
from parse import ROOT, _pipelines

from retrain.artifacts import ModelRef, Ref, canonical, digest
from retrain.demo.airflow import LocalAirflow
from retrain.demo.waiting import looks
from retrain.ledger import GENESIS, Judged, Ledger, Served, StageDone, Trained
from retrain.ledger import release as machine
from retrain.store.local import LocalStore

RUNS, COUNTS, ENTRIES = 5, (1, 30, 200), 500
PATIENCE = 300.0


def measure(*, short: bool) -> list[Figure]:
    """Open each page several times; in short once, and few pipelines."""
    runs, counts, entries = (1, (1, 5), 30) if short else (RUNS, COUNTS, ENTRIES)
    figures: list[Figure] = []
    for count in counts:
        with _airflow(count, entries) as airflow:
            theirs = [_opened(airflow, "/dags", 'a[href="/dags/flights_0"]') for _ in range(runs)]
            peer = f"Airflow's Dags: {_median(theirs, 'ms'):.0f} ms, {_median(theirs, 'bytes') / 1024:,.0f} KB"
            for what, path, row in _views(count):
                _opened(airflow, path, row)  # the ledgers are read once; after that what is new is
                ours = [_opened(airflow, path, row) for _ in range(runs)]
                goal = "< 300" if what == "all pipelines" else ""
                name = f"page: {what}, of {count}"
                figures.append(figure(f"{name}, first paint", [one["ms"] for one in ours], "ms", goal=goal, peer=peer))
                figures.append(figure(f"{name}, fetched", [one["bytes"] / 1024 for one in ours], "KB", peer=peer))
    return figures


def _views(count: int) -> Iterator[tuple[str, str, str]]:
    """What is looked at: its name, its address, and what has to be seen of it."""
    yield "all pipelines", "/retrain/", "text=flights_0"
    if count == 1:
        yield "a pipeline", "/retrain/#/pipelines/flights_0", "text=What served when"
        yield "a version", "/retrain/#/pipelines/flights_0/versions/2", "text=because"


def _median(found: list[dict[str, float]], name: str) -> float:
    return sorted(one[name] for one in found)[len(found) // 2]


def _opened(airflow: LocalAirflow, path: str, shown: str) -> dict[str, float]:
    """Open a page in a fresh browser; until what has to be seen is, and what was fetched."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(base_url=airflow.url)
        context.add_cookies([{"name": "_token", "value": airflow.api.token(), "url": airflow.url}])
        page = context.new_page()
        cdp = context.new_cdp_session(page)
        fetched: list[float] = []
        cdp.on("Network.loadingFinished", lambda event: fetched.append(event["encodedDataLength"]))
        cdp.send("Network.enable")
        page.goto(path, wait_until="commit")
        page.locator(shown).first.wait_for(timeout=120_000)  # the first look reads every ledger
        spent = page.evaluate("performance.now()")
        page.wait_for_load_state("networkidle")
        browser.close()
    return {"ms": float(spent), "bytes": sum(fetched)}


@contextmanager
def _airflow(count: int, entries: int) -> Iterator[LocalAirflow]:
    """An Airflow that knows so many pipelines, each with its past."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        _pipelines(work / "pipelines", count)
        _ledgers(work / "home" / "store", count, entries)
        environment = {"RETRAIN_HOME": str(work / "home"), "RETRAIN_PIPELINES": str(work / "pipelines")}
        with LocalAirflow(work / "airflow", ROOT / "dags", environment=environment) as airflow:
            for _ in looks(PATIENCE):
                if airflow.api.call("GET", "/dags", params={"limit": 1})["total_entries"] >= count:
                    break
            else:
                raise RuntimeError(f"Not all of {count} Dags have been parsed after {PATIENCE:g} s.")
            yield airflow


def _ledgers(store: Path, count: int, entries: int) -> None:
    """One past, and copies of it for the other pipelines, each a chain of its own."""
    store.mkdir(parents=True)
    first = Ledger(LocalStore(store), "flights_0")
    _write(first, entries)
    told = [entry.model_dump(mode="json") for entry in first.entries()]
    for number in range(1, count):
        _copy(store, f"flights_{number}", told)


def _write(ledger: Ledger, entries: int) -> None:
    """Runs, each with its stages, a version and a verdict; every second one is promoted."""
    number = 0
    while ledger.head < entries:
        number += 1
        ref = Ref(kind="candidate", key=f"c{number}", pipeline=ledger.pipeline)
        model = ModelRef(digest=f"{number:064x}", path=f"{ledger.pipeline}/models/{number}", files={})
        moment: Any = "2026-04-01T00:00:00Z"
        bodies = [
            *(
                StageDone(stage=stage, artifact=ref, made_at=moment, summary="done")
                for stage in ("collect", "validate")
            ),
            Trained(version=number, candidate=ref, model=model, data_end=moment, snapshot=ref, run_id="r"),
            Judged(version=number, outcome="blessed" if number % 2 else "vetoed", reason="because", verdict=None),
        ]
        if number % 2:
            bodies.append(machine.promote(ledger.release(), Served(version=number, model=model), reason="better"))
        for body in bodies:
            ledger.append(body, actor="bench", run=f"run-{number}")


def _copy(store: Path, pipeline: str, told: list[dict[str, Any]]) -> None:
    folder, previous = store / pipeline / "ledger", GENESIS
    folder.mkdir(parents=True)
    for entry in told:
        data = canonical({**entry, "pipeline": pipeline, "previous": previous})
        (folder / f"{entry['number']:08d}.json").write_bytes(data)
        previous = digest(data)


if __name__ == "__main__":
    print(json.dumps([one.__dict__ for one in measure(short=True)], indent=1))
