"""Scorecards by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from retrain.artifacts import Candidate, FileRef, GateResult, ModelRef, Ref, Score, Scorecard, SliceScore
from retrain.gates.base import Evidence, Gate

REF = Ref(kind="any", key="k", pipeline="p")


def score(
    harm: tuple[float, float, float] | None = (0.0, -0.01, 0.01),
    *,
    champion: float | None = 0.20,
    metric: str = "brier",
    spread: float = 0.01,
    **changes: Any,
) -> Score:
    """A score whose difference is ``harm`` (point, lower, upper) in the direction that is worse."""
    higher = metric in {"roc_auc", "accuracy"}
    point, low, high = harm or (0.0, 0.0, 0.0)
    difference = (-point, -high, -low) if higher else (point, low, high)
    challenger = (champion or 0.0) + difference[0]
    values: dict[str, Any] = {
        "metric": metric,
        "better": "higher" if higher else "lower",
        "rows": 1000,
        "challenger": challenger,
        "challenger_lower": challenger - spread,
        "challenger_upper": challenger + spread,
        "champion": champion,
    }
    if harm is not None:
        values |= dict(zip(("difference", "difference_lower", "difference_upper"), difference, strict=True))
        lost = (champion or 0.0) if not higher else 1.0 - (champion or 0.0)
        ratios = [1.0 + each / lost if lost else None for each in harm]
        values |= dict(zip(("ratio", "ratio_lower", "ratio_upper"), ratios, strict=True))
    return Score(**{**values, **changes})


def a_slice(value: str, harm: tuple[float, float, float] | None, **changes: Any) -> SliceScore:
    return SliceScore(column="carrier", value=value, score=score(harm, **changes))


def scorecard(*scores: Score, champion: int | None = 1, **changes: Any) -> Scorecard:
    values: dict[str, Any] = {
        "key": "k",
        "pipeline": "p",
        "candidate": REF,
        "version": 2,
        "champion": champion,
        "holdout_rows": 1000,
        "holdout_days": 14,
        "scores": scores,
        "baselines": {},
        "slices": (),
        "left_out": (),
        "finite": True,
        "predictions": FileRef(path="p", sha256="0", bytes=0),
    }
    return Scorecard(**{**values, **changes})


def candidate(*, finite: bool = True) -> Candidate:
    return Candidate(
        key="k",
        pipeline="p",
        features=REF,
        snapshot=REF,
        data_end=datetime(2020, 1, 1, tzinfo=UTC),
        model=ModelRef(digest="d", path="p", files={}),
        version=2,
        estimator="E",
        params={},
        tried=1,
        validation_loss=0.1,
        train_rows=1,
        seed=0,
        run_id="r",
        environment={},
        finite=finite,
    )


@pytest.fixture
def make_score() -> Callable[..., Score]:
    """Makes scores; see :func:`score`."""
    return score


@pytest.fixture
def make_slice() -> Callable[..., SliceScore]:
    """Makes the score of a slice of carriers."""
    return a_slice


@pytest.fixture
def make_scorecard() -> Callable[..., Scorecard]:
    """Makes scorecards; see :func:`scorecard`."""
    return scorecard


@pytest.fixture
def make_candidate() -> Callable[..., Candidate]:
    """Makes candidates."""
    return candidate


@pytest.fixture
def judged() -> Callable[..., GateResult]:
    """What a gate says of a scorecard."""

    def judge(
        gate: Gate,
        card: Scorecard,
        trained: Candidate | None = None,
        metric: str = "brier",
        past: Scorecard | None = None,
    ) -> GateResult:
        def unread() -> Any:
            raise AssertionError("none of our gates reads rows")

        return gate.judge(Evidence(card, trained or candidate(), "binary", metric, 0.95, unread, unread, past))

    return judge
