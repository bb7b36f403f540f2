"""Drift: alarms when inputs have moved, and not when they have not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.artifacts import Candidate, Drift, ModelRef, Ref, Snapshot
from retrain.errors import DataError, DriftError, ObjectMissing
from retrain.ledger import StageDone, Trained
from retrain.ledger.release import Served, promote
from retrain.monitoring.reference import Reference
from retrain.stages import drift as module
from retrain.stages.drift import drift

DAY = timedelta(days=1)
THEN = datetime(2013, 3, 2, tzinfo=UTC)
LATER = THEN + 30 * DAY


def a_champion(orders: Any, snapshot: Snapshot, version: int = 1) -> Candidate:
    """A model trained on a snapshot, and promoted."""
    model = ModelRef(digest=f"{version:064x}", path="orders/models/1", files={})
    candidate = Candidate(
        key=f"candidate-{version}", pipeline="orders", features=Ref(kind="features", key="f", pipeline="orders"),
        snapshot=snapshot.ref(), data_end=snapshot.end, model=model, version=version, estimator="x.Y", params={},
        tried=1, validation_loss=0.1, train_rows=1, seed=0, run_id="r", environment={}, finite=True,
    )  # fmt: skip
    orders.site.store.create(Candidate.path("orders", candidate.key), candidate.to_bytes())
    plain = candidate.model_dump(mode="json")
    body = {"version": version, "candidate": candidate.ref().model_dump(), "snapshot": plain["snapshot"], "run_id": "r"}
    ledger = orders.site.ledger("orders")
    ledger.append(Trained.model_validate(body | {"model": plain["model"], "data_end": plain["data_end"]}), actor="test")
    ledger.append(promote(ledger.release(), Served(version=version, model=model), reason="x"), actor="test")
    return candidate


def the_drift(orders: Any, later: pd.DataFrame, **changes: Any) -> Drift:
    """The drift of later rows from sixty days of the same orders."""
    spec = orders.spec(**changes)
    orders.write(orders.frame(per_day=100), "1.parquet")
    if orders.site.ledger("orders").champion() is None:
        a_champion(orders, orders.collect(spec, THEN))
    orders.write(later, "2.parquet")
    return drift(spec, orders.request(LATER, "run-2"), orders.collect(spec, LATER, "run-2"), orders.site)


def later_rows(orders: Any) -> pd.DataFrame:
    return orders.frame(days=30, per_day=100, start=THEN, seed=1)


def column(found: Drift, name: str) -> Any:
    return next(column for column in found.columns if column.column == name)


def test_without_a_champion_nothing_has_drifted(orders: Any) -> None:
    orders.write(orders.frame())
    found = drift(orders.spec(), orders.request(), orders.collect(), orders.site)
    assert (found.reference, found.champion, found.drifted, found.columns) == (None, None, False, ())
    assert "no champion" in found.summary


@pytest.mark.parametrize("distance", ["cramer_von_mises", "psi", "jensen_shannon", "wasserstein"])
def test_the_same_orders_have_not_drifted_and_dearer_ones_have(orders: Any, distance: str) -> None:
    keys = {"distance": distance, "false_alarms": 0.001}
    same = the_drift(orders, later_rows(orders), drift=keys)
    assert not same.drifted, same.summary
    assert same.champion == 1
    dearer = the_drift(orders, later_rows(orders).assign(price=lambda f: f["price"] * 3), drift=keys)
    assert [c.column for c in dearer.columns if c.drifted] == ["price"]
    assert column(dearer, "price").value > column(dearer, "price").threshold
    assert column(dearer, "kind").distance == ("psi" if distance == "psi" else "jensen_shannon")


def test_a_new_category_and_missing_values_are_drift(orders: Any) -> None:
    later = later_rows(orders)
    later.loc[::2, "kind"] = "cars"
    later.loc[::2, "rain"] = np.nan
    found = the_drift(orders, later)
    assert [c.column for c in found.columns if c.drifted] == ["kind", "rain"]


@pytest.mark.parametrize("distance", ["cramer_von_mises", "psi", "jensen_shannon", "wasserstein"])
def test_a_column_that_is_empty_now_has_drifted(orders: Any, distance: str) -> None:
    found = the_drift(orders, later_rows(orders).assign(rain=np.nan), drift={"distance": distance})
    assert column(found, "rain").drifted


def test_a_constant_that_moved_has_a_finite_distance(orders: Any) -> None:
    orders.write(orders.frame(per_day=100).assign(price=1.0), "1.parquet")
    spec = orders.spec(drift={"distance": "wasserstein"})
    a_champion(orders, orders.collect(spec, THEN))
    orders.write(later_rows(orders).assign(price=2.0), "2.parquet")
    found = drift(spec, orders.request(LATER), orders.collect(spec, LATER), orders.site)
    assert column(found, "price").drifted


def test_only_inputs_are_compared_and_what_cannot_be_is_named(orders: Any) -> None:
    spec_keys = {"source": {"inputs": ["at", "id", "price"], "key": []}}
    found = the_drift(orders, later_rows(orders), **spec_keys)
    assert [c.column for c in found.columns] == ["price"]
    assert set(found.skipped) == {"at", "id"}
    assert "nearly every value is different" in found.skipped["id"]


def test_columns_and_threshold_can_be_given(orders: Any) -> None:
    found = the_drift(orders, later_rows(orders), drift={"columns": ["rain"], "threshold": 1e-6})
    assert [(c.column, c.threshold, c.drifted) for c in found.columns] == [("rain", 1e-6, True)]


def test_a_column_that_is_not_there(orders: Any) -> None:
    with pytest.raises(DataError, match=r"'wind', named in `drift\.columns`"):
        the_drift(orders, later_rows(orders), drift={"columns": ["wind"]})


def test_only_the_rows_since_the_champions_data_are_compared(orders: Any) -> None:
    later = later_rows(orders)
    later.loc[later["at"] > LATER - 8 * DAY, "price"] *= 100
    whole = column(the_drift(orders, later), "price").value
    orders.collect(end=LATER - 8 * DAY)
    champion = orders.collect(end=LATER - 8 * DAY, run="run-3")
    a_champion(orders, champion, version=2)
    newest = column(the_drift(orders, later), "price").value
    assert newest > whole


def test_too_few_new_rows_are_seen_among_those_of_a_week(orders: Any) -> None:
    orders.write(orders.frame(per_day=100))
    spec = orders.spec()
    a_champion(orders, orders.collect(spec, THEN))
    orders.write(orders.frame(days=1, per_day=3, start=THEN, seed=1), "2.parquet")
    snapshot = orders.collect(spec, THEN + DAY)
    found = drift(spec, orders.request(THEN + DAY), snapshot, orders.site)
    assert not found.drifted
    assert len(module._newest(spec, orders.site, snapshot, THEN, ["price"])) > 500


def test_the_reference_is_computed_once_and_kept(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = Reference.of
    monkeypatch.setattr(Reference, "of", lambda *args: (calls.append(1), original(*args))[1])
    first = the_drift(orders, later_rows(orders))
    again = the_drift(orders, later_rows(orders).assign(price=1.0))
    assert (len(calls), first.key != again.key) == (1, True)
    kept = json.loads(orders.site.store.get(f"orders/data/drift/{first.reference.key}/days.json"))
    assert set(kept["columns"]) == {"shop", "price", "kind", "rain", "delay"}


def test_it_is_done_once_and_anew_for_another_champion(orders: Any) -> None:
    later = later_rows(orders)
    first = the_drift(orders, later)
    assert the_drift(orders, later) == first
    a_champion(orders, orders.collect(end=LATER), version=2)
    second = the_drift(orders, later)
    assert (second.champion, second.reference.key != first.reference.key) == (2, True)
    written = [e.body.artifact.key for e in orders.site.ledger("orders").run_entries("run-2")]
    assert written[1:] == [first.key, second.key]


def test_columns_that_the_champions_data_had_otherwise_are_named(orders: Any) -> None:
    orders.write(orders.frame(per_day=100).drop(columns="rain").assign(code=1), "1.parquet")
    spec = orders.spec(source={"inputs": []})
    a_champion(orders, orders.collect(spec, THEN))
    (orders.site.settings.data / "orders" / "1.parquet").unlink()
    orders.write(later_rows(orders).assign(code="A"), "2.parquet")
    found = drift(spec, orders.request(LATER), orders.collect(spec, LATER), orders.site)
    assert found.skipped["rain"] == "not in the champion's data"
    assert "numbers in the champion's data, now str" in found.incomparable["code"]
    assert found.drifted


def test_a_column_that_is_gone_from_the_data_is_drift(orders: Any) -> None:
    orders.write(orders.frame(per_day=100), "1.parquet")
    spec = orders.spec(source={"inputs": []})
    a_champion(orders, orders.collect(spec, THEN))
    (orders.site.settings.data / "orders" / "1.parquet").unlink()
    orders.write(later_rows(orders).drop(columns="rain"), "2.parquet")
    found = drift(spec, orders.request(LATER), orders.collect(spec, LATER), orders.site)
    assert found.incomparable == {"rain": "it is not in the data any more"}
    assert (found.drifted, found.matters) == (True, True)


def test_a_champion_whose_snapshot_is_gone(orders: Any) -> None:
    orders.write(orders.frame(per_day=100))
    snapshot = orders.collect()
    a_champion(orders, snapshot)
    orders.site.store.delete(snapshot.parts[0].data.path)
    with pytest.raises(ObjectMissing):
        drift(orders.spec(), orders.request(), snapshot, orders.site)


DISTANCES = """
from retrain.metrics.distances import Distance

def shares(histogram):
    return [count / histogram.total for count in (*histogram.counts, histogram.missing)]

def total_variation(reference, current):
    return sum(abs(p - q) for p, q in zip(shares(reference), shares(current))) / 2

def undecided(reference, current):
    return float("nan")

TOTAL_VARIATION = Distance(total_variation, threshold=0.2)
UNDECIDED = Distance(undecided, threshold=0.2)
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a third party, with two distances."""
    (tmp_path / "acme_distances.py").write_text(DISTANCES)
    monkeypatch.syspath_prepend(tmp_path)
    return "acme_distances"


def test_anybodys_distance_is_named_by_its_import_path(orders: Any, acme: str) -> None:
    keys = {"distance": f"{acme}:TOTAL_VARIATION", "false_alarms": 0.001}
    same = the_drift(orders, later_rows(orders), drift=keys)
    assert not same.drifted, same.summary
    dearer = the_drift(orders, later_rows(orders).assign(price=lambda f: f["price"] * 3), drift=keys)
    assert [c.column for c in dearer.columns if c.drifted] == ["price"]
    assert {c.distance for c in dearer.columns} == {"acme_distances:TOTAL_VARIATION"}


def test_a_distance_that_gives_no_number_fails_the_stage_instead_of_finding_no_drift(orders: Any, acme: str) -> None:
    with pytest.raises(DriftError, match=r"'shop' of pipeline 'orders' .* 'acme_distances:UNDECIDED' returned nan"):
        the_drift(orders, later_rows(orders), drift={"distance": f"{acme}:UNDECIDED"})
    stages = [done.stage for _, done in orders.site.ledger("orders").of(StageDone)]
    assert "drift" not in stages
