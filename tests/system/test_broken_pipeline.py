"""A pipeline that is described wrongly, in a real Airflow: seen until it is mended, and nobody's harm."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from retrain.demo.waiting import looks

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
DISCOVER = '''"""All pipelines of a folder as Airflow Dags."""
from retrain.airflow.dag import discover
globals().update(discover(PIPELINES))
'''
MISTAKES = '''"""No Dag."""
from retrain.airflow.dag import require_whole
require_whole(PIPELINES)
'''
REFRESHES = 35
"""Seconds: the bundle is refreshed every 10, its files are parsed every 5."""


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A healthy pipeline and a broken one."""
    folder = tmp_path_factory.mktemp("described") / "pipelines"
    for name in ("visits", "broken"):
        shutil.copytree(HERE / "pipelines" / "visits", folder / name)
    text = (folder / "broken" / "pipeline.yaml").read_text().replace("name: visits", "name: broken")
    (folder / "broken" / "pipeline.yaml").write_text(text)
    spoil(folder / "broken")
    return folder


@pytest.fixture(scope="module")
def place(open_place: Any, pipelines: Path) -> Any:
    found = open_place(DISCOVER, pipelines=pipelines)
    (found.home / "dags" / "broken.py").write_text(f"PIPELINES = {str(pipelines)!r}\n{MISTAKES}")
    return found


def spoil(folder: Path) -> None:
    file = folder / "pipeline.yaml"
    file.write_text(f"{file.read_text()}\ncanry: 1\n")


def mend(folder: Path) -> None:
    file = folder / "pipeline.yaml"
    file.write_text(file.read_text().replace("\ncanry: 1\n", ""))


def tags(dag: Any) -> set[str]:
    return {tag["name"] for tag in dag["tags"]}


def await_tag(place: Any, dag_id: str, *, broken: bool) -> Any:
    for _ in looks(60, pause=0.5):
        dag = place.airflow.api.await_dag(dag_id)
        if ("broken" in tags(dag)) == broken:
            return dag
    raise AssertionError(f"{dag_id} did not become {'broken' if broken else 'whole'}: {dag}")


def slots(place: Any, count: int) -> None:
    """How many tasks may run at once."""
    body = {"slots": count, "include_deferred": False}
    place.airflow.api.call("PATCH", "/pools/default_pool", json=body, params={"update_mask": ["slots"]})


def await_import_errors(place: Any, *, there: bool) -> None:
    for _ in looks(60, pause=0.5):
        if bool(place.airflow.api.import_errors()) == there:
            return
    raise AssertionError(place.airflow.api.import_errors())


def test_a_mistake_is_seen_until_it_is_mended_and_harms_no_other(place: Any, pipelines: Path) -> None:
    api = place.airflow.api
    await_import_errors(place, there=True)
    await_tag(place, "broken", broken=True)
    parsed, until = set(), time.monotonic() + REFRESHES
    while time.monotonic() < until:
        (error,) = api.import_errors()
        dag, other = api.call("GET", "/dags/broken"), api.call("GET", "/dags/visits")
        assert error["filename"] == "broken.py"
        for part in ("line", "`canry`", "did you mean `canary`"):
            assert part in error["stack_trace"]
        assert (dag["is_stale"], tags(dag)) == (False, {"retrain", "retrain:broken", "broken"})
        assert "broken/pipeline.yaml, line" in dag["dag_display_name"]
        assert (other["is_stale"], other["has_import_errors"]) == (False, False)
        parsed.add(dag["last_parsed_time"])
        time.sleep(1)
    assert len(parsed) > 1, "the file was parsed again, and the mistake was there still"

    run_id = api.trigger("broken", {})
    assert api.await_run("broken", run_id)["state"] == "failed"
    assert "did you mean" in api.run("broken", run_id)["note"]
    states = {task_id: task["state"] for task_id, task in api.tasks("broken", run_id).items()}
    assert states.pop("data.collect") == "failed"
    assert states.pop("report") == "skipped"
    assert set(states.values()) == {"upstream_failed"}

    mend(pipelines / "broken")
    dag = await_tag(place, "broken", broken=False)
    assert dag["dag_display_name"] == "broken"
    await_import_errors(place, there=False)


def test_a_run_under_way_goes_on_when_its_pipeline_is_mended(place: Any, pipelines: Path) -> None:
    api = place.airflow.api
    run_id = place.trigger()
    for _ in looks(120, pause=0.2):
        if place.states(run_id).get("collect") == "success":
            break
    slots(place, 0)  # nothing further begins until Airflow has seen the mistake: a run takes no longer than that
    spoil(pipelines / "visits")
    await_tag(place, "visits", broken=True)
    slots(place, 128)
    tasks: dict[str, Any] = {}
    for _ in looks(120, pause=0.2):
        tasks = {task_id: (task["state"], task["note"]) for task_id, task in api.tasks("visits", run_id).items()}
        if any(state == "up_for_reschedule" and note for state, note in tasks.values()):
            break
    waiting = [note for state, note in tasks.values() if state == "up_for_reschedule"]
    assert waiting, tasks
    assert "waits until the pipeline is mended" in str(waiting[0]), tasks
    assert api.run("visits", run_id)["state"] == "running"

    mend(pipelines / "visits")
    state, states = place.finish(run_id)
    assert (state, states["promote"]) == ("success", "success")
    assert place.ledger.champion().version == 1
