"""What the ledger knows of each version: folds over its entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from retrain.artifacts import Moment, Ref, Value
from retrain.ledger.entries import Answered, Entry, Judged, Rehearsed, Stale, Trained
from retrain.ledger.release import Release, Served

Standing = Literal["candidate", "blessed", "vetoed", "undecided", "stale", "released", "rolled back"]


class Version(Value):
    """What the ledger knows of one trained version.

    :param standing: where it stands now: the last decision about it.
    """

    version: int
    candidate: Ref
    served: Served
    trained_at: Moment
    data_end: Moment
    standing: Standing
    reason: str = ""
    blessed: bool = False


def versions(entries: Iterable[Entry]) -> list[Version]:
    """Every trained version with its standing, oldest first.

    What a human has vetoed only a human blesses again: the same data and code make the same version, and the gates of
    a later run would let it pass once more.
    """
    found: dict[int, Version] = {}
    forbidden: set[int] = set()
    for entry in entries:
        match entry.body:
            case Trained() as trained:
                found[trained.version] = _trained(entry, trained)
            case Release() as release:
                _apply_release(found, release)
            case Judged() | Answered() | Rehearsed() | Stale() as body if body.version in found:
                if isinstance(body, Judged) and entry.by == "human":
                    (forbidden.add if body.outcome == "vetoed" else forbidden.discard)(body.version)
                elif body.version in forbidden:
                    continue
                found[body.version] = _judged(found[body.version], body)
    return list(found.values())


def standing_release(entries: Sequence[Entry]) -> tuple[int, Release]:
    """The routing decision that stands, and its number; 0 if there is none."""
    releases = ((entry.number, entry.body) for entry in reversed(entries) if isinstance(entry.body, Release))
    return next(releases, (0, Release()))


def champions(entries: Iterable[Entry]) -> list[int]:
    """The line of champions, oldest first, the present one last. A rollback removes what it left."""
    line: list[int] = []
    for release in (entry.body for entry in entries if isinstance(entry.body, Release)):
        if release.champion is None or line[-1:] == [release.champion.version]:
            continue
        number = release.champion.version
        if release.state == "promoted" or number not in line:
            line = [*(earlier for earlier in line if earlier != number), number]
        else:
            line = line[: line.index(number) + 1]
    return line


def _trained(entry: Entry, body: Trained) -> Version:
    return Version(
        version=body.version,
        candidate=body.candidate,
        served=Served(version=body.version, model=body.model),
        trained_at=entry.at,
        data_end=body.data_end,
        standing="candidate",
    )


def _judged(version: Version, body: Judged | Answered | Rehearsed | Stale) -> Version:
    update: dict[str, object]
    match body:
        case Judged():
            update = {"standing": body.outcome, "blessed": body.outcome == "blessed"}
        case Answered(approved=False) | Rehearsed(passed=False):
            update = {"standing": "vetoed", "blessed": False}
        case Stale():
            update = {"standing": "stale"}
        case _:
            return version
    return version.model_copy(update={**update, "reason": body.reason})


def _apply_release(found: dict[int, Version], release: Release) -> None:
    """Mark who is released, and who was dropped by this decision."""
    serving = {s.version for s in (release.champion, release.challenger) if s is not None}
    for number, version in found.items():
        if number in serving:
            found[number] = version.model_copy(update={"standing": "released", "reason": release.reason})
        elif version.standing == "released":
            dropped = "rolled back" if release.state == "rolled_back" else "blessed"
            found[number] = version.model_copy(update={"standing": dropped, "reason": release.reason})
