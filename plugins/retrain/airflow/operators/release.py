"""What the tasks of a release share: whom they release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from retrain import story
from retrain.airflow.operators.base import Input, Run, StageOperator

if TYPE_CHECKING:
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


class RoutingOperator(ReleaseOperator):
    """Base of promote and roll back, which hand on no artifact but a routing decision."""

    said: ClassVar[str]

    @override
    def execute(self, context: Any) -> None:
        with self.errors(context):
            run = self.open(context)
            candidate = candidate_of(run, self.candidate)
            release = story.stage(self.stage).call(run.spec, run.request, [candidate], run.site)
            summary = self.said.format(version=candidate.version, reason=release.reason)
            self.show(context, summary, {"pipeline": run.spec.name})


def candidate_of(run: Run, given: Input) -> Candidate:
    """The candidate of a run: the version to release again, or the one trained in it."""
    candidate: Candidate = run.take(story.RELEASED, given)  # type: ignore[assignment]
    return candidate
