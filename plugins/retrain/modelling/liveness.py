"""Which raw inputs and features have died: they varied in training, and are one value, or none, in the newest rows.

A model that was judged on such rows has hardly been judged with them, and one that was trained on few of them still
counts on what is gone. Part by part, so that no more than one part is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from retrain.artifacts import FeatureSet
from retrain.data.frames import load_frame, load_parts
from retrain.data.labels import ROW
from retrain.site import Site
from retrain.stats.runs import Gaps, Runs

if TYPE_CHECKING:
    from pandas import DataFrame, Series

LEAST_ROWS = 30
LEAST_PART = 0.1
"""Of the held-out rows: what is missing in fewer of the newest may just have come late."""


@dataclass
class Watched:
    """One input or feature, in order of time."""

    runs: Runs = field(default_factory=Runs)
    gaps: Gaps = field(default_factory=Gaps)

    def feed(self, column: Series[Any]) -> None:
        """Go on with the column of the next rows."""
        has = column.notna().to_numpy()
        self.gaps.feed(has)
        self.runs.feed(column.to_numpy()[has])

    def fault(self, least: int) -> str | None:
        """What has become of it in the newest rows, or None; fewer than so many are none."""
        gap, run = self.gaps, self.runs
        if gap.empty and gap.length >= least:
            return f"is empty in the newest {gap.length:,} rows; before, never in more than {gap.longest:,} on end"
        if run.stuck and run.length >= least:
            value = f"{run.last:.6g}" if isinstance(run.last, float) else str(run.last)[:40]
            return (
                f"is {value} in the newest {run.length:,} rows; before, no value lasted for more than {run.longest:,}"
            )
        return None


def dead(feature_set: FeatureSet, site: Site) -> tuple[str, ...]:
    """The inputs and features that have died: one sentence each.

    :raises ObjectMissing, DataError: as :func:`~retrain.data.frames.load_frame` does.
    """
    watched: dict[str, Watched] = {}
    for kind, rows in _in_order(feature_set, site):
        for name in rows.columns:
            watched.setdefault(f"{kind} {name}", Watched()).feed(rows[name])
    least = max(LEAST_ROWS, round(LEAST_PART * feature_set.holdout_rows))
    faults = {name: one.fault(least) for name, one in watched.items()}
    return tuple(f"{name} {fault}" for name, fault in faults.items() if fault is not None)


def _in_order(feature_set: FeatureSet, site: Site) -> Iterator[tuple[str, DataFrame]]:
    """The labelled rows in order of time, part by part: as raw inputs, where these are known, and as features."""
    for part in feature_set.parts:
        if part.source is not None:
            rows = load_parts(site, [part], [ROW])[ROW]
            yield "input", load_frame(site, part.source, feature_set.inputs).iloc[rows]
        yield "feature", load_parts(site, [part], feature_set.features)
