"""What a human may decide against the machine: bless or veto a version, roll back. By the ledger alone.

Nothing here reads ``pipeline.yaml``, MLflow or the data: a rollback must work when everything else is broken.
"""

from __future__ import annotations

from retrain.artifacts import VerdictOutcome
from retrain.errors import ReleaseError, UsageError
from retrain.ledger.entries import Entry, Judged
from retrain.ledger.ledger import Ledger
from retrain.ledger.release import Release, Served, restore
from retrain.ledger.release import roll_back as drop
from retrain.ledger.versions import Version, champions


def bless(ledger: Ledger, number: int, *, actor: str, reason: str) -> Entry:
    """Allow a version that the gates vetoed, or left undecided, to be released.

    :param number: the version.
    :param actor: who decides, e.g. ``cli:alice``.
    :param reason: why; the ledger keeps it.
    :raises ReleaseError: if there is no such version, or it is blessed already.
    """
    _require_reason(reason, "bless")

    def decide(head: int) -> Entry:
        version = ledger.version(number)
        if version.blessed:
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is blessed already ({version.standing}).",
                do=f"release it with `retrain run {ledger.pipeline} --redeploy {number}`.",
            )
        return _verdict(ledger, number, "blessed", actor, reason, head)

    return ledger.settle(decide)


def veto(ledger: Ledger, number: int, *, actor: str, reason: str) -> Entry:
    """Forbid a version, and drop it if it is being released right now.

    :raises ReleaseError: if there is no such version, it is vetoed already, or it is the champion.
    """
    _require_reason(reason, "veto")

    def decide(head: int) -> Entry:
        version, release = ledger.version(number), ledger.release()
        if release.champion is not None and release.champion.version == number:
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is the champion: a veto would leave none.",
                do=f"return to the version before it with `retrain rollback {ledger.pipeline}`, then veto it.",
            )
        if release.challenger is not None and release.challenger.version == number:  # stop the harm first
            dropped = drop(release, reason=f"vetoed by {actor}: {reason}")
            head = ledger.append(dropped, actor=actor, after=head).number
        elif _forbidden(ledger, number):
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is vetoed already: {version.reason}.",
                do="nothing is to be done; it will not be released.",
            )
        return _verdict(ledger, number, "vetoed", actor, reason, head)

    return ledger.settle(decide)


def _forbidden(ledger: Ledger, number: int) -> bool:
    """Has a human vetoed it, and none blessed it since? A veto of the gates may be followed by their blessing."""
    by_hand = (body for entry, body in ledger.of(Judged) if body.version == number and entry.by == "human")
    newest = next(by_hand, None)
    return newest is not None and newest.outcome == "vetoed"


def roll_back(ledger: Ledger, *, to: int | None, actor: str, reason: str) -> Entry:
    """Drop the version that is being released; if none is, return to the champion before this one.

    Typed twice, it goes back twice: never forward again to what was left.

    :param to: return to this version instead; it must have served before.
    :raises ReleaseError: if there is nothing to return to, or someone else changed who serves in the meantime.
    """
    _require_reason(reason, "roll back")
    seen = _serving(ledger.release())

    def decide(head: int) -> Entry:
        release = ledger.release()
        if _serving(release) != seen:
            raise ReleaseError(
                f"Someone else changed who serves pipeline '{ledger.pipeline}' at this moment: {release.reason}.",
                do=f"look at `retrain status {ledger.pipeline}` and decide again.",
            )
        if to is None and release.under_way:
            settled = drop(release, reason=reason)
        else:
            target = _target(ledger, to)
            settled = restore(release, target, previous=_before(ledger, target), reason=reason)
        return ledger.append(settled, actor=actor, after=head)

    return ledger.settle(decide)


def _target(ledger: Ledger, to: int | None) -> Served:
    """Whom to return to: the version named, or the newest blessed champion before this one."""
    line = champions(ledger.entries())
    if not line:
        raise ReleaseError(
            f"Pipeline '{ledger.pipeline}' has never served a version: there is nothing to roll back to.",
            do=f"release a first one with `retrain run {ledger.pipeline}`.",
        )
    if to is not None:
        return _served_once(ledger, ledger.version(to)).served
    earlier = [version for number in line[:-1] if (version := ledger.version(number)).blessed]
    if not earlier:
        raise ReleaseError(
            f"Version {line[-1]} of pipeline '{ledger.pipeline}' has no blessed champion before it.",
            do="name a version that has served with --to, or train a better one; "
            f"`retrain status {ledger.pipeline}` lists them.",
        )
    return earlier[-1].served


def _before(ledger: Ledger, target: Served) -> Served | None:
    """The blessed champion before ``target``: gateways keep it loaded, for the next rollback."""
    line = champions(ledger.entries())
    older = line[: line.index(target.version)] if target.version in line else []
    blessed = [version.served for number in older if (version := ledger.version(number)).blessed]
    return blessed[-1] if blessed else None


def _served_once(ledger: Ledger, version: Version) -> Version:
    number = version.version
    served = {release.champion.version for _, release in ledger.of(Release) if release.champion is not None}
    if number not in served:
        raise ReleaseError(
            f"Version {number} of pipeline '{ledger.pipeline}' has never been the champion ({version.standing}).",
            do=f"release it through the gates with `retrain run {ledger.pipeline} --redeploy {number}`.",
        )
    if not version.blessed:
        raise ReleaseError(
            f"Version {number} of pipeline '{ledger.pipeline}' was vetoed: {version.reason}.",
            do=f"name another version, or allow it first with `retrain bless {ledger.pipeline} {number} --reason …`.",
        )
    return version


def _serving(release: Release) -> tuple[int | None, int | None]:
    champion, challenger = release.champion, release.challenger
    return champion.version if champion else None, challenger.version if challenger else None


def _verdict(ledger: Ledger, number: int, outcome: VerdictOutcome, actor: str, reason: str, after: int) -> Entry:
    body = Judged(version=number, outcome=outcome, reason=reason, verdict=None, by=actor)
    return ledger.append(body, actor=actor, after=after)


def _require_reason(reason: str, action: str) -> None:
    if not reason.strip():
        raise UsageError(f"A reason is needed to {action}.", do="say why with --reason; the ledger keeps it.")
