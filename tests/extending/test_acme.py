"""Everything that can be brought, brought by one package that is not ours, in one retraining and release."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from gateway_world import Client
from retrain import cli
from retrain.airflow.dag import RetrainDag
from retrain.artifacts import Drift, Rehearsal, Request, Scorecard, Snapshot, Verdict
from retrain.check import check
from retrain.data.frames import load_frame
from retrain.ledger import Excluded, Ledger, Release
from retrain.retraining import Ended, retrain
from retrain.serving.gateway import Gateway
from retrain.serving.options import Options
from retrain.site import Site
from retrain.spec import Spec
from waiting import wait_for

BEGINNING, MIDDLE, END = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 3, 4))
DISTANCE = "acme_retrain.distances:total_variation"
LINES = "application/x-ndjson"


class Shop:
    """Acme's pipeline: its database, its balancer, its journal, its gateway.

    :param acme: what Acme brings.
    :param folder: where everything lies.
    """

    def __init__(self, acme: Path, site: Site, folder: Path) -> None:
        self.site, self.random = site, np.random.default_rng(0)
        self.routes, self.journal = folder / "routes", folder / "journal.jsonl"
        self.routes.mkdir()
        self.folder = site.settings.pipelines / "orders"
        shutil.copytree(acme / "pipelines" / "orders", self.folder)
        file = self.folder / "pipeline.yaml"
        file.write_text(file.read_text().replace("/srv/acme", str(folder)))
        site.settings.data.mkdir(parents=True)
        self.sell(BEGINNING, MIDDLE, toys=0.5)

    def sell(self, start: datetime, end: datetime, *, toys: float) -> None:
        """Orders of some weeks, 40 a day, some share of them toys; dear ones are late, and express ones, too."""
        rows = 40 * (end - start).days
        at = start + pd.to_timedelta(np.sort(self.random.uniform(0, (end - start).total_seconds(), rows)), unit="s")
        price, express = self.random.uniform(1, 99, rows).round(2), self.random.integers(0, 2, rows)
        chance = 1 / (1 + np.exp(-(price - 50) / 10 - 6 * express + 3))
        frame = pd.DataFrame(
            {
                "id": [f"{start:%m}-{number}" for number in range(rows)],
                "at": pd.DatetimeIndex(at).floor("s").strftime("%Y-%m-%dT%H:%M:%S+00:00"),
                "customer": [f"c{number}" for number in self.random.integers(0, 300, rows)],
                "price": price,
                "kind": np.where(self.random.uniform(size=rows) < toys, "toys", "food"),
                "express": express,
                "late": (self.random.uniform(size=rows) < chance).astype(int),
            }
        )
        with closing(sqlite3.connect(self.site.settings.data / "shop.db")) as database:
            frame.to_sql("orders", database, index=False, if_exists="append")

    @property
    def ledger(self) -> Ledger:
        return Site(self.site.settings).ledger("orders")

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the journal heard."""
        return [json.loads(line) for line in self.journal.read_text().splitlines()]

    @property
    def routed(self) -> dict[int, dict[str, Any]]:
        """What the balancer was told, by the ledger's number."""
        return {int(file.stem[-8:]): json.loads(file.read_text()) for file in sorted(self.routes.glob("*.json"))}

    def made(self, kind: Any, stage: str) -> Any:
        """The newest artifact of a stage."""
        found = self.ledger.last_stage(stage)
        assert found is not None
        return self.site.read(kind, found[1].artifact)

    def typed(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
        """Type a command; it must leave with 0."""
        monkeypatch.setattr(sys, "argv", ["retrain", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code

    def retrain(self, **keys: Any) -> Ended:
        """The scheduled run at the end of the new month."""
        request = Request(data_end=END, run="scheduled-2", trigger="schedule", actor="airflow:schedule", **keys)
        return retrain(Spec.load(self.folder), request, Site(self.site.settings))

    def lines(self, rows: int) -> bytes:
        """Rows as Acme's callers send them."""
        random = np.random.default_rng()
        return b"\n".join(
            orjson.dumps({"customer": f"c{number}", "price": float(price), "kind": "toys", "express": 0})
            for number, price in zip(random.integers(0, 10**9, rows), random.uniform(1, 99, rows), strict=True)
        )


class Callers:
    """Whoever asks a gateway in Acme's protocol until they are told to stop; each answer is counted."""

    def __init__(self, client: Client, rows: Callable[[int], bytes]) -> None:
        self.client, self.rows = client, rows
        self.answered: list[dict[str, Any]] = []
        self.versions: set[str] = set()
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Callers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)

    def _ask(self) -> None:
        while not self._stop.wait(0.1):
            content = self.rows(10)
            answer = self.client.post("/pipelines/orders/lines", content=content, headers={"content-type": LINES})
            if answer.status_code != 200:
                self.failed.append(answer.text)
                continue
            self.versions |= set(answer.headers["x-retrain-version"].split(","))
            self.answered += [orjson.loads(line) for line in answer.content.splitlines()]


@pytest.fixture
def shop(acme: Path, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    for name, value in site.settings.environment().items():
        monkeypatch.setenv(name, value)
    return Shop(acme, site, tmp_path)


@pytest.fixture
def client(shop: Shop) -> Iterator[Callable[[], Client]]:
    """A gateway in this process that speaks Acme's protocol too."""
    opened: list[Client] = []

    def open_client() -> Client:
        options = Options(protocols=("lines",), poll=0.05, ship_every=0.1)
        made = Client(Gateway(Site(shop.site.settings), ("orders",), options))
        opened.append(made)
        wait_for(lambda: made.get("/health").status_code == 200, "the champion")
        return made

    yield open_client
    for one in opened:
        one.close()


def test_one_retraining_and_release_of_what_acme_brings(
    shop: Shop,
    client: Callable[[], Client],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("retrain.targets._sandbox.sandbox", lambda *_: pytest.fail("ours rehearses"))
    wrong = [finding for finding in check(shop.folder, shop.site.settings) if not finding.ok]
    assert not wrong
    assert "`orders` in `shop.db`" in RetrainDag(shop.folder).doc_md

    spec = Spec.load(shop.folder)
    plain = json.loads(json.dumps(spec.model_dump(mode="json", by_alias=True)))
    assert Spec.model_validate({**plain, "folder": shop.folder}) == spec, "as it travels to the triggerer"

    shop.typed(monkeypatch, "run", "orders")
    first_run_is_promoted(shop, capsys.readouterr().out)

    shop.sell(MIDDLE, END, toys=0.9)
    gateway = client()
    with Callers(gateway, shop.lines) as callers:
        ended = shop.retrain()
    assert ended.decision == "promoted", ended.headline

    the_source_gave_the_rows(shop)
    the_distance_made_the_run_go_on(shop)
    the_gate_and_the_metric_decided(shop)
    the_target_was_told_of_everything(shop)
    its_watch_let_the_canary_pass(shop)
    callers_were_answered_in_their_protocol(callers, gateway)
    the_journal_heard_how_it_ended(shop)
    shop.typed(monkeypatch, "versions", "orders")
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [["1", "blessed"], ["2", "released"]]


def first_run_is_promoted(shop: Shop, out: str) -> None:
    assert "data until 2024-03-01 00:00 UTC" in out, "the source said where its data end"
    assert shop.ledger.release().serves(1)
    assert [event["kind"] for event in shop.told] == ["promoted"]
    assert list(shop.routed.values())[-1] == {"champion": 1, "challenger": None, "share": 0.0}


def the_source_gave_the_rows(shop: Shop) -> None:
    (origin,) = shop.made(Snapshot, "collect").sources
    assert origin.path == f"{shop.site.settings.data}/shop.db:orders"
    with closing(sqlite3.connect(shop.site.settings.data / "shop.db")) as database:
        window = ((END - timedelta(days=60)).isoformat(), END.isoformat())
        ((rows,),) = database.execute("SELECT count(*) FROM orders WHERE at >= ? AND at < ?", window)
    assert shop.made(Snapshot, "collect").rows == rows


def the_distance_made_the_run_go_on(shop: Shop) -> None:
    """A scheduled run ends where nothing has drifted."""
    drift = shop.made(Drift, "drift")
    assert {column.distance for column in drift.columns} == {DISTANCE}
    moved = {column.column: column for column in drift.columns}
    assert moved["kind"].drifted
    assert moved["kind"].value == pytest.approx(0.4, abs=0.05), "half of it was toys, now nine tenths"
    assert moved["price"].value < 0.1


def the_gate_and_the_metric_decided(shop: Shop) -> None:
    verdict, scorecard = shop.made(Verdict, "bless"), shop.made(Scorecard, "evaluate")
    gates = {result.gate: result for result in verdict.gates}
    assert list(gates) == ["stability", "change", "baseline", "equal_rates"]
    assert set(gates["equal_rates"].evidence["groups"]) == {"0", "1"}
    assert gates["equal_rates"].outcome == "passed"
    assert gates["change"].evidence["metric"] == "cost"
    held_out = load_frame(shop.site, scorecard.predictions)
    late, expected = held_out["label"], held_out["challenger"]
    assert scorecard.scores[0].metric == "cost"
    assert scorecard.scores[0].challenger == pytest.approx((5 * late * (1 - expected) + (1 - late) * expected).mean())


def the_target_was_told_of_everything(shop: Shop) -> None:
    """Each routing decision, once, by its number; and the rehearsal was its own."""
    entries = {entry.number: release for entry, release in shop.ledger.of(Release)}
    assert [release.state for _, release in sorted(entries.items())] == ["promoted", "shadowing", "ramping", "promoted"]
    routed = {number: route for number, route in shop.routed.items() if number}
    assert set(routed) == set(entries)
    for number, release in entries.items():
        challenger = release.challenger and release.challenger.version
        assert (routed[number]["challenger"], routed[number]["share"]) == (challenger, release.share)
    assert shop.made(Rehearsal, "rehearse").passed


def its_watch_let_the_canary_pass(shop: Shop) -> None:
    _, passed = next(shop.ledger.of(Excluded))
    metrics = {metric["name"]: metric for metric in passed.evidence["metrics"]}
    assert set(metrics) == {"errors", "answers"}
    assert metrics["answers"]["within"]
    assert metrics["answers"]["challenger_rows"] >= 40 > 20, "its target asks for more than the pipeline"
    assert "answers: " in passed.reason


def callers_were_answered_in_their_protocol(callers: Callers, gateway: Client) -> None:
    """Nobody asked in another, so that shadow and canary can have seen nothing else."""
    assert not callers.failed
    assert callers.versions == {"1", "2"}
    assert all({"id", "prediction", "probability"} == set(answer) for answer in callers.answered)
    counted = gateway.get("/metrics").text
    assert 'route="lines",status="200"' in counted
    assert 'route="invocations"' not in counted


def the_journal_heard_how_it_ended(shop: Shop) -> None:
    assert [(event["kind"], event["version"]) for event in shop.told] == [("promoted", 1), ("promoted", 2)]
    assert "the canary passed" in shop.told[-1]["headline"]
