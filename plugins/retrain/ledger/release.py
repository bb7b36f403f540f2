"""A release as a state machine: from one routing decision to the next.

=====================  ================================================  =============================
from                   when                                              to
=====================  ================================================  =============================
idle, promoted,        a challenger is blessed, fresh and rehearsed      shadowing (or promoted at once
rolled back                                                              where there is no champion)
shadowing              enough shadow answers, none of them alarming      ramping, step 1
ramping, step k        the step's least time and requests, no harm       ramping, step k+1
ramping, last step     harm beyond the margin is excluded                promoted: the champion
shadowing, ramping     harm is shown; a human aborts                     rolled back
shadowing              patience ends                                     rolled back
ramping                patience ends and nothing is shown                paused, or rolled back (spec)
shadowing, ramping     a human pauses                                    paused
paused                 a human resumes                                   where it was: shadowing, or
                                                                         ramping, step k
paused                 a human aborts, or takes the blessing back        rolled back
any of these           a newer challenger is blessed                     rolled back, superseded
promoted, rolled back  a human returns to an older version               rolled back
=====================  ================================================  =============================

A pause has no end of its own: whoever watches waits for a human. Patience, and a step's least time and requests, are
counted anew from the resume; what was seen before the pause is evidence as before, because a decision that resumes
is one of its own, and its requests are told apart from those of others.

The functions here are pure: each takes the release that stands and returns the next one, or raises
:class:`~retrain.errors.ReleaseError`. Writing it down is the ledger's work.
"""

from __future__ import annotations

import secrets
from typing import Any, ClassVar, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer
from typing_extensions import override

from retrain.artifacts import ModelRef, Moment, Value, now
from retrain.errors import ReleaseError
from retrain.ledger.body import Body
from retrain.words import share

ReleaseState = Literal["idle", "shadowing", "ramping", "paused", "promoted", "rolled_back"]
UNDER_WAY: frozenset[ReleaseState] = frozenset({"shadowing", "ramping", "paused"})


class Served(Value):
    """A version that can answer requests."""

    version: int
    model: ModelRef


class Release(Body):
    """One routing decision. The newest one is all a gateway needs to know.

    :param champion: who answers, unless the challenger is asked.
    :param challenger: who is tried; None when nobody is.
    :param previous: the champion before this one, to return to.
    :param share: the challenger's share of live entities, 0 to 1.
    :param shadow: the share of requests the challenger also answers without being heard, 0 to 1.
    :param step: the ramp's step, counted from 1; 0 outside a ramp.
    :param steps: the shares of the whole ramp.
    :param started: when this challenger's release began.
    :param salt: of the hash that draws who is the challenger's; a trial's own, so that nobody can know it before.
    :param reason: why, for the person who reads it at night.
    """

    kind: ClassVar[str] = "release"

    state: ReleaseState = "idle"
    champion: Served | None = None
    challenger: Served | None = None
    previous: Served | None = None
    share: float = 0.0
    shadow: float = 0.0
    step: int = 0
    steps: tuple[float, ...] = ()
    started: Moment | None = None
    salt: str = ""
    reason: str = ""

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A release without a trial has no salt, and the bytes it had before there were any."""
        plain: dict[str, Any] = handler(self)
        return plain if plain.get("salt") else {key: value for key, value in plain.items() if key != "salt"}

    @property
    @override
    def line(self) -> str:
        text = f"{self.state.replace('_', ' ')}: champion {_version(self.champion)}"
        if self.challenger is not None:
            text += f", challenger {self.challenger.version}"
            text += f" at {share(self.share)} (step {self.step} of {len(self.steps)})" if self.step else ""
        return f"{text}; {self.reason}"

    @property
    def under_way(self) -> bool:
        """Is a challenger being tried right now?"""
        return self.state in UNDER_WAY

    def serves(self, version: int) -> bool:
        """Is this version the champion?"""
        return self.champion is not None and self.champion.version == version

    def tries(self, version: int) -> bool:
        """Is this version being tried right now?"""
        return self.under_way and self.challenger is not None and self.challenger.version == version


def start_shadow(
    current: Release, challenger: Served, *, shadow: float, steps: tuple[float, ...], reason: str
) -> Release:
    """Begin to try a challenger: it answers beside the champion and is not heard."""
    if current.champion is None:
        raise ReleaseError(
            f"Version {challenger.version} cannot be shadowed: no champion serves yet.",
            do="promote it directly; a first model has nothing to be compared with.",
        )
    if current.under_way:
        raise ReleaseError(
            f"Version {_version(current.challenger)} is still being released.",
            do="roll it back as superseded first, or wait for its decision.",
        )
    return current.model_copy(
        update={
            "state": "shadowing",
            "challenger": challenger,
            "share": 0.0,
            "shadow": shadow,
            "step": 0,
            "steps": steps,
            "started": now(),
            "salt": secrets.token_hex(16),
            "reason": reason,
        }
    )


def ramp(current: Release, *, shadow: float = 0.0, reason: str) -> Release:
    """Go to the next step: from shadow to the first, from step k to k+1.

    :param shadow: the share of the champion's requests that the challenger goes on to answer unheard.
    """
    _require(current, {"shadowing", "ramping"}, "be ramped")
    step = current.step + 1
    if step > len(current.steps):
        raise ReleaseError(
            f"Version {_version(current.challenger)} is at its last step ({current.step}).",
            do="promote it, or roll it back.",
        )
    share = current.steps[step - 1]
    update = {"state": "ramping", "step": step, "share": share, "shadow": shadow, "reason": reason}
    return current.model_copy(update=update)


def pause(current: Release, *, reason: str) -> Release:
    """Stop sending requests to the challenger and wait for a human."""
    _require(current, {"shadowing", "ramping"}, "be paused")
    return current.model_copy(update={"state": "paused", "share": 0.0, "shadow": 0.0, "reason": reason})


def resume(current: Release, before: Release, *, reason: str) -> Release:
    """Go on where a pause stopped it: in the shadow, or at the same step with the same share.

    :param before: the decision that was paused.
    """
    _require(current, {"paused"}, "be resumed")
    where = {name: getattr(before, name) for name in ("state", "share", "shadow", "step")}
    return current.model_copy(update={**where, "reason": reason})


def promote(current: Release, challenger: Served, *, reason: str) -> Release:
    """The challenger becomes the champion and answers everything."""
    if current.under_way and (current.challenger is None or current.challenger.version != challenger.version):
        raise ReleaseError(
            f"Version {challenger.version} cannot be promoted: version {_version(current.challenger)} "
            "is the one being released.",
            do="wait for that release's decision, or roll it back first.",
        )
    return Release(state="promoted", champion=challenger, previous=current.champion, started=now(), reason=reason)


def roll_back(current: Release, *, reason: str) -> Release:
    """The challenger is dropped; the champion answers everything, as before."""
    _require(current, {"shadowing", "ramping", "paused"}, "be rolled back")
    return Release(
        state="rolled_back",
        champion=current.champion,
        previous=current.previous,
        started=current.started,
        reason=reason,
    )


def restore(current: Release, to: Served, *, previous: Served | None = None, reason: str) -> Release:
    """A human returns to an older version, at once and for all requests.

    :param previous: the sound champion before ``to``, if there is one: never the one that is being left.
    """
    if current.champion is not None and current.champion.version == to.version and not current.under_way:
        raise ReleaseError(f"Version {to.version} is the champion already.", do="name another version with --to.")
    return Release(state="rolled_back", champion=to, previous=previous, started=now(), reason=reason)


def _version(served: Served | None) -> str:
    return "none" if served is None else str(served.version)


def _require(current: Release, states: set[ReleaseState], action: str) -> None:
    if current.state not in states:
        raise ReleaseError(
            f"Nothing can {action} now: the release is '{current.state}'.",
            do=f"this needs a release that is {' or '.join(sorted(states))}; see `retrain status`.",
        )
