"""The ledger as pages and programs read it: a stretch at a time, the newest first."""

from __future__ import annotations

from ledger_world import body
from retrain.ledger.page import ENTRIES, ledger_page
from retrain.site import Site


def test_the_ledger_is_read_a_page_at_a_time_newest_first_and_whole(site: Site) -> None:
    ledger = site.ledger("p")
    for number in range(1, 121):
        ledger.append(body("verdict", version=number, outcome="vetoed"), actor="gates")
    first = ledger_page(ledger)
    assert (len(first.entries), first.entries[0].number, first.more) == (ENTRIES, 120, True)
    found = [line.number for line in first.entries]
    page = first
    while page.more:
        page = ledger_page(ledger, before=page.entries[-1].number)
        found += [line.number for line in page.entries]
    assert found == list(range(120, 0, -1))
    assert ledger_page(ledger, before=1).entries == ()
