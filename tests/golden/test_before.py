"""What was written before the code was restructured reads as it did, verifies, and goes on. See before/README.md."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from retrain.artifacts import KINDS, ModelRef, canonical, digest
from retrain.ledger import Entry, FreshEnough, Ledger, Release, StageDone, champions, overrule
from retrain.ledger.entries import BODIES
from retrain.log.reader import LogReader
from retrain.log.segment import Segment
from retrain.log.shipper import Shipper
from retrain.model.model import Model
from retrain.model.store import fetch_model
from retrain.rollout.looks import trial_story
from retrain.serving.follower import Known
from retrain.settings import Settings
from retrain.site import Site
from retrain.store.local import LocalStore

BEFORE = Path(__file__).parent / "before"
EXPECTED: dict[str, Any] = json.loads((BEFORE / "expected.json").read_text())
LEDGER: dict[str, Any] = EXPECTED["ledger"]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """The old ledger's store, in a copy that may be written to."""
    shutil.copytree(BEFORE / "ledger", tmp_path / "store")
    return LocalStore(tmp_path / "store")


def plain(value: Any) -> Any:
    return json.loads(canonical(value))


# -- the ledger --------------------------------------------------------------------------------------------------


def test_every_kind_of_entry_is_there_and_has_the_bytes_it_had(store: LocalStore) -> None:
    ledger = Ledger(store, "visits")
    assert {entry.kind for entry in ledger.entries()} == set(BODIES)
    for entry, expected in zip(ledger.entries(), LEDGER["entries"], strict=True):
        data = store.get(ledger.path(entry.number))
        assert digest(data) == expected["sha256"]
        assert (entry.number, entry.kind, entry.actor) == (expected["number"], expected["kind"], expected["actor"])
        assert canonical(entry) == data, "what is written again is what was read"


def test_the_folds_over_it_are_what_they_were(store: LocalStore) -> None:
    ledger = Ledger(store, "visits")
    assert plain(ledger.release()) == LEDGER["release"]
    assert ledger.release_number() == LEDGER["release_number"]
    assert champions(ledger.entries()) == LEDGER["champions"]
    assert [plain(version) for version in ledger.versions()] == LEDGER["versions"]
    assert {key: ledger.next_version(key) for key in LEDGER["next_version"]} == LEDGER["next_version"]
    newest = {done.stage: entry.number for entry, done in reversed(list(ledger.of(StageDone)))}
    assert {stage: newest.get(stage) for stage in LEDGER["last_stage"]} == LEDGER["last_stage"]


def test_who_was_served_at_any_moment_is_who_it_was(store: LocalStore) -> None:
    ledger = Ledger(store, "visits")
    for served in LEDGER["served_at"]:
        assert plain(ledger.served_at(datetime.fromisoformat(served["at"]))) == served["release"]


def test_every_entry_tells_itself_in_one_line_with_its_version_and_its_reason(store: LocalStore) -> None:
    for entry in Ledger(store, "visits").entries():
        version, reason = (getattr(entry.body, name, None) for name in ("version", "reason"))
        assert "\n" not in entry.summary
        assert version is None or f"version {version}" in entry.summary
        assert reason is None or reason in entry.summary
    answers = [entry.summary for entry in Ledger(store, "visits").entries() if entry.kind == "approval"]
    assert answers == ["version 2 approved by carol", "version 5 rejected: nobody answered in time"]


def test_humans_and_machines_are_told_apart(store: LocalStore) -> None:
    for entry in Ledger(store, "visits").entries():
        typed_by_hand = entry.run is None and entry.actor.startswith("cli:")
        answered = entry.kind == "approval" and entry.actor != "airflow:timeout"
        assert (entry.by == "human") == (typed_by_hand or answered), entry


def test_it_goes_on(store: LocalStore) -> None:
    ledger = Ledger(store, "visits")
    written = ledger.append(FreshEnough(reason="later", champion=1), actor="airflow:schedule")
    assert written.number == LEDGER["head"] + 1
    settled = overrule.roll_back(ledger, to=None, actor="cli:alice", reason="by hand")
    again = Ledger(store, "visits").entries()
    assert isinstance(again[-1].body, Release)
    assert (again[-1], again[-1].by) == (settled, "human")
    assert Entry.model_validate_json(store.get(ledger.path(settled.number))) == settled


def test_a_trial_of_before_tells_itself(store: LocalStore, tmp_path: Path) -> None:
    """Nobody wrote its looks down, and its evidence has neither units nor lower bounds."""
    passed = store.get("visits/ledger/00000031.json")
    for number in range(33, LEDGER["head"] + 1):
        store.delete(f"visits/ledger/{number:08d}.json")
    told = trial_story("visits", Site(Settings.load({"RETRAIN_HOME": str(tmp_path), "RETRAIN_STORE": store.uri})))
    assert told is not None
    assert (told.version, told.champion, told.state, told.looks, told.alpha) == (2, 1, "promoted", (), None)
    for metric, before in zip(told.metrics, json.loads(passed)["body"]["evidence"]["metrics"], strict=True):
        assert {name: value for name, value in plain(metric).items() if name in before} == before
        assert (metric.difference, metric.lower, metric.unit, metric.weight) == (None, None, "", None)


# -- artifacts, log, model ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(EXPECTED["artifacts"]))
def test_every_kind_of_artifact_reads_as_it_did(path: str) -> None:
    expected = EXPECTED["artifacts"][path]
    data = (BEFORE / "artifacts" / path).read_bytes()
    assert digest(data) == expected["sha256"]
    artifact = KINDS[expected["kind"]].from_bytes(data)
    assert (artifact.key, artifact.summary) == (expected["key"], expected["summary"])


def test_the_prediction_log_reads_as_it_did(tmp_path: Path) -> None:
    shutil.copytree(BEFORE / "log", tmp_path / "log")
    reader = LogReader(LocalStore(tmp_path / "log"), "visits", datetime(2020, 1, 1, tzinfo=UTC))
    predictions, labels = reader.poll()
    assert records(predictions) == EXPECTED["log"]["predictions"]
    assert records(labels) == EXPECTED["log"]["labels"]


def test_what_a_killed_gateway_left_on_its_disk_is_shipped_once(tmp_path: Path) -> None:
    shutil.copytree(BEFORE / "log", tmp_path / "log")
    expected, store = EXPECTED["log"]["gateway"], LocalStore(tmp_path / "log")
    segment = Segment.adopt(tmp_path / "log" / expected["segment"])
    assert segment is not None
    assert segment.size == expected["whole_bytes"]
    shipper = Shipper(store, "visits", segment)
    assert shipper.behind == expected["behind"]
    shipper.ship()
    assert set(expected["planned_parts"]) <= set(store.list("visits/log"))
    predictions, labels = LogReader(store, "visits", datetime(2020, 1, 1, tzinfo=UTC)).poll()
    shipped = [row for row in records(predictions) if row not in EXPECTED["log"]["predictions"]]
    assert sorted(shipped, key=str) == sorted(expected["then_predictions"], key=str)
    assert len(labels) == len(EXPECTED["log"]["labels"]) + len(expected["then_labels"])


def test_the_release_a_gateway_remembered_is_remembered() -> None:
    known = Known.model_validate_json((BEFORE / "log/gateway/releases/visits.json").read_bytes())
    assert plain(known) == EXPECTED["log"]["gateway"]["release"]


def test_a_model_answers_as_it_did(tmp_path: Path) -> None:
    shutil.copytree(BEFORE / "model", tmp_path / "store")
    answers = json.loads((BEFORE / "model/answers.json").read_text())
    ref = ModelRef.model_validate(answers["model"])
    model = Model.load(fetch_model(LocalStore(tmp_path / "store"), ref, tmp_path / "cache"))
    for given, expected in zip(model.answer(model.frame(answers["records"])).output, answers["output"], strict=True):
        assert given == pytest.approx(expected)


def records(frame: Any) -> list[dict[str, Any]]:
    """Rows as ``expected.json`` holds them."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{name: v.isoformat() if name == "at" else v for name, v in row.items()} for row in rows]
