"""Parts and models: however the rows are cut, and whoever wrote them down, the model is the same."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from retrain.artifacts import Candidate, FeatureSet, FileRef, Ref, Scorecard, Snapshot, canonical
from retrain.data import partitions
from retrain.data.frames import keep_frame, load_parts
from retrain.data.holdout import raw_holdout
from retrain.data.labels import ROW, TIME
from retrain.site import Site
from retrain.stages.evaluate import evaluate
from retrain.stages.train import train


def outcome(candidate: Candidate, scorecard: Scorecard) -> dict[str, Any]:
    """What is said of a model, but for when."""
    moments: Any = {"made_at": True, "run_id": True}
    refs = {name: {"sha256"} for name in ("features", "snapshot")}
    said = scorecard.model_dump(exclude=moments | {"predictions": True, "candidate": {"sha256"}})
    return candidate.model_dump(exclude=moments | refs) | said | {"predictions": scorecard.predictions.sha256}


@pytest.mark.parametrize(("unit", "parts"), [("YS", 1), ("D", 50)])
def test_however_the_window_is_cut_the_model_is_the_same(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch, unit: str, parts: int
) -> None:
    candidate, made = workshop.train(make_rows())
    first = outcome(candidate, evaluate(workshop.spec, workshop.request(), candidate, made, workshop.site))
    workshop.start_anew()
    monkeypatch.setattr(partitions, "UNITS", [(timedelta(0), "D", unit)])
    again, other = workshop.train(make_rows())
    second = outcome(again, evaluate(workshop.spec, workshop.request(), again, other, workshop.site))
    assert (len(made.parts), len(other.parts)) == (2, parts)
    assert second == first


def test_what_was_made_before_there_were_parts_is_trained_and_judged_as_it_was(workshop: Any, make_rows: Any) -> None:
    snapshot, made = workshop.features(make_rows())
    candidate = train(workshop.spec, workshop.request(), made, snapshot, workshop.site)
    new = outcome(candidate, evaluate(workshop.spec, workshop.request(), candidate, made, workshop.site))
    rows, train_rows, holdout = load_parts(workshop.site, snapshot.parts), *sides(workshop.site, made)
    raw = raw_holdout(made, workshop.site)

    site = workshop.start_anew()
    folder = f"{workshop.spec.name}/data"
    write_old(site, snapshot, ("parts",), data=keep_frame(site, f"{folder}/snapshot/1/rows.parquet", rows))
    write_old(
        site,
        made,
        ("parts", "train_rows", "holdout_rows"),
        train=keep_frame(site, f"{folder}/features/1/train.parquet", train_rows),
        holdout=keep_frame(site, f"{folder}/features/1/holdout.parquet", holdout),
        raw_holdout=keep_frame(site, f"{folder}/features/1/raw_holdout.parquet", raw),
    )
    old_snapshot = site.read(Snapshot, without_hash(snapshot))
    old_set = site.read(FeatureSet, without_hash(made))
    candidate = train(workshop.spec, workshop.request(), old_set, old_snapshot, site)
    old = outcome(candidate, evaluate(workshop.spec, workshop.request(), candidate, old_set, site))
    assert old == new
    assert workshop.features(make_rows(), "run-2")[1] == old_set  # found, not made again


def without_hash(artifact: Snapshot | FeatureSet) -> Ref:
    """A reference as it was then."""
    return Ref(kind=artifact.kind, key=artifact.key, pipeline=artifact.pipeline)


def sides(site: Site, made: FeatureSet) -> list[Any]:
    bounds: list[dict[str, datetime]] = [{"until": made.split_at}, {"since": made.split_at}]
    return [load_parts(site, made.parts, time=TIME, **bound).drop(columns=ROW) for bound in bounds]


def write_old(site: Site, artifact: Snapshot | FeatureSet, without: tuple[str, ...], **files: FileRef) -> None:
    """An artifact in the form it had before there were parts."""
    content = {name: value for name, value in json.loads(artifact.to_bytes()).items() if name not in without}
    content |= {name: file.model_dump(mode="json") for name, file in files.items()}
    site.store.create(artifact.path(artifact.pipeline, artifact.key), canonical(content))
