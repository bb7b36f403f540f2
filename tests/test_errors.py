"""Errors cross processes whole, say what, where and what to do, and know their exit status."""

from __future__ import annotations

import inspect
import pickle

import pytest

from retrain import errors
from retrain.errors import RetrainError, SpecError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, RetrainError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_another_process(kind: type[RetrainError]) -> None:
    extra = {"file": "f.yaml", "line": 3, "key": "a.b"} if kind is SpecError else {"where": "here"}
    error = kind("It broke.", do="mend it.", **extra)  # type: ignore[arg-type]
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert str(again) == str(error)
    assert again.args == error.args


def test_a_spec_error_takes_the_others_with_it() -> None:
    error = SpecError("One.", file="f.yaml", line=1)
    error.also = (SpecError("Two.", file="f.yaml", line=2, key="x", expected="a number"),)
    again = pickle.loads(pickle.dumps(error))
    assert [each.what for each in again.also] == ["Two."]
    assert again.also[0].do == "write a number"


def test_it_says_what_where_and_what_to_do() -> None:
    error = SpecError("`holdout` is 3.", file="p/pipeline.yaml", line=7, key="train.holdout", expected="a duration")
    assert str(error) == (
        "`holdout` is 3. Where: p/pipeline.yaml, line 7, key `train.holdout`. What to do: write a duration"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_exit_status_is_one_of_the_four(kind: type[RetrainError]) -> None:
    assert kind.exit_status in {1, 2, 3}
    assert kind.__doc__, "each kind says when it is raised"


def test_only_what_may_mend_itself_is_tried_again() -> None:
    retried = {kind.__name__ for kind in KINDS if kind.retryable}
    assert retried == {
        "SourceLost",
        "StoreError",
        "StoreFull",
        "StoreMissing",
        "LedgerMoved",
        "DatabaseLocked",
        "TrackingError",
        "GatewayError",
    }
