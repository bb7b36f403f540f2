"""A retraining in one process whose stages are pretended; the release and the report are real."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger_world import body as body_of
from retrain.artifacts import Candidate, ModelRef, Ref, Rehearsal, Request
from retrain.ledger import Judged, Rehearsed, Trained
from retrain.ledger.release import Release, Served
from retrain.retraining import retrain
from retrain.site import Site
from retrain.spec import Spec


def a_request(**keys: Any) -> Request:
    return Request(data_end=datetime(2013, 4, 1, tzinfo=UTC), run="run-1", actor="test", **keys)


class Line:
    """A pipeline whose stages are pretended; the release and the report are real.

    Each pretended stage writes what the real one would write into the ledger.
    """

    def __init__(self, site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site, self.monkeypatch = site, monkeypatch
        self.called: list[str] = []
        self.told: list[tuple[str, str, str]] = []
        self.spec = Spec.model_validate(
            {
                "name": "flights",
                "task": "binary",
                "source": {"files": "*.parquet", "timestamp": "at", "label": "late"},
                "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
                "canary": {"poll": "0s"},
                "folder": folder,
            }
        )
        for stage in ("collect", "validate", "drift", "features", "evaluate"):
            self.pretend(stage, SimpleNamespace(success=True))
        self.pretend("require_valid", None, of="validate")
        self.pretend("fresh_enough", None, of="drift")
        self.pretend("train", lambda: self.candidate())
        self.pretend("bless", lambda: self.verdict("blessed"))
        self.pretend("freshness", SimpleNamespace(fresh=True, reason=""))
        self.pretend("rehearse", lambda: self.rehearsal(True))

    @property
    def ledger(self) -> Any:
        return self.site.ledger("flights")

    def pretend(self, stage: str, answer: Any, *, of: str | None = None) -> None:
        def called(*_: object) -> Any:
            self.called.append(stage)
            return answer() if callable(answer) else answer

        self.monkeypatch.setattr(f"retrain.stages.{of or stage}.{stage}", called)

    def fail(self, stage: str, error: Exception, *, of: str | None = None) -> None:
        def failing() -> None:
            raise error

        self.pretend(stage, failing, of=of)

    def candidate(self, version: int = 1) -> Candidate:
        ref = Ref(kind="features", key="none", pipeline="flights")
        model = ModelRef(digest="0" * 64, path="m", files={})
        end = datetime(2013, 4, 1, tzinfo=UTC)
        made = Candidate(
            key=f"c{version}", pipeline="flights", features=ref, snapshot=ref, data_end=end, model=model,
            version=version, estimator="Dummy", params={}, tried=1, validation_loss=0.1, train_rows=1, seed=0,
            run_id="mlflow", environment={}, finite=True,
        )  # fmt: skip
        self.site.store.create(Candidate.path("flights", made.key), made.to_bytes())
        body = made.model_dump(mode="json", include={"version", "model", "data_end", "run_id"})
        body |= {"candidate": made.ref().model_dump(), "snapshot": ref.model_dump()}
        self.ledger.append(Trained.model_validate(body), actor="test", run="run-1", once=f"trained/{made.key}")
        return made

    def verdict(self, outcome: str) -> Any:
        body = {"version": 1, "outcome": outcome, "reason": "suspicious", "verdict": None, "by": "gates"}
        self.ledger.append(Judged.model_validate(body), actor="test", run="run-1")
        return SimpleNamespace(outcome=outcome, reason="suspicious", version=1)

    def rehearsal(self, passed: bool) -> Rehearsal:
        body = {"version": 1, "passed": passed, "reason": "no answer", "rehearsal": None}
        self.ledger.append(Rehearsed.model_validate(body), actor="test", run="run-1")
        return Rehearsal(
            key="r", pipeline="flights", candidate=Ref(kind="candidate", key="c1", pipeline="flights"), version=1,
            passed=passed, requests=1, failures=0, mismatches=0, load_seconds=1, p50_ms=1, p95_ms=1, reason="no answer",
        )  # fmt: skip

    def decide(self, kind: str, **body: Any) -> None:
        self.ledger.append(body_of(kind, **body), actor="test", run="run-1")

    def champion(self) -> None:
        served = Served(version=9, model=ModelRef(digest="9" * 64, path="m", files={}))
        self.ledger.append(Release(state="promoted", champion=served), actor="test")

    def run(self, **keys: Any) -> Any:
        return retrain(self.spec, a_request(**keys), self.site, on_stage=lambda *said: self.told.append(said))


@pytest.fixture
def line(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(site, tmp_path, monkeypatch)
