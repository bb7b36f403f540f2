"""Alerts in ``pipeline.yaml``: every form, and what a mistake says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retrain.alerts.base import Sender
from retrain.alerts.events import Event
from retrain.alerts.webhook import Webhook
from retrain.check import check
from retrain.errors import SpecError
from retrain.settings import Settings
from retrain.spec import Notifier, Spec

HEAD = """\
name: p
task: binary
source: {files: "*.csv", timestamp: at, label: late}
train: {candidates: [{estimator: sklearn.dummy.DummyClassifier}]}
alerts:
"""
SECRET = "xoxb-very-secret"


class Pigeon(Sender):
    """Somebody else's sender."""

    loft: int

    def send(self, event: Event) -> None:
        pass


def loaded(tmp_path: Path, *lines: str) -> Spec:
    folder = tmp_path / "p"
    folder.mkdir(exist_ok=True)
    (folder / "pipeline.yaml").write_text(HEAD + "".join(f"  {line}\n" for line in lines))
    return Spec.load(folder)


def mistake(tmp_path: Path, *lines: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, *lines)
    assert not caught.value.also
    return caught.value


def test_on_is_a_key_although_yaml_takes_it_for_true(tmp_path: Path) -> None:
    (alert,) = loaded(tmp_path, "- to: webhook", "  url: https://example.org/x", "  on: [failure]").alerts
    assert alert.on == ("failure",)


def test_a_sender_is_ours_anybodys_by_import_path_or_an_airflow_notifier(tmp_path: Path) -> None:
    spec = loaded(
        tmp_path,
        "- {to: webhook, url: https://example.org/x, timeout: 2s}",
        f"- {{to: '{__name__}:Pigeon', loft: 3}}",
        "- {notifier: some.Notifier, arguments: {to: me}, on: [success]}",
    )
    hook, pigeon, notifier = spec.alerts
    assert isinstance(hook, Webhook)
    assert (hook.url, hook.timeout.total_seconds(), hook.on) == ("https://example.org/x", 2, ("failure", "decision"))
    assert type(pigeon).__name__ == "Pigeon"
    assert pigeon.model_dump()["loft"] == 3
    assert isinstance(notifier, Notifier)
    assert notifier.on == ("success",)
    assert [alert["on"] for alert in spec.model_dump()["alerts"]][2] == ("success",)
    assert spec.model_dump()["alerts"][1]["loft"] == 3, "a sender's own settings are part of the spec"


def test_a_sender_may_come_with_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pigeons-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: pigeons\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[retrain.alerts]\npigeon = pigeons:Pigeon\n")
    (tmp_path / "pigeons.py").write_text(
        "from retrain.alerts.base import Sender\n"
        "class Pigeon(Sender):\n    loft: int = 0\n    def send(self, event): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (alert,) = loaded(tmp_path, "- {to: pigeon, loft: 2}").alerts
    assert (type(alert).__name__, alert.name) == ("Pigeon", "pigeon")


@pytest.mark.parametrize(
    ("lines", "line", "key", "says"),
    [
        (["- to: webhok"], 6, "alerts.0.to", "There is no 'webhok' among alerts"),
        (["- to: retrain.spec:Spec"], 6, "alerts.0.to", "not a subclass of Sender"),
        (["- to: not.there:Thing"], 6, "alerts.0.to", "cannot be imported"),
        (["- to: events"], 6, "alerts.0.to", "There is no 'events'"),
        (["- to: webhook", "  url: https://x.org", "  utl: 3"], 8, "alerts.0.utl", "did you mean `url`?"),
        (["- to: webhook", "  url: https://x.org", "  tries: 9"], 8, "alerts.0.tries", "less than or equal to 5"),
        (["- to: webhook", "  url: https://x.org", "  on: [never]"], 8, "alerts.0.on.0", "'failure'"),
        (["- to: webhook"], 6, "alerts.0.url", "is missing"),
        (["- notifier: a.B", "  argumens: {}"], 7, "alerts.0.argumens", "did you mean `arguments`?"),
        (["- mail: me"], 6, "alerts.0", "to: webhook"),
        (["- to: 3"], 6, "alerts.0.to", "string"),
    ],
)
def test_a_mistake_names_its_line_and_key(tmp_path: Path, lines: list[str], line: int, key: str, says: str) -> None:
    error = mistake(tmp_path, *lines)
    assert (error.line, error.key) == (line, key)
    assert says in str(error)


def test_a_wrong_address_is_not_shown_in_the_mistake(tmp_path: Path) -> None:
    error = mistake(tmp_path, "- to: webhook", f"  url: htps://x.org/{SECRET}")
    assert (error.line, error.key) == (7, "alerts.0.url")
    assert "an http or https address" in str(error)
    assert SECRET not in str(error)
    assert SECRET not in repr(error.value)


def test_check_looks_at_each_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    spec = loaded(
        tmp_path,
        "- {to: webhook, url: https://example.org/x}",
        "- to: webhook",
        "  url: $HOOK",
        "- {notifier: nobody.Notifier}",
    )
    found: Any = [one for one in check(spec.folder, Settings.load()) if one.subject == "alerts"]
    assert [one.ok for one in found] == [True, False, False]
    assert "line 8, key `alerts.1.url`" in found[1].where
    assert "$HOOK" in found[1].what
    assert "line 9, key `alerts.2.notifier`" in found[2].where
