"""Gates and metrics of somebody else's package, good and bad; named by import path."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrain.artifacts import GateResult
from retrain.errors import StoreError
from retrain.gates.base import Evidence, Gate
from retrain.metrics.base import Metric, mean_of


class EqualRates(Gate):
    """Predictions must not differ by more than the margin between two groups."""

    column: str
    margin: float = 0.1

    def needs(self) -> tuple[str, ...]:
        return (self.column,)

    def judge(self, evidence: Evidence) -> GateResult:
        rates = evidence.predictions()["challenger"].groupby(evidence.inputs()[self.column]).mean()
        gap = float(rates.max() - rates.min())
        return GateResult(
            gate="whatever",
            outcome="passed" if gap <= self.margin else "failed",
            reason=f"rates by {self.column} differ by {gap:.3f}",
            evidence={"gap": gap, "rows": len(evidence.predictions())},
        )


class Raising(Gate):
    """Its code is broken."""

    def judge(self, evidence: Evidence) -> GateResult:
        raise KeyError("age")


class Silent(Gate):
    """It answers nothing."""

    def judge(self, evidence: Evidence) -> Any:
        return None


class Shouting(Gate):
    """It answers with an outcome that does not exist."""

    def judge(self, evidence: Evidence) -> GateResult:
        return GateResult.model_construct(gate="shouting", outcome="PASSED", reason="trust me", evidence={})


class Unwritable(Gate):
    """Its evidence cannot be written down."""

    def judge(self, evidence: Evidence) -> GateResult:
        return GateResult(gate="unwritable", outcome="passed", reason="so", evidence={"rows": np.int64(7)})


class Cut(Gate):
    """The store is away while it reads."""

    def judge(self, evidence: Evidence) -> GateResult:
        raise StoreError("The store does not answer.")


class Mute(Gate):
    """It lacks the method that judges."""


class Copy(Raising):
    """The key of its settings is taken."""


class Unsure(Raising):
    """It does not know what it needs."""

    def needs(self) -> tuple[str, ...]:
        raise RuntimeError("no idea")


def ninth_decile(target: np.ndarray) -> float:
    return float(np.quantile(target, 0.9))


def pinball_loss(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    short = target - predicted
    return np.abs(short) * np.where(short > 0, 0.9, 0.1)


def surprise(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return 1.0 - answers[np.arange(len(target)), target]


def sorting(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    answers.sort(axis=0)
    return answers[:, 0]


def failing(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    raise ZeroDivisionError("no rows")


def columns_of(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return answers


pinball = Metric("pinball", ("regression",), mean_of(pinball_loss), constant=ninth_decile)
missed = Metric("missed", ("binary",), mean_of(surprise))
brier = Metric("brier", ("binary",), mean_of(surprise))
unknown = Metric("unknown", ("binary",), lambda target, answers: lambda weights: float("nan"))
broken = Metric("broken", ("binary",), mean_of(failing))
misshapen = Metric("misshapen", ("binary",), mean_of(columns_of))
meddling = Metric("meddling", ("binary",), mean_of(sorting))
statistic_of_all = Metric("statistic_of_all", ("binary",), lambda target, answers: lambda weights: weights)
