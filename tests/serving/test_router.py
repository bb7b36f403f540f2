"""Who answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.artifacts import ModelRef
from retrain.ledger.release import Release, Served
from retrain.serving.router import entity_name, goes_to_challenger, is_shadowed, tossed, unit


def release(share: float, shadow: float = 0.0, digest: str = "a") -> Release:
    challenger = Served(version=2, model=ModelRef(digest=digest, path="p", files={}))
    return Release(state="ramping", challenger=challenger, share=share, shadow=shadow)


@given(st.text(), st.text())
def test_a_unit_is_in_range_and_always_the_same(salt: str, name: str) -> None:
    assert 0 <= unit(salt, name) < 1
    assert unit(salt, name) == unit(salt, name)


def test_a_unit_is_the_same_in_every_gateway_and_every_version_of_it() -> None:
    assert unit("salt", "N12345") == 0.393815928040153


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds_entities(name: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if goes_to_challenger(release(small), name):
        assert goes_to_challenger(release(large), name)


@given(st.text())
def test_the_ends_of_the_ramp(name: str) -> None:
    assert not goes_to_challenger(release(0.0), name)
    assert goes_to_challenger(release(1.0), name)
    assert not goes_to_challenger(Release(share=1.0), name)
    assert not is_shadowed(release(0.5), name)
    assert is_shadowed(release(0.0, shadow=1.0), name)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_is_kept_over_many_entities(share: float) -> None:
    names = [f"N{number}" for number in range(20_000)]
    got = sum(goes_to_challenger(release(share), name) for name in names) / len(names)
    assert abs(got - share) < 5 * (share * (1 - share) / len(names)) ** 0.5


def test_another_trial_draws_other_entities_also_of_the_same_model() -> None:
    names = [f"N{number}" for number in range(2_000)]
    first = {name for name in names if goes_to_challenger(release(0.5).model_copy(update={"salt": "one"}), name)}
    second = {name for name in names if goes_to_challenger(release(0.5).model_copy(update={"salt": "two"}), name)}
    assert 350 < len(first & second) < 650


def test_a_row_that_names_nobody_is_a_coin_of_the_steps_share() -> None:
    got = sum(tossed(release(0.25)) for _ in range(20_000)) / 20_000
    assert abs(got - 0.25) < 5 * (0.25 * 0.75 / 20_000) ** 0.5
    assert not tossed(release(0.0))
    assert tossed(release(1.0))


def test_another_challenger_gets_other_entities_and_shadows_are_drawn_apart() -> None:
    names = [f"N{number}" for number in range(2_000)]
    first = {name for name in names if goes_to_challenger(release(0.5, digest="a"), name)}
    second = {name for name in names if goes_to_challenger(release(0.5, digest="b"), name)}
    shadowed = {name for name in names if is_shadowed(release(0.5, shadow=0.5, digest="a"), name)}
    assert 350 < len(first & second) < 650
    assert 350 < len(first & shadowed) < 650


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("N1", "N1"),
        (12, "12"),
        (12.0, "12"),
        (12.5, "12.5"),
        (True, "true"),
        (None, None),
        ("", None),
        (float("nan"), None),
        ([1], None),
        ({"a": 1}, None),
        (1e300, str(int(1e300))),
    ],
)
def test_an_entity_has_one_name_however_it_is_spelled(value: Any, name: str | None) -> None:
    assert entity_name(value) == name
