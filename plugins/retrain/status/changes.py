"""What is different between a version and the champion that it was compared with, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from retrain.artifacts import Candidate, FeatureSet, Snapshot, Value
from retrain.site import Site
from retrain.status import kept
from retrain.words import moment, number

DIGITS = 12
"""Of a hash that is shown."""


class Change(Value):
    """One difference.

    :param before: in the champion; None where it had none. :param after: in the version; None where it has none.
    """

    what: str
    before: str | None
    after: str | None


def changes(champion: Candidate, version: Candidate, site: Site) -> Iterator[Change]:
    """Window, rows and schema of the data, features and their code, estimator, parameters, packages.

    What is alike, or cannot be read any more, is left out.

    :raises StoreError: the store cannot be asked.
    """
    snapshots = [kept.found(site, Snapshot, one.snapshot) for one in (champion, version)]
    features = [kept.found(site, FeatureSet, one.features) for one in (champion, version)]
    if snapshots[0] is not None and snapshots[1] is not None:
        yield from _differences("", _data(snapshots[0]), _data(snapshots[1]))
        yield from _differences("column ", snapshots[0].columns, snapshots[1].columns)
    else:
        yield from _differences("", {"data until": moment(champion.data_end)}, {"data until": moment(version.data_end)})
    if features[0] is not None and features[1] is not None:
        yield from _differences("", _code(features[0]), _code(features[1]))
        yield from _differences("feature ", _names(features[0]), _names(features[1]))
    yield from _differences("", _training(champion), _training(version))
    yield from _differences("parameter ", champion.params, version.params)
    yield from _differences("package ", champion.environment, version.environment)


def _data(snapshot: Snapshot) -> dict[str, str]:
    return {
        "data from": moment(snapshot.start),
        "data until": moment(snapshot.end),
        "rows collected": number(snapshot.rows),
    }


def _code(features: FeatureSet) -> dict[str, str]:
    return {"code of the features": features.code[:DIGITS]}


def _names(features: FeatureSet) -> dict[str, str]:
    return dict.fromkeys(features.features, "there")


def _training(candidate: Candidate) -> dict[str, str]:
    return {
        "rows trained on": number(candidate.train_rows),
        "estimator": candidate.estimator,
        "seed": str(candidate.seed),
    }


def _differences(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in {**before, **after}:
        if before.get(name) != after.get(name) or (name in before) != (name in after):
            then = _told(before[name]) if name in before else None
            yield Change(what=f"{kind}{name}", before=then, after=_told(after[name]) if name in after else None)


def _told(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
