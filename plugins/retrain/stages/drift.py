"""Drift: how far the inputs have moved from those the champion was trained on; and may a scheduled run end there?

The rows since the champion's data ended (never less than the newest seven days, so that every weekday is among them)
are compared, column by column, with the champion's own snapshot. Of what has moved, the champion itself is asked what
that is to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from retrain import policy
from retrain.artifacts import Candidate, ColumnDrift, Decay, Drift, FeatureSet, Request, Snapshot, code, identity
from retrain.data.frames import as_typed, load_parts
from retrain.data.labels import known_labels
from retrain.errors import DataError, RetrainError
from retrain.ledger import FreshEnough, Ledger
from retrain.metrics import distances
from retrain.modelling.design_matrix import held_out_rows
from retrain.monitoring.decay import decay
from retrain.monitoring.dependence import HARDLY, weights
from retrain.monitoring.drift import compare
from retrain.monitoring.reference import reference
from retrain.site import Site
from retrain.spec import FILE, Spec

if TYPE_CHECKING:
    from pandas import DataFrame

WEEK = timedelta(days=7)


def drift(spec: Spec, request: Request, snapshot: Snapshot, site: Site) -> Drift:
    """Compare the newest rows with those the champion was trained on.

    :raises DataError: the spec names a column that the snapshot does not have.
    :raises DriftError: the distance fails on a column.
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
        alarms="per run, by severity",
        columns=_columns(spec, snapshot),
        **code.inputs(distances.home(spec.drift.distance)),
    )
    artifact = site.once(Drift, spec.name, key, lambda: _make(spec, site, key, snapshot, candidate))
    site.ledger(spec.name).record_stage("drift", artifact, request)
    return artifact


def fresh_enough(spec: Spec, request: Request, found: Drift, site: Site) -> str | None:
    """Why a run can end here, as the ledger then says; None if it must go on."""
    ledger = site.ledger(spec.name)
    decision = policy.decide(
        trigger=request.trigger,
        force=request.force,
        redeploy=request.redeploy,
        champion=_champion(ledger, request, found),
        limit=spec.staleness.model,
    )
    if isinstance(decision, policy.Retrain):
        return None
    body = FreshEnough(reason=decision.reason, champion=decision.champion)
    ledger.append(body, actor=request.actor, run=request.run, once=f"{request.run}/fresh")
    return decision.reason


def _champion(ledger: Ledger, request: Request, found: Drift) -> policy.Champion | None:
    """What the policy has to know of the champion; where no column of its own was compared, drift was not measured."""
    served = ledger.champion()
    if served is None:
        return None
    age = request.data_end - ledger.version(served.version).data_end
    measured = found.champion == served.version and (found.columns or found.incomparable)
    return policy.Champion(served.version, age, found.matters if measured else None)


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
    then = site.read(Snapshot, candidate.snapshot)
    before = reference(then, spec.source.timestamp, site)
    rows = _newest(spec, site, snapshot, candidate.data_end, _columns(spec, snapshot))
    found = compare(spec, rows, _columns(spec, snapshot), before)
    incomparable = found.incomparable | _gone(spec, then, snapshot)
    moved = [column.column for column in found.columns if column.drifted]
    weight, decayed, why = _asked(spec, site, snapshot, candidate, moved) if moved else ({}, None, None)
    return Drift(
        key=key,
        pipeline=spec.name,
        snapshot=snapshot.ref(),
        reference=candidate.snapshot,
        champion=candidate.version,
        columns=tuple(_with_severity(column, weight.get(column.column)) for column in found.columns),
        drifted=bool(moved or incomparable),
        skipped=found.skipped,
        incomparable=incomparable,
        calibration=found.calibration,
        unweighed=why,
        decay=decayed,
    )


def _gone(spec: Spec, then: Snapshot, now: Snapshot) -> dict[str, str]:
    """The inputs that the champion's data had and the data of now has not, where all are watched."""
    inputs = () if spec.drift.columns else spec.source.input_columns(then.columns)
    return {name: "it is not in the data any more" for name in inputs if name not in now.columns}


def _with_severity(column: ColumnDrift, weight: float | None) -> ColumnDrift:
    if not column.drifted:
        return column
    severity = "not known" if weight is None else "matters" if weight >= HARDLY else "hardly used"
    return column.model_copy(update={"severity": severity, "weight": weight})


def _asked(
    spec: Spec, site: Site, snapshot: Snapshot, candidate: Candidate, moved: list[str]
) -> tuple[dict[str, float], Decay | None, str | None]:
    """What the columns that moved are to the champion, what has become of its loss, and why that is not known, if so.

    :raises RetrainError: the store is lost for now.
    """
    from retrain.model.model import Model
    from retrain.model.store import fetch_model

    weight: dict[str, float] = {}
    try:
        model = Model.load(fetch_model(site.store, candidate.model, site.settings.home / "models"))
        wanted = {*model.signature.inputs, *spec.source.label_columns} & set(snapshot.columns)
        now = _newest(spec, site, snapshot, candidate.data_end, wanted)
        then = load_parts(site, site.read(Snapshot, candidate.snapshot).parts[-1:], moved)
        weight = weights(model, now, then, moved)
        held_out = held_out_rows(spec, site.read(FeatureSet, candidate.features), site)
        return weight, decay(spec, model, now, known_labels(spec, snapshot, now), held_out), None
    except Exception as error:  # whatever the champion's code raises on rows that have moved
        if isinstance(error, RetrainError) and error.retryable:
            raise
        return weight, None, f"{type(error).__name__}: {getattr(error, 'what', error)}"


def _columns(spec: Spec, snapshot: Snapshot) -> tuple[str, ...]:
    """The columns that are watched."""
    columns = spec.drift.columns or spec.source.input_columns(snapshot.columns)
    missing = [name for name in columns if name not in snapshot.columns]
    if missing:
        raise DataError(
            f"Column '{missing[0]}', named in `drift.columns` of pipeline '{spec.name}', is not in the data. "
            f"It has: {', '.join(snapshot.columns)}.",
            where=spec.folder / FILE,
            do="correct `drift.columns`; if `source.inputs` is given, only those columns are read.",
        )
    return columns


def _newest(spec: Spec, site: Site, snapshot: Snapshot, since: datetime, columns: Iterable[str]) -> DataFrame:
    """The rows since the champion's data ended, or of the newest week if that is longer."""
    since = min(since, snapshot.newest - WEEK)
    wanted = sorted({spec.source.timestamp, *columns})
    frame = load_parts(site, snapshot.parts, wanted, time=spec.source.timestamp, since=since)
    return as_typed(frame, snapshot.columns)
