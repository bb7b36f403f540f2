"""What goes on only when somebody acts: for whom it waits, for what, and until when."""

from __future__ import annotations

from collections.abc import Iterator

from retrain.artifacts import Moment, Value
from retrain.ledger import Entry, Ledger
from retrain.site import Site
from retrain.spec import Spec
from retrain.status.reading import Reading
from retrain.status.runs import outcome


class Waiting(Value):
    """Something that goes on only when somebody acts.

    :param who: for whom it waits. :param what: what they are to do.
    :param until: when it ends without them; None if it waits for ever, or that is not known here.
    """

    who: str
    what: str
    since: Moment
    until: Moment | None = None


def waiting(reading: Reading, ledger: Ledger, spec: Spec | None, site: Site) -> Iterator[Waiting]:
    """A paused release, a version that the gates left undecided, an approval that was asked."""
    release = reading.release
    if release.state == "paused" and release.challenger is not None and reading.decided is not None:
        what = f"resume or abort the paused release of version {release.challenger.version}: {release.reason}"
        yield Waiting(who="an operator", what=what, since=ledger.at(reading.decided))
    if reading.judged is None:
        return
    entry, judged = reading.judged
    if judged.outcome == "undecided":
        what = f"bless or veto version {judged.version}, which the gates left undecided"
        yield Waiting(who="an operator", what=what, since=ledger.at(entry))
    elif judged.outcome == "blessed" and spec is not None and _asked(reading, spec, entry, judged.version, site):
        who = ", ".join(spec.bless.approval.by) or "anyone allowed to run the Dag"
        since = ledger.at(entry)
        until = since + spec.bless.approval.within
        yield Waiting(who=who, what=f"approve or reject version {judged.version}", since=since, until=until)


def _asked(reading: Reading, spec: Spec, verdict: Entry, version: int, site: Site) -> bool:
    """Is somebody asked, has not answered, and the run has come to nothing else?"""
    if not spec.bless.approval.required or reading.judging is None:
        return False
    answered = reading.answered.get(version, 0) > verdict.number
    if answered or reading.release.serves(version) or reading.release.tries(version):
        return False
    return outcome(reading.judging, site) in {None, "awaiting approval"}
