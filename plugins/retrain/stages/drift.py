"""Drift: how far the inputs have moved from those the champion was trained on.

The rows since the champion's data ended (never less than the newest seven days, so that every weekday is among them)
are compared, column by column, with the champion's own snapshot. How far is too far is learnt from the snapshot
itself: how far each of its weeks lies from all the others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Candidate, ColumnDrift, Drift, Request, Snapshot, canonical, identity
from retrain.data.frames import as_typed, load_parts
from retrain.errors import DataError
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from retrain.stats.drift import Histogram

    Distance = Callable[[Histogram, Histogram], float]

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
LEAST_BLOCKS = 5
# Where the reference is too short to calibrate: Siddiqi 2006 for PSI; 0.1 is customary for the other two.
CUSTOMARY = {"psi": 0.25, "jensen_shannon": 0.1, "wasserstein": 0.1}
LARGEST = 1e9  # stands for an infinite distance, which JSON cannot say
ID_LIKE = 0.9  # a text column with so large a share of different values names rows


def drift(spec: Spec, request: Request, snapshot: Snapshot, site: Site) -> Drift:
    """Compare the newest rows with those the champion was trained on.

    :raises DataError: the spec names a column that the snapshot does not have.
    """
    served = site.ledger(spec.name).champion()
    champion = None if served is None else site.ledger(spec.name).version(served.version)
    candidate = None if champion is None else site.read(Candidate, champion.candidate)
    key = identity(
        "drift",
        snapshot=snapshot.key,
        champion=None if champion is None else champion.candidate.key,
        version=None if champion is None else champion.version,
        drift=spec.fragment("drift"),
        columns=_columns(spec, snapshot),
    )
    artifact = site.once(Drift, spec.name, key, lambda: _make(spec, site, key, snapshot, candidate))
    site.ledger(spec.name).record_stage("drift", artifact, request)
    return artifact


def _make(spec: Spec, site: Site, key: str, snapshot: Snapshot, candidate: Candidate | None) -> Drift:
    if candidate is None:
        return Drift(
            key=key,
            pipeline=spec.name,
            snapshot=snapshot.ref(),
            reference=None,
            champion=None,
            columns=(),
            drifted=False,
        )
    reference = _reference(spec, site, site.read(Snapshot, candidate.snapshot))
    rows = _newest(spec, site, snapshot, candidate.data_end)
    skipped = {name: why for name in _columns(spec, snapshot) if (why := _why_not(name, rows, reference))}
    compared = [name for name in _columns(spec, snapshot) if name not in skipped]
    columns = tuple(_compare(spec, name, rows[name], reference["columns"][name]) for name in compared)
    return Drift(
        key=key,
        pipeline=spec.name,
        snapshot=snapshot.ref(),
        reference=candidate.snapshot,
        champion=candidate.version,
        columns=columns,
        drifted=any(column.drifted for column in columns),
        skipped=skipped,
    )


def _columns(spec: Spec, snapshot: Snapshot) -> tuple[str, ...]:
    """The columns that are watched."""
    columns = spec.drift.columns or spec.source.input_columns(snapshot.columns)
    missing = [name for name in columns if name not in snapshot.columns]
    if missing:
        raise DataError(
            f"Column '{missing[0]}', named in `drift.columns` of pipeline '{spec.name}', is not in the data. "
            f"It has: {', '.join(snapshot.columns)}.",
            where=spec.folder / "pipeline.yaml",
            do="correct `drift.columns`; if `source.inputs` is given, only those columns are read.",
        )
    return columns


def _newest(spec: Spec, site: Site, snapshot: Snapshot, since: datetime) -> DataFrame:
    """The rows since the champion's data ended, or of the newest week if that is longer."""
    columns = sorted({spec.source.timestamp, *_columns(spec, snapshot)})
    since = min(since, snapshot.newest - WEEK)
    frame = load_parts(site, snapshot.parts, columns, time=spec.source.timestamp, since=since)
    return as_typed(frame, snapshot.columns)


# -- the reference ---------------------------------------------------------------------------------------------


def _reference(spec: Spec, site: Site, snapshot: Snapshot) -> dict[str, Any]:
    """The histograms of the champion's snapshot; computed once, then kept beside it in the store."""
    path = f"{spec.name}/data/drift/{snapshot.key}/reference.json"
    if not site.store.exists(path):
        frame = load_parts(site, snapshot.parts)
        site.store.create(path, canonical(_summarised(frame, spec.source.timestamp)))
    reference: dict[str, Any] = json.loads(site.store.get(path))
    return reference


def _summarised(frame: DataFrame, timestamp: str) -> dict[str, Any]:
    """Each column as one histogram of all rows and one of each block of time; and the columns that have none."""
    blocks = _blocks(frame[timestamp])
    skipped = {str(name): why for name in frame.columns if (why := _no_histogram(frame[name]))}
    columns = {str(name): _histograms(frame[name], blocks) for name in frame.columns if str(name) not in skipped}
    return {"columns": columns, "skipped": skipped}


def _histograms(column: Series[Any], blocks: list[Any]) -> dict[str, Any]:
    from retrain.stats.drift import Histogram

    whole = Histogram.from_values(column.to_numpy())
    return {"whole": whole.to_dict(), "blocks": [whole.count(column[block].to_numpy()).to_dict() for block in blocks]}


def _blocks(times: Series[Any]) -> list[Any]:
    """Masks of the reference's whole weeks, or days where it has too few weeks, counted back from its newest row."""
    for length in (WEEK, DAY):
        age = (times.max() - times) // length
        whole = (times.max() - times.min()) // length
        masks = [mask for number in range(whole) if (mask := (age == number).to_numpy()).any()]
        if len(masks) >= LEAST_BLOCKS:
            return masks
    return []


def _no_histogram(column: Series[Any]) -> str | None:
    """Why a column cannot be compared, or None."""
    kind = column.dtype.kind
    if kind in "mM":
        return "a date"
    values = column.dropna()
    if values.empty:
        return "all null in the champion's data"
    try:
        share = values.nunique() / len(values)
    except TypeError:
        return "neither numbers nor text"
    if (kind not in "biuf" and share > ID_LIKE) or (kind in "iu" and share == 1):
        return "names rows: nearly every value is different"
    return None


# -- comparing -------------------------------------------------------------------------------------------------


def _why_not(name: str, rows: DataFrame, reference: dict[str, Any]) -> str | None:
    """Why a column is not compared, or None."""
    if name in reference["skipped"]:
        return str(reference["skipped"][name])
    if name not in reference["columns"]:
        return "not in the champion's data"
    numeric = reference["columns"][name]["whole"]["kind"] == "numeric"
    if numeric and rows[name].dtype.kind not in "biuf" and rows[name].notna().any():
        return f"numbers in the champion's data, now {rows[name].dtype}"
    return None


def _compare(spec: Spec, name: str, values: Series[Any], reference: dict[str, Any]) -> ColumnDrift:
    from retrain.stats.drift import Histogram

    whole = Histogram.from_dict(reference["whole"])
    blocks = [Histogram.from_dict(block) for block in reference["blocks"]]
    now = whole.count(values.to_numpy())
    named, distance = _distance(spec, [whole, now])
    value = min(distance(whole, now), LARGEST)
    threshold = spec.drift.threshold or _threshold(spec, named, distance, blocks)
    return ColumnDrift(column=name, distance=named, value=value, threshold=threshold, drifted=value > threshold)


def _distance(spec: Spec, histograms: list[Histogram]) -> tuple[str, Distance]:
    """The distance to use; Wasserstein's needs numbers on both sides, others are compared by Jensen and Shannon's."""
    from retrain.stats.drift import jensen_shannon, psi, wasserstein_scaled

    if spec.drift.distance == "psi":
        return "psi", psi
    if spec.drift.distance == "wasserstein" and all(h.kind == "numeric" and any(h.counts) for h in histograms):
        return "wasserstein", wasserstein_scaled
    return "jensen_shannon", jensen_shannon


def _threshold(spec: Spec, named: str, distance: Distance, blocks: list[Histogram]) -> float:
    """The distance that a week like those of the reference exceeds at the rate of false alarms allowed."""
    from retrain.stats.drift import calibrated_threshold

    usable = [block for block in blocks if named != "wasserstein" or any(block.counts)]
    if len(usable) < LEAST_BLOCKS:
        return CUSTOMARY[named]
    learnt = calibrated_threshold(usable, spec.drift.false_alarms, distance=distance)
    return learnt if math.isfinite(learnt) else LARGEST
