"""The loss of an answer by its label, whatever the label is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.metrics.classes import spell
from retrain.metrics.label_loss import losses


def test_a_class_has_one_spelling() -> None:
    assert {spell(one) for one in (True, 1, 1.0, "true", "True", "1", "1.0")} == {"1"}
    assert spell("007") == "007"
    assert spell(0.5) == spell("0.5") == "0.5"


@given(st.one_of(st.text(), st.just("9" * 6000), st.just("[" * 100_000), st.just("1e999"), st.just("NaN")))
def test_a_hostile_label_is_a_loss_or_none_and_never_an_error(label: str) -> None:
    for task in ("binary", "multiclass", "regression"):
        answer = '{"probabilities": {"a": 0.5}}' if task == "multiclass" else 0.5
        (loss,) = losses(task, [answer], [label], ("0", "1"))
        assert np.isnan(loss) or 0 <= loss < np.inf


def test_the_positive_class_is_the_second() -> None:
    assert losses("binary", [0.9, 0.9], ['"late"', '"on time"'], ("late", "on time")) == pytest.approx([0.81, 0.01])
