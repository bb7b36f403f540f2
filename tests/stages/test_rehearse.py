"""The rehearsal: a real gateway process, real requests, and candidates that fail in every way."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.linear_model import LogisticRegression

from retrain.artifacts import Candidate, FeaturePart, FeatureSet, ModelRef, Ref, Rehearsal, Request
from retrain.data.frames import keep_frame
from retrain.data.labels import ROW, TIME
from retrain.errors import GatewayError, ObjectMissing
from retrain.ledger import Rehearsed
from retrain.model.rows import TEXT
from retrain.model.store import keep_model
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.rehearse import REQUESTS, rehearse, same
from retrain.targets import _sandbox as sandboxes

pytestmark = pytest.mark.system

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
GOOD = "def build(raw):\n    return raw[['x', 'z']].assign(late=raw['carrier'].eq('AA').astype(float))\n"
YAML = """\
name: flights
task: binary
source: {files: "*.parquet", timestamp: at, entity: carrier, label: late}
train: {candidates: [{estimator: sklearn.linear_model.LogisticRegression}]}
"""


@pytest.fixture
def spec(site: Site) -> Spec:
    folder = site.settings.pipelines / "flights"
    folder.mkdir(parents=True)
    site.settings.home.mkdir(exist_ok=True)
    (folder / "pipeline.yaml").write_text(YAML)
    return Spec.load(folder)


@pytest.fixture
def request_() -> Request:
    return Request(data_end=NOON, run="run-1", trigger="manual", actor="test")


@pytest.fixture
def candidate(site: Site, spec: Spec, tmp_path: Path) -> Callable[..., Candidate]:
    """Make a candidate whose feature file is the given one, with a holdout of 300 rows, some values missing."""

    def make(features: str = GOOD, rows: int = 300) -> Candidate:
        random = np.random.default_rng(1)
        raw = pd.DataFrame(
            {
                "x": np.where(random.random(rows) < 0.1, 0.0, random.normal(size=rows)),
                "z": random.integers(0, 9, size=rows),
                "carrier": pd.array(random.choice(["AA", "UA", "ö"], size=rows), dtype=TEXT),
            }
        )
        matrix = random.normal(size=(rows, 3))
        estimator = LogisticRegression().fit(matrix, matrix[:, 0] > 0)
        data = tmp_path / "model" / "data"
        data.mkdir(parents=True)
        (data / "estimator.pkl").write_bytes(pickle.dumps(estimator))
        (data / "features.py").write_text(features)
        card = {
            "task": "binary",
            "function": "build",
            "inputs": {name: str(dtype) for name, dtype in raw.dtypes.items()},
            "features": ["x", "z", "late"],
            "classes": [False, True],
            "metric": "brier",
        }
        (data / "model.json").write_text(json.dumps(card))
        return _candidate(site, keep_model(site.store, "flights", data.parent), raw)

    return make


def _candidate(site: Site, model: ModelRef, raw: pd.DataFrame) -> Candidate:
    ref = Ref(kind="snapshot", key="s", pipeline="flights")
    rows = pd.DataFrame({TIME: NOON, ROW: np.arange(len(raw))})
    part = FeaturePart(
        start=NOON,
        end=NOON + timedelta(hours=1),
        data=keep_frame(site, "flights/data/rows.parquet", rows),
        source=keep_frame(site, "flights/data/raw.parquet", raw),
    )
    feature_set = FeatureSet(
        key="f",
        pipeline="flights",
        snapshot=ref,
        validation=ref,
        parts=(part,),
        train_rows=0,
        holdout_rows=len(raw),
        split_at=NOON,
        features=("x", "z", "late"),
        inputs=tuple(raw.columns),
        classes=("false", "true"),
        code="0",
        parity_rows=0,
    )
    site.store.create(FeatureSet.path("flights", "f"), feature_set.to_bytes())
    return Candidate(
        key=f"candidate-{model.digest[:8]}",
        pipeline="flights",
        features=feature_set.ref(),
        snapshot=ref,
        data_end=NOON,
        model=model,
        version=3,
        estimator="sklearn.linear_model.LogisticRegression",
        params={},
        tried=1,
        validation_loss=0.1,
        train_rows=100,
        seed=0,
        run_id="",
        environment={},
        finite=True,
    )


def test_a_good_candidate_passes_once_a_run(
    site: Site, spec: Spec, request_: Request, candidate: Callable[..., Candidate]
) -> None:
    good = candidate()
    first = rehearse(spec, request_, good, site)
    again = rehearse(spec, request_, good, site)
    assert first.passed, first.reason
    assert (first.requests, first.failures, first.mismatches) == (REQUESTS + 1, 0, 0)
    assert first.p50_ms is not None
    assert first.p95_ms is not None
    assert 0 < first.p50_ms <= first.p95_ms
    assert first.load_seconds > 0
    assert again == first
    assert [entry.kind for entry in site.ledger("flights").entries()] == ["rehearsal", "stage"]
    assert site.ledger("flights").entries()[0].body.passed is True
    assert site.store.list("flights/log") == []
    assert not (site.settings.home / "gateway").exists()
    assert _gateways() == []


def test_another_run_rehearses_again(
    site: Site, spec: Spec, request_: Request, candidate: Callable[..., Candidate]
) -> None:
    good = candidate(rows=7)
    first = rehearse(spec, request_, good, site)
    other = rehearse(spec, request_.model_copy(update={"run": "run-2"}), good, site)
    assert first.passed
    assert other.passed
    assert first.requests == 8
    assert first.key != other.key


BAD = {
    "raises on some rows": (
        GOOD.replace("return", "if (raw['z'] == 8).any(): raise ZeroDivisionError('no such airport')\n    return"),
        "no such airport",
    ),
    "cannot be imported": ("import no_such_package\n" + GOOD, "no_such_package"),
    "kills its process while loading": ("import os\nos._exit(7)\n" + GOOD, "status 7"),
    "kills its process when asked": (
        GOOD.replace(
            "return", "import os, signal\n    if raw['z'].notna().all(): os.kill(os.getpid(), 11)\n    return"
        ),
        "signal 11",
    ),
    "raises SystemExit": (GOOD.replace("return", "raise SystemExit('bye')\n    return"), "bye"),
    "answers another number of rows": (GOOD + "_b = build\ndef build(raw): return _b(raw).iloc[:0]\n", "rows"),
    "answers otherwise than in training": (
        "import os\n" + GOOD + "_b = build\n"
        "def build(raw):\n    out = _b(raw)\n    out['x'] += float('RETRAIN_GATEWAY_CHAMPION_PATIENCE' in os.environ)\n"
        "    return out\n",
        "training side",
    ),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_candidate_does_not_pass_and_that_is_a_result(
    how: str, site: Site, spec: Spec, request_: Request, candidate: Callable[..., Candidate]
) -> None:
    features, reason = BAD[how]
    rehearsal = rehearse(spec, request_, candidate(features), site)
    assert not rehearsal.passed
    assert reason in rehearsal.reason
    assert rehearsal.failures + rehearsal.mismatches > 0
    entry, _ = next(site.ledger("flights").of(Rehearsed))
    assert entry.body.model_dump(mode="json") == {
        "version": 3,
        "passed": False,
        "reason": rehearsal.reason,
        "rehearsal": rehearsal.ref().model_dump(),
    }
    assert _gateways() == []


def test_a_candidate_that_hangs_does_not_pass(
    site: Site,
    spec: Spec,
    request_: Request,
    candidate: Callable[..., Candidate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RETRAIN_GATEWAY_CHALLENGER_PATIENCE", "0.3")
    hang = GOOD.replace("return", "import time\n    if raw['z'].notna().all(): time.sleep(600)\n    return")
    rehearsal = rehearse(spec, request_, candidate(hang), site)
    assert not rehearsal.passed
    assert "no answer within 0.3 s" in rehearsal.reason


def test_a_candidate_that_never_loads_does_not_pass(
    site: Site,
    spec: Spec,
    request_: Request,
    candidate: Callable[..., Candidate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandboxes, "LOAD_SECONDS", 2.0)
    rehearsal = rehearse(spec, request_, candidate("while True: pass\n" + GOOD), site)
    assert not rehearsal.passed
    assert "not loaded after 2 s" in rehearsal.reason
    assert _gateways() == []


def test_a_feature_function_that_prints_is_no_candidate_that_hangs(
    site: Site, spec: Spec, request_: Request, candidate: Callable[..., Candidate]
) -> None:
    loud = GOOD.replace("return", "print('x' * 3000, flush=True)\n    return")
    rehearsal = rehearse(spec, request_, candidate(loud), site)
    assert rehearsal.passed, rehearsal.reason


@pytest.mark.parametrize("harm", ["changed", "deleted"])
def test_a_tampered_model_does_not_pass(
    harm: str, site: Site, spec: Spec, request_: Request, candidate: Callable[..., Candidate]
) -> None:
    good = candidate()
    path = f"{good.model.path}/data/features.py"
    if harm == "changed":
        site.store.put(path, GOOD.replace("'AA'", "'UA'").encode())
    else:
        site.store.delete(path)
    rehearsal = rehearse(spec, request_, good, site)
    assert not rehearsal.passed
    assert "is not the one the ledger names" in rehearsal.reason


def test_a_broken_environment_is_an_error_that_may_be_retried(
    site: Site,
    spec: Spec,
    request_: Request,
    candidate: Callable[..., Candidate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = candidate()
    monkeypatch.setenv("RETRAIN_GATEWAY_POLL", "never")
    with pytest.raises(GatewayError, match="RETRAIN_GATEWAY_POLL") as caught:
        rehearse(spec, request_, good, site)
    assert caught.value.retryable
    assert site.ledger("flights").entries() == []
    monkeypatch.delenv("RETRAIN_GATEWAY_POLL")
    assert rehearse(spec, request_, good, site).passed


def test_lost_data_is_an_error(site: Site, spec: Spec, request_: Request, candidate: Callable[..., Candidate]) -> None:
    good = candidate()
    site.store.delete("flights/data/raw.parquet")
    with pytest.raises(ObjectMissing):
        rehearse(spec, request_, good, site)
    assert _gateways() == []


def test_the_gateway_dies_with_the_one_who_rehearses(tmp_path: Path) -> None:
    starter = textwrap.dedent("""
        import os, subprocess, sys
        code = "import os, sys, time; from retrain.child import die_with; die_with(int(sys.argv[1]));"
        code += "print(os.getpid(), flush=True); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code, str(os.getpid())], stdout=subprocess.PIPE, text=True)
        print(child.stdout.readline().strip(), flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
        parent.wait()
        psutil.wait_procs([child], timeout=20)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("answer", "expected", "equal"),
    [
        ({"prediction": True, "probability": 0.5}, {"prediction": True, "probability": 0.5 + 1e-12}, True),
        ({"prediction": True, "probability": 0.5}, {"prediction": True, "probability": 0.5 + 1e-6}, False),
        ({"prediction": 1, "probability": 0.5}, {"prediction": True, "probability": 0.5}, False),
        ({"prediction": 3}, {"prediction": 3.0}, True),
        ({"prediction": "a"}, {"prediction": "b"}, False),
        ({"prediction": "a"}, {"prediction": "a", "probability": 0.5}, False),
        ({"prediction": None}, {"prediction": 0.0}, False),
        ([1.0, 2.0], [1.0, 2.0, 3.0], False),
    ],
)
def test_answers_are_compared_by_value_and_type(answer: Any, expected: Any, equal: bool) -> None:
    assert same(answer, expected) is equal


def _gateways() -> list[int]:
    """Gateway processes this test process has started."""
    return [p.pid for p in psutil.Process(os.getpid()).children(recursive=True) if "retrain.serving" in p.cmdline()]


def test_rehearsals_are_read_back(
    site: Site, spec: Spec, request_: Request, candidate: Callable[..., Candidate]
) -> None:
    made = rehearse(spec, request_, candidate(rows=3), site)
    assert site.read(Rehearsal, made.ref()) == made
