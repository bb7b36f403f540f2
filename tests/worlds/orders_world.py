"""A small pipeline: will an order arrive late? With files to change, and its data stages to run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.artifacts import FeatureSet, FileRef, Request, Snapshot, Validation
from retrain.data.frames import load_frame, load_parts
from retrain.data.labels import ROW, TIME
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.collect import collect
from retrain.stages.features import features
from retrain.stages.validate import validate

START = datetime(2013, 1, 1, tzinfo=UTC)
END = datetime(2013, 3, 2, tzinfo=UTC)  # after 60 days
FEATURES = """
import pandas as pd

def build(frame):
    kinds = {"food": 0.0, "toys": 1.0}
    return pd.DataFrame({
        "price": frame["price"],
        "rain": frame["rain"].fillna(-1.0),
        "kind": frame["kind"].map(kinds).astype(float),
        "hour": pd.to_datetime(frame["at"], utc=True).dt.hour,
    })
"""
NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "price"}}


class Orders:
    """The pipeline `orders` in a folder of its own.

    :param site: where it runs.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.folder = site.settings.pipelines / "orders"
        self.folder.mkdir(parents=True)
        self.write_features(FEATURES)
        self.write_suite(NOT_NULL)

    # -- what there is -------------------------------------------------------------------------------------------

    def frame(self, days: int = 60, per_day: int = 20, start: datetime = START, seed: int = 0) -> pd.DataFrame:
        """Orders at random moments; every tenth has no outcome yet."""
        random = np.random.default_rng(seed)
        rows = days * per_day
        at = pd.to_datetime(
            [start + timedelta(minutes=float(m)) for m in np.sort(random.uniform(0, days * 1440, rows))]
        )
        delay = random.normal(0, 10, rows).round()
        delay[::10] = np.nan
        rain = random.gamma(1, 2, rows)
        rain[::7] = np.nan
        return pd.DataFrame(
            {
                "id": [f"{seed}-{number}" for number in range(rows)],
                "at": at.floor("s").as_unit("us"),
                "shop": random.integers(0, 30, rows),
                "price": random.lognormal(2, 1, rows).round(2),
                "kind": random.choice(["food", "toys"], rows),
                "rain": rain,
                "delay": delay,
            }
        )

    def write(self, frame: pd.DataFrame, name: str = "orders.parquet", **options: Any) -> Path:
        """Put a file where the source looks for it: Parquet or CSV, by its name."""
        file = self.site.settings.data / "orders" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".parquet":
            frame.to_parquet(file, index=False, **options)
        else:
            frame.to_csv(file, index=False, **options)
        return file

    def write_features(self, code: str) -> Path:
        file = self.folder / "features.py"
        file.write_text(code)
        return file

    def write_suite(self, *expectations: dict[str, Any]) -> Path:
        file = self.folder / "expectations.json"
        suite = {"name": "orders", "expectations": list(expectations), "meta": {"great_expectations_version": "1.24.1"}}
        file.write_text(json.dumps(suite, indent=2))
        return file

    def spec(self, *, source: dict[str, Any] | None = None, **changes: Any) -> Spec:
        keys: dict[str, Any] = {
            "files": "orders/*",
            "timestamp": "at",
            "entity": "shop",
            "key": "id",
            "label": "late",
            "label_expression": "delay >= 0",
            "inputs": ["at", "shop", "price", "kind", "rain"],
            "window": "60d",
        }
        content = {
            "name": "orders",
            "task": "binary",
            "source": keys | (source or {}),
            "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}], "holdout": "14d", "tuning": "7d"},
            "folder": self.folder,
        }
        return Spec.model_validate(content | changes)

    # -- what is done with it ------------------------------------------------------------------------------------

    def request(self, end: datetime = END, run: str = "run-1") -> Request:
        return Request(data_end=end, run=run, actor="test")

    def collect(self, spec: Spec | None = None, end: datetime = END, run: str = "run-1") -> Snapshot:
        return collect(spec or self.spec(), self.request(end, run), self.site)

    def validate(self, spec: Spec | None = None, end: datetime = END) -> Validation:
        spec = spec or self.spec()
        return validate(spec, self.request(end), self.collect(spec, end), self.site)

    def features(
        self, spec: Spec | None = None, end: datetime = END, validation: Validation | None = None
    ) -> FeatureSet:
        """The features of a snapshot that was found valid, unless another result is given."""
        spec, snapshot = spec or self.spec(), self.collect(spec, end)
        ref, rows = snapshot.ref(), snapshot.rows
        found = Validation(key="v", pipeline="orders", snapshot=ref, success=True, rows=rows, results=())
        return features(spec, self.request(end), snapshot, validation or found, self.site)

    def load(self, ref: FileRef) -> pd.DataFrame:
        return load_frame(self.site, ref)

    def rows(self, snapshot: Snapshot) -> pd.DataFrame:
        return load_parts(self.site, snapshot.parts)

    def train(self, made: FeatureSet) -> pd.DataFrame:
        """The rows before the split."""
        return load_parts(self.site, made.parts, time=TIME, until=made.split_at).drop(columns=ROW)

    def holdout(self, made: FeatureSet) -> pd.DataFrame:
        """The rows from the split on."""
        return load_parts(self.site, made.parts, time=TIME, since=made.split_at).drop(columns=ROW)


@pytest.fixture
def orders(site: Site) -> Orders:
    """The pipeline with its folder; no data yet."""
    return Orders(site)
