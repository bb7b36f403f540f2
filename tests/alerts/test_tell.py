"""Everybody is told who asked, and nothing a sender does can hurt."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest

from retrain import alerts
from retrain.alerts import tell
from retrain.alerts.base import Sender
from retrain.alerts.events import Event, RunFailed
from retrain.errors import AlertError
from retrain.spec import Notifier

HEARD: list[tuple[str, Event]] = []
HELD = threading.Event()


class Friend(Sender):
    """Keeps what it is told, or does what ``does`` says."""

    does: str = "listens"

    def send(self, event: Event) -> None:
        if self.does == "hangs":
            HELD.wait(60)
        if self.does == "raises":
            raise RuntimeError("out of order")
        if self.does == "fails":
            raise AlertError("The line is dead.", do="mend it.")
        HEARD.append((self.to, event))


@pytest.fixture(autouse=True)
def nothing_heard() -> Any:
    HEARD.clear()
    HELD.clear()
    yield
    HELD.set()


def failed() -> Event:
    return RunFailed(on="failure", pipeline="p", run="r", headline="p: failed at train")


def test_only_those_are_told_who_asked_for_it() -> None:
    tell([Friend(to="a"), Friend(to="b", on=("success", "decision")), Friend(to="c", on=("failure",))], failed())
    assert sorted(to for to, _ in HEARD) == ["a", "c"]
    assert HEARD[0][1] == HEARD[1][1]


def test_one_that_hangs_raises_or_fails_keeps_no_other_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alerts, "PATIENCE", 0.3)
    senders = [Friend(to=f"one-{does}", does=does) for does in ("hangs", "raises", "fails", "hangs", "listens")]
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        tell(senders, failed())
    assert time.monotonic() - began < 5
    assert [to for to, _ in HEARD] == ["one-listens"]
    assert "one-hangs was given up: it took longer than 0.3 s" in caplog.text
    assert "out of order" in caplog.text
    assert "The line is dead." in caplog.text


def test_an_airflow_notifier_outside_of_airflow_is_said_to_be_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    tell([Notifier(notifier="some.where.SlackNotifier")], failed())
    assert "some.where.SlackNotifier is not told of 'run_failed'" in caplog.text
    assert "this run is not Airflow's" in caplog.text
