"""Should we retrain? Every branch by example, and what must never happen as properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.policy import Champion, Rest, Retrain, decide

DAY = timedelta(days=1)
CALM: dict[str, Any] = {
    "trigger": "schedule",
    "force": False,
    "redeploy": None,
    "champion": Champion(version=3, age=10 * DAY, drifted=False),
    "limit": 30 * DAY,
}

champions = st.builds(
    Champion,
    version=st.integers(1, 99),
    age=st.timedeltas(-90 * DAY, 90 * DAY),
    drifted=st.sampled_from([None, False, True]),
)
situations = st.fixed_dictionaries(
    {
        "trigger": st.sampled_from(["schedule", "manual", "asset", "backfill", "cli"]),
        "force": st.booleans(),
        "redeploy": st.none() | st.integers(1, 99),
        "champion": st.none() | champions,
        "limit": st.timedeltas(timedelta(0), 90 * DAY),
    }
)


def test_a_scheduled_run_rests_while_the_champion_is_fresh_and_nothing_has_drifted() -> None:
    reason = (
        "the champion, version 3, is fresh (its data ended 10 d before the data asked for, at most 30d) and "
        "nothing has drifted"
    )
    assert decide(**CALM) == Rest(reason, champion=3)


def test_a_champion_exactly_as_old_as_it_may_be_is_fresh_and_one_that_saw_newer_data_is_0_old() -> None:
    assert isinstance(decide(**CALM | {"champion": Champion(3, 30 * DAY, False)}), Rest)
    newer = decide(**CALM | {"champion": Champion(3, -5 * DAY, False)})
    assert isinstance(newer, Rest)
    assert "its data ended 0 s before" in newer.reason


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"trigger": "manual"}, "it was not started by the schedule (manual)"),
        ({"trigger": "asset"}, "it was not started by the schedule (asset)"),
        ({"force": True}, "it is forced"),
        ({"redeploy": 2}, "version 2 is to be released again"),
        ({"champion": None}, "there is no champion"),
        ({"champion": Champion(3, DAY, drifted=True)}, "the inputs have drifted"),
        ({"champion": Champion(3, DAY, drifted=None)}, "whether the inputs have drifted was not measured"),
        (
            {"champion": Champion(3, 31 * DAY, drifted=False)},
            "the champion, version 3, is too old (its data ended 31 d before the data asked for, at most 30d)",
        ),
    ],
)  # fmt: skip
def test_each_reason_alone_is_enough_to_retrain(changes: dict[str, Any], says: str) -> None:
    assert decide(**CALM | changes) == Retrain(says)


def test_all_reasons_are_told_at_once() -> None:
    decision = decide(**CALM | {"force": True, "champion": Champion(3, 31 * DAY, drifted=True)})
    assert isinstance(decision, Retrain)
    assert [said.split(",")[0] for said in decision.reason.split("; ")] == [
        "it is forced", "the inputs have drifted", "the champion",
    ]  # fmt: skip


@given(situations)
def test_it_rests_exactly_where_nothing_asks_for_a_new_model(situation: dict[str, Any]) -> None:
    champion = situation["champion"]
    insisted = situation["force"] or situation["redeploy"] is not None or situation["trigger"] != "schedule"
    well = champion is not None and champion.drifted is False and champion.age <= situation["limit"]
    decision = decide(**situation)
    assert isinstance(decision, Rest) == (well and not insisted)
    assert decision.reason


@given(situations)
def test_it_never_rests_without_a_champion(situation: dict[str, Any]) -> None:
    assert isinstance(decide(**situation | {"champion": None}), Retrain)


@given(situations, st.sampled_from(["manual", "asset", "backfill", "cli"]))
def test_it_never_rests_when_forced_or_started_by_anything_but_the_schedule(
    situation: dict[str, Any], trigger: str
) -> None:
    assert isinstance(decide(**situation | {"force": True}), Retrain)
    assert isinstance(decide(**situation | {"trigger": trigger}), Retrain)
    assert isinstance(decide(**situation | {"redeploy": 1}), Retrain)


@given(situations, champions, st.timedeltas(timedelta(microseconds=1), 90 * DAY))
def test_it_never_rests_on_a_champion_that_drifted_or_is_older_than_the_limit(
    situation: dict[str, Any], champion: Champion, over: timedelta
) -> None:
    for drifted in (True, None):
        assert isinstance(decide(**situation | {"champion": replace(champion, drifted=drifted)}), Retrain)
    old = replace(champion, age=situation["limit"] + over)
    assert isinstance(decide(**situation | {"champion": old}), Retrain)
