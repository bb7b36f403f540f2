"""Parity: the proof that a feature function is row-wise, so that training and serving see the same numbers.

Rows drawn at random are computed anew, shuffled; and some of them as the gateway is asked for them, one at a time and
through JSON. Any value that differs from the one in the training set ends the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrain.data.feature_function import row_name
from retrain.errors import FeatureError, ModelError
from retrain.spec import FILE, Spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

SHUFFLED = 5_000
ALONE = 64
# Rounding in the last bits may differ between one row and many; nothing more may.
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Drawn:
    """Rows that are proved.

    :param raw: their inputs, with the dtypes they have in training. :param names: the columns that name them.
    :param features: what stands in the training set.
    """

    raw: DataFrame
    names: DataFrame
    features: DataFrame

    @classmethod
    def below(cls, drawn: Sequence[Drawn]) -> Drawn:
        """Those of several parts, below each other."""
        import pandas as pd

        return cls(
            pd.concat([one.raw for one in drawn], ignore_index=True),
            pd.concat([one.names for one in drawn], ignore_index=True),
            pd.concat([one.features for one in drawn], ignore_index=True),
        )


def positions(rows: int, seed: int) -> NDArray[np.int64]:
    """Positions of the rows that are proved, drawn by the seed, in order."""
    import numpy as np

    return np.sort(np.random.default_rng(seed).choice(rows, size=min(rows, SHUFFLED), replace=False))


def prove_row_wise(spec: Spec, function: Callable[[DataFrame], DataFrame], drawn: Drawn) -> int:
    """Compute drawn rows anew, as the gateway does. Returns how many rows were proved.

    :raises FeatureError: a value differs; it names the feature and the row.
    """
    import numpy as np

    from retrain.model.model import Model, Signature

    inputs = {str(name): str(dtype) for name, dtype in drawn.raw.dtypes.items()}
    features = tuple(drawn.features.columns)
    model = Model(Signature(spec.task, spec.feature_function, inputs, features, (), spec.metric.name), None, function)

    def compare(which: NDArray[np.int64], raw: DataFrame, how: str) -> None:
        served = _served(spec, model, raw)
        wanted = drawn.features.iloc[which].to_numpy()
        different = np.argwhere(~np.isclose(wanted, served, rtol=TOLERANCE, atol=0.0, equal_nan=True))
        if len(different):
            row, column = different[0]
            raise not_row_wise(
                spec,
                f"feature '{features[column]}' of the row {row_name(drawn.names, int(which[row]))} is "
                f"{float(wanted[row, column])!r} in training and {float(served[row, column])!r} {how}",
            )

    shuffled = np.random.default_rng(spec.train.seed).permutation(len(drawn.raw))
    compare(shuffled, drawn.raw.iloc[shuffled].reset_index(drop=True), "among other rows")
    for one in shuffled[:ALONE, None]:
        compare(one, _through_json(spec, model, drawn.raw.iloc[one]), "alone, asked for through JSON")
    return len(drawn.raw)


def not_row_wise(spec: Spec, why: str) -> FeatureError:
    """The error for a function that looks beyond the row."""
    return FeatureError(
        f"The feature function '{spec.feature_function}' of pipeline '{spec.name}' is not row-wise: {why}.",
        where=spec.feature_file,
        do="let each row's features depend on that row alone: no mean, rank, shift or get_dummies over the rows it is "
        "given, no chance, no clock. What needs other rows belongs into the data.",
    )


def _through_json(spec: Spec, model: Any, raw: DataFrame) -> DataFrame:
    """Raw rows as the gateway gets them."""
    from retrain.model.rows import records_of

    try:
        frame: DataFrame = model.frame(json.loads(json.dumps(records_of(raw))))
    except (ModelError, TypeError) as error:
        raise FeatureError(
            f"The inputs of pipeline '{spec.name}' cannot be asked for through JSON: {error}",
            where=spec.folder / FILE,
            do="list the inputs that a request can carry in `source.inputs`: numbers, text, truth values, timestamps.",
        ) from error
    return frame


def _served(spec: Spec, model: Any, raw: DataFrame) -> NDArray[np.float64]:
    """The features of raw rows as the gateway computes them."""
    from retrain.model.model import matrix

    try:
        return matrix(model.features(raw))
    except (ModelError, TypeError, ValueError) as error:
        raise not_row_wise(spec, f"it cannot compute some rows without the others: {error}") from error
