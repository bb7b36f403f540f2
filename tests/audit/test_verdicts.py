"""The claims about the verdict can be asked; `retrain audit` asks each often enough to tell whether it holds."""

from __future__ import annotations

import numpy as np
import pytest

from retrain.audit.claim import Claim
from retrain.audit.verdicts import CLAIMS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_a_run_says_whether_it_happened_and_the_same_again(claim: Claim) -> None:
    once, again = (claim.run(np.random.default_rng([0, 1])) for _ in range(2))
    assert once in {0.0, 1.0}
    assert once == again


def test_each_claim_has_a_name_of_its_own() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)


def test_a_holdout_of_few_days_blesses_nothing() -> None:
    short = [claim for claim in CLAIMS if "a holdout of" in claim.name]
    assert len(short) == 3
    assert sum(claim.run(np.random.default_rng([0, run])) for claim in short for run in range(50)) == 0.0


def test_tied_days_bless_what_is_worse_about_as_seldom_as_is_stated() -> None:
    claim = next(claim for claim in CLAIMS if claim.name == "worse by the margin, 14 days tied by 0.5: blessed")
    assert np.mean([claim.run(np.random.default_rng([0, run])) for run in range(600)]) < 0.10
