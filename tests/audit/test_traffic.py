"""The traffic that releases are simulated with is what it says it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.artifacts import ModelRef
from retrain.audit.simulation import BEGIN
from retrain.audit.traffic import Stream, Traffic, parquet
from retrain.ledger.release import Release, Served
from retrain.log.parts import part_path, schema
from retrain.log.reader import LogReader
from retrain.metrics.label_loss import losses
from retrain.store.local import LocalStore


def release(state: Any = "ramping", share: float = 0.5) -> Release:
    champion, challenger = (
        Served(version=n, model=ModelRef(digest=f"{n:064x}", path=str(n), files={})) for n in (1, 2)
    )
    shadow = 1.0 if state == "shadowing" else 0.0
    return Release(state=state, champion=champion, challenger=challenger, share=share, shadow=shadow)


def stream(seed: int = 0, *, regression: bool = False, **traffic: Any) -> Stream:
    return Stream(Traffic(**traffic), np.random.default_rng(seed), BEGIN, regression=regression)


def sent(made: Stream, count: int, state: Any = "ramping", number: int = 1) -> pd.DataFrame:
    return made.requests(count, release(state), number).to_pandas()


def of(rows: pd.DataFrame, arm: str) -> pd.DataFrame:
    return rows[rows["arm"] == arm]


def test_rows_and_labels_are_the_logs_own(tmp_path: Any) -> None:
    made, store = stream(entities=10, fails=0.3), LocalStore(tmp_path)
    rows = made.requests(500, release(), 1)
    labels = made.labels()
    assert (rows.schema, labels.schema) == (schema("predictions"), schema("labels"))
    store.create(part_path("p", "predictions", BEGIN, "g", 1), parquet(rows))
    store.create(part_path("p", "labels", BEGIN, "g", 2), parquet(labels))
    read, known = LogReader(store, "p", BEGIN - timedelta(minutes=5)).poll()
    assert len(read) == len(rows)
    assert set(known["id"]) == {f"r{n}" for n in range(500)}


def test_each_request_is_answered_once_and_by_the_champion_where_the_challenger_fails() -> None:
    rows = sent(stream(fails=0.2), 2000)
    served = rows[rows["served"]]
    assert served["id"].is_unique
    failed = of(rows, "challenger")[of(rows, "challenger")["error"].notna()]
    assert set(failed["id"]) == set(of(rows, "fallback")["id"])
    assert rows["score"].isna().equals(rows["error"].notna())
    assert len(of(rows, "challenger")) == pytest.approx(1000, abs=100)


def test_one_entity_sees_one_arm() -> None:
    rows = sent(stream(entities=40), 2000)
    arms = rows[rows["arm"] != "fallback"].groupby("entity")["arm"].nunique()
    assert len(arms) == 40
    assert set(arms) == {1}


def test_zipf_lets_the_first_ask_most() -> None:
    asked = sent(stream(entities=1000, zipf=True), 5000)["entity"].value_counts(normalize=True)
    assert asked.index[0] == "e0"
    assert asked.iloc[0] == pytest.approx(1 / sum(1 / k for k in range(1, 1001)), abs=0.02)


def test_in_the_shadow_both_answer_and_the_challenger_fails_no_more_than_the_champion() -> None:
    rows = sent(stream(fails=0.0, fails_more=0.5), 300, "shadowing")
    assert (len(of(rows, "champion")), len(of(rows, "shadow"))) == (300, 300)
    assert rows["error"].isna().all()
    assert of(sent(stream(fails=0.0, fails_more=0.5), 300), "challenger")["error"].notna().mean() > 0.3


@pytest.mark.parametrize("entities", [None, 2000])
def test_the_challengers_loss_is_higher_by_what_is_said(entities: int | None) -> None:
    made = stream(fails=0.0, loss_more=0.2, entities=entities, icc=0.2 if entities else 0.0)
    rows, labels = sent(made, 100_000), made.labels().to_pandas()
    joined = rows.merge(labels, on="id")
    joined["loss"] = losses("binary", joined["score"], joined["label"], ())
    means = joined.groupby("arm")["loss"].mean()
    assert means["challenger"] - means["champion"] == pytest.approx(0.2, abs=0.03 if entities else 0.01)


def test_the_outcomes_of_one_entity_are_as_alike_as_is_said() -> None:
    made = stream(fails=0.2, icc=0.2, entities=20_000)
    rows = sent(made, 80_000)
    rows = rows[rows["arm"] != "fallback"].assign(failed=rows["error"].notna())
    pairs = rows.groupby("entity")["failed"].agg(lambda failed: list(failed[:2]))
    first, second = np.array([pair for pair in pairs if len(pair) == 2], dtype=float).T
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.2, abs=0.03)


def test_a_client_on_whom_both_fail() -> None:
    rows = sent(stream(fails=0.0, entities=500, broken_client=0.1), 4000)
    failed = rows[rows["error"].notna()]
    assert set(failed["entity"]) == {"e0"}
    assert len(failed) / 4000 == pytest.approx(0.1, abs=0.02)


def test_both_arms_fail_after_each_step() -> None:
    made = stream(fails=0.0, outage=100)
    assert sent(made, 200, "shadowing", number=1)["error"].isna().all()
    for number in (2, 3):
        rows = sent(made, 200, number=number)
        rows = rows[rows["arm"] != "fallback"].sort_values("at")
        assert rows["error"].notna().tolist() == [True] * 100 + [False] * 100


def test_the_labels_of_positives_come_late() -> None:
    made = stream(labels_late=(0.0, 500.0))
    made.requests(1000, release(), 1)
    soon = made.labels().to_pandas()
    made.requests(4000, release(), 1)
    later = made.labels().to_pandas()
    assert not set(soon["id"]) & set(later["id"])
    assert (soon["label"] == "true").mean() < 0.22
    assert (later["label"] == "true").mean() > 0.27
    assert (soon["at"] <= BEGIN + timedelta(seconds=1000)).all()


@pytest.mark.parametrize("moments", ["shared", "each arm's own"])
def test_slow_moments_last(moments: Any) -> None:
    made = stream(moments=moments, fails=0.0)
    parts = [sent(made, 10_000, "shadowing") for _ in range(2)]
    rows = pd.concat(parts)
    slow = {arm: np.log(of(rows, arm)["latency_ms"].to_numpy()) for arm in ("champion", "shadow")}
    for values in slow.values():
        assert np.corrcoef(values[:-1], values[1:])[0, 1] == pytest.approx(0.99, abs=0.005)
        assert values[9_950:10_050].std() < 0.5 * values.std()
    alike = np.corrcoef(slow["champion"], slow["shadow"])[0, 1]
    assert alike > 0.999 if moments == "shared" else abs(alike) < 0.4


def test_rare_errors_of_a_regression_are_as_large_and_as_rare_as_is_said() -> None:
    made = stream(regression=True, fails=0.0, large=500.0, rare=0.002)
    rows = sent(made, 50_000)
    assert (of(rows, "challenger")["score"] == 500.0).mean() == pytest.approx(0.002, abs=0.0008)
    assert of(rows, "champion")["score"].abs().max() < 10
    assert set(made.labels().to_pandas()["label"]) == {"0.0"}
