"""What a Dag run was asked to do: the one place that reads it from Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from retrain.errors import UsageError

if TYPE_CHECKING:
    from retrain.artifacts import Request

Trigger = Literal["schedule", "manual", "asset", "backfill", "cli"]
BY_HAND = frozenset({"manual", "asset_materialization"})
"""The types of a run that somebody started in the UI, by the API or on the command line."""

TRIGGERS: dict[str, Trigger] = {"scheduled": "schedule", "backfill": "backfill", "asset_triggered": "asset"}


def means_end_of_data(context: Mapping[str, Any]) -> bool:
    """Does a run use all rows there are? One by hand does, if nobody named a moment.

    Its logical date is when somebody pressed a button and says nothing of the data. The clock, an asset event and
    another Dag stand for a moment of their own, up to which the data has to reach: nobody looks on.
    """
    run = context["dag_run"]
    return _type(run) in BY_HAND and not context["params"].get("data_end") and not _named(run)


def named(pipeline: str, dag_id: str, run_id: str) -> str:
    """How a Dag run is named in the ledger: by its own name in the pipeline's own Dag, else by its Dag's, too."""
    return run_id if dag_id == pipeline else f"{dag_id}.{run_id}"


def request_of(context: Mapping[str, Any], pipeline: str, found: str | None = None) -> Request:
    """The request of a Dag run. The same run always gives the same request, however often it is asked.

    :param context: Airflow's task context.
    :param pipeline: whose retraining it is.
    :param found: where the run's first task found the end of the data, if it had to look.
    :raises UsageError: the trigger form was filled in wrongly.
    """
    from retrain.artifacts import Request

    run, params = context["dag_run"], context["params"]
    values = {name: params.get(name) for name in ("data_end", "force", "skip_canary", "reason", "redeploy")}
    if values["skip_canary"] and not str(values["reason"] or "").strip():
        raise UsageError(
            f"Run {run.run_id} of '{pipeline}' asks to skip the canary and gives no reason.",
            do="trigger it again with a `reason`; the ledger keeps it.",
        )
    trigger = TRIGGERS.get(_type(run), "manual")
    return Request(
        data_end=_data_end(run, values["data_end"] or found),
        run=named(pipeline, run.dag_id, run.run_id),
        trigger=trigger,
        actor=f"airflow:{run.triggering_user_name or trigger}",
        force=bool(values["force"]),
        skip_canary=bool(values["skip_canary"]),
        reason=values["reason"] or None,
        redeploy=values["redeploy"],
    )


def _data_end(run: Any, asked: str | None) -> datetime:
    """The form's value, or the newest that an asset event names, or the moment the run stands for."""
    if asked:
        return _moment(asked, "the trigger form's data_end")
    if named := _named(run):
        return max(_moment(value, "an asset event's data_end") for value in named)
    end: datetime = run.data_interval_end or run.run_after
    return end


def _named(run: Any) -> list[str]:
    """The ends that asset events name."""
    return [str(event.extra["data_end"]) for event in run.consumed_asset_events if "data_end" in (event.extra or {})]


def _type(run: Any) -> str:
    return str(getattr(run.run_type, "value", run.run_type))


def _moment(text: str, what: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{what} is not a moment: {text!r}.", do="write it as 2013-04-01T00:00:00Z.") from None
    if moment.tzinfo is None:
        raise UsageError(f"{what} has no time zone: {text!r}.", do="add one, e.g. 2013-04-01T00:00:00Z.")
    return moment
