"""The claims themselves: each can be named, found and run in another process."""

from __future__ import annotations

import pytest

from retrain.audit import suite
from retrain.audit.suite import SECTIONS
from retrain.errors import UsageError


def test_each_claim_has_a_name_of_its_own_in_its_section() -> None:
    named = [(claim.section, claim.name) for claim in suite.claims()]
    assert len(set(named)) == len(named)
    assert all(suite.named(*one).name == one[1] for one in named)


def test_claims_come_section_by_section() -> None:
    places = [SECTIONS.index(claim.section) for claim in suite.claims()]
    assert places == sorted(places)


def test_what_is_stated_can_be_measured() -> None:
    for claim in suite.claims():
        assert claim.stated >= 0.0
        assert claim.cost > 0.0
        assert claim.measure == "median" or claim.stated <= 1.0


def test_claims_are_found_by_part_of_section_or_name_in_any_case() -> None:
    assert suite.chosen("") == suite.claims()
    assert {claim.section for claim in suite.chosen("Through The Product")} == {"canary, through the product"}
    with pytest.raises(UsageError, match="'weather'"):
        suite.chosen("weather")
