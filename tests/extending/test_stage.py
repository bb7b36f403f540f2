"""A stage more: lines in story.py and a file make it part of the Dag, of `retrain run` and of the report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import retrain.airflow.operators
import retrain.stages
from fenced_code import fenced
from retrain import story
from retrain.airflow.dag import RetrainDag
from retrain.airflow.operators.plain import PlainOperator
from retrain.stages import report
from retraining_world import Line, line

__all__ = ["line"]

OURS = Path(__file__).parent / "ours"
VISITS = Path(__file__).parents[1] / "system" / "pipelines" / "visits"


@pytest.fixture(autouse=True)
def told(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The story with the lines of docs/extending.md in it, and the stage's file beside the others."""
    (change,) = (text for language, _, text in fenced(root / "docs/extending.md") if language == "diff")
    old, new = (
        "".join(line[1:] for line in change.splitlines(keepends=True) if line[0] in kept) for kept in (" ", " +")
    )
    source = Path(str(story.__file__)).read_text()
    assert source.count(old) == 1
    before = dict(vars(story))
    exec(compile(source.replace(old, new), "story.py", "exec"), vars(story))
    monkeypatch.setattr(report, "STAGES", story.STAGES)
    monkeypatch.setattr(retrain.stages, "__path__", [*retrain.stages.__path__, str(OURS / "stages")])
    yield
    vars(story).update(before)
    for folder in (retrain.stages, retrain.airflow.operators):
        if sys.modules.pop(f"{folder.__name__}.weigh", None) is not None:
            del folder.weigh  # type: ignore[attr-defined]


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's file beside the others."""
    path = [*retrain.airflow.operators.__path__, str(OURS / "airflow" / "operators")]
    monkeypatch.setattr(retrain.airflow.operators, "__path__", path)


def test_the_dag_draws_it_in_its_place_without_an_operator_of_its_own() -> None:
    dag = RetrainDag(VISITS)
    task = dag.get_task("verdict.weigh")
    assert isinstance(task, PlainOperator)
    assert task.upstream_task_ids == {"verdict.bless"}
    assert task.downstream_task_ids == {"verdict.freshness"}
    assert "model.train" in str(task.given("candidate"))


def test_the_dag_draws_it_by_its_operator_where_it_has_one(operator: None) -> None:
    task = RetrainDag(VISITS).get_task("verdict.weigh")
    assert type(task).__name__ == "WeighOperator"
    assert "model.train" in str(task.candidate)
    assert [link.name for link in task.operator_extra_links] == ["Weight", "Ledger"]


def test_a_run_does_it_and_the_report_says_what_came_of_it(line: Line) -> None:
    ended = line.run()
    assert ended.decision == "promoted"
    assert [stage for stage, state, _ in line.told if state == "success"][6:9] == ["bless", "weigh", "freshness"]
    assert ("weigh", "success", "version 1 has 0.0 MB") in line.told
    assert "| weigh | success | version 1 has 0.0 MB |" in ended.report.markdown


def test_it_may_end_the_run_and_the_report_says_where(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.stages.weigh.MOST", -1)
    ended = line.run()
    assert ended.decision == "unfinished"
    assert ended.headline == "flights: the run ended at weigh: version 1 has 0.0 MB"
    assert line.told[-2][2] == "version 1 has 0.0 MB; ended here: at most -0 MB allowed"
    assert ended.report.stages["freshness"] == "skipped"
    assert line.ledger.champion() is None


def test_what_it_hands_on_has_a_page() -> None:
    kind = story.artifact_of("weight")
    assert kind is not None
    assert kind.__name__ == "Weight"
