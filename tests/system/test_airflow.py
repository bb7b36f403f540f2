"""The whole thing in a real Airflow: scheduler, Dag processor, triggerer, API server, worker processes."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from retrain.demo.airflow_api import ENDED
from retrain.demo.processes import end_tree
from retrain.demo.waiting import looks
from retrain.ledger import overrule

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def place(open_place: Any) -> Any:
    """An Airflow in which the first model has been released."""
    found = open_place()
    found.first = found.trigger()
    found.first_state = found.finish(found.first)
    return found


def wait_for(place: Any, run_id: str, stage: str, state: str, *, patience: float = 120) -> None:
    states: dict[str, str] = {}
    for _ in looks(patience, pause=0.3):
        states = place.states(run_id)
        if states.get(stage) == state:
            return
        if place.airflow.api.run("visits", run_id)["state"] in ENDED:
            break
    raise AssertionError(f"{stage} did not become {state}: {states}")


def challenger(place: Any, seed: int, **form: Any) -> str:
    """Start a run that trains another model, and wait until its shadow is under way."""
    place.new_data(seed)
    run_id: str = place.trigger(**form)
    wait_for(place, run_id, "shadow", "deferred")
    return run_id


def to_the_canary(place: Any, run_id: str) -> None:
    place.serve(40)
    wait_for(place, run_id, "canary", "deferred")


def test_the_first_model_is_released_and_every_task_says_what_came_of_it(place: Any) -> None:
    state, tasks = place.first_state
    assert state == "success"
    assert tasks.pop("roll_back") == "skipped"
    assert set(tasks.values()) == {"success"}
    assert place.ledger.champion().version == 1

    found = place.airflow.api.tasks("visits", place.first)
    notes = {task_id: task["note"] for task_id, task in found.items() if task["state"] == "success"}
    assert all(notes.values()), notes
    assert "version 1 blessed" in notes["verdict.bless"]
    assert "promoted" in place.airflow.api.run("visits", place.first)["note"]


def test_the_links_lead_to_the_evidence(place: Any) -> None:
    path = f"/dags/visits/dagRuns/{place.first}/taskInstances"
    verdict = place.airflow.api.call("GET", f"{path}/verdict.bless/links")["extra_links"]["Verdict"]
    validation = place.airflow.api.call("GET", f"{path}/data.validate/links")["extra_links"]["Validation"]
    ledger = place.airflow.api.call("GET", f"{path}/report/links")["extra_links"]["Ledger"]
    viewer = {"Authorization": f"Bearer {place.airflow.api.token('viewer')}"}
    for address, shown in ((verdict, "baseline"), (validation, "pages"), (ledger, "is the first champion")):
        assert httpx.get(address).status_code == 401
        login = httpx.get(address, headers={"Accept": "text/html"}, follow_redirects=True).url
        assert login.path == "/auth/login"
        assert login.params["next"] == httpx.URL(address).path, "the same address, with fewer letters escaped"
        answer = httpx.get(address, headers=viewer)
        assert answer.status_code == 200
        assert shown in answer.text


def test_a_challenger_is_shadowed_ramped_and_promoted_without_holding_a_worker(place: Any) -> None:
    run_id = challenger(place, seed=1)
    assert place.ledger.release().state == "shadowing"
    to_the_canary(place, run_id)
    place.serve(160)
    state, tasks = place.finish(run_id)
    assert (state, tasks["promote"], tasks["roll_back"]) == ("success", "success", "skipped")
    assert place.ledger.champion().version == 2


def test_what_a_waiting_canary_sees_is_its_note_and_on_its_page_also_while_it_is_paused(place: Any) -> None:
    run_id = challenger(place, seed=6)
    to_the_canary(place, run_id)
    place.serve(16)
    assert "of 20 requests" in note_with(place, run_id, "of 20 requests")
    viewer = {"Authorization": f"Bearer {place.airflow.api.token('viewer')}"}
    links = place.airflow.api.call("GET", f"/dags/visits/dagRuns/{run_id}/taskInstances/release.canary/links")
    page = httpx.get(links["extra_links"]["Evidence"], headers=viewer)
    assert page.status_code == 200
    assert "ramping" in page.text
    assert "of 20 requests" in page.text

    overrule.pause(place.ledger, actor="cli:alice", reason="the graph looks odd")
    assert "retrain resume visits" in note_with(place, run_id, "paused: the graph looks odd")
    wait_for(place, run_id, "canary", "deferred")
    overrule.resume(place.ledger, actor="cli:alice", reason="it was the graph")
    note_with(place, run_id, "no traffic yet")
    place.serve(160)
    state, tasks = place.finish(run_id)
    assert (state, tasks["promote"]) == ("success", "success")


def note_with(place: Any, run_id: str, said: str) -> str:
    """The note of the canary, once it says so; the task has not ended."""
    task: dict[str, Any] = {}
    for _ in looks(60, pause=0.5):
        task = place.airflow.api.tasks("visits", run_id)["release.canary"]
        assert task["state"] not in ENDED
        if said in str(task["note"]):
            return str(task["note"])
    raise AssertionError(f"its note does not say '{said}': {task['note']}")


def test_a_canary_goes_on_after_the_death_of_triggerer_and_scheduler(place: Any) -> None:
    run_id = challenger(place, seed=2)
    to_the_canary(place, run_id)
    numbers = place.ledger.head
    for component in ("triggerer", "scheduler"):
        end_tree([place.airflow.processes.pop(component).pid], grace=0)
    place.serve(80, seed=1)
    for component in ("triggerer", "scheduler"):
        place.airflow.start_component(component)
    place.serve(80, seed=2)
    state, tasks = place.finish(run_id)
    assert (state, tasks["promote"]) == ("success", "success")
    added = [entry for entry in place.ledger.entries()[numbers:] if entry.kind == "release"]
    assert [entry.body.state for entry in added] == ["promoted"], "it went on from the ledger, not from the start"


def test_a_challenger_that_fails_in_service_is_rolled_back(place: Any) -> None:
    champion = place.ledger.champion().version
    run_id = challenger(place, seed=5)
    to_the_canary(place, run_id)
    place.serve(300, failing=0.9)
    state, tasks = place.finish(run_id)
    assert (state, tasks["promote"], tasks["roll_back"]) == ("success", "skipped", "success")
    assert place.ledger.release().state == "rolled_back"
    assert place.ledger.champion().version == champion
    assert "rolled back" in place.airflow.api.run("visits", run_id)["note"]


def test_a_canary_marked_failed_by_hand_is_rolled_back_by_the_report(place: Any) -> None:
    run_id = challenger(place, seed=4)
    to_the_canary(place, run_id)
    path = f"/dags/visits/dagRuns/{run_id}/taskInstances/release.canary"
    place.airflow.api.call("PATCH", path, json={"new_state": "failed"})
    state, tasks = place.finish(run_id)
    assert (state, tasks["canary"], tasks["report"]) == ("failed", "failed", "success")
    assert place.ledger.release().state == "rolled_back"
    assert "nobody watches" in place.ledger.release().reason


def test_the_health_checks_of_the_compose_file_find_what_runs(place: Any, root: Path) -> None:
    services = yaml.safe_load((root / "docker" / "compose.yaml").read_text())["services"]
    environment = place.airflow.environment
    for part in ("dag-processor", "triggerer"):
        check = services[f"airflow-{part}"]["healthcheck"]["test"][2:]
        asked = subprocess.run(
            [sys.executable, "-m", "airflow", *check], env=environment, capture_output=True, text=True
        )
        assert asked.returncode == 0, asked.stdout + asked.stderr
    address = services["airflow-scheduler"]["healthcheck"]["test"][-1]
    port = environment["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT"]
    assert httpx.get(address.replace(":8974", f":{port}")).status_code == 200


def test_an_older_version_is_released_again(place: Any) -> None:
    run_id = place.trigger(redeploy=1, skip_canary=True, reason="the new one is too slow")
    state, tasks = place.finish(run_id)
    assert state == "success"
    assert tasks["train"] == tasks["bless"] == "skipped"
    assert tasks["rehearse"] == tasks["promote"] == "success"
    assert place.ledger.champion().version == 1
    assert "too slow" in place.ledger.release().reason


@pytest.mark.parametrize(
    ("form", "said"),
    [({"skip_canary": True}, "gives no reason"), ({"redeploy": 999}, "has no version 999")],
)
def test_a_form_that_asks_for_the_impossible_is_refused_by_one_task(
    place: Any, form: dict[str, Any], said: str
) -> None:
    release = place.ledger.release_number()
    run_id = place.trigger(**form)
    state, tasks = place.finish(run_id)
    assert state == "failed"
    assert (tasks.pop("collect"), tasks.pop("report")) == ("failed", "success")
    assert set(tasks.values()) == {"upstream_failed"}
    note = place.airflow.api.run("visits", run_id)["note"]
    assert said in note
    assert "What to do:" in note
    assert place.ledger.release_number() == release


def test_bad_data_makes_a_red_run_with_a_report(place: Any) -> None:
    run_id = place.trigger(datetime(2014, 4, 1, tzinfo=UTC))
    state, tasks = place.finish(run_id)
    assert (state, tasks["collect"], tasks["train"]) == ("failed", "failed", "upstream_failed")
    assert tasks["report"] == "success"
    note = place.airflow.api.tasks("visits", run_id)["data.collect"]
    assert "What to do:" in note["note"]
    assert note["try_number"] == 1, "what cannot help is not tried again"


def test_nothing_is_left_running(open_place: Any, tmp_path: Path) -> None:
    other = open_place()
    before = psutil.Process().children(recursive=True)
    assert any("scheduler" in " ".join(process.cmdline()) for process in before)
    other.airflow.stop()
    home = str(other.airflow.home)
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AIRFLOW_HOME") == home:
                left.append(process.cmdline())
        except psutil.Error:
            continue
    assert left == []
