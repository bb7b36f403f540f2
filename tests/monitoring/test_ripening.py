"""Answers are compared at equal age, however late which labels come."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from retrain.monitoring import ripening
from retrain.monitoring.answers import Answers
from retrain.monitoring.register import hashed
from retrain.monitoring.ripening import Labels, Waiting

SECOND = 1_000_000


def names(numbers: range) -> np.ndarray:
    return hashed(np.array([f"r{number}" for number in numbers], dtype=object))


def answers(numbers: range, *, at: int = 0) -> Answers:
    """Answers a second apart, each .5."""
    n = len(numbers)
    return Answers(
        at=(np.arange(n) + at) * SECOND, id=names(numbers), decision=np.ones(n, dtype=np.int64), share=np.full(n, 0.5),
        tried=np.arange(n) % 2 == 0, name=np.full(n, -1), chance=np.full(n, 0.5), failed=np.zeros(n, dtype=bool),
        latency_ms=np.ones(n), answer=np.full((n, 1), 0.5),
    )  # fmt: skip


def labels(numbers: range, at: float, label: str = "1") -> Labels:
    return Labels(np.full(len(numbers), int(at * SECOND)), names(numbers), np.full(len(numbers), label, dtype=object))


def heard_until(them: Waiting, at: float) -> None:
    """Labels of others have come until then."""
    them.label(labels(range(-1, 0), at=at))


def waiting(delay: float = 0.0) -> Waiting:
    return Waiting("binary", (), timedelta(seconds=delay))


def test_an_answer_ripens_when_it_is_as_old_as_labels_take() -> None:
    them = waiting(10)
    them.add(answers(range(15)))
    them.label(labels(range(3), at=14))
    ripe, loss = them.ripened()
    assert ripe.at.tolist() == [second * SECOND for second in range(5)]
    assert loss[:, 0].tolist()[:3] == [0.25] * 3
    assert np.isnan(loss[3:]).all()
    assert len(them.ripened()[0]) == 0, "once only"


def test_a_label_that_comes_after_that_is_counted_and_changes_nothing() -> None:
    them = waiting(10)
    them.add(answers(range(15)))
    heard_until(them, 14)
    them.ripened()
    rows, loss = them.label(labels(range(2, 8), at=20))
    assert (len(rows), len(loss), them.late, them.known) == (3, 3, 3, 3)


def test_where_nothing_is_said_it_is_twice_as_old_as_any_label_was_late() -> None:
    them = waiting()
    them.add(answers(range(40)))
    assert len(them.ripened()[0]) == 0, "nobody knows how late labels are"
    them.label(labels(range(1), at=5))
    assert them.delay == timedelta(seconds=10)
    heard_until(them, 39)
    assert len(them.ripened()[0]) == 30
    them.label(labels(range(35, 36), at=65))
    assert them.delay == timedelta(seconds=60)
    assert len(them.ripened()[0]) == 0


def test_a_label_may_come_before_its_prediction_and_the_first_of_two_counts() -> None:
    them = waiting(10)
    rows, _ = them.label(labels(range(3), at=1, label="0"))
    assert len(rows) == 0
    early = them.add(answers(range(5)))
    rows, loss = them.label(early)
    assert (len(rows), loss[:, 0].tolist()) == (3, [0.25] * 3)
    assert len(them.label(labels(range(3), at=2))[0]) == 0
    assert them.known == 3


def test_an_id_that_comes_twice_is_one_answer() -> None:
    them = waiting(0.5)
    them.add(answers(range(3)))
    them.add(answers(range(3), at=10))
    heard_until(them, 2)
    assert len(them.ripened()[0]) == 2
    them.add(answers(range(3, 4), at=100))
    heard_until(them, 101)
    assert len(them.ripened()[0]) == 1


def test_while_no_labels_come_nothing_ripens() -> None:
    them = waiting(10)
    them.add(answers(range(15)))
    heard_until(them, 11)
    assert len(them.ripened()[0]) == 2
    them.add(answers(range(100, 200), at=100))
    assert len(them.ripened()[0]) == 0


@pytest.mark.parametrize("label", ["null", "{", '"x"', "[1]"])
def test_a_label_that_cannot_be_used_is_none(label: str) -> None:
    them = waiting(1)
    them.add(answers(range(3)))
    assert len(them.label(labels(range(3), at=1, label=label))[0]) == 0
    assert np.isnan(them.ripened()[1]).all()


def test_what_has_ripened_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ripening, "FORGET_FROM", 100)
    them = waiting(10)
    for second in range(0, 1000, 20):
        them.add(answers(range(second, second + 20), at=second))
        them.label(labels(range(second, second + 20), at=second + 20))
        them.ripened()
    assert len(them._ids) <= 100
    assert (them.known, them.late) == (1000 - them.late, them.late)
    rows, _ = them.label(labels(range(998, 1000), at=1000))
    assert len(rows) == 0, "its label was there already"


def test_labels_of_answers_that_are_not_the_arms_are_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ripening, "EARLY_FROM", 100)
    them = waiting(10)
    for minute in range(200):
        them.label(labels(range(100 * minute, 100 * minute + 100), at=60 * minute))
    assert len(them._early) <= 3 * 1100, "twice those of ten minutes, and a look's"
