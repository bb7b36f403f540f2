"""What a human may decide against the machine, by the ledger alone: bless, veto, pause, resume, abort, roll back.

Nothing here reads ``pipeline.yaml``, MLflow or the data: a rollback must work when everything else is broken.

Two people may decide at once: one of them is first, the other is told who that was, and nothing is written. Whoever
decides on what a page showed says so with ``seen``, the ledger's head at that time; without it what stands now is
what was seen. Steps that the machine goes meanwhile, in the same trial, change nothing of what a human decides.
"""

from __future__ import annotations

from collections.abc import Callable

from retrain.artifacts import VerdictOutcome
from retrain.errors import ReleaseError, UsageError
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.ledger.entries import Entry, Judged
from retrain.ledger.ledger import Ledger
from retrain.ledger.release import Release, Served, restore
from retrain.ledger.release import roll_back as drop
from retrain.ledger.trial import Trial
from retrain.ledger.versions import Version, champions


def bless(ledger: Ledger, number: int, *, actor: str, reason: str, seen: int | None = None) -> Entry:
    """Allow a version that the gates vetoed, or left undecided, to be released.

    :param number: the version.
    :param actor: who decides, e.g. ``cli:alice``.
    :param reason: why; the ledger keeps it.
    :param seen: the ledger's head that the person saw.
    :raises ReleaseError: if there is no such version, it is blessed already, or somebody was first.
    """
    _require_reason(reason, "bless")

    def decide(head: int) -> Entry:
        _require_unchanged(ledger, seen, number)
        version = ledger.version(number)
        if version.blessed:
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is blessed already ({version.standing})"
                f"{_who(ledger, _judged(ledger, number))}.",
                do=f"release it with `retrain run {ledger.pipeline} --redeploy {number}`.",
            )
        return _verdict(ledger, number, "blessed", actor, reason, head)

    return ledger.settle(decide)


def veto(ledger: Ledger, number: int, *, actor: str, reason: str, seen: int | None = None) -> Entry:
    """Forbid a version, and drop it if it is being released right now.

    :raises ReleaseError: if there is no such version, it is vetoed already, it is the champion, or somebody was first.
    """
    _require_reason(reason, "veto")

    def decide(head: int) -> Entry:
        nonlocal seen
        _require_unchanged(ledger, seen, number)
        version, release = ledger.version(number), ledger.release()
        if release.champion is not None and release.champion.version == number:
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is the champion: a veto would leave none.",
                do=f"return to the version before it with `retrain rollback {ledger.pipeline}`, then veto it.",
            )
        if release.challenger is not None and release.challenger.version == number:  # stop the harm first
            dropped = drop(release, reason=f"vetoed by {actor}: {reason}")
            head = ledger.append(dropped, actor=actor, after=head).number
            seen = head if seen is not None else None  # whoever is first now, it was not us
        elif forbidden(ledger, number):
            raise ReleaseError(
                f"Version {number} of pipeline '{ledger.pipeline}' is vetoed already"
                f"{_who(ledger, _judged(ledger, number))}: {version.reason}.",
                do="nothing is to be done; it will not be released.",
            )
        return _verdict(ledger, number, "vetoed", actor, reason, head)

    return ledger.settle(decide)


def forbidden(ledger: Ledger, number: int) -> bool:
    """Has a human vetoed it, and none blessed it since? A veto of the gates may be followed by their blessing."""
    by_hand = (body for entry, body in ledger.of(Judged) if body.version == number and entry.by == "human")
    newest = next(by_hand, None)
    return newest is not None and newest.outcome == "vetoed"


def pause(ledger: Ledger, *, actor: str, reason: str, seen: int | None = None) -> Entry:
    """Give the challenger no more requests, until somebody resumes or aborts.

    :raises ReleaseError: if nothing is being released, it is paused already, or somebody was first.
    """

    def stop(trial: Trial) -> Release:
        if trial.current.release.state == "paused":
            raise ReleaseError(
                f"Version {trial.version} of pipeline '{ledger.pipeline}' is paused already"
                f"{_who(ledger, trial.current.entry)}: {trial.current.release.reason}.",
                do=f"go on with `retrain resume {ledger.pipeline} --reason …`, or drop it with `retrain abort "
                f"{ledger.pipeline} --reason …`.",
            )
        return machine.pause(trial.current.release, reason=reason)

    return _steer(ledger, "pause", stop, actor, reason, seen)


def resume(ledger: Ledger, *, actor: str, reason: str, seen: int | None = None) -> Entry:
    """Go on where a pause stopped it: in the shadow, or at the same step. Patience begins anew.

    Somebody has to look at it from then on: the task that waits, or another run of that version.

    :raises ReleaseError: if nothing is paused, or somebody was first.
    """

    def go_on(trial: Trial) -> Release:
        if trial.current.release.state != "paused":
            raise ReleaseError(
                f"Version {trial.version} of pipeline '{ledger.pipeline}' is not paused: it was put where it is"
                f"{_who(ledger, trial.current.entry)}: {trial.current.release.reason}.",
                do=f"nothing is to be done; `retrain status {ledger.pipeline}` shows how far it is.",
            )
        return machine.resume(trial.current.release, trial.active.release, reason=reason)

    return _steer(ledger, "resume", go_on, actor, reason, seen)


def abort(ledger: Ledger, *, actor: str, reason: str, seen: int | None = None) -> Entry:
    """Drop the version that is being released; the champion answers everything, as before.

    :raises ReleaseError: if nothing is being released, or somebody was first.
    """

    def end(trial: Trial) -> Release:
        return drop(trial.current.release, reason=reason)

    return _steer(ledger, "abort", end, actor, reason, seen)


def _steer(
    ledger: Ledger, action: str, step: Callable[[Trial], Release], actor: str, reason: str, seen: int | None
) -> Entry:
    """Write what a human decides on the trial under way."""
    _require_reason(reason, action)
    seen = ledger.head if seen is None else seen

    def decide(head: int) -> Entry:
        _require_unchanged(ledger, seen)
        trial = trials.newest(ledger)
        if trial is None or trial.ending is not None:
            ended = ""
            if trial is not None and trial.ending is not None:
                how = "promoted" if trial.promoted else "rolled back"
                ended = f": version {trial.version} was {how}{_who(ledger, trial.ending.entry)}"
            raise ReleaseError(
                f"There is nothing to {action}: no version of pipeline '{ledger.pipeline}' is being released{ended}.",
                do=f"see who serves with `retrain status {ledger.pipeline}`; to return to an older version, "
                f"`retrain rollback {ledger.pipeline}`.",
            )
        return ledger.append(step(trial), actor=actor, after=head)

    return ledger.settle(decide)


def roll_back(ledger: Ledger, *, to: int | None, actor: str, reason: str, seen: int | None = None) -> Entry:
    """Drop the version that is being released; if none is, return to the champion before this one.

    Typed twice, it goes back twice: never forward again to what was left.

    :param to: return to this version instead; it must have served before.
    :raises ReleaseError: if there is nothing to return to, or somebody was first.
    """
    _require_reason(reason, "roll back")
    seen = ledger.head if seen is None else seen

    def decide(head: int) -> Entry:
        _require_unchanged(ledger, seen, to)
        release = ledger.release()
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


def have_served(ledger: Ledger) -> set[int]:
    """Every version that was ever the champion. Only to these one returns at once."""
    return {release.champion.version for _, release in ledger.of(Release) if release.champion is not None}


def _served_once(ledger: Ledger, version: Version) -> Version:
    number = version.version
    if number not in have_served(ledger):
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


def _require_unchanged(ledger: Ledger, seen: int | None, version: int | None = None) -> None:
    """See that who serves, and the verdict of ``version``, are what somebody saw. Raises ReleaseError: who was first.

    :param seen: the ledger's head at that time; None: what stands now.
    """
    if seen is None:
        return
    entries = ledger.entries()
    if not 0 <= seen <= len(entries):
        raise UsageError(
            f"Nobody has seen entry {seen} of the ledger of '{ledger.pipeline}': it has {len(entries)}.",
            do=f"look at `retrain status {ledger.pipeline}` and decide again.",
        )
    stood = next((e.body for e in reversed(entries[:seen]) if isinstance(e.body, Release)), Release())
    for entry in entries[seen:]:
        body = entry.body
        if isinstance(body, Release):
            changed, stood = not _went_on(stood, entry, body), body
        else:
            changed = isinstance(body, Judged) and body.version == version
        if changed:
            raise ReleaseError(
                f"{entry.actor} was first with pipeline '{ledger.pipeline}', at {_moment(ledger, entry)} (ledger entry "
                f"{entry.number}): {entry.summary}.",
                do=f"nothing was written. Look at `retrain status {ledger.pipeline}` and decide again.",
            )


def _went_on(before: Release, entry: Entry, after: Release) -> bool:
    """Did the machine only go further in the same trial?"""
    moving = {"shadowing", "ramping"}
    same = before.started == after.started and {before.state, after.state} <= moving
    return same and entry.by == "machine"


def _judged(ledger: Ledger, number: int) -> Entry | None:
    """The newest verdict of a version."""
    return next((entry for entry, body in ledger.of(Judged) if body.version == number), None)


def _who(ledger: Ledger, entry: Entry | None) -> str:
    return "" if entry is None else f", by {entry.actor} at {_moment(ledger, entry)}"


def _moment(ledger: Ledger, entry: Entry) -> str:
    return f"{ledger.at(entry):%Y-%m-%d %H:%M:%S} UTC"


def _verdict(ledger: Ledger, number: int, outcome: VerdictOutcome, actor: str, reason: str, after: int) -> Entry:
    body = Judged(version=number, outcome=outcome, reason=reason, verdict=None, by=actor)
    return ledger.append(body, actor=actor, after=after)


def _require_reason(reason: str, action: str) -> None:
    if not reason.strip():
        raise UsageError(f"A reason is needed to {action}.", do="say why with --reason; the ledger keeps it.")
