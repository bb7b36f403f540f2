"""What a gate is, and what it may look at.

One of your own is a :class:`Gate` in a module of yours, named in ``pipeline.yaml`` by its import path, with its
settings under its class's name in snake case::

    bless:
      gates: [stability, change, "my_package.gates:Fairness"]
      fairness: {column: sex, margin: 0.05}

Airflow imports that module when it parses the Dag: what is heavy is imported inside :meth:`Gate.judge`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from retrain.artifacts import GateResult
from retrain.artifacts.scorecard import FEWEST_DAYS
from retrain.spec.section import Section

if TYPE_CHECKING:
    from pandas import DataFrame

    from retrain.artifacts import Candidate, Score, Scorecard
    from retrain.metrics.task import Task

__all__ = ["Evidence", "Gate", "GateResult"]


@dataclass(frozen=True)
class Evidence:
    """What a gate may look at: nothing that is not in the identity of the verdict.

    :param scorecard: challenger, champion and baselines, with their bounds.
    :param candidate: the challenger as it was trained.
    :param metric: the deciding metric, by its name in the scorecard.
    :param confidence: one-sided, of every bound.
    :param predictions: reads the held-out rows from the store: ``time``, ``label``, the answers ``challenger`` and,
        where there is one, ``champion``. A class is its position; an answer is the probability of the second of two
        classes, the position of the likeliest of several, or the number.
    :param inputs: reads the raw inputs of the same rows, in the same order.
    :param past: the scorecard by which the champion was blessed; None without a champion, or where it is not found.
    :param dead: reads which inputs and features have died since training, one sentence each.
    """

    scorecard: Scorecard
    candidate: Candidate
    task: Task
    metric: str
    confidence: float
    predictions: Callable[[], DataFrame]
    inputs: Callable[[], DataFrame]
    past: Scorecard | None = None
    dead: Callable[[], tuple[str, ...]] = tuple

    @property
    def score(self) -> Score | None:
        """The deciding metric on all held-out rows."""
        return self.scorecard.score(self.metric)


def unbounded(gate: str, evidence: Evidence, value: float | None, why: str) -> GateResult:
    """What a gate says of a number that lacks its bounds: for want of days it is undecided, else it has failed.

    :param value: None if that is not known either.
    :param why: what is missing; see :func:`retrain.metrics.harm.missing`.
    """
    days = evidence.scorecard.holdout_days
    if value is None or days >= FEWEST_DAYS:
        return GateResult(gate=gate, outcome="failed", reason=why)
    reason = (
        f"the held-out rows lie on {days} days, and a bound needs {FEWEST_DAYS}: "
        f"make `train.holdout` {FEWEST_DAYS}d or longer"
    )
    return GateResult(gate=gate, outcome="undecided", reason=reason, evidence={"days": days, "needed": FEWEST_DAYS})


class Gate(Section):
    """One reason not to release a model. A gate is its settings, a section of ``pipeline.yaml``."""

    @abstractmethod
    def judge(self, evidence: Evidence) -> GateResult:
        """Has it passed? Whatever is raised here is a failure, and so is an answer that is no result.

        Compare bounds, not points: fail where harm is shown, pass where harm is excluded, and be undecided in
        between. For rows, ``retrain.modelling.contest`` has the bounds that the scorecard's scores have.
        """

    def needs(self) -> Iterable[str]:
        """The raw columns it reads, so that ``retrain check`` can look for them."""
        return ()

    @classmethod
    def default(cls) -> Self | None:
        """The gate where ``pipeline.yaml`` says nothing of its settings; None if it has to."""
        return None if any(field.is_required() for field in cls.model_fields.values()) else cls()
