"""Every task of the Dag is killed in the middle of its work, and Airflow tries it again."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from retrain.artifacts import Request
from retrain.demo.airflow import ENDED, looks
from retrain.retraining import retrain
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

# The first try of each task stops where the test wants it killed: before its n-th write into the store, or, if it is
# one that writes nothing, before its first read. The store is the product's own; only the waiting is added here.
DAGS = '''"""The small pipeline as an Airflow Dag whose tasks stop in the middle of their work."""

import os
import time
from datetime import timedelta
from pathlib import Path

from retrain.airflow.dag import RetrainDag
from retrain.store.local import LocalStore

STOPS = Path(os.environ["STOPS"])
SILENT = {"release.shadow", "release.canary"}
done = 0


def stopping(method, writes):
    def call(self, path, *rest):
        global done
        task = os.environ.get("AIRFLOW_CTX_TASK_ID")
        if task and os.environ.get("AIRFLOW_CTX_TRY_NUMBER") == "1" and writes != (task in SILENT):
            done += 1
            if done == (1 if task in SILENT else int((STOPS / "at").read_text())):
                reached = STOPS / (os.environ["AIRFLOW_CTX_DAG_RUN_ID"][-20:] + task)
                reached.with_suffix(".new").write_text(str(os.getpid()))
                reached.with_suffix(".new").rename(f"{reached}.reached")
                time.sleep(600)
        return method(self, path, *rest)

    return call


for name, writes in (("create", True), ("put", True), ("upload", True), ("get", False), ("exists", False)):
    setattr(LocalStore, name, stopping(getattr(LocalStore, name), writes))

quick = {"owner": "tests", "retries": 2, "retry_delay": timedelta(0)}
dag = RetrainDag(Path(PIPELINES) / "visits", default_args=quick)
'''


def finish_killing(place: Any, stops: Path, run_id: str) -> tuple[str, list[str]]:
    """Kill each task when it has stopped, until the run has ended; who was killed."""
    killed: list[str] = []
    for _ in looks(600, pause=0.1):
        for reached in stops.glob("*.reached"):
            os.kill(int(reached.read_text()), signal.SIGKILL)
            reached.unlink()
            killed.append(reached.name)
        if place.airflow.run("visits", run_id)["state"] in ENDED:
            break
    return place.airflow.run("visits", run_id)["state"], killed


def undisturbed(place: Any, home: Path, run_id: str, **form: Any) -> tuple[dict[str, str], list[str]]:
    """What the same retraining comes to in one process that nobody kills, in a place of its own."""
    home.mkdir(exist_ok=True)
    settings = Settings.load({"RETRAIN_HOME": str(home), "RETRAIN_DATA": str(place.settings.data)})
    spec = Spec.load(Path(place.settings.pipelines) / "visits")
    request = Request(data_end=place.end, run=run_id, actor="test", force=True, **form)
    retrain(spec, request, Site(settings))
    return outcome(Site(settings), run_id)


def outcome(site: Site, run_id: str) -> tuple[dict[str, str], list[str]]:
    """Stage → artifact key, and the kinds of the run's ledger entries in their order."""
    entries = site.ledger("visits").run_entries(run_id)
    keys = {e.body.stage: e.body.artifact.key for e in entries if e.kind == "stage"}
    return keys, [getattr(entry.body, "stage", entry.kind) for entry in entries]


def test_killed_tasks_come_to_the_same_artifacts_one_release_and_no_entry_twice(
    open_place: Any, tmp_path: Path
) -> None:
    stops = tmp_path / "stops"
    stops.mkdir()
    (stops / "at").write_text("1")
    place = open_place(DAGS, STOPS=str(stops))
    forms: list[dict[str, Any]] = [{}, {"skip_canary": True, "reason": "no traffic here"}]
    for number, form in enumerate(forms, start=1):
        (stops / "at").write_text(str(number))  # before the first write; between the first and the second
        place.new_data(seed=number)
        run_id = place.trigger(**form)
        state, killed = finish_killing(place, stops, run_id)
        assert state == "success", json.dumps(place.states(run_id))
        assert len(killed) == len(set(killed))
        assert len(killed) >= (13 if number == 1 else 9), killed

        keys, kinds = outcome(place.site, run_id)
        calm_keys, calm_kinds = undisturbed(place, tmp_path / "calm", run_id, **form)
        made_of_inputs = ("collect", "validate", "drift", "features", "train", "evaluate", "bless")
        assert {stage: keys[stage] for stage in made_of_inputs} == {stage: calm_keys[stage] for stage in made_of_inputs}
        assert Counter(kinds) == Counter(calm_kinds)
        assert kinds.count("release") == 1
        assert kinds.count("trained") == kinds.count("verdict") == 1
        assert place.ledger.champion().version == number
        once = [entry.once for entry in place.ledger.entries() if entry.once]
        assert len(once) == len(set(once))
