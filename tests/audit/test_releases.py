"""Whole releases in simulated traffic: few, and so decisive that a canary which errs is found out."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrain.audit import suite
from retrain.audit.claim import Claim
from retrain.audit.measured import Measured
from retrain.audit.pool import measure
from retrain.audit.product import ERRORS, LOSS, ended, shown_after
from retrain.audit.releases import Scenario, release
from retrain.audit.traffic import Traffic
from retrain.monitoring.evidence import LiveEvidence

RUNS = 4
EQUAL = {"traffic": Traffic(), "requests": 2000}
AT_MARGIN = {"traffic": Traffic(fails=0.02, fails_more=0.01), "canary": ERRORS, "requests": 4000}
HARMFUL = {"traffic": Traffic(fails_more=0.2), "canary": ERRORS, "requests": 2000}
HONEST = {"traffic": Traffic(fails=0.002), "canary": ERRORS, "requests": 8000}


def few(scenario: Any, end: Any, holds: Any, stated: float) -> Measured:
    """What few releases come to, here in this process."""
    claim = Claim("a few", "canary, through the product", partial(ended, end, scenario), holds, stated)
    (found,) = measure([claim], runs=RUNS, seed=1, jobs=1)
    assert found.broke is None
    return found


def test_equal_arms_are_not_rolled_back() -> None:
    assert few(EQUAL, "rolled back", "at most", 0.05).figure == 0.0


def test_a_challenger_at_the_margin_is_not_promoted() -> None:
    assert few(AT_MARGIN, "promoted", "at most", 0.05).figure == 0.0


def test_a_harmful_challenger_is_rolled_back() -> None:
    assert few(HARMFUL, "rolled back", "at least", 1.0).figure == 1.0


def test_an_honest_challenger_is_promoted() -> None:
    assert few(HONEST, "promoted", "at least", 0.8).figure >= 0.8


def test_a_canary_that_promotes_whatever_comes_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveEvidence, "missing", None)
    monkeypatch.setattr(LiveEvidence, "harm", None)
    assert few(AT_MARGIN, "promoted", "at most", 0.05).verdict == "does not hold"
    assert few(HARMFUL, "rolled back", "at least", 0.8).verdict == "does not hold"


def test_a_canary_that_drops_whatever_comes_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveEvidence, "harm", "harm")
    assert few(EQUAL, "rolled back", "at most", 0.05).verdict == "does not hold"
    assert few(HONEST, "promoted", "at least", 0.8).verdict == "does not hold"


def test_a_canary_that_never_decides_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveEvidence, "missing", "evidence")
    assert few(HONEST | {"requests": 2000}, "promoted", "at least", 0.8).verdict == "does not hold"


# -- one release -------------------------------------------------------------------------------------------------


def test_the_same_numbers_make_the_same_release() -> None:
    scenario = Scenario(Traffic(fails_more=0.05), requests=4000)
    first, again = (release(scenario, np.random.default_rng(3)) for _ in range(2))
    assert first == again


def test_it_is_said_where_it_ended_and_on_what() -> None:
    found = release(Scenario(**HARMFUL), np.random.default_rng(0))
    assert (found.end, found.phase, found.metrics) == ("rolled back", "canary", ("errors",))
    assert 0 < found.tried < 400


def test_traffic_that_ends_decides_nothing() -> None:
    found = release(Scenario(Traffic(), requests=1000), np.random.default_rng(1))
    assert (found.end, found.metrics) == ("undecided", ())


def test_harm_is_shown_after_some_requests_or_never() -> None:
    worse = {"traffic": Traffic(fails_more=0.3), "requests": 2000, "every": 50}
    assert 5 <= shown_after(worse, np.random.default_rng(0)) < 100
    assert shown_after({"traffic": Traffic(), "requests": 500}, np.random.default_rng(0)) == float("inf")


def test_a_loss_that_is_higher_is_found_through_its_labels() -> None:
    worse = Scenario(Traffic(fails=0.0, loss_more=0.3), canary=LOSS, requests=8000)
    found = release(worse, np.random.default_rng(0))
    assert (found.end, found.metrics) == ("rolled back", ("loss",))


def test_a_release_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    release(Scenario(Traffic(), requests=500), np.random.default_rng(0))
    assert list(tmp_path.iterdir()) == []


# -- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("claim", suite.claims(), ids=lambda claim: claim.name)
def test_what_we_claim_holds(claim: Claim) -> None:
    runs = 10 if claim.cost > 0.5 else 100
    (found,) = measure([claim], runs=runs, seed=1, jobs=2)
    assert found.verdict == "holds", (found.figure, found.error, found.broke)
