"""The design matrix: features and target of some rows as arrays, in time order as the features stage wrote them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrain.artifacts import FeatureSet, FileRef
from retrain.data.frames import load_frame
from retrain.errors import TrainingError
from retrain.metrics.classes import spell
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series

LABEL, TIME = "__label__", "__time__"


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
        """The features as a float64 matrix; missing values are NaN."""
        from retrain.model.model import matrix

        return matrix(self.features)

    def where(self, chosen: np.ndarray) -> DesignMatrix:
        """Only the chosen rows (a mask)."""
        return DesignMatrix(self.features[chosen], self.target[chosen], self.classes, self.times[chosen])


def read_design_matrix(spec: Spec, feature_set: FeatureSet, file: FileRef, site: Site) -> DesignMatrix:
    """Read the train or the holdout file of a feature set.

    :raises TrainingError: if a label is missing, or is none of the feature set's classes.
    """
    import pandas as pd

    table = load_frame(site, file)
    labels = table[LABEL]
    if spec.task == "regression":
        target = pd.to_numeric(labels, errors="coerce").to_numpy(dtype="float64", na_value=float("nan"))
        classes: tuple[Any, ...] = ()
    else:
        codes = {spell(name): code for code, name in enumerate(feature_set.classes)}
        found = {value: codes.get(spell(value), -1) for value in labels.dropna().unique().tolist()}
        target = labels.map(found).fillna(-1).to_numpy(dtype="int64")
        classes = tuple(_json_class(name, found) for name in feature_set.classes)
    _refuse_unusable(spec, target, labels, site, file)
    return DesignMatrix(table[list(feature_set.features)], target, classes, pd.to_datetime(table[TIME], utc=True))


def _json_class(name: str, found: Iterable[Any]) -> Any:
    """A class as it stood in the label column: ``True`` rather than ``"True"``."""
    for value in found:
        if spell(value) == spell(name):
            return int(value) if isinstance(value, float) and value.is_integer() else value
    return name


def _refuse_unusable(spec: Spec, target: np.ndarray, labels: Series[Any], site: Site, file: FileRef) -> None:
    import numpy as np

    unusable = ~np.isfinite(target) if spec.task == "regression" else target < 0
    if unusable.any():
        example = labels[unusable].iloc[0]
        raise TrainingError(
            f"{int(unusable.sum()):,} of {len(target):,} rows of pipeline '{spec.name}' have an unusable label, "
            f"e.g. {example!r}.",
            where=f"{site.store.uri}/{file.path}",
            do="run the features stage again; if it stays so, mend the label at the source.",
        )
