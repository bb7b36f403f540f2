"""What many runs come to: errors that are right, and verdicts that follow from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import erf
from scipy.stats import binomtest

from retrain.audit.claim import Claim
from retrain.audit.measured import measured, of_median, of_shares


def claim(holds: Any = "at most", stated: float = 0.05, measure: Any = "share") -> Claim:
    return Claim("it happens", "canary", lambda _: 1.0, holds, stated, measure)


def ones(count: int, of: int) -> list[float]:
    return [1.0] * count + [0.0] * (of - count)


def test_a_share_that_never_happened_has_an_error_all_the_same() -> None:
    figure, error = of_shares(ones(0, 200))
    assert figure == 0.0
    assert error == pytest.approx(0.5 / 201)
    assert of_shares(ones(200, 200))[1] == pytest.approx(error)


def test_the_error_of_many_runs_is_that_of_a_binomial() -> None:
    figure, error = of_shares(ones(1000, 20_000))
    assert figure == 0.05
    assert error == pytest.approx(math.sqrt(0.05 * 0.95 / 20_000), rel=0.001)


@pytest.mark.parametrize(("happened", "runs"), [(0, 20), (1, 20), (13, 60), (200, 200)])
def test_the_error_is_half_of_wilsons_interval(happened: int, runs: int) -> None:
    interval = binomtest(happened, runs).proportion_ci(erf(math.sqrt(0.5)), method="wilson")
    assert of_shares(ones(happened, runs))[1] == pytest.approx((interval.high - interval.low) / 2)


def test_two_errors_around_a_share_cover_it_about_as_often_as_they_should() -> None:
    drawn = np.random.default_rng(0).binomial(200, 0.05, size=2000)
    covered = [abs(figure - 0.05) <= 2 * error for figure, error in (of_shares(ones(int(k), 200)) for k in drawn)]
    assert np.mean(covered) > 0.9


@pytest.mark.parametrize(
    ("happened", "holds", "stated", "verdict"),
    [
        (5, "at most", 0.05, "holds"),
        (9, "at most", 0.05, "holds"),
        (30, "at most", 0.05, "does not hold"),
        (0, "at most", 0.05, "holds"),
        (90, "at least", 0.8, "holds"),
        (75, "at least", 0.8, "holds"),
        (60, "at least", 0.8, "does not hold"),
        (0, "at least", 0.8, "does not hold"),
    ],
)
def test_a_share_holds_within_two_errors(happened: int, holds: str, stated: float, verdict: str) -> None:
    assert measured(claim(holds, stated), ones(happened, 100), 1.0).verdict == verdict


def test_the_error_of_a_median_is_about_what_theory_says() -> None:
    values = np.random.default_rng(0).normal(100.0, 10.0, size=2000)
    figure, error = of_median(list(values))
    assert figure == pytest.approx(100.0, abs=1.0)
    assert error == pytest.approx(math.sqrt(math.pi / 2) * 10.0 / math.sqrt(2000), rel=0.25)


def test_never_is_no_number_but_a_verdict() -> None:
    mostly = [math.inf] * 60 + [10.0] * 40
    never = measured(claim(measure="median", stated=100.0), mostly, 1.0)
    assert (never.figure, never.error, never.verdict) == (math.inf, math.inf, "does not hold")
    assert measured(claim("at least", 100.0, "median"), mostly, 1.0).verdict == "holds"


def test_a_median_has_an_error_although_some_runs_never_came_to_it() -> None:
    values = [float(k) for k in range(100)] + [math.inf] * 95
    figure, error = of_median(values)
    assert figure == 97.0
    assert 0.0 < error < math.inf


def test_a_median_holds_within_two_errors() -> None:
    values = [float(k) for k in range(1, 102)]  # 51, and an error of about 6
    for stated, verdict in ((45.0, "holds"), (30.0, "does not hold")):
        assert measured(claim(measure="median", stated=stated), values, 1.0).verdict == verdict


def test_a_claim_that_broke_does_not_hold() -> None:
    broke = measured(claim(), ones(0, 10), 1.0, "run 3 of seed 0: ZeroDivisionError: no")
    assert broke.verdict == "broke"
    assert math.isnan(broke.figure)
    assert measured(claim(), [], 0.0).verdict == "broke"
