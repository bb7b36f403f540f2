"""What the tasks of a release share: whom they release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.operators.base import Input, Run, StageOperator, as_ref
from retrain.artifacts import Candidate


class ReleaseOperator(StageOperator):
    """Base of rehearse, shadow, canary, promote, roll back.

    Whether a candidate may be released at all is asked of the ledger by the stages themselves, so it holds even if
    somebody clears tasks or marks them by hand.

    :param candidate: what was trained in this run; empty in a run that releases an older version again.
    """

    template_fields: Sequence[str] = ("candidate",)

    def __init__(self, *, candidate: Input = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate


def candidate_of(run: Run, given: Input) -> Candidate:
    """The candidate of a run: the version to release again, or the one trained in it."""
    if run.request.redeploy is not None:
        version = run.site.ledger(run.spec.name).version(run.request.redeploy)
        return run.site.read(Candidate, version.candidate)
    return run.read(Candidate, given)


def candidate_if_any(run: Run, given: Input) -> Candidate | None:
    """The candidate of a run that may have ended before it had one."""
    if run.request.redeploy is None and as_ref(given) is None:
        return None
    return candidate_of(run, given)
