"""Is it well? The worst of a pipeline's parts, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from retrain.artifacts import Age, Value
from retrain.spec.durations import spell
from retrain.status.runs import Run, last_ended
from retrain.words import duration

if TYPE_CHECKING:
    from retrain.status.waiting import Waiting

Level = Literal["good", "attention", "bad"]
LEVELS: tuple[Level, ...] = ("good", "attention", "bad")
RUN_LEVELS: dict[str, Level] = {
    "failed": "bad",
    "bad data": "bad",
    "interrupted": "attention",
    "rolled back": "attention",
    "rehearsal failed": "attention",
    "stale": "attention",
    "rejected": "attention",
    "vetoed": "attention",
    "undecided": "attention",
}
"""Of how a retraining ended. What is bad somebody has to mend."""


class Health(Value):
    """The worst of a pipeline's parts.

    :param reasons: of that level, one sentence a part; empty if all is well.
    """

    level: Level
    reasons: tuple[str, ...] = ()


def health(
    *,
    served: bool,
    ages: Sequence[Age],
    waiting: Sequence[Waiting],
    runs: Sequence[Run],
    problem: str | None,
    doubt: str | None,
) -> Health:
    """The worst part decides; only its reasons are told.

    :param served: has anything been released?
    :param problem: what is wrong with ``pipeline.yaml``. :param doubt: whose clock is wrong.
    """
    parts: list[tuple[Level, str]] = []
    if problem is not None:
        parts.append(("bad", problem))
    if not served:
        parts.append(("attention", "nothing has been released yet"))
    ended = last_ended(runs)
    if ended is not None and ended.outcome in RUN_LEVELS:
        parts.append((RUN_LEVELS[ended.outcome], f"the last retraining ended: {ended.outcome}"))
    if doubt is not None:
        parts.append(("attention", doubt))
    parts += [("attention", f"waits for {one.who}: {one.what}") for one in waiting]
    parts += [("attention", too_old(age)) for age in ages if age.stale]
    level = max((level for level, _ in parts), key=LEVELS.index, default="good")
    return Health(level=level, reasons=tuple(reason for found, reason in parts if found == level))


def too_old(age: Age) -> str:
    """What is said of a champion that is too old."""
    limit = spell(timedelta(seconds=age.limit or 0.0))
    return f"the champion's data ended {duration(age.age)} ago, and `staleness.model` is {limit}"
