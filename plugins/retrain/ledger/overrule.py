"""What a human may decide against the machine: bless or veto a version, roll back. By the ledger alone.

Nothing here reads ``pipeline.yaml``, MLflow or the data: a rollback must work when everything else is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from retrain.errors import LedgerMoved, ReleaseError, UsageError
from retrain.ledger import Entry, Ledger, Version
from retrain.ledger.release import Release, Served, restore
from retrain.ledger.release import roll_back as drop

T = TypeVar("T")


def bless(ledger: Ledger, number: int, *, actor: str, reason: str) -> Entry:
    """Allow a version that the gates vetoed, or left undecided, to be released.

    :param number: the version.
    :param actor: who decides, e.g. ``cli:alice``.
    :param reason: why; the ledger keeps it.
    :raises ReleaseError: if there is no such version, or it is blessed already.
    """
    _require_reason(reason, "bless")

    def write() -> Entry:
        head, version = ledger.head, ledger.version(number)
        if version.blessed:
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is blessed already ({version.standing}).",
                do=f"release it with `retrain run {ledger.pipeline} --redeploy {number}`.",
            )
        return _verdict(ledger, number, "blessed", actor, reason, head)

    return _until_settled(ledger, write)


def veto(ledger: Ledger, number: int, *, actor: str, reason: str) -> Entry:
    """Forbid a version, and drop it if it is being released right now.

    :raises ReleaseError: if there is no such version, it is vetoed already, or it is the champion.
    """
    _require_reason(reason, "veto")

    def write() -> Entry:
        head, version, release = ledger.head, ledger.version(number), ledger.release()
        if release.champion is not None and release.champion.version == number:
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is the champion: a veto would leave none.",
                do=f"return to the version before it with `retrain rollback {ledger.pipeline}`, then veto it.",
            )
        if release.challenger is not None and release.challenger.version == number:  # stop the harm first
            head = ledger.append(
                "release", drop(release, reason=f"vetoed by {actor}: {reason}"), actor=actor, after=head
            ).number
        elif _forbidden(ledger, number):
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is vetoed already: {version.reason}.",
                do="nothing is to be done; it will not be released.",
            )
        return _verdict(ledger, number, "vetoed", actor, reason, head)

    return _until_settled(ledger, write)


def _forbidden(ledger: Ledger, number: int) -> bool:
    """Has a human vetoed it, and none blessed it since? A veto of the gates may be followed by their blessing."""
    verdicts = (entry.body for entry in ledger.of_kind("verdict") if entry.body["version"] == number)
    by_hand = next((body for body in verdicts if body.get("by", "gates") != "gates"), None)
    return by_hand is not None and by_hand["outcome"] == "vetoed"


def roll_back(ledger: Ledger, *, to: int | None, actor: str, reason: str) -> Entry:
    """Drop the version that is being released; if none is, return to the champion before this one.

    Typed twice, it goes back twice: never forward again to what was left.

    :param to: return to this version instead; it must have served before.
    :raises ReleaseError: if there is nothing to return to, or someone else changed who serves in the meantime.
    """
    _require_reason(reason, "roll back")
    seen = _serving(ledger.release())

    def write() -> Entry:
        head, release = ledger.head, ledger.release()
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
        return ledger.append("release", settled, actor=actor, after=head)

    return _until_settled(ledger, write)


def _target(ledger: Ledger, to: int | None) -> Served:
    """Whom to return to: the version named, or the newest blessed champion before this one."""
    line = champions(ledger)
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
    line = champions(ledger)
    older = line[: line.index(target.version)] if target.version in line else []
    blessed = [version.served for number in older if (version := ledger.version(number)).blessed]
    return blessed[-1] if blessed else None


def _served_once(ledger: Ledger, version: Version) -> Version:
    number = version.version
    releases = (Release.model_validate(entry.body) for entry in ledger.of_kind("release"))
    if number not in {release.champion.version for release in releases if release.champion is not None}:
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


def champions(ledger: Ledger) -> list[int]:
    """The line of champions, oldest first, the present one last. A rollback removes what it left."""
    line: list[int] = []
    for entry in ledger.entries():
        if entry.kind != "release":
            continue
        release = Release.model_validate(entry.body)
        if release.champion is None or line[-1:] == [release.champion.version]:
            continue
        number = release.champion.version
        if release.state == "promoted" or number not in line:
            line = [*(earlier for earlier in line if earlier != number), number]
        else:
            line = line[: line.index(number) + 1]
    return line


def _serving(release: Release) -> tuple[int | None, int | None]:
    champion, challenger = release.champion, release.challenger
    return champion.version if champion else None, challenger.version if challenger else None


def _verdict(ledger: Ledger, number: int, outcome: str, actor: str, reason: str, after: int) -> Entry:
    body = {"version": number, "outcome": outcome, "reason": reason, "verdict": None, "by": actor}
    return ledger.append("verdict", body, actor=actor, after=after)


def _until_settled(ledger: Ledger, write: Callable[[], T]) -> T:
    """Decide and write; whoever loses the race for the next number reads again and decides again."""
    while True:
        try:
            return write()
        except LedgerMoved:
            ledger.poll()


def _require_reason(reason: str, action: str) -> None:
    if not reason.strip():
        raise UsageError(f"A reason is needed to {action}.", do="say why with --reason; the ledger keeps it.")
