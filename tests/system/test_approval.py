"""A human answers in a real Airflow, through its own API."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from retrain.demo.waiting import looks
from retrain.ledger import Answered

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
TASK = "verdict.approve"
WAITING = {"awaiting_input", "deferred"}


@pytest.fixture(scope="module")
def place(open_place: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An Airflow whose pipeline wants somebody's word before a release."""
    folder = tmp_path_factory.mktemp("asking") / "visits"
    shutil.copytree(HERE / "pipelines" / "visits", folder)
    text = (folder / "pipeline.yaml").read_text()
    assert "\nbless:\n" in text
    text = text.replace("\nbless:\n", "\nbless:\n  approval: {required: true, within: 1h}\n")
    (folder / "pipeline.yaml").write_text(text)
    return open_place(pipelines=folder.parent)


def asked(place: Any, run_id: str) -> dict[str, Any]:
    """What is asked, once it is asked."""
    for _ in looks(180, pause=0.3):
        task = place.airflow.api.tasks("visits", run_id).get(TASK, {})
        if task.get("state") in WAITING:
            return dict(place.airflow.api.call("GET", path(run_id)))
    raise AssertionError(place.states(run_id))


def path(run_id: str) -> str:
    return f"/dags/visits/dagRuns/{run_id}/taskInstances/{TASK}/-1/hitlDetails"


def answer(place: Any, run_id: str, option: str, reason: str, *, user: str = "admin") -> httpx.Response:
    api = place.airflow.api
    return httpx.patch(
        f"{api.url}/api/v2{path(run_id)}",
        json={"chosen_options": [option], "params_input": {"reason": reason}},
        headers={"Authorization": f"Bearer {api.token(user)}"},
        timeout=30,
        trust_env=False,
    )


def finish(place: Any, run_id: str, option: str, reason: str) -> tuple[str, dict[str, str]]:
    """Wait for the run, answering as a person does who is asked again.

    On a busy machine the scheduler may take a task that is answered the moment it is parked for a lost one, and tries
    it again.
    """
    for _ in looks(300, pause=1):
        if place.states(run_id).get("approve") not in WAITING:
            break
        if not place.airflow.api.call("GET", path(run_id))["response_received"]:
            answer(place, run_id, option, reason)
    found: tuple[str, dict[str, str]] = place.finish(run_id)
    return found


def test_a_release_waits_for_one_answer_and_the_ledger_names_who_gave_it_and_why(place: Any) -> None:
    run_id = place.trigger(reason="the spring data is in")
    question = asked(place, run_id)
    assert question["options"] == ["Approve", "Reject"]
    assert question["defaults"] == ["Reject"]
    for part in (
        "version 1 blessed",
        "| metric |",
        "log_loss",
        "the spring data is in",
        "No answer in time",
        "/retrain/",
    ):
        assert part in question["body"], part
    assert place.ledger.release().champion is None, "nothing is served before the answer"
    evidence = httpx.get(
        place.airflow.api.url + question["body"].partition("[All the evidence](")[2].partition(")")[0],
        headers={"Authorization": f"Bearer {place.airflow.api.token()}"},
    )
    assert evidence.status_code == 200
    assert "Verdict of visits" in evidence.text

    assert answer(place, run_id, "Approve", "me too", user="viewer").status_code == 403
    assert answer(place, run_id, "Approve", "seen with the team").status_code == 200
    assert answer(place, run_id, "Reject", "too late").status_code == 409
    state, tasks = finish(place, run_id, "Approve", "seen with the team")
    assert (state, tasks["approve"], tasks["promote"]) == ("success", "success", "success")
    ((entry, body),) = place.ledger.of(Answered)
    assert entry.actor == "airflow:admin"
    assert body.approved
    assert body.reason == "approved by admin: seen with the team"
    assert place.ledger.champion().version == 1


def test_a_rejection_ends_the_run_and_the_champion_serves_on(place: Any) -> None:
    place.new_data(1)
    run_id = place.trigger()
    question = asked(place, run_id)
    assert "champion (version 1)" in question["body"]
    assert answer(place, run_id, "Reject", "not before the weekend").status_code == 200
    state, tasks = finish(place, run_id, "Reject", "not before the weekend")
    assert (state, tasks["approve"], tasks["rehearse"], tasks["promote"]) == (
        "success",
        "success",
        "skipped",
        "skipped",
    )
    assert place.ledger.champion().version == 1
    assert "rejected by admin: not before the weekend" in place.airflow.api.run("visits", run_id)["note"]
