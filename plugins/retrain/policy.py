"""Should we retrain? One decision over plain values: it reads nothing, writes nothing and knows no clock.

In doubt it retrains: a candidate too many is stopped by the gates, a champion that grew too old by nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from retrain.spec.durations import spell
from retrain.words import duration


@dataclass(frozen=True)
class Champion:
    """Who would go on serving.

    :param age: how long before the data asked for its own data ended; below 0 where it has seen newer.
    :param drifted: have inputs moved since that it uses, or may use? None: it was not measured.
    """

    version: int
    age: timedelta
    drifted: bool | None


@dataclass(frozen=True)
class Retrain:
    """Go on to a new candidate.

    :param reason: every reason for it.
    """

    reason: str


@dataclass(frozen=True)
class Rest:
    """End the run here.

    :param champion: the version that goes on serving.
    """

    reason: str
    champion: int


def decide(
    *, trigger: str, force: bool = False, redeploy: int | None = None, champion: Champion | None, limit: timedelta
) -> Retrain | Rest:
    """Should we retrain? A run rests if the schedule alone asked for it and nothing speaks against the champion.

    :param trigger: what started the run; see :class:`~retrain.artifacts.Request`.
    :param redeploy: the version that is to be released again.
    :param champion: None if there is none.
    :param limit: the oldest a champion may be.
    """
    against = _against(champion, limit)
    asked = {
        f"version {redeploy} is to be released again": redeploy is not None,
        "it is forced": force,
        f"it was not started by the schedule ({trigger})": trigger != "schedule",
    }
    reasons = [reason for reason, given in asked.items() if given] + against
    if champion is None or reasons:
        return Retrain("; ".join(reasons))
    age = _data_ended(champion, limit)
    return Rest(f"the champion, version {champion.version}, is fresh ({age}) and nothing has drifted", champion.version)


def _against(champion: Champion | None, limit: timedelta) -> list[str]:
    """What speaks against letting the champion serve on."""
    if champion is None:
        return ["there is no champion"]
    against = []
    if champion.drifted is None:
        against.append("whether the inputs have drifted was not measured")
    if champion.drifted:
        against.append("the inputs have drifted")
    if champion.age > limit:
        against.append(f"the champion, version {champion.version}, is too old ({_data_ended(champion, limit)})")
    return against


def _data_ended(champion: Champion, limit: timedelta) -> str:
    age = max(champion.age.total_seconds(), 0.0)
    return f"its data ended {duration(age)} before the data asked for, at most {spell(limit)}"
