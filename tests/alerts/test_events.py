"""How a run ended, as an event."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from hostile import HOSTILE, LINKED
from retrain.alerts.events import EVENTS, Event, of_report
from retrain.artifacts import Report
from retrain.stages.report import Conclusion


def a_report(outcome: str, **stages: str) -> Report:
    return Report(
        key="k", pipeline="p", run="r", outcome=outcome, headline=f"p: {outcome}", markdown="", stages=stages, version=7
    )


def test_everything_a_report_can_say_is_an_event() -> None:
    assert set(EVENTS) == set(get_args(Conclusion))
    assert set(EVENTS.values()) == set(Event.__subclasses__())


@pytest.mark.parametrize("outcome", EVENTS)
def test_an_event_says_what_happened_to_what_and_what_to_do(outcome: str) -> None:
    event = of_report(a_report(outcome, promote="success"))
    said = json.loads(json.dumps(event.as_json()))
    assert (said["pipeline"], said["run"], said["version"]) == ("p", "r", 7)
    assert said["headline"] == f"p: {outcome}"
    assert said["do"]
    assert "{" not in said["do"]


@pytest.mark.parametrize(
    ("outcome", "stages", "on"),
    [
        ("promoted", {"promote": "success"}, "success"),
        ("vetoed", {"bless": "success", "promote": "skipped"}, "decision"),
        ("rolled back", {"canary": "success", "promote": "skipped"}, "decision"),
        ("rolled back", {"canary": "failed", "promote": "upstream_failed"}, "failure"),
        ("bad data", {"validate": "failed"}, "failure"),
        ("failed", {"train": "failed"}, "failure"),
    ],
)
def test_what_failed_is_a_failure_whatever_was_decided(outcome: str, stages: dict[str, Any], on: str) -> None:
    assert of_report(a_report(outcome, **stages)).on == on


def test_a_kind_is_the_name_of_its_event() -> None:
    assert of_report(a_report("rolled back")).kind == "rolled_back"
    assert of_report(a_report("failed")).kind == "run_failed"


def test_the_advice_names_the_version_where_one_is_known() -> None:
    assert "retrain bless p 7" in of_report(a_report("vetoed")).do
    unknown = a_report("vetoed").model_copy(update={"version": None})
    assert "retrain bless p VERSION" in of_report(unknown).do


def test_the_advice_after_a_failure_leaves_it_to_the_ledger_who_serves() -> None:
    """It may have failed after its promotion: whoever reads it at night must not be told that nothing changed."""
    advice = of_report(a_report("failed", promote="failed")).do
    assert "the champion still serves" not in advice
    assert "`retrain status p` says who serves" in advice
    assert advice.startswith("read the log of the stage that failed")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_from_the_data_is_only_text_in_a_headline(name: str) -> None:
    event = of_report(a_report("failed").model_copy(update={"headline": f"p: {name} is bad"}))
    assert event.headline.isprintable() or "\u2060" in event.headline
    assert not LINKED.search(event.headline)
    assert len(event.headline) <= 1000 + event.headline.count("\u2060")
