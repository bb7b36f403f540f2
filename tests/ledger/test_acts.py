"""What a person may decide now, and what it will do: said beforehand, and true when it is done."""

from __future__ import annotations

import pytest

from ledger_world import body
from retrain.artifacts import ModelRef, Ref
from retrain.ledger import Ledger, Served
from retrain.ledger import release as machine
from retrain.ledger.acts import Act, acts
from retrain.ledger.overrule import bless, roll_back, veto
from retrain.site import Site

BY = {"actor": "airflow:alice", "reason": "because"}


@pytest.fixture
def ledger(site: Site) -> Ledger:
    return site.ledger("p")


def served(number: int) -> Served:
    return Served(version=number, model=ModelRef(digest=f"{number:064x}", path=f"p/models/{number}", files={}))


def trained(ledger: Ledger, *numbers: int, outcome: str = "blessed") -> None:
    for number in numbers:
        candidate = Ref(kind="candidate", key=f"c{number}", pipeline="p")
        fields = {"candidate": candidate, "model": served(number).model, "data_end": "2024-04-01T00:00:00Z"}
        ledger.append(body("trained", version=number, **fields), actor="test")
        ledger.append(body("verdict", version=number, outcome=outcome), actor="gates")


def promoted(ledger: Ledger, *numbers: int) -> None:
    for number in numbers:
        trained(ledger, number)
        ledger.append(machine.promote(ledger.release(), served(number), reason="better"), actor="test", run="r")


def tried(ledger: Ledger, number: int) -> None:
    trained(ledger, number)
    shadow = machine.start_shadow(ledger.release(), served(number), shadow=1.0, steps=(0.1, 0.5), reason="try")
    ledger.append(machine.ramp(shadow, reason="step 1"), actor="canary", run="r")


def named(ledger: Ledger) -> dict[str, Act]:
    return {act.act: act for act in acts(ledger)}


def versions(act: Act) -> list[int]:
    return [choice.version for choice in act.versions]


def test_of_an_empty_ledger_nothing_is_possible_and_each_act_says_why(ledger: Ledger) -> None:
    assert all(not act.possible and act.why_not for act in acts(ledger))


def test_one_returns_only_to_versions_that_served_and_are_blessed(ledger: Ledger) -> None:
    promoted(ledger, 1, 2, 3)
    trained(ledger, 4)
    veto(ledger, 2, **BY)
    act = named(ledger)["rollback"]
    assert (act.possible, versions(act)) == (True, [1])
    roll_back(ledger, to=versions(act)[0], **BY)
    assert ledger.release().serves(1)
    assert versions(named(ledger)["rollback"]) == [3], "a rollback can be taken back"
    roll_back(ledger, to=3, **BY)
    assert ledger.release().serves(3)


def test_every_choice_that_is_offered_is_accepted(ledger: Ledger) -> None:
    promoted(ledger, 1, 2)
    trained(ledger, 3)
    trained(ledger, 4, outcome="undecided")
    for number in versions(named(ledger)["bless"]):
        bless(ledger, number, **BY)
    assert versions(named(ledger)["bless"]) == []
    for number in versions(named(ledger)["veto"]):
        veto(ledger, number, **BY)
    assert versions(named(ledger)["veto"]) == []
    assert ledger.release().serves(2)


def test_a_release_under_way_may_be_aborted_and_paused_and_a_paused_one_resumed(ledger: Ledger) -> None:
    promoted(ledger, 1)
    assert not named(ledger)["abort"].possible
    tried(ledger, 2)
    under_way = named(ledger)
    assert [under_way[name].possible for name in ("abort", "pause", "resume")] == [True, True, False]
    assert "version 1 answers everything" in under_way["pause"].will.replace("Version", "version")
    ledger.append(machine.pause(ledger.release(), reason="wait"), actor="canary")
    paused = named(ledger)
    assert [paused[name].possible for name in ("abort", "pause", "resume")] == [True, False, True]
    assert "Version 2 answers 10 % of the requests again (step 1 of 2)" in paused["resume"].will


def test_a_shadow_that_is_resumed_is_heard_by_nobody(ledger: Ledger) -> None:
    promoted(ledger, 1)
    trained(ledger, 2)
    shadow = machine.start_shadow(ledger.release(), served(2), shadow=1.0, steps=(0.1,), reason="try")
    ledger.append(shadow, actor="canary", run="r")
    ledger.append(machine.pause(ledger.release(), reason="wait"), actor="canary")
    assert "heard by nobody" in named(ledger)["resume"].will


def test_all_rests_on_the_ledger_as_it_was_seen(ledger: Ledger) -> None:
    promoted(ledger, 1)
    assert {act.head for act in acts(ledger)} == {ledger.head}
