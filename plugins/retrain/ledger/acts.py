"""What a person may decide about a pipeline now, and what each decision will do, said beforehand.

The same for the page, the API and whoever types: the ledger alone tells. Deciding is :mod:`retrain.ledger.overrule`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from retrain import words
from retrain.artifacts import Value
from retrain.ledger import trial as trials
from retrain.ledger.ledger import Ledger
from retrain.ledger.overrule import forbidden, have_served
from retrain.ledger.release import Release
from retrain.ledger.versions import Version

ActName = Literal["rollback", "abort", "pause", "resume", "veto", "bless", "retrain", "approve", "reject"]


LONGEST_REASON = 1000


class Choice(Value):
    """A version that an act may be about.

    :param said: what to know of it before choosing.
    """

    version: int
    said: str


class Call(Value):
    """A route of Airflow's own that does the act.

    :param path: below Airflow's address.
    :param body: as JSON; the reason goes where it holds an empty ``reason``.
    """

    method: Literal["POST", "PATCH"]
    path: str
    body: dict[str, Any]


class Act(Value):
    """Something that a person may decide.

    :param will: what exactly happens, and to whom.
    :param possible: now. :param why_not: if it is not.
    :param versions: of which one has to be chosen; empty where there is nothing to choose.
    :param head: the ledger's newest entry, on which all this rests.
    :param call: who does it, if not the ledger.
    """

    act: ActName
    title: str
    will: str
    possible: bool
    why_not: str | None = None
    versions: tuple[Choice, ...] = ()
    head: int
    call: Call | None = None


class Asked(Value):
    """What a person asks for.

    :param version: of which, where the act is about one.
    :param reason: why, at most :data:`LONGEST_REASON` characters; the ledger keeps it, and every gateway reads it.
    :param head: the newest ledger entry that they saw.
    """

    version: int | None = None
    reason: Annotated[str, Field(max_length=LONGEST_REASON)]
    head: Annotated[int, Field(ge=0)]

    @field_validator("reason")
    @classmethod
    def _is_text(cls, reason: str) -> str:
        return reason.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair can be written nowhere


class Done(Value):
    """What was decided.

    :param entry: its number in the ledger.
    """

    act: ActName
    said: str
    entry: int


def acts(ledger: Ledger) -> tuple[Act, ...]:
    """Every act the ledger knows of, also those that are not possible now, each with the reason why."""
    release, versions, head = ledger.release(), ledger.versions(), ledger.head
    return (
        _rollback(ledger, release, versions, head),
        _abort(release, head),
        _pause(release, head),
        _resume(ledger, release, head),
        _veto(ledger, release, versions, head),
        _bless(versions, head),
    )


def _rollback(ledger: Ledger, release: Release, versions: list[Version], head: int) -> Act:
    served = have_served(ledger)
    serving = release.champion.version if release.champion is not None else None
    choices = [one for one in reversed(versions) if one.version in served and one.blessed and one.version != serving]
    left = f"Version {serving}, which serves now, is left" if serving is not None else "Requests go"
    also = f" The {_phase(release)} of version {_tried(release)} ends." if release.under_way else ""
    return Act(
        act="rollback",
        title="Roll back",
        will=f"{left} at once: the version you choose answers every request of {ledger.pipeline} within a second, at "
        f"every gateway, as it did before.{also} Nothing is trained.",
        possible=bool(choices),
        why_not=None if choices else "No other version that is blessed has served.",
        versions=tuple(Choice(version=one.version, said=_said(one)) for one in choices),
        head=head,
    )


def _abort(release: Release, head: int) -> Act:
    return Act(
        act="abort",
        title="Abort the release",
        will=f"Version {_tried(release)} gets no more requests, and its run ends as rolled back. "
        f"Version {_champion(release)} answers everything.",
        possible=release.under_way,
        why_not=None if release.under_way else "No release is under way.",
        head=head,
    )


def _pause(release: Release, head: int) -> Act:
    possible = release.state in {"shadowing", "ramping"}
    return Act(
        act="pause",
        title="Pause the release",
        will=f"Version {_tried(release)} gets no more requests until somebody resumes; version {_champion(release)} "
        "answers everything, and its run waits. No other version is released meanwhile.",
        possible=possible,
        why_not=None if possible else _not_under_way(release, "It is paused already."),
        head=head,
    )


def _resume(ledger: Ledger, release: Release, head: int) -> Act:
    possible, trial = release.state == "paused", trials.newest(ledger)
    before = trial.active.release if trial is not None else release
    again = "is asked beside the champion again, heard by nobody,"
    if before.state == "ramping":
        step = f"step {before.step} of {len(before.steps)}"
        again = f"answers {words.share(before.share)} of the requests again ({step})"
    return Act(
        act="resume",
        title="Resume the release",
        will=f"Version {_tried(release)} {again} and is watched as before; its patience counts from now.",
        possible=possible,
        why_not=None if possible else _not_under_way(release, "It is not paused."),
        head=head,
    )


def _veto(ledger: Ledger, release: Release, versions: list[Version], head: int) -> Act:
    choices = [one for one in reversed(versions) if not (release.serves(one.version) or forbidden(ledger, one.version))]
    return Act(
        act="veto",
        title="Veto a version",
        will="The version you choose is never released, until somebody blesses it. If it is being tried it is dropped "
        "at once.",
        possible=bool(choices),
        why_not=None if choices else "There is no version but the champion that is not vetoed already.",
        versions=tuple(Choice(version=one.version, said=_said(one)) for one in choices),
        head=head,
    )


def _bless(versions: list[Version], head: int) -> Act:
    choices = [one for one in reversed(versions) if not one.blessed]
    return Act(
        act="bless",
        title="Bless a version",
        will="The version you choose may be released, against what the gates said. It is not released by this: run the "
        "pipeline with `redeploy` to rehearse and try it.",
        possible=bool(choices),
        why_not=None if choices else "Every version is blessed already.",
        versions=tuple(Choice(version=one.version, said=_said(one)) for one in choices),
        head=head,
    )


def _said(version: Version) -> str:
    return f"{version.standing}, data until {words.moment(version.data_end)}: {version.reason or 'no verdict yet'}"


def _not_under_way(release: Release, otherwise: str) -> str:
    return otherwise if release.under_way else "No release is under way."


def _phase(release: Release) -> str:
    return {"shadowing": "shadow", "ramping": "canary"}.get(release.state, "paused release")


def _tried(release: Release) -> str:
    return "–" if release.challenger is None else str(release.challenger.version)


def _champion(release: Release) -> str:
    return "–" if release.champion is None else str(release.champion.version)
