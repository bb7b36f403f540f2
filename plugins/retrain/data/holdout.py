"""The holdout as it lay in the data: the raw inputs of the rows that no model has learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.artifacts import FeatureSet
from retrain.data.frames import load_frame, load_parts
from retrain.data.labels import ROW, TIME
from retrain.site import Site

if TYPE_CHECKING:
    from pandas import DataFrame


def raw_holdout(feature_set: FeatureSet, site: Site) -> DataFrame:
    """The inputs of the held-out rows, in the order of the feature set's.

    :raises ObjectMissing, DataError: as :func:`~retrain.data.frames.load_frame` does.
    """
    import pandas as pd

    if feature_set.raw_holdout is not None:
        return load_frame(site, feature_set.raw_holdout)
    held_out = []
    for part in feature_set.parts:
        if part.source is not None and part.end > feature_set.split_at:
            rows = load_parts(site, [part], [ROW], time=TIME, since=feature_set.split_at)[ROW]
            held_out.append(load_frame(site, part.source, feature_set.inputs).iloc[rows])
    return pd.concat(held_out, ignore_index=True)
