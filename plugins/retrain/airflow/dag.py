"""A pipeline's folder as an Airflow Dag, or as a task group inside a Dag of your own."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
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

from retrain import story
from retrain.airflow.hooks.site import configured
from retrain.airflow.operators.broken import BrokenOperator
from retrain.airflow.operators.plain import PlainOperator
from retrain.airflow.params import trigger_form
from retrain.errors import SpecError
from retrain.markdown import inert, plain
from retrain.spec import FILE, Spec
from retrain.spec.durations import spell
from retrain.spec.yamlfile import YamlFile
from retrain.story import Stage

OPERATORS = "retrain.airflow.operators"
TAG = "retrain"
"""Of every Dag that is a pipeline."""

HOLDS = "retrain:"
"""Begins the tag that names a pipeline a Dag holds: who may read the Dag may see the pipeline on the page. One with a
``site_conn_id`` of its own is not there: the page looks at the site of the API server."""

BROKEN = "broken"

RETRIES = {"retries": 2, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0}


class RetrainDag(DAG):
    """The whole retraining of one pipeline as a Dag.

    :param folder: the pipeline's folder, with its ``pipeline.yaml``.
    :param site_conn_id: a connection of type ``retrain``; None reads ``[retrain]`` and ``RETRAIN_*``.
    :param default_args: for all its tasks; each wins over ours of the same name (owner and retries), which stay else.
    :param dag_kwargs: anything :class:`airflow.sdk.DAG` takes; it wins over what the pipeline says.
    :raises SpecError: the pipeline is described wrongly.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        site_conn_id: str | None = None,
        default_args: Mapping[str, Any] | None = None,
        **dag_kwargs: Any,
    ) -> None:
        spec = Spec.load(folder)
        given = {
            "dag_id": spec.name,
            "description": spec.description or f"Retrains {spec.name}.",
            "schedule": schedule(spec),
            "catchup": False,
            "max_active_runs": 1,
            "tags": {TAG, spec.task},
            "doc_md": describe(spec),
            "default_args": defaults(spec, default_args),
        }
        super().__init__(**{**given, **dag_kwargs})
        with self:
            draw(spec, site_conn_id)
        self.tags.update({TAG} if site_conn_id is not None else {TAG, f"{HOLDS}{spec.name}"})
        if "params" not in dag_kwargs:
            # Only now: whatever Params a Dag has when a task is put into it are copied, several times a task.
            self.params.update({name: param for name, param in trigger_form().items() if name not in self.params})


class RetrainTaskGroup(TaskGroup):
    """The same tasks inside a Dag of your own. What you put after the group waits for the release, not the report.

    :param folder: the pipeline's folder.
    :param group_id: default: the pipeline's name.
    :param site_conn_id: a connection of type ``retrain``; None reads ``[retrain]`` and ``RETRAIN_*``.
    :param default_args: for all its tasks; each wins over ours of the same name (owner and retries), which stay else.
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
        super().__init__(group_id=group_id or spec.name, default_args=defaults(spec, default_args), **group_kwargs)
        with self:
            draw(spec, site_conn_id)
        if self.dag is not None and site_conn_id is None:
            self.dag.tags.add(f"{HOLDS}{spec.name}")


def defaults(spec: Spec, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments of every task of a pipeline: ours, and over them those that were given."""
    return {"owner": spec.owner, **RETRIES, **(given or {})}


def draw(spec: Spec, site_conn_id: str | None = None) -> None:
    """Put a pipeline's tasks into the Dag or group that is open.

    Refs go from task to task as templates, not as extra edges, so that the graph shows the story.
    """
    stages = story.told(spec)
    tasks: dict[str, BaseOperator] = {}
    for group, members in itertools.groupby(stages, key=lambda stage: stage.group):
        with TaskGroup(group, tooltip=story.GROUPS[group]) if group is not None else nullcontext():
            for stage in members:
                tasks[stage.name] = task_of(stage, spec, tasks, folder=spec.folder, site_conn_id=site_conn_id)
    follow(tasks, stages)


def follow(tasks: Mapping[str, BaseOperator], stages: tuple[Stage, ...]) -> None:
    """Put tasks into the order of the story."""
    for stage in stages:
        for earlier in story.before(stage, stages):
            tasks[earlier] >> tasks[stage.name]
    # A teardown runs whatever happened and does not make a failed run green.
    tasks["report"].as_teardown()


def task_of(stage: Stage, spec: Spec, tasks: Mapping[str, BaseOperator], **given: Any) -> BaseOperator:
    """The task of a stage, by its own operator, or by the plain one where it has none.

    :param tasks: the tasks of the stages before it.
    """
    inputs = {story.stage(name).argument: output(tasks[name]) for name in stage.inputs}
    if stage.despite_skips:
        given["trigger_rule"] = "none_failed"
    module = f"{OPERATORS}.{stage.name}"
    if find_spec(module) is None:
        return PlainOperator(task_id=stage.name, stage=stage.name, inputs=inputs, **given)
    operator = getattr(import_module(module), "".join(part.title() for part in stage.name.split("_")) + "Operator")
    made: BaseOperator = operator(task_id=stage.name, **inputs, **operator.drawn(spec), **given)
    return made


def output(task: BaseOperator) -> str:
    """What a task hands on, as a template: a reference in JSON, or ``null``."""
    return f"{{{{ ti.xcom_pull(task_ids='{task.task_id}') | tojson }}}}"


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
| Predicts | `{source.label}` ({spec.task}), judged by {spec.metric.name} |
| Data | {source.described}, the last {spell(source.window)} |
| Held out | the newest {spell(spec.train.holdout)} |
| Blessed | by {", ".join(bless.asked)} at {bless.confidence:.0%} confidence; {approval_} |
| Released | shadow, then {steps}; at most {spell(canary.patience)}, error budget {canary.alpha:g} |
| Retrained | {spec.schedule or "not by the clock"}{"".join(f", on `{uri}`" for uri in spec.assets)} |

Described in `{spec.folder.name}/{FILE}`. By hand: `retrain status {spec.name}`, `retrain rollback {spec.name}`.
"""


class BrokenPipeline(DAG):
    """Stands for a pipeline that is described wrongly: it says the mistake for as long as that is there.

    It has no schedule and trains nothing. Its tasks carry the names they had, so that a run that is under way, and
    with it the release it watches, is kept as it is until the mistake is mended. An import error would not stay:
    Airflow clears those of files that are no Dag files, and one of the Dag file itself makes all its Dags stale.
    """

    def __init__(self, folder: Path, error: SpecError) -> None:
        where = f"{folder.name}/{Path(error.file).name}{f', line {error.line}' if error.line else ''}"
        super().__init__(
            dag_id=dag_id_of(folder),
            dag_display_name=plain(f"{folder.name} is broken: {where}{f', {error.key}' if error.key else ''}"),
            description=plain(error.what),
            doc_md="\n\n".join(f"**Broken.** {inert(str(one))}" for one in (error, *error.also)),
            schedule=None,
            catchup=False,
            max_active_runs=1,
            tags={TAG, BROKEN, f"{HOLDS}{folder.name}"},
        )
        self.error = error
        mistake = inert(str(error))
        tasks: dict[str, BaseOperator] = {}
        with self:
            for group, members in itertools.groupby(story.STORY, key=lambda stage: stage.group):
                with TaskGroup(group) if group is not None else nullcontext():
                    for stage in members:
                        tasks[stage.name] = BrokenOperator(task_id=stage.name, mistake=mistake)
            follow(tasks, story.STORY)


def discover(folder: str | Path) -> dict[str, DAG]:
    """Every pipeline of a folder as a Dag, by name. A wrong one becomes a :class:`BrokenPipeline`.

    In a task's process only the Dag of that task is made.

    :param folder: holds one folder a pipeline; ``RETRAIN_PIPELINES`` or ``[retrain] pipelines`` wins.
    """
    wanted = get_parsing_context().dag_id
    return {path.name: _dag(path) for path in _pipelines(folder) if wanted in {None, dag_id_of(path)}}


def require_whole(folder: str | Path) -> None:
    """See that no pipeline of a folder is described wrongly.

    A Dag file that calls this and holds no Dag shows the mistakes as its import error, without harm to the Dags of
    the file that discovers.

    :raises SpecError: with every mistake.
    """
    if get_parsing_context().dag_id is not None:
        return
    broken = [error for path in _pipelines(folder) if (error := _mistake(path)) is not None]
    if broken:
        said = "\n".join(str(one) for error in broken for one in (error, *error.also))
        what = f"{len(broken)} of the pipelines are broken and are not retrained:\n{said}"
        raise SpecError(what, file=broken[0].file, line=broken[0].line, key=broken[0].key)


def dag_id_of(folder: Path) -> str:
    """What the Dag of a pipeline is called: as its folder, as far as Airflow allows such a name."""
    return re.sub(r"[^\w.-]", "_", folder.name)[:250]


def _mistake(folder: Path) -> SpecError | None:
    """What is wrong with a pipeline. No Dag is made: Airflow would take it for one of the file that asks."""
    try:
        schedule(Spec.load(folder))
    except SpecError as error:
        return error
    except Exception as error:
        return SpecError(f"It cannot become a Dag: {error}", file=folder / FILE)
    return None


def _pipelines(folder: str | Path) -> Iterator[Path]:
    folder = Path(os.environ.get("RETRAIN_PIPELINES") or configured().get("pipelines") or folder)
    return (path.parent for path in sorted(folder.glob(f"*/{FILE}")))


def _dag(folder: Path) -> DAG:
    try:
        return RetrainDag(folder)
    except SpecError as error:
        return BrokenPipeline(folder, error)
    except Exception as error:
        return BrokenPipeline(folder, SpecError(f"It cannot become a Dag: {error}", file=folder / FILE))
