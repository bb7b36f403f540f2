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

from retrain.artifacts import FileRef, Ref, Request, Snapshot, SourceFile, canonical, identity, kind_of
from retrain.errors import ObjectMissing

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


def a_snapshot() -> Snapshot:
    return Snapshot(
        key="0123456789abcdef0123456789abcdef",
        pipeline="flights",
        made_at=datetime(2013, 4, 1, 6, 0, 0, 123456, tzinfo=UTC),
        start=datetime(2013, 1, 1, tzinfo=UTC),
        end=datetime(2013, 4, 1, tzinfo=UTC),
        newest=datetime(2013, 3, 31, 23, 59, tzinfo=UTC),
        data=FileRef(path="flights/data/snapshot/0123/rows.parquet", sha256="ab" * 32, bytes=1024, rows=80_789),
        columns={"carrier": "str", "sched_dep": "datetime64[us, UTC]"},
        sources=(SourceFile(path="/lake/flights-2013-01.parquet", sha256="cd" * 32, bytes=2048),),
    )


def test_an_artifacts_form_stays_as_it_is(root: Path) -> None:
    """What stores hold today must be readable tomorrow: a change of this file needs a way to read old ones."""
    golden = (root / "tests/golden/snapshot.json").read_bytes().rstrip(b"\n")
    assert a_snapshot().to_bytes() == golden
    assert Snapshot.from_bytes(golden) == a_snapshot()


def test_an_artifact_cannot_change_and_has_no_keys_but_its_own() -> None:
    with pytest.raises(ValidationError):
        a_snapshot().key = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="colour"):
        Snapshot.from_bytes(canonical({**json.loads(a_snapshot().to_bytes()), "colour": "red"}))


def test_a_reference_names_its_class_or_says_so() -> None:
    assert kind_of(a_snapshot().ref()) is Snapshot
    with pytest.raises(ObjectMissing, match="'poem' is not a kind"):
        kind_of(Ref(kind="poem", key="k", pipeline="p"))
