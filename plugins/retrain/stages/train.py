"""Train: choose settings on the tuning stretch, fit them on everything before the holdout, keep and log the model.

What is slow is done once and kept first (the fit and its files in the store), then MLflow is told, then the ledger
gives the version its number, then the candidate is written down. Killed between any two of these, the next attempt
goes on from what is kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from retrain.artifacts import Candidate, FeatureSet, ModelRef, Ref, Request, Snapshot, Value, code, identity
from retrain.data.frames import scratch
from retrain.errors import ArtifactChanged, FeatureError, LedgerError, TrainingError
from retrain.ledger import Entry, Ledger, Trained
from retrain.metrics import registry
from retrain.model import packaging
from retrain.model.store import fetch_model, keep_model, manifest
from retrain.modelling import finiteness, search
from retrain.modelling.design_matrix import DesignMatrix, training_rows
from retrain.modelling.search import Learnt
from retrain.site import Site
from retrain.spec import Spec
from retrain.tracking.runs import RunRecord, Tracking


class Fitted(Value):
    """What came of the fitting: kept before MLflow or the ledger hear of it."""

    model: ModelRef
    estimator: str
    params: dict[str, Any]
    tried: int
    validation_loss: float
    train_rows: int
    environment: dict[str, str]
    finite: bool


def train(spec: Spec, request: Request, feature_set: FeatureSet, snapshot: Snapshot, site: Site) -> Candidate:
    """Make the candidate of a feature set, or find it made.

    :raises SpecError: an estimator or its parameters are wrong.
    :raises TrainingError: the rows cannot be learnt from.
    :raises TrackingError: MLflow cannot be reached; what was fitted is kept for the next attempt.
    """
    metric = spec.bless.metric or spec.metric.name
    mended = code.inputs(registry.home(metric))
    said = spec.fragment("task", "train")
    del said["train"]["jobs"]  # no model depends on it
    key = identity("candidate", spec=said, metric=metric, features=feature_set.key, **mended)
    candidate = site.once(Candidate, spec.name, key, lambda: _make(spec, request, feature_set, snapshot, site, key))
    require_numbered(candidate, site)
    site.ledger(spec.name).record_stage("train", candidate, request)
    return candidate


def _make(spec: Spec, request: Request, feature_set: FeatureSet, snapshot: Snapshot, site: Site, key: str) -> Candidate:
    fitted = _fit_once(spec, feature_set, snapshot, site, key)
    tracking = Tracking(site.settings, spec.name)
    numbered = _numbered(site.ledger(spec.name), key)
    if numbered is None:
        folder = fetch_model(site.store, fitted.model, site.settings.home / "models")
        run_id = tracking.log_run(_run_record(spec, fitted, feature_set, snapshot, key), folder)
        numbered = _number(spec, request, fitted, snapshot, site, key, run_id)
    tracking.remove_other_runs(key, keep=numbered.run_id)
    tracking.register(numbered.run_id, numbered.version)
    return Candidate(
        key=key,
        pipeline=spec.name,
        features=feature_set.ref(),
        snapshot=snapshot.ref(),
        data_end=snapshot.end,
        version=numbered.version,
        run_id=numbered.run_id,
        seed=spec.train.seed,
        **dict(fitted),
    )


def _fit_once(spec: Spec, feature_set: FeatureSet, snapshot: Snapshot, site: Site, key: str) -> Fitted:
    """The first fit of a candidate that was kept; every later attempt uses it."""
    path = f"{spec.name}/data/candidate/{key}/fitted.json"
    if not site.store.exists(path):
        site.store.create(path, _fit(spec, feature_set, snapshot, site).model_dump_json().encode())
    return Fitted.model_validate_json(site.store.get(path))


def _fit(spec: Spec, feature_set: FeatureSet, snapshot: Snapshot, site: Site) -> Fitted:
    rows = training_rows(spec, feature_set, site)
    tried = search.select(spec, *_split(spec, rows, feature_set.split_at))
    best = tried[0].setting
    learnt = search.learn(spec, best, rows)
    environment = packaging.environment(best.candidate.estimator)
    return Fitted(
        model=_keep(spec, learnt, rows, feature_set, snapshot, environment, site),
        estimator=best.candidate.estimator,
        params=best.params,
        tried=len(tried),
        validation_loss=tried[0].loss,
        train_rows=len(rows),
        environment=environment,
        finite=finiteness.finite(learnt.estimator),
    )


def _split(spec: Spec, rows: DesignMatrix, split_at: datetime) -> tuple[DesignMatrix, DesignMatrix]:
    """The rows before the tuning stretch, and that stretch."""
    tuned = (rows.times >= split_at - spec.train.tuning).to_numpy()
    train, tuning = rows.where(~tuned), rows.where(tuned)
    if not len(train) or not len(tuning):
        raise TrainingError(
            f"Pipeline '{spec.name}' has {len(train):,} rows to learn from and {len(tuning):,} to choose settings on.",
            where=f"{spec.folder / 'pipeline.yaml'}, key `train.tuning`",
            do="both must hold rows: change train.tuning or train.holdout, or lengthen source.window.",
        )
    if spec.task != "regression" and len(set(train.target.tolist())) < 2:
        raise TrainingError(
            f"The rows pipeline '{spec.name}' learns from hold one class only.",
            where=f"{spec.folder / 'pipeline.yaml'}, key `source.label`",
            do="look at the label and at label_expression, or lengthen source.window.",
        )
    return train, tuning


def _keep(
    spec: Spec,
    learnt: Learnt,
    rows: DesignMatrix,
    feature_set: FeatureSet,
    snapshot: Snapshot,
    environment: dict[str, str],
    site: Site,
) -> ModelRef:
    from retrain.model.model import Signature

    seen = () if spec.task == "regression" else tuple(rows.classes[code] for code in learnt.estimator.classes_)
    signature = Signature(
        task=spec.task,
        function=spec.feature_function,
        inputs={name: snapshot.columns[name] for name in feature_set.inputs},
        features=feature_set.features,
        classes=seen,
        metric=spec.metric.name,
    )
    with scratch() as folder:
        packaging.write_model(folder / "model", learnt.pickled, signature, spec.feature_file, environment)
        if manifest(folder / "model")["data/features.py"] != feature_set.code:
            raise FeatureError(
                f"{spec.feature_file.name} of pipeline '{spec.name}' changed after its features were made.",
                where=spec.feature_file,
                do="run the features stage again: a model travels with the code that made its features.",
            )
        return keep_model(site.store, spec.name, folder / "model")


def _run_record(spec: Spec, fitted: Fitted, feature_set: FeatureSet, snapshot: Snapshot, key: str) -> RunRecord:
    inputs = {
        "snapshot": snapshot.key,
        "snapshot_sha256": snapshot.sha256,
        "features": feature_set.key,
        "features_sha256": feature_set.sha256,
        "feature_code_sha256": feature_set.code,
        "model_digest": fitted.model.digest,
    }
    return RunRecord(
        candidate=key,
        name=f"{spec.name} to {snapshot.end:%Y-%m-%d}",
        params={
            "estimator": fitted.estimator,
            **{f"param.{name}": value for name, value in fitted.params.items()},
            "seed": spec.train.seed,
            "data_end": snapshot.end.isoformat(),
            **inputs,
        },
        metrics={
            f"tuning_{spec.metric.name}_loss": fitted.validation_loss,
            "train_rows": fitted.train_rows,
            "settings_tried": fitted.tried,
        },
        tags={
            "retrain.pipeline": spec.name,
            **{f"environment.{name}": version for name, version in fitted.environment.items()},
        },
        dataset=snapshot.key,
        data=snapshot.path(spec.name, snapshot.key),
    )


def _number(
    spec: Spec, request: Request, fitted: Fitted, snapshot: Snapshot, site: Site, key: str, run_id: str
) -> Trained:
    """Give the candidate its version number in the ledger; no two candidates ever get the same."""
    ledger = site.ledger(spec.name)

    def decide(head: int) -> Entry:
        body = Trained(
            version=ledger.next_version(key),
            candidate=Ref(kind=Candidate.kind, key=key, pipeline=spec.name),
            model=fitted.model,
            data_end=snapshot.end,
            snapshot=snapshot.ref(),
            run_id=run_id,
        )
        return ledger.append(body, actor=request.actor, run=request.run, once=f"trained/{key}", after=head)

    written = ledger.settle(decide).body
    assert isinstance(written, Trained)
    return written


def _numbered(ledger: Ledger, key: str) -> Trained | None:
    """What gave a candidate its number."""
    return next((body for _, body in ledger.of(Trained) if body.candidate.key == key), None)


def require_numbered(candidate: Candidate, site: Site) -> None:
    """A candidate must be the one to which the ledger gave its number; any other must not be judged or released.

    :raises LedgerError: the ledger knows no such candidate; its number may be another's.
    :raises ArtifactChanged: the ledger gave it another number, or another model.
    """
    numbered = _numbered(site.ledger(candidate.pipeline), candidate.key)
    where = f"{site.store.uri}/{Candidate.path(candidate.pipeline, candidate.key)}"
    if numbered is None:
        raise LedgerError(
            f"Version {candidate.version} of pipeline '{candidate.pipeline}' is in the store, "
            "but the ledger never gave it that number.",
            where=where,
            do="the ledger was lost or replaced: restore it; or, to begin anew, delete this object and run again.",
        )
    if (numbered.version, numbered.model) != (candidate.version, candidate.model):
        raise ArtifactChanged(
            f"Version {candidate.version} of pipeline '{candidate.pipeline}' is not the candidate that the ledger "
            f"knows: that is version {numbered.version} with the model {numbered.model.digest[:12]}.",
            where=where,
            do="find out who wrote there, and restore that object from a backup or an older object version.",
        )
