"""When entries were written, although the clocks of those who wrote them may have been wrong.

The ledger's numbers say what came before what, and nothing else does. A stamp is believed as far as it agrees with
that order: of all stamps that are not in the future, the longest run that rises with the numbers. Any other entry was
written between its believed neighbours, and before it was read; a stamp outside of that is moved to the nearer end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import le, lt
from typing import NamedTuple

from retrain.ledger.entries import Entry
from retrain.words import duration

TOLERANCE = timedelta(minutes=1)
"""Clocks that differ by less are right."""

STEADY = timedelta(seconds=1)
"""A clock that was set by less since the last look was not set."""


class Span(NamedTuple):
    """When one entry was written.

    :param earliest: not before; None if nothing is known.
    :param at: most likely; never before that of an entry with a smaller number.
    :param latest: not after.
    :param sure: its stamp is believed.
    """

    earliest: datetime | None
    at: datetime
    latest: datetime
    sure: bool


def spans(stamps: Sequence[datetime], read: Sequence[datetime], present: datetime) -> list[Span]:
    """When each entry was written, by the order of the ledger.

    :param stamps: what the entries say, in the ledger's order.
    :param read: when each was first read here.
    :param present: the present moment.
    """
    limits = _rising([min(moment, present) for moment in read])
    if all(map(lt, stamps, stamps[1:])) and all(map(le, stamps, limits)):  # as it is where every clock is right
        return [Span(stamp, stamp, stamp, True) for stamp in stamps]
    believed = set(_longest_run([(n, s) for n, s in enumerate(stamps) if s <= limits[n] + TOLERANCE]))
    uppers, upper = list(limits), present
    for n in reversed(range(len(stamps))):
        upper = min(stamps[n], limits[n]) if n in believed else min(upper, limits[n])
        uppers[n] = upper
    found: list[Span] = []
    lower: datetime | None = None
    for n, stamp in enumerate(stamps):
        at = max([min(stamp, uppers[n]), *(span.at for span in found[-1:])])
        sure = n in believed or abs(at - stamp) <= TOLERANCE
        found.append(Span(at if sure else lower, at, at if sure else uppers[n], sure))
        lower = at if sure else lower
    return found


def latest(entries: Sequence[Entry]) -> datetime | None:
    """The latest stamp, whoever wrote it."""
    return max((entry.at for entry in entries), default=None)


def doubt(entries: Sequence[Entry], found: Sequence[Span], present: datetime) -> str | None:
    """Whose clock is wrong, and by how much, in a sentence; None if the newest stamps agree with this clock."""
    limit = present + TOLERANCE
    if (entry := next((entry for entry in reversed(entries) if entry.at > limit), None)) is not None:
        ahead = (entry.at - present).total_seconds()
        return (
            f"{_written(entry)} is stamped {duration(ahead)} ahead of the clock here: one of the two is wrong. "
            "Set it; what lasts is counted from when that entry was first read"
        )
    if entries and not found[-1].sure:
        behind = (found[-1].at - entries[-1].at).total_seconds()
        return (
            f"{_written(entries[-1])} is stamped {duration(behind)} before an entry that was there already: "
            "the clock of one of the two is wrong. Set it"
        )
    return None


def _written(entry: Entry) -> str:
    run = f" in run {entry.run}" if entry.run else ""
    return f"Ledger entry {entry.number}, written by {entry.actor}{run},"


def _rising(moments: list[datetime]) -> list[datetime]:
    """Whoever had read an entry had read those before it."""
    for n in reversed(range(len(moments) - 1)):
        moments[n] = min(moments[n], moments[n + 1])
    return moments


def _longest_run(stamped: Iterable[tuple[int, datetime]]) -> list[int]:
    """The places of the longest rising run (Fredman 1975). Stamps that are copies of one another count once."""
    ends: list[tuple[datetime, int]] = []
    before: dict[int, int | None] = {}
    for place, stamp in stamped:
        length = bisect_left(ends, (stamp, -1))
        before[place] = ends[length - 1][1] if length else None
        ends[length : length + 1] = [(stamp, place)]
    run: list[int] = []
    last = ends[-1][1] if ends else None
    while last is not None:
        run.append(last)
        last = before[last]
    return run
