"""The ledger, a page at a time, newest first."""

from __future__ import annotations

from retrain.artifacts import Moment, Value
from retrain.ledger.ledger import Ledger

ENTRIES = 50


class Line(Value):
    """One entry, as it is read by people."""

    number: int
    at: Moment
    kind: str
    by: str
    actor: str
    run: str | None
    said: str


class LedgerPage(Value):
    """Some entries, newest first. :param more: are there older ones?"""

    entries: tuple[Line, ...]
    more: bool


def ledger_page(ledger: Ledger, before: int | None = None) -> LedgerPage:
    """The newest entries, or those before one.

    :param before: the number of the entry that they come before.
    """
    spans = ledger.spans()
    end = min(before - 1, len(spans)) if before is not None else len(spans)
    chosen = ledger.entries()[max(end - ENTRIES, 0) : end]
    lines = (
        Line(
            number=entry.number, at=spans[entry.number - 1].at, kind=entry.kind, by=entry.by, actor=entry.actor,
            run=entry.run, said=entry.summary,
        )
        for entry in reversed(chosen)
    )  # fmt: skip
    return LedgerPage(entries=tuple(lines), more=end > ENTRIES)
