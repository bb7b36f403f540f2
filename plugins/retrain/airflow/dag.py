"""A pipeline's folder as an Airflow Dag, or as a task group inside a Dag of your own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    BaseOperator,
    CronTriggerTimetable,
    TaskGroup,
    get_parsing_context,
)
from airflow.sdk.exceptions import AirflowTimetableInvalid

from retrain.airflow.hooks.site import configured
from retrain.airflow.operators.bless import BlessOperator
from retrain.airflow.operators.canary import CanaryOperator
from retrain.airflow.operators.collect import CollectOperator
from retrain.airflow.operators.drift import DriftOperator
from retrain.airflow.operators.evaluate import EvaluateOperator
from retrain.airflow.operators.features import FeaturesOperator
from retrain.airflow.operators.freshness import FreshnessOperator
from retrain.airflow.operators.promote import PromoteOperator
from retrain.airflow.operators.rehearse import RehearseOperator
from retrain.airflow.operators.report import ReportOperator
from retrain.airflow.operators.roll_back import RollBackOperator
from retrain.airflow.operators.shadow import ShadowOperator
from retrain.airflow.operators.train import TrainOperator
from retrain.airflow.operators.validate import ValidateOperator
from retrain.airflow.params import trigger_form
from retrain.errors import SpecError
from retrain.spec import FILE, Spec
from retrain.spec.durations import spell
from retrain.spec.yamlfile import YamlFile

RETRIES = {"retries": 2, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0}


class RetrainDag(DAG):
    """The whole retraining of one pipeline as a Dag.

    :param folder: the pipeline's folder, with its ``pipeline.yaml``.
    :param site_conn_id: a connection of type ``retrain``; None reads ``[retrain]`` and ``RETRAIN_*``.
    :param dag_kwargs: anything :class:`airflow.sdk.DAG` takes; it wins over what the pipeline says.
    :raises SpecError: the pipeline is described wrongly.
    """

    def __init__(self, folder: str | Path, *, site_conn_id: str | None = None, **dag_kwargs: Any) -> None:
        spec = Spec.load(folder)
        given = {
            "dag_id": spec.name,
            "description": spec.description or f"Retrains {spec.name}.",
            "schedule": schedule(spec),
            "catchup": False,
            "max_active_runs": 1,
            "tags": {"retrain", spec.task},
            "doc_md": describe(spec),
            "params": trigger_form(),
            "default_args": {"owner": spec.owner, **RETRIES},
        }
        super().__init__(**{**given, **dag_kwargs})
        with self:
            draw(spec, site_conn_id)


class RetrainTaskGroup(TaskGroup):
    """The same tasks inside a Dag of your own. What you put after the group waits for the release, not the report.

    :param folder: the pipeline's folder.
    :param group_id: default: the pipeline's name.
    :param site_conn_id: a connection of type ``retrain``; None reads ``[retrain]`` and ``RETRAIN_*``.
    :param group_kwargs: anything :class:`airflow.sdk.TaskGroup` takes.
    """

    def __init__(
        self,
        folder: str | Path,
        group_id: str | None = None,
        *,
        site_conn_id: str | None = None,
        default_args: Mapping[str, Any] | None = None,
        **group_kwargs: Any,
    ) -> None:
        spec = Spec.load(folder)
        defaults = {"owner": spec.owner, **RETRIES, **(default_args or {})}
        super().__init__(group_id=group_id or spec.name, default_args=defaults, **group_kwargs)
        with self:
            draw(spec, site_conn_id)


def draw(spec: Spec, site_conn_id: str | None = None) -> None:
    """Put a pipeline's tasks into the Dag or group that is open.

    Refs go from task to task as templates, not as extra edges, so that the graph shows the story.
    """
    given: dict[str, Any] = {"folder": spec.folder, "site_conn_id": site_conn_id}
    with TaskGroup("data", tooltip="Take the data and judge it"):
        collect = CollectOperator(task_id="collect", **given)
        snapshot = output(collect)
        validate = ValidateOperator(task_id="validate", snapshot=snapshot, **given)
        drift = DriftOperator(task_id="drift", snapshot=snapshot, **given)
    with TaskGroup("model", tooltip="Make a candidate and score it"):
        features = FeaturesOperator(task_id="features", snapshot=snapshot, validation=output(validate), **given)
        train = TrainOperator(task_id="train", feature_set=output(features), snapshot=snapshot, **given)
        candidate = output(train)
        evaluate = EvaluateOperator(task_id="evaluate", candidate=candidate, feature_set=output(features), **given)
    with TaskGroup("verdict", tooltip="May it be released?"):
        bless = BlessOperator(task_id="bless", scorecard=output(evaluate), **given)
        approve = [approval(spec, output(bless), **given)] if spec.bless.approval.required else []
        freshness = FreshnessOperator(task_id="freshness", candidate=candidate, **given)
    with TaskGroup("release", tooltip="Release it carefully"):
        given["candidate"] = candidate
        # A redeployment skips everything before the release, so that a skipped task must not skip the next one here.
        rehearse = RehearseOperator(task_id="rehearse", trigger_rule="none_failed", **given)
        shadow = ShadowOperator(task_id="shadow", **given)
        canary = CanaryOperator(task_id="canary", **given)
        promote = PromoteOperator(task_id="promote", **given)
        roll_back = RollBackOperator(task_id="roll_back", trigger_rule="none_failed", **given)
    report = ReportOperator(task_id="report", **given)

    story: list[BaseOperator] = [collect, validate, drift, features, train, evaluate, bless, *approve, freshness]
    story += [rehearse, shadow, canary]
    for earlier, later in itertools.pairwise(story):
        earlier >> later
    canary >> [promote, roll_back] >> report
    # A teardown runs whatever happened and does not make a failed run green.
    report.as_teardown()


def output(task: BaseOperator) -> str:
    """What a task hands on, as a template: a reference in JSON, or ``null``."""
    return f"{{{{ ti.xcom_pull(task_ids='{task.task_id}') | tojson }}}}"


def approval(spec: Spec, verdict: str, **given: Any) -> BaseOperator:
    """The task that asks a human; nobody answering in time is a rejection."""
    from retrain.airflow.operators.approve import ApproveOperator

    return ApproveOperator(
        task_id="approve",
        subject=f"Release the new {spec.name}?",
        verdict=verdict,
        assigned_users=[{"id": name, "name": name} for name in spec.bless.approval.by] or None,
        response_timeout=spec.bless.approval.within,
        **given,
    )


def schedule(spec: Spec) -> Any:
    """When a pipeline is retrained by itself: by the clock, on asset events, on both, or never.

    :raises SpecError: Airflow does not understand the schedule.
    """
    assets = [Asset(uri=uri, name=uri) for uri in spec.assets]
    if not spec.schedule:
        return assets or None
    clock = CronTriggerTimetable(spec.schedule, timezone="UTC")
    try:
        clock.validate()
    except AirflowTimetableInvalid as error:
        file = YamlFile.read(spec.folder / FILE)
        raise file.error("schedule", spec.schedule, f"a cron expression such as 0 6 * * 1 ({error})") from error
    return AssetOrTimeSchedule(timetable=clock, assets=assets) if assets else clock


def describe(spec: Spec) -> str:
    """What a reader of the Dag's page should know, as Markdown."""
    source, canary, bless = spec.source, spec.canary, spec.bless
    steps = " → ".join(f"{step:.0%}" for step in canary.steps)
    approval_ = "a human must approve" if bless.approval.required else "no approval"
    return f"""{spec.description}

| | |
|---|---|
| Predicts | `{source.label}` ({spec.task}), judged by {spec.metric} |
| Data | {source.described}, the last {spell(source.window)} |
| Held out | the newest {spell(spec.train.holdout)} |
| Blessed | at {bless.confidence:.0%} confidence; {approval_} |
| Released | shadow, then {steps}; at most {spell(canary.patience)}, error budget {canary.alpha:g} |
| Retrained | {spec.schedule or "not by the clock"}{"".join(f", on `{uri}`" for uri in spec.assets)} |

Described in `{spec.folder.name}/{FILE}`. By hand: `retrain status {spec.name}`, `retrain rollback {spec.name}`.
"""


class BrokenPipeline(DAG):
    """Stands for a pipeline that is described wrongly, so that Airflow shows the mistake and runs the others.

    Airflow marks every Dag of a file stale if the file itself has an import error. So this Dag is taken into the
    bag and refuses to be serialised: Airflow then records the import error under the file named here, which is the
    pipeline's own, and leaves the other Dags alone.
    """

    def __init__(self, folder: Path, error: SpecError) -> None:
        super().__init__(dag_id=folder.name, schedule=None, tags={"retrain", "broken"})
        self.error = error

    def validate(self) -> None:
        """Called by Airflow after it has said which file this Dag is from; it is from ``pipeline.yaml``."""
        super().validate()
        self.relative_fileloc = self.error.file

    def get_serialized_fields(self) -> frozenset[str]:
        """Called by Airflow to write the Dag down; raises the mistake."""
        raise self.error


def discover(folder: str | Path) -> dict[str, DAG]:
    """Every pipeline of a folder as a Dag, by name. A wrong one becomes an import error and spares the others.

    In a task's process only the Dag of that task is made.

    :param folder: holds one folder a pipeline; ``RETRAIN_PIPELINES`` or ``[retrain] pipelines`` wins.
    """
    folder = Path(os.environ.get("RETRAIN_PIPELINES") or configured().get("pipelines") or folder)
    wanted = get_parsing_context().dag_id
    return {path.name: _dag(path) for path in _pipelines(folder) if wanted in {None, path.name}}


def _pipelines(folder: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(folder.glob(f"*/{FILE}")))


def _dag(folder: Path) -> DAG:
    try:
        return RetrainDag(folder)
    except SpecError as error:
        return BrokenPipeline(folder, error)
    except Exception as error:
        return BrokenPipeline(folder, SpecError(f"It cannot become a Dag: {error}", file=folder / FILE))
