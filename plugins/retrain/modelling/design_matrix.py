"""The design matrix: features and target of rows as arrays, in time order as the features stage wrote them.

Here the parts of a feature set become one: an estimator wants all its rows at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from retrain.artifacts import FeatureSet
from retrain.data.frames import load_parts
from retrain.data.labels import ENTITY, LABEL, TIME
from retrain.errors import TrainingError
from retrain.metrics.classes import spell
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series


@dataclass(frozen=True)
class DesignMatrix:
    """Rows to learn from, or to judge on.

    :param features: the feature columns as a frame, in the feature set's order.
    :param target: the class's position in the feature set's classes, or the number to predict.
    :param classes: the classes as JSON values; empty for a regression.
    :param times: when each row happened, in UTC.
    """

    features: DataFrame
    target: np.ndarray
    classes: tuple[Any, ...]
    times: Series[Any]

    def __len__(self) -> int:
        return len(self.target)

    @property
    def rows(self) -> np.ndarray:
        """The features as a float64 matrix that cannot be written to; missing values are NaN."""
        from retrain.model.model import matrix

        rows = matrix(self.features)
        rows.flags.writeable = False  # pandas 2 gives the frame's own memory to write to; pandas 3 does not
        return rows

    def where(self, chosen: np.ndarray) -> DesignMatrix:
        """Only the chosen rows (a mask)."""
        return DesignMatrix(self.features[chosen], self.target[chosen], self.classes, self.times[chosen])


def training_rows(spec: Spec, feature_set: FeatureSet, site: Site) -> DesignMatrix:
    """The rows of a feature set before its split.

    :raises TrainingError: if a label is missing, or is none of the feature set's classes.
    """
    return _read(spec, feature_set, site, until=feature_set.split_at)


def held_out_rows(spec: Spec, feature_set: FeatureSet, site: Site) -> DesignMatrix:
    """The rows of a feature set from its split on.

    :raises TrainingError: if a label is missing, or is none of the feature set's classes.
    """
    return _read(spec, feature_set, site, since=feature_set.split_at)


def held_out_entities(feature_set: FeatureSet, site: Site) -> Series[Any]:
    """Whom each held-out row is about; null where the pipeline names no entity."""
    return load_parts(site, feature_set.parts, [ENTITY, TIME], time=TIME, since=feature_set.split_at)[ENTITY]


def _read(
    spec: Spec, feature_set: FeatureSet, site: Site, since: datetime | None = None, until: datetime | None = None
) -> DesignMatrix:
    import pandas as pd

    columns = [*feature_set.features, LABEL, TIME]
    table = load_parts(site, feature_set.parts, columns, time=TIME, since=since, until=until)
    labels = table[LABEL]
    if spec.task == "regression":
        target = pd.to_numeric(labels, errors="coerce").to_numpy(dtype="float64", na_value=float("nan"))
        classes: tuple[Any, ...] = ()
    else:
        codes = {spell(name): code for code, name in enumerate(feature_set.classes)}
        found = {value: codes.get(spell(value), -1) for value in labels.dropna().unique().tolist()}
        target = labels.map(found).fillna(-1).to_numpy(dtype="int64")
        classes = tuple(_json_class(name, found) for name in feature_set.classes)
    _refuse_unusable(spec, target, labels, site, feature_set)
    return DesignMatrix(table[list(feature_set.features)], target, classes, pd.to_datetime(table[TIME], utc=True))


def _json_class(name: str, found: Iterable[Any]) -> Any:
    """A class as it stood in the label column: ``True`` rather than ``"True"``."""
    for value in found:
        if spell(value) == spell(name):
            return int(value) if isinstance(value, float) and value.is_integer() else value
    return name


def _refuse_unusable(spec: Spec, target: np.ndarray, labels: Series[Any], site: Site, feature_set: FeatureSet) -> None:
    import numpy as np

    unusable = ~np.isfinite(target) if spec.task == "regression" else target < 0
    if unusable.any():
        example = labels[unusable].iloc[0]
        raise TrainingError(
            f"{int(unusable.sum()):,} of {len(target):,} rows of pipeline '{spec.name}' have an unusable label, "
            f"e.g. {example!r}.",
            where=f"{site.store.uri}/{feature_set.path(spec.name, feature_set.key)}",
            do="run the features stage again; if it stays so, mend the label at the source.",
        )
