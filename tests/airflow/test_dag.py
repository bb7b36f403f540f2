"""A folder as a Dag."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization

from retrain.airflow.dag import RetrainDag, RetrainTaskGroup, discover, require_whole
from retrain.errors import SpecError

VISITS = Path(__file__).parents[1] / "system" / "pipelines" / "visits"
STORY = [
    *("data.collect", "data.validate", "data.drift", "model.features", "model.train", "model.evaluate"),
    *("verdict.bless", "verdict.freshness", "release.rehearse", "release.shadow", "release.canary"),
]


@pytest.fixture
def pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two pipelines."""
    monkeypatch.delenv("RETRAIN_PIPELINES", raising=False)
    for name in ("one", "two"):
        write(tmp_path / "pipelines" / name)
    return tmp_path / "pipelines"


def write(folder: Path, *lines: str) -> Path:
    """A pipeline like the small one, under another name, with further lines."""
    shutil.copytree(VISITS, folder)
    text = (folder / "pipeline.yaml").read_text().replace("name: visits", f"name: {folder.name}")
    (folder / "pipeline.yaml").write_text("\n".join([text, *lines, ""]))
    return folder


def test_the_tasks_tell_the_story() -> None:
    dag = RetrainDag(VISITS)
    for earlier, later in zip(STORY, [*STORY[1:], None], strict=True):
        down = dag.get_task(earlier).downstream_task_ids
        assert down == ({later} if later else {"release.promote", "release.roll_back"})
    assert dag.get_task("report").upstream_task_ids == {"release.promote", "release.roll_back"}
    assert set(dag.task_ids) == {*STORY, "release.promote", "release.roll_back", "report"}
    assert set(dag.task_group.children) == {"data", "model", "verdict", "release", "report"}


def test_it_is_a_good_dag() -> None:
    dag = RetrainDag(VISITS)
    assert (dag.dag_id, dag.catchup, dag.max_active_runs) == ("visits", False, 1)
    assert dag.tags == {"retrain", "retrain:visits", "binary"}
    assert "brier" in dag.doc_md
    assert "by stability, inputs, value, suspicious, change, decay, slices, baseline at 95% confidence" in dag.doc_md
    for task in dag.tasks:
        assert (task.owner, task.retries) == ("tests", 2), task.task_id
        assert task.retry_exponential_backoff
    dag.validate()
    dag.check_cycle()


def test_a_failure_makes_the_run_red_although_the_report_always_runs() -> None:
    report = RetrainDag(VISITS).get_task("report")
    assert report.is_teardown
    assert not report.on_failure_fail_dagrun


def test_the_trigger_form_is_typed_and_described() -> None:
    params = RetrainDag(VISITS).params
    assert list(params) == ["data_end", "force", "skip_canary", "reason", "redeploy"]
    for name in params:
        param = params.get_param(name)
        assert param.description
        assert param.schema["type"]
    params.validate()
    for name, wrong in (("data_end", "tomorrow"), ("force", "yes"), ("redeploy", 0), ("reason", 3)):
        with pytest.raises(Exception, match=name):
            params[name] = wrong


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ((), type(None)),
        (("schedule: '0 6 * * 1'",), CronTriggerTimetable),
        (("assets: ['s3://lake/visits']",), list),
        (("schedule: '0 6 * * 1'", "assets: ['s3://lake/visits']"), AssetOrTimeSchedule),
    ],
)
def test_it_runs_by_the_clock_on_events_on_both_or_never(tmp_path: Path, lines: tuple[str, ...], kind: type) -> None:
    dag = RetrainDag(write(tmp_path / "one", *lines))
    assert isinstance(dag.schedule, kind)
    DagSerialization.from_dict(DagSerialization.to_dict(dag))


def test_what_the_caller_says_wins() -> None:
    dag = RetrainDag(VISITS, dag_id="other", max_active_runs=3, schedule=None, default_args={"retries": 5})
    assert (dag.dag_id, dag.max_active_runs, dag.get_task("report").retries) == ("other", 3, 5)


@pytest.mark.parametrize("whole", [True, False])
def test_a_default_of_ones_own_leaves_ours_in_place(whole: bool) -> None:
    given = {"queue": "training", "retries": 5}
    if whole:
        dag = RetrainDag(VISITS, default_args=given)
    else:
        with DAG("nightly", schedule=None) as dag:
            RetrainTaskGroup(VISITS, default_args=given)
    for task in dag.tasks:
        assert (task.queue, task.retries, task.owner) == ("training", 5, "tests"), task.task_id
        assert task.retry_delay == timedelta(seconds=10)
        assert task.retry_exponential_backoff


def test_it_survives_serialisation() -> None:
    dag = RetrainDag(VISITS)
    back = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert set(back.task_ids) == set(dag.task_ids)
    links = back.get_task("model.train").operator_extra_link_dict
    assert set(links) == {"Candidate", "MLflow run", "Ledger"}
    assert DagSerialization.to_dict(RetrainDag(VISITS)) == DagSerialization.to_dict(dag), "stable from parse to parse"


def test_the_same_tasks_inside_a_dag_of_ones_own() -> None:
    with DAG("nightly", schedule=None) as dag:
        group = RetrainTaskGroup(VISITS, group_id="learn")
        before, after = EmptyOperator(task_id="before"), EmptyOperator(task_id="after")
        before >> group >> after
    assert dag.get_task("learn.data.collect").upstream_task_ids == {"before"}
    assert after.upstream_task_ids == {"learn.release.promote", "learn.release.roll_back"}
    assert "learn.model.train" in dag.get_task("learn.release.canary").candidate
    dag.validate()


# -- discovery -------------------------------------------------------------------------------------------------


def bag_of(tmp_path: Path, pipelines: Path) -> DagBag:
    file = tmp_path / "dags" / "pipelines.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f'"""airflow dag"""\nfrom retrain.airflow.dag import discover\nglobals().update(discover({str(pipelines)!r}))\n'
    )
    return DagBag(dag_folder=str(file.parent), bundle_path=file.parent, bundle_name="test")


def test_every_folder_becomes_a_dag(tmp_path: Path, pipelines: Path) -> None:
    bag = bag_of(tmp_path, pipelines)
    assert set(bag.dags) == {"one", "two"}
    assert not bag.import_errors


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (("canry: 1",), ["line", "canry", "did you mean `canary`"]),
        (("schedule: 'every monday'",), ["line", "schedule", "every monday"]),
        (("owner: [1",), ["line", "not YAML"]),
        (("assets: ['']",), ["pipeline.yaml"]),
    ],
)
def test_a_broken_pipeline_is_a_dag_that_says_its_mistake_and_breaks_only_itself(
    tmp_path: Path, pipelines: Path, lines: tuple[str, ...], named: list[str]
) -> None:
    write(pipelines / "bad", *lines)
    bag = bag_of(tmp_path, pipelines)
    assert not bag.import_errors, "an import error of the file would make every Dag in it stale"
    assert set(bag.dags) == {"one", "two", "bad"}
    for dag in bag.dags.values():
        DagSerialization.to_dict(dag)
    bad = bag.dags["bad"]
    assert (bad.schedule, bad.tags) == (None, {"retrain", "retrain:bad", "broken"})
    assert "bad is broken: bad/pipeline.yaml" in bad.dag_display_name
    for part in named:
        assert part in re.sub(r"\\([^\w\s])", r"\1", str(bad.doc_md))


def test_a_folder_with_an_impossible_name_breaks_only_itself(pipelines: Path) -> None:
    write(pipelines / "not a name!")
    found = discover(pipelines)
    assert found["not a name!"].dag_id == "not_a_name_"
    assert isinstance(found["one"], RetrainDag)


def test_a_file_of_its_own_shows_every_mistake_as_its_import_error(tmp_path: Path, pipelines: Path) -> None:
    require_whole(pipelines)
    write(pipelines / "bad", "canry: 1")
    write(pipelines / "worse", "owner: [1")
    (tmp_path / "dags").mkdir()
    said = f"from retrain.airflow.dag import require_whole\nrequire_whole({str(pipelines)!r})\n"
    (tmp_path / "dags" / "broken.py").write_text(f'"""airflow dag"""\n{said}')
    alone = DagBag(dag_folder=str(tmp_path / "dags"), bundle_path=tmp_path / "dags", bundle_name="test")
    assert not alone.dags, "what is made to be looked at is no Dag of that file"
    bag = bag_of(tmp_path, pipelines)
    assert set(bag.import_errors) == {"broken.py"}
    for part in ("canry", "not YAML", str(pipelines / "worse" / "pipeline.yaml")):
        assert part in bag.import_errors["broken.py"]
    assert set(bag.dags) == {"one", "two", "bad", "worse"}


def test_beside_a_file_that_shows_mistakes_whole_pipelines_are_dags_once(tmp_path: Path, pipelines: Path) -> None:
    (tmp_path / "dags").mkdir()
    said = f"from retrain.airflow.dag import require_whole\nrequire_whole({str(pipelines)!r})\n"
    (tmp_path / "dags" / "broken.py").write_text(f'"""airflow dag"""\n{said}')
    bag = bag_of(tmp_path, pipelines)
    assert (set(bag.dags), bag.import_errors) == ({"one", "two"}, {})


def test_a_task_makes_only_its_own_dag(pipelines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "two")
    assert set(discover(pipelines)) == {"two"}


def test_the_environment_names_another_folder(pipelines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAIN_PIPELINES", str(VISITS.parent))
    assert set(discover(pipelines)) == {"visits"}


def test_a_wrong_folder_is_a_spec_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no pipeline\.yaml"):
        RetrainDag(tmp_path)


def test_parsing_imports_nothing_heavy(root: Path) -> None:
    heavy = ["pandas", "numpy", "sklearn", "mlflow", "great_expectations", "pyarrow", "scipy", "boto3"]
    code = (
        f"import runpy, sys; found = runpy.run_path({str(root / 'dags' / 'pipelines.py')!r}); "
        f"assert 'visits' in found, list(found); print([m for m in {heavy} if m in sys.modules])"
    )
    environment: dict[str, Any] = {**os.environ, "RETRAIN_PIPELINES": str(VISITS.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
