"""The last retrainings, and what came of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retrain.artifacts import Moment, Report, Value
from retrain.ledger import Ledger
from retrain.site import Site
from retrain.status import kept
from retrain.status.reading import Reading, Retraining


class Run(Value):
    """One retraining.

    :param outcome: of its report; None if it has none (yet).
    :param what: the last thing it wrote.
    """

    run: str
    by: str
    began: Moment
    last: Moment
    outcome: str | None
    what: str


def runs(reading: Reading, ledger: Ledger, site: Site) -> Iterator[Run]:
    """The last few, newest first."""
    for one in reading.runs:
        yield Run(
            run=one.run,
            by=one.first.actor,
            began=ledger.at(one.first),
            last=ledger.at(one.last),
            outcome=outcome(one, site),
            what=one.last.summary,
        )


def last_ended(runs: Sequence[Run]) -> Run | None:
    """The newest that came to an end, of runs newest first: one that has just begun mends nothing yet."""
    return next((run for run in runs if run.outcome is not None), None)


def outcome(retraining: Retraining, site: Site) -> str | None:
    """What a retraining's newest report says came of it."""
    return None if retraining.report is None else kept.said(site, Report, retraining.report, _outcome)


def _outcome(report: Report) -> str:
    return report.outcome
