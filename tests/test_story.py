"""The story of a retraining, and that all who tell it tell the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from airflow.sdk import DAG

from retrain import story
from retrain.airflow.dag import draw, task_of
from retrain.airflow.operators.plain import PlainOperator
from retrain.artifacts import KINDS
from retrain.spec import Spec
from retrain.story import STORY, Stage

VISITS = Path(__file__).parent / "system" / "pipelines" / "visits"


def asking(spec: Spec) -> Spec:
    """The same pipeline, with approval."""
    approval = spec.bless.approval.model_copy(update={"required": True})
    return spec.model_copy(update={"bless": spec.bless.model_copy(update={"approval": approval})})


@pytest.mark.parametrize("stage", STORY, ids=lambda stage: stage.name)
def test_everything_a_stage_names_is_there(stage: Stage) -> None:
    for path in (stage.function, stage.then):
        assert path is None or story._resolved(path)
    if stage.hands_on is not None:
        assert stage.kind in KINDS.values()
        assert story.artifact_of(stage.kind.kind) is stage.kind
    if stage.watched:
        assert callable(story._resolved(stage.function).begin)
        assert callable(story._resolved(stage.function).look)
    earlier = [other.name for other in STORY[: STORY.index(stage)]]
    assert set(stage.inputs) | set(stage.after) <= set(earlier)
    assert all(story.stage(name).hands_on for name in stage.inputs)


def test_a_kind_of_artifact_that_no_stage_hands_on_is_none() -> None:
    assert story.artifact_of("poem") is None


def test_groups_are_told_one_after_another_and_the_report_comes_last() -> None:
    groups = [group for group, _ in itertools.groupby(stage.group for stage in STORY)]
    assert groups == [*story.GROUPS, None]
    assert [stage.name for stage in STORY if stage.group is None] == ["report"]


@pytest.mark.parametrize("approval", [False, True])
def test_the_dag_draws_the_story(approval: bool) -> None:
    spec = asking(Spec.load(VISITS)) if approval else Spec.load(VISITS)
    with DAG("visits", schedule=None) as dag:
        draw(spec)
    stages = story.told(spec)
    assert ("approve" in {stage.name for stage in stages}) is approval
    ids = {stage.name: f"{stage.group}.{stage.name}" if stage.group else stage.name for stage in stages}
    assert set(dag.task_ids) == set(ids.values())
    assert {key: group.tooltip for key, group in dag.task_group.get_task_group_dict().items() if key} == story.GROUPS
    for stage in stages:
        task = dag.get_task(ids[stage.name])
        assert task.upstream_task_ids == {ids[name] for name in story.before(stage, stages)}, stage.name
        assert task.stage == stage.name
        for name in stage.inputs:
            assert f"'{ids[name]}'" in getattr(task, story.stage(name).argument)


def test_a_stage_without_an_operator_of_its_own_is_drawn_by_the_plain_one() -> None:
    calibrate = Stage("calibrate", "model", "a.b:c", "Candidate", ("train", "features"))
    with DAG("visits", schedule=None) as dag:
        draw(Spec.load(VISITS))
        tasks = {task.stage: task for task in dag.tasks}
        task = task_of(calibrate, Spec.load(VISITS), tasks, folder=VISITS)
    assert isinstance(task, PlainOperator)
    assert (task.task_id, task.stage) == ("calibrate", "calibrate")
    assert "model.train" in task.given("candidate")
    assert "model.features" in task.given("feature_set")


@pytest.mark.parametrize(
    ("name", "state", "left_out"),
    [
        ("shadow", "done", set()),
        ("shadow", "rolled_back", {"canary", "promote"}),
        ("shadow", "paused", {"canary", "promote", "roll_back"}),
        ("canary", "done", {"roll_back"}),
        ("canary", "rolled_back", {"promote"}),
        ("canary", "paused", {"promote", "roll_back"}),
    ],
)
def test_what_a_release_came_to_rules_out_the_rest(name: str, state: story.ProgressState, left_out: set[str]) -> None:
    assert story.ruled_out(name, state) == left_out


def test_an_end_is_said_once() -> None:
    assert story.line("version 2 vetoed: worse", "worse") == "version 2 vetoed: worse"
    assert story.line("nothing drifted", "it is fresh") == "nothing drifted; ended here: it is fresh"
    assert story.line("nothing drifted", None) == "nothing drifted"
