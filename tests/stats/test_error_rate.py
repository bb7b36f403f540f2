"""ErrorRateTest: its guarantees by simulation, its power next to the published mixture test, its edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrain.stats.error_rate import ErrorRateTest
from retrain.stats.pairing import BLOCK_ROWS

ALPHA = 0.05


def feed(test: ErrorRateTest, rng: np.random.Generator, requests: int, share: float, p: float, q: float) -> None:
    """One batch in which the router really splits at random."""
    challenger = int(rng.binomial(requests, share))
    test.observe(
        share=share,
        champion_requests=requests - challenger,
        champion_errors=int(rng.binomial(requests - challenger, p)),
        challenger_requests=challenger,
        challenger_errors=int(rng.binomial(challenger, q)),
    )


def ramp_share(batch: int, batches: int) -> float:
    return (0.1, 0.25, 0.5)[3 * batch // batches]


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2])
def test_equal_rates_alarm_at_most_alpha_while_the_share_ramps(rate: float) -> None:
    rng = np.random.default_rng(1)
    runs, batches, alarms, missed = 200, 90, 0, 0
    for _ in range(runs):
        test = ErrorRateTest(ALPHA)
        below = False
        for batch in range(batches):
            feed(test, rng, 100, ramp_share(batch, batches), rate, rate)
            below = below or (batch % 10 == 0 and test.upper < 0.0)
        alarms += test.harmful
        missed += below
    assert alarms / runs <= ALPHA + 2.0 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
    assert missed / runs <= ALPHA + 2.0 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_single_requests_alarm_at_most_alpha() -> None:
    rng = np.random.default_rng(2)
    runs, alarms = 100, 0
    for _ in range(runs):
        test = ErrorRateTest(ALPHA)
        for request in range(900):
            feed(test, rng, 1, ramp_share(request, 900), 0.05, 0.05)
        alarms += test.harmful
    assert alarms / runs <= ALPHA + 2.0 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_rates_that_rise_in_both_arms_during_the_ramp_are_no_harm() -> None:
    """An outage upstream while the challenger has most of the traffic; also, the routing is off by half."""
    rng = np.random.default_rng(3)
    runs, alarms, differences = 150, 0, []
    for _ in range(runs):
        test = ErrorRateTest(ALPHA)
        for batch in range(90):
            rate = (0.005, 0.02, 0.10)[3 * batch // 90]
            nominal = ramp_share(batch, 90)
            challenger = int(rng.binomial(200, 1.5 * nominal))
            test.observe(
                share=nominal,
                champion_requests=200 - challenger,
                champion_errors=int(rng.binomial(200 - challenger, rate)),
                challenger_requests=challenger,
                challenger_errors=int(rng.binomial(challenger, rate)),
            )
        alarms += test.harmful
        differences.append(test.difference)
    assert alarms / runs <= ALPHA + 2.0 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
    assert abs(np.mean(differences)) < 0.001


@pytest.mark.parametrize(
    ("champion", "challenger", "published"),
    [(0.01, 0.10, 47), (0.01, 0.05, 121), (0.01, 0.02, 882), (0.001, 0.01, 474)],
)
def test_power_is_that_of_the_published_test(champion: float, challenger: float, published: int) -> None:
    """Median canary requests until harm is shown, 10% of traffic, requests ten at a time."""
    rng = np.random.default_rng(4)
    needed = []
    for _ in range(60):
        test, canary = ErrorRateTest(ALPHA), 0
        while not test.harmful and canary < 4 * published:
            batch = int(rng.binomial(10 if published < 800 else 50, 0.1))
            rest = (10 if published < 800 else 50) - batch
            canary += batch
            test.observe(
                share=0.1,
                champion_requests=rest,
                champion_errors=int(rng.binomial(rest, champion)),
                challenger_requests=batch,
                challenger_errors=int(rng.binomial(batch, challenger)),
            )
        needed.append(canary)
    assert np.median(needed) <= 1.3 * published


def test_upper_is_tight_without_errors_and_covers() -> None:
    test = ErrorRateTest(ALPHA)
    test.observe(share=0.1, champion_requests=9000, champion_errors=0, challenger_requests=1000, challenger_errors=0)
    assert 0.003 < test.upper < 0.005  # the fixed-sample rule of three: 0.003
    assert test.p_value == 1.0


@pytest.mark.parametrize(("p", "q"), [(0.0, 0.002), (0.01, 0.03), (0.5, 0.6), (0.3, 0.1)])
def test_upper_covers_the_true_difference_at_all_times(p: float, q: float) -> None:
    rng = np.random.default_rng(5)
    runs, missed = 150, 0
    for _ in range(runs):
        test, below = ErrorRateTest(ALPHA), False
        for batch in range(40):
            feed(test, rng, 200, ramp_share(batch, 40), p, q)
            below = below or test.upper < q - p
        missed += below
    assert missed / runs <= ALPHA + 2.0 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_upper_follows_a_late_degradation() -> None:
    test = ErrorRateTest(ALPHA)
    test.observe(share=0.5, champion_requests=5000, champion_errors=5, challenger_requests=5000, challenger_errors=5)
    early = test.upper
    test.observe(share=0.5, champion_requests=5000, champion_errors=5, challenger_requests=5000, challenger_errors=500)
    assert test.harmful
    assert test.upper > early


def test_before_evidence() -> None:
    test = ErrorRateTest(ALPHA)
    assert (test.p_value, test.harmful, test.upper) == (1.0, False, 1.0)
    assert math.isnan(test.difference)
    test.observe(share=0.1, champion_requests=0, champion_errors=0, challenger_requests=0, challenger_errors=0)
    test.observe(share=0.1, champion_requests=100, champion_errors=1, challenger_requests=0, challenger_errors=0)
    assert math.isnan(test.difference)
    assert test.upper == 1.0
    test.observe(share=0.1, champion_requests=0, champion_errors=0, challenger_requests=2, challenger_errors=1)
    assert test.difference == pytest.approx(0.49)
    assert test.p_value == 1.0


def test_every_challenger_request_fails() -> None:
    test = ErrorRateTest(ALPHA)
    test.observe(share=0.1, champion_requests=180, champion_errors=0, challenger_requests=20, challenger_errors=20)
    assert test.harmful
    assert test.difference == 1.0
    test.observe(share=0.1, champion_requests=9, champion_errors=9, challenger_requests=1, challenger_errors=1)
    assert test.harmful


@pytest.mark.parametrize(
    ("share", "counts"),
    [(1.1, (1, 0, 1, 0)), (math.nan, (1, 0, 1, 0)), (0.1, (-1, 0, 1, 0)), (0.1, (1, 2, 1, 0)), (0.1, (1, 0, 1, -1))],
)
def test_refuses_impossible_batches(share: float, counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"share|errors"):
        ErrorRateTest(ALPHA).observe(
            share=share,
            champion_requests=counts[0],
            champion_errors=counts[1],
            challenger_requests=counts[2],
            challenger_errors=counts[3],
        )


@pytest.mark.parametrize("alpha", [0.0, 0.5, math.nan])
def test_refuses_settings_out_of_range(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        ErrorRateTest(alpha)


batches = st.lists(
    st.tuples(st.integers(0, 300), st.floats(0, 1), st.integers(0, 300), st.floats(0, 1), st.floats(0, 1)), max_size=12
)


@example([(0, 0, 0, 0, 0), (110, 1, 12, 0, 1), (0, 0, 37, 1, 0), (4, 0, 71, 1, 1)])
@given(batches)
def test_p_only_falls_and_everything_stays_in_range(history: list[tuple[int, float, int, float, float]]) -> None:
    test, before, waiting = ErrorRateTest(ALPHA), 1.0, np.zeros(2)
    for champion, p, challenger, q, share in history:
        waiting = np.zeros(2) if waiting.min() >= BLOCK_ROWS else waiting
        waiting = np.add(waiting, (champion, challenger))
        test.observe(
            share=share,
            champion_requests=champion,
            champion_errors=int(p * champion),
            challenger_requests=challenger,
            challenger_errors=int(q * challenger),
        )
        assert 0.0 <= test.p_value <= before
        before = test.p_value
        assert math.isnan(test.difference) or -1.0 - 1e-9 <= test.difference <= 1.0 + 1e-9
        if waiting.min() >= BLOCK_ROWS:  # the bound rests on whole blocks, the difference on all that was seen
            assert test.difference <= test.upper + 1e-9


@pytest.mark.slow
def test_equal_rates_over_a_very_long_canary() -> None:
    rng = np.random.default_rng(6)
    runs, alarms = 300, 0
    for _ in range(runs):
        test = ErrorRateTest(ALPHA)
        for _ in range(400):
            feed(test, rng, 5000, 0.1, 0.01, 0.01)
        alarms += test.harmful
    assert alarms / runs <= ALPHA + 2.0 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
