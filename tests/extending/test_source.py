"""A kind of source that somebody brings: one file, named by import path, and every part of the system works with it."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from retrain import cli
from retrain.artifacts import Request, Snapshot
from retrain.check import Finding, check
from retrain.data.frames import load_parts
from retrain.errors import DataError, EmptyWindow, SourceError, TrainingError
from retrain.site import Site
from retrain.spec import Spec
from retrain.spec.source import Source
from retrain.stages.collect import collect

START, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 3, 2, tzinfo=UTC)
SPEC = {
    "name": "orders",
    "task": "binary",
    "source": {
        "kind": "acme_retrain.sources:Sqlite",
        "database": "shop.db",
        "table": "orders",
        "timestamp": "at",
        "key": "id",
        "label": "late",
        "inputs": ["at", "price", "kind"],
        "window": "60d",
    },
    "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}], "holdout": "14d", "tuning": "7d"},
}
FEATURES = """
def build(frame):
    return frame[["price"]].assign(hour=frame["at"].dt.hour, toys=(frame["kind"] == "toys").astype("float64"))
"""
SUITE = {
    "name": "orders",
    "expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "price"}}],
}


class Shop:
    """A pipeline whose rows lie in a database.

    :param site: where it runs.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.folder = site.settings.pipelines / "orders"
        self.folder.mkdir(parents=True)
        site.settings.data.mkdir(parents=True)
        (self.folder / "features.py").write_text(FEATURES)
        (self.folder / "expectations.json").write_text(json.dumps(SUITE))
        self.write_spec()
        self.write(self.frame())

    def write_spec(self, **source: Any) -> Spec:
        keys = {key: value for key, value in (SPEC["source"] | source).items() if value is not None}  # type: ignore[operator]
        (self.folder / "pipeline.yaml").write_text(yaml.safe_dump(SPEC | {"source": keys}))
        return Spec.load(self.folder)

    def frame(self, days: int = 70, per_day: int = 20) -> pd.DataFrame:
        """Orders of some days, of which ten lie before the window."""
        random = np.random.default_rng(0)
        rows = days * per_day
        at = START - timedelta(days=10) + pd.to_timedelta(np.sort(random.uniform(0, days * 1440, rows)), unit="min")
        return pd.DataFrame(
            {
                "id": range(rows),
                "at": pd.DatetimeIndex(at).floor("s").strftime("%Y-%m-%dT%H:%M:%S+00:00"),
                "price": random.lognormal(2, 1, rows).round(2),
                "kind": random.choice(["food", "toys"], rows),
                "note": None,
                "late": random.integers(0, 2, rows),
            }
        )

    def write(self, frame: pd.DataFrame) -> None:
        with closing(sqlite3.connect(self.site.settings.data / "shop.db")) as database:
            frame.to_sql("orders", database, index=False, if_exists="replace")

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.site.settings.data / "shop.db")) as database, database:
            database.execute(statement)

    def collect(self, spec: Spec | None = None, end: datetime = END) -> Snapshot:
        request = Request(data_end=end, run="run-1", actor="test")
        return collect(spec or Spec.load(self.folder), request, self.site)

    def wrong(self) -> list[Finding]:
        return [finding for finding in check(self.folder, self.site.settings) if not finding.ok]


@pytest.fixture
def shop(site: Site, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr("retrain.check._dag", lambda spec: iter(()))
    return Shop(site)


# -- collect -----------------------------------------------------------------------------------------------------


def test_its_rows_of_the_window_are_those_a_file_would_give(shop: Shop) -> None:
    snapshot = shop.collect()
    rows = load_parts(shop.site, snapshot.parts)
    files = shop.write_spec(kind=None, database=None, table=None, files="orders.csv")
    shop.frame().to_csv(shop.site.settings.data / "orders.csv", index=False)
    pd.testing.assert_frame_equal(rows, load_parts(shop.site, shop.collect(files).parts))
    assert (snapshot.start, snapshot.end) == (START, END)
    assert set(snapshot.columns) == {"id", "at", "price", "kind", "late"}, "what nobody asks for is not read"
    assert snapshot.summary.endswith("shop.db:orders")


def test_a_column_of_nothing_in_one_batch_only_is_what_the_others_are(shop: Shop) -> None:
    shop.execute("UPDATE orders SET note = 'gift' WHERE id = 1390")
    spec = shop.write_spec(inputs=["at", "price", "note"])
    notes = load_parts(shop.site, shop.collect(spec).parts)["note"]
    assert notes.dropna().tolist() == ["gift"]


def test_the_same_rows_are_the_same_snapshot_and_are_not_read_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acme_retrain import sources

    def again(*_: object) -> Iterator[Any]:
        yield pytest.fail("it is read again")

    first = shop.collect()
    monkeypatch.setattr(sources, "_batches", again)
    assert shop.collect() == first
    monkeypatch.undo()
    shop.execute("UPDATE orders SET price = 1 WHERE id = 700")
    assert shop.collect().key != first.key


def test_its_kind_and_its_keys_are_part_of_what_a_snapshot_is_named_by(shop: Shop) -> None:
    fragment = shop.write_spec().fragment("source")["source"]
    assert (fragment["kind"], fragment["table"]) == ("acme_retrain.sources:Sqlite", "orders")
    shop.execute("CREATE TABLE copy AS SELECT * FROM orders")
    assert shop.collect(shop.write_spec(table="copy")).key != shop.collect(shop.write_spec()).key


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE orders SET at = NULL WHERE id = 3", r"1 rows .* no readable timestamp.*id=3"),
        ("UPDATE orders SET at = '2013-02-01 noonish' WHERE id = 3", r"1 rows .* '2013-02-01 noonish' in `at`"),
        ("ALTER TABLE orders RENAME COLUMN price TO prices", r"'price' .* is not in what its source gives"),
    ],
)
def test_what_is_refused_of_a_file_is_refused_of_it_too(shop: Shop, statement: str, says: str) -> None:
    shop.execute(statement)
    with pytest.raises(DataError, match=says) as caught:
        shop.collect()
    assert "shop.db:orders" in str(caught.value)


def test_rows_of_the_future_are_refused(shop: Shop) -> None:
    tomorrow = datetime.now(UTC) + timedelta(hours=6)
    shop.execute(f"UPDATE orders SET at = '{tomorrow.isoformat()}' WHERE id = 3")
    with pytest.raises(DataError, match=r"1 rows .* in the future"):
        shop.collect(end=datetime.now(UTC))


def test_a_window_without_rows_is_empty(shop: Shop) -> None:
    with pytest.raises(EmptyWindow, match=r"no rows in the window \[2013-12-01.*newest is of 2013-03-01 23:\d\d"):
        shop.collect(end=END + timedelta(days=334))
    shop.execute("DELETE FROM orders")
    with pytest.raises(EmptyWindow, match="the source holds none"):
        shop.collect()
    assert shop.site.ledger("orders").head == 0


# -- check, the Dag and the data's end ---------------------------------------------------------------------------


def test_check_finds_nothing_wrong_with_it(shop: Shop) -> None:
    found = check(shop.folder, shop.site.settings)
    assert all(finding.ok for finding in found), found
    assert "1 tables match, with all 5 columns" in [finding.what for finding in found]


def test_check_finds_what_is_wrong_with_it(shop: Shop) -> None:
    shop.write_spec(inputs=["at", "price", "knid"], timestamp_format="%d.%m.%Y")
    (column,) = [finding for finding in shop.wrong() if finding.subject == "source"]
    assert (column.what, column.do) == ("Column 'knid' is not in shop.db:orders.", "did you mean `kind`?")
    shop.write_spec(timestamp_format="%d.%m.%Y")
    (timestamp,) = [finding for finding in shop.wrong() if finding.subject == "source"]
    assert "50 of the first 50 values of 'at' are not %d.%m.%Y" in timestamp.what
    shop.write_spec(database="other.db")
    assert {finding.what for finding in shop.wrong()} == {"There is no database other.db."}


def test_its_dag_says_what_is_read(shop: Shop) -> None:
    from retrain.airflow.dag import RetrainDag

    assert "| Data | `orders` in `shop.db`, the last 60d |" in RetrainDag(shop.folder).doc_md


def test_a_database_that_is_not_there_has_no_end(shop: Shop) -> None:
    from retrain.sources.base import Place

    place = Place.of(shop.write_spec(), shop.site.settings)
    assert shop.write_spec().source.newest(place) == pd.Timestamp(shop.frame()["at"].max())
    with pytest.raises(SourceError, match="no database"):
        shop.write_spec(database="other.db").source.newest(place)


def test_a_retraining_ends_its_data_after_its_newest_row_and_comes_to_features(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def far_enough(*_: object) -> None:
        raise TrainingError("far enough")

    for name, value in shop.site.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("retrain.stages.train.train", far_enough)
    monkeypatch.setattr(sys, "argv", ["retrain", "run", "orders"])
    with pytest.raises(SystemExit):
        cli.main()
    out, err = capsys.readouterr()
    assert "far enough" in err
    assert "data until 2013-03-02 00:00 UTC" in out
    assert all(f"✓ {stage}" in out for stage in ("collect", "validate", "drift", "features")), out
    kinds = [entry.kind for entry in Site(shop.site.settings).ledger("orders").entries()]
    assert kinds[:4] == ["stage"] * 4


def test_a_source_that_decides_itself_whom_a_row_is_about_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from acme_retrain import sources

    class Presuming(sources.Sqlite):
        entity: str = "customer"

    monkeypatch.setattr(sources, "Presuming", Presuming, raising=False)
    with pytest.raises(ValueError, match=r"leaves `entity` to pipeline\.yaml"):
        Source.model_validate({"kind": "acme_retrain.sources:Presuming", "timestamp": "at", "label": "late"})
