"""Requests that both models answered, one of them unheard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.monitoring.answers import Answers
from retrain.monitoring.register import hashed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ALONE = "1h"
"""How long one answer waits for the other, which another part of the log may bring."""


class Pairs:
    """Brings two answers to one request together, as they come.

    :param answer: the column of the log that holds an answer.
    """

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self._alone: pd.DataFrame | None = None

    def take(self, rows: pd.DataFrame) -> tuple[Answers, NDArray[np.bool_]]:
        """Take up rows of the log, of the arms champion and shadow.

        Gives the pairs, the champion's answer first, and whether each of the two failed, shape (pairs, 2).
        """
        import pandas as pd

        rows = rows.assign(hashed=hashed(rows["id"].to_numpy(dtype=object)))
        if self._alone is not None:
            rows = pd.concat([self._alone, rows])
        unheard = rows["arm"] == "shadow"
        both = (
            rows[~unheard]
            .drop_duplicates("hashed")
            .merge(
                rows.loc[unheard, ["hashed", "failed", self._answer]].drop_duplicates("hashed"),
                on="hashed",
                suffixes=("", "_of"),
            )
        )
        alone = rows[~rows["hashed"].isin(both["hashed"])]
        self._alone = alone[alone["at"] >= rows["at"].max() - pd.Timedelta(ALONE)] if len(alone) else None
        both = both.sort_values(["at", "id"], kind="stable")
        return self._pairs(both), both[["failed", "failed_of"]].to_numpy(dtype=bool)

    def _pairs(self, both: pd.DataFrame) -> Answers:
        import numpy as np

        n = len(both)
        whose = both["entity"].where(both["entity"].notna(), both["id"])
        kind = float if self._answer == "score" else object
        return Answers(
            at=both["at"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]").astype(np.int64),
            id=both["hashed"].to_numpy(dtype=np.uint64),
            decision=both["release"].to_numpy(dtype=np.int64),
            share=np.zeros(n),
            tried=np.zeros(n, dtype=bool),
            name=(hashed(whose.to_numpy(dtype=object)) >> np.uint64(16)).astype(np.int64),
            chance=np.full(n, np.nan),
            failed=both["failed"].to_numpy(dtype=bool) | both["failed_of"].to_numpy(dtype=bool),
            latency_ms=both["latency_ms"].to_numpy(dtype=float),
            answer=both[[self._answer, f"{self._answer}_of"]].to_numpy(dtype=kind),
        )
