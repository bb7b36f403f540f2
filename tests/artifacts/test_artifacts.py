"""Artifacts: an identity that follows from the inputs alone, JSON that stays as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retrain.artifacts import (
    Artifact,
    FeaturePart,
    FeatureSet,
    FileRef,
    Part,
    Ref,
    Request,
    Snapshot,
    SourceFile,
    canonical,
    identity,
)

KEYS = st.text(min_size=1, max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
INPUTS = st.dictionaries(KEYS.filter(lambda key: key != "kind"), PLAIN, min_size=1, max_size=5)
MOMENTS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


def shuffled(value: Any) -> Any:
    """The same mapping, its keys in the other order, all the way down."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(INPUTS)
def test_the_order_of_keys_does_not_matter(inputs: dict[str, Any]) -> None:
    assert identity("snapshot", **inputs) == identity("snapshot", **shuffled(inputs))


@given(INPUTS, st.data())
def test_any_change_changes_the_key(inputs: dict[str, Any], data: st.DataObject) -> None:
    changed = data.draw(st.sampled_from(sorted(inputs)))
    other = data.draw(PLAIN.filter(lambda value: canonical(value) != canonical(inputs[changed])))
    assert identity("k", **inputs) != identity("k", **{**inputs, changed: other})
    assert identity("k", **inputs) != identity("j", **inputs)
    assert identity("k", **inputs) != identity("k", **{key: v for key, v in inputs.items() if key != changed})


@given(PLAIN)
def test_canonical_json_means_the_same_and_has_one_spelling(value: Any) -> None:
    assert json.loads(canonical(value)) == value
    assert canonical(shuffled(value)) == canonical(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_has_no_json_form_has_no_identity(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical(value)


@given(MOMENTS, st.integers(-12, 12))
def test_a_moment_is_the_same_in_every_zone(moment: datetime, hours: int) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    assert canonical(elsewhere) == canonical(moment)
    assert Request(data_end=elsewhere, run="r").model_dump_json() == Request(data_end=moment, run="r").model_dump_json()


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        Request(data_end=datetime(2013, 4, 1), run="r")


def a_file(sha256: str, rows: int, folder: str = "rows") -> FileRef:
    return FileRef(path=f"flights/data/{folder}/{sha256 * 32}.parquet", sha256=sha256 * 32, bytes=1024, rows=rows)


def a_snapshot() -> Snapshot:
    return Snapshot(
        key="0123456789abcdef0123456789abcdef",
        pipeline="flights",
        made_at=datetime(2013, 4, 1, 6, 0, 0, 123456, tzinfo=UTC),
        start=datetime(2013, 1, 1, tzinfo=UTC),
        end=datetime(2013, 4, 1, tzinfo=UTC),
        newest=datetime(2013, 3, 31, 23, 59, tzinfo=UTC),
        parts=(
            Part(
                start=datetime(2013, 1, 1, tzinfo=UTC), end=datetime(2013, 2, 1, tzinfo=UTC), data=a_file("aa", 26_398)
            ),
            Part(
                start=datetime(2013, 2, 1, tzinfo=UTC), end=datetime(2013, 4, 1, tzinfo=UTC), data=a_file("ab", 54_391)
            ),
        ),
        columns={"carrier": "str", "sched_dep": "datetime64[us, UTC]"},
        sources=(SourceFile(path="/lake/flights-2013-01.parquet", sha256="cd" * 32, bytes=2048),),
    )


def a_feature_set() -> FeatureSet:
    rows = a_snapshot().parts
    made = (a_file("ba", 26_000, "features"), a_file("bb", 54_000, "features"))
    return FeatureSet(
        key="123456789abcdef0123456789abcdef0",
        pipeline="flights",
        made_at=datetime(2013, 4, 1, 6, 0, 1, tzinfo=UTC),
        snapshot=Ref(kind="snapshot", key="0123456789abcdef0123456789abcdef", pipeline="flights"),
        validation=Ref(kind="validation", key="3456789abcdef0123456789abcdef012", pipeline="flights"),
        parts=tuple(
            FeaturePart(start=part.start, end=part.end, data=data, source=part.data)
            for part, data in zip(rows, made, strict=True)
        ),
        train_rows=68_000,
        holdout_rows=12_000,
        split_at=datetime(2013, 3, 17, 23, 59, tzinfo=UTC),
        features=("distance", "hour"),
        inputs=("carrier", "sched_dep"),
        classes=("false", "true"),
        code="ef" * 32,
        parity_rows=5_000,
    )


@pytest.mark.parametrize(
    ("name", "made"), [("snapshot_of_parts", a_snapshot()), ("features_of_parts", a_feature_set())]
)
def test_an_artifacts_form_stays_as_it_is(root: Path, name: str, made: Artifact) -> None:
    """What stores hold today must be readable tomorrow: a change of these files needs a way to read old ones."""
    golden = (root / f"tests/golden/{name}.json").read_bytes().rstrip(b"\n")
    assert made.to_bytes() == golden
    assert type(made).from_bytes(golden) == made


def test_a_snapshot_made_as_one_file_is_one_of_one_part(root: Path) -> None:
    old = Snapshot.from_bytes((root / "tests/golden/snapshot.json").read_bytes())
    (part,) = old.parts
    assert (part.start, part.end) == (old.start, old.end)
    assert (part.data.path, part.data.rows, old.rows) == ("flights/data/snapshot/0123/rows.parquet", 80_789, 80_789)
    new = a_snapshot()
    assert old.model_dump(exclude={"parts"}) == new.model_dump(exclude={"parts"})
    assert old.summary == new.summary
    assert old.sha256 != new.sha256
    assert Snapshot.from_bytes(old.to_bytes()) == old


def test_features_made_as_two_files_are_of_two_parts_and_know_their_raw_rows(root: Path) -> None:
    old = FeatureSet.from_bytes((root / "tests/golden/features.json").read_bytes())
    train, holdout = old.parts
    assert train.end == holdout.start == old.split_at
    assert [part.data.path.rpartition("/")[2] for part in old.parts] == ["train.parquet", "holdout.parquet"]
    assert (old.train_rows, old.holdout_rows) == (68_000, 12_000)
    assert old.raw_holdout is not None
    assert old.raw_holdout.path.endswith("raw_holdout.parquet")
    other = {"parts", "raw_holdout"}
    assert old.model_dump(exclude=other) == a_feature_set().model_dump(exclude=other)
    assert old.summary == a_feature_set().summary
    assert FeatureSet.from_bytes(old.to_bytes()) == old


def test_an_artifact_cannot_change_and_has_no_keys_but_its_own() -> None:
    with pytest.raises(ValidationError):
        a_snapshot().key = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="colour"):
        Snapshot.from_bytes(canonical({**json.loads(a_snapshot().to_bytes()), "colour": "red"}))
