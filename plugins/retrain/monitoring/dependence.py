"""What a column is to a model: how much its answers change if the column's values are those of another time.

Rows of now are asked again with one column as it was then, and the mean squared change of the answers is set against
their variance. Where the column has not moved that is its total effect (Jansen 1999), permutation importance without
labels; where it is constant now, it shows what was lost with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

    from retrain.model.model import Model

MOST_ROWS = 2_000
HARDLY = 0.01
"""Less than this share of the variance of the answers, and the model hardly uses the column."""


def weights(model: Model, now: DataFrame, then: DataFrame, columns: Iterable[str]) -> dict[str, float]:
    """The share of the variance of a model's answers that goes with each column; 1 where the answers had none.

    :param now: raw rows, of which some are asked.
    :param then: rows whose values the columns get, at random.
    :raises ModelError: the model cannot take the rows.
    """
    import numpy as np

    random = np.random.default_rng(0)
    asked = model.conform(now.iloc[np.sort(random.permutation(len(now))[:MOST_ROWS])])
    answers = model.predict(model.features(asked))
    spread = 2.0 * float(np.var(answers, axis=0).sum())
    found = {}
    for column in columns:
        if column not in model.signature.inputs:
            found[column] = 0.0
            continue
        drawn = then[[column]].iloc[random.integers(len(then), size=len(asked))]
        other = model.predict(model.features(asked.assign(**{column: model.conform(drawn)[column]})))
        changed = float(np.mean((other - answers) ** 2, axis=0).sum())
        found[column] = min(changed / spread, 1.0) if spread else float(changed > 0.0)
    return found
