"""A workshop: small pipelines with made-up rows, from a frame to a verdict, without Airflow and Great Expectations."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from retrain.artifacts import Candidate, FeatureSet, Request, Scorecard, Snapshot, Validation, Verdict, identity
from retrain.data.partitions import keep_parts
from retrain.ledger import release
from retrain.ledger.release import Served
from retrain.model.rows import TEXT
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.bless import bless
from retrain.stages.evaluate import evaluate
from retrain.stages.features import features
from retrain.stages.train import train

FEATURES = """
import pandas as pd

def build(frame):
    red = (frame["colour"] == "red").astype(float)
    return pd.DataFrame({"x": frame["x"].astype(float), "red": red, "leak": frame["leak"].astype(float)})
"""
END = datetime(2020, 3, 1, tzinfo=UTC)
LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression", "search": {"C": [0.1, 1.0]}, "scale": True}
TREES = {
    "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
    "params": {"max_iter": 15, "max_leaf_nodes": 7},
}


def rows(end: datetime = END, *, seed: int = 0, days: int = 50, per_day: int = 60, leak: bool = False) -> pd.DataFrame:
    """Rows whose label follows from x and colour, in time order, up to ``end``."""
    random = np.random.default_rng(seed)
    count = days * per_day
    times = pd.date_range(end=end, periods=count + 1, freq=timedelta(days=days) / count, inclusive="left")
    x = random.normal(size=count)
    colour = random.choice(["red", "green", "blue"], p=[0.5, 0.45, 0.05], size=count)
    late = random.random(count) < 1 / (1 + np.exp(-(1.5 * x + (colour == "red") - 0.5)))
    return pd.DataFrame(
        {
            "at": times.as_unit("us"),
            "x": x,
            "colour": pd.array(colour, dtype=TEXT),
            "leak": np.where(late, 1.0, 0.0) if leak else random.normal(size=count),
            "late": late,
        }
    )


class Workshop:
    """One pipeline in a place of its own."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        folder.mkdir(parents=True)
        (folder / "features.py").write_text(FEATURES)
        self.spec = self.write()

    def write(self, **keys: Any) -> Spec:
        """Write pipeline.yaml anew with some keys changed; None takes a key of ``bless`` away."""
        content: dict[str, Any] = {
            "name": self.folder.name,
            "task": "binary",
            "source": {"files": "*.parquet", "timestamp": "at", "label": "late", "inputs": ["x", "colour", "leak"]},
            "train": {"candidates": [LOGISTIC, TREES], "budget": 3, "holdout": "10d", "tuning": "5d", "seed": 1},
            "bless": {
                "change": {"absolute": 0.02},
                "slices": {"columns": ["colour"], "min_rows": 100},
            },
        }
        for key, value in keys.items():
            content[key] = {**content[key], **value} if isinstance(value, dict) and key in content else value
        content["bless"] = {key: value for key, value in content["bless"].items() if value is not None}
        (self.folder / "pipeline.yaml").write_text(yaml.safe_dump(content))
        self.spec = Spec.load(self.folder)
        return self.spec

    def fresh_site(self) -> Site:
        """The same place as a new process sees it."""
        self.site = Site(self.site.settings)
        return self.site

    def start_anew(self) -> Site:
        """The store as it was before anything was made, and a machine that has never read its ledger."""
        home = self.site.settings.home
        (home / "store" / self.spec.name).rename(home / f"old-{uuid.uuid4().hex}")
        shutil.rmtree(home / "ledgers")
        return self.fresh_site()

    def snapshot(self, frame: pd.DataFrame, end: datetime = END) -> tuple[Snapshot, Validation]:
        """Rows as collect and validate would hand them on."""
        name = self.spec.name
        key = identity("snapshot", rows=int(pd.util.hash_pandas_object(frame).sum()), end=end)
        snapshot = Snapshot(
            key=key,
            pipeline=name,
            start=end - timedelta(days=90),
            end=end,
            newest=frame["at"].max().to_pydatetime(),
            parts=keep_parts(self.site, name, frame, "at", end - timedelta(days=90), end),
            columns={str(column): str(dtype) for column, dtype in frame.dtypes.items()},
            sources=(),
        )
        validation = Validation(
            key=identity("validation", snapshot=key),
            pipeline=name,
            snapshot=snapshot.ref(),
            success=True,
            rows=len(frame),
            results=(),
        )
        for artifact in (snapshot, validation):
            self.site.store.create(artifact.path(name, artifact.key), artifact.to_bytes())
        return snapshot, validation

    def request(self, run: str = "run-1", end: datetime = END, **keys: Any) -> Request:
        return Request(data_end=end, run=run, actor="test", **keys)

    def features(self, frame: pd.DataFrame, run: str = "run-1", end: datetime = END) -> tuple[Snapshot, FeatureSet]:
        snapshot, validation = self.snapshot(frame, end)
        return snapshot, features(self.spec, self.request(run, end), snapshot, validation, self.site)

    def train(self, frame: pd.DataFrame, run: str = "run-1", end: datetime = END) -> tuple[Candidate, FeatureSet]:
        snapshot, made = self.features(frame, run, end)
        return train(self.spec, self.request(run, end), made, snapshot, self.site), made

    def judge(
        self, frame: pd.DataFrame, run: str = "run-1", end: datetime = END
    ) -> tuple[Candidate, Scorecard, Verdict]:
        """From rows to a verdict."""
        candidate, made = self.train(frame, run, end)
        request = self.request(run, end)
        scorecard = evaluate(self.spec, request, candidate, made, self.site)
        return candidate, scorecard, bless(self.spec, request, scorecard, self.site)

    def promote(self, candidate: Candidate) -> None:
        """Make it the champion."""
        ledger = self.site.ledger(self.spec.name)
        served = Served(version=candidate.version, model=candidate.model)
        ledger.append(release.promote(ledger.release(), served, reason="test"), actor="test")

    def champion(self, seed: int = 0) -> Candidate:
        """A champion trained on honest rows."""
        candidate, _, verdict = self.judge(rows(seed=seed), "run-0")
        assert verdict.outcome == "blessed", verdict.reason
        self.promote(candidate)
        return candidate


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow database for all tests of the session: making one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def workshop(tmp_path: Path, mlflow_uri: str, request: pytest.FixtureRequest) -> Workshop:
    """A workshop whose pipeline has a name of its own, so that tests can share MLflow."""
    home = tmp_path / "home"
    site = Site(Settings.load({"RETRAIN_HOME": str(home), "RETRAIN_MLFLOW_TRACKING_URI": mlflow_uri}))
    name = "p" + identity("test", name=request.node.nodeid)[:10]
    return Workshop(site, tmp_path / "pipelines" / name)


@pytest.fixture
def make_rows() -> Callable[..., pd.DataFrame]:
    """Makes rows; see :func:`rows`."""
    return rows


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory, mlflow_uri: str) -> Path:
    """A home with a champion, made once; copy it with :func:`with_champion`."""
    home = tmp_path_factory.mktemp("champion")
    site = Site(Settings.load({"RETRAIN_HOME": str(home / "home"), "RETRAIN_MLFLOW_TRACKING_URI": mlflow_uri}))
    Workshop(site, home / "pipelines" / "judged").champion()
    return home


@pytest.fixture
def with_champion(tmp_path: Path, judged: Path, mlflow_uri: str) -> Workshop:
    """A workshop with a champion, version 1."""
    shutil.copytree(judged / "home", tmp_path / "home")
    site = Site(Settings.load({"RETRAIN_HOME": str(tmp_path / "home"), "RETRAIN_MLFLOW_TRACKING_URI": mlflow_uri}))
    return Workshop(site, tmp_path / "pipelines" / "judged")


@pytest.fixture
def incumbent(with_champion: Workshop) -> Candidate:
    """The candidate that is the champion, version 1."""
    ledger = with_champion.site.ledger(with_champion.spec.name)
    return with_champion.site.read(Candidate, ledger.version(1).candidate)
