"""``retrain run``: one retraining now, in this process."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrain.commands._output import Json, console, escape, is_terminal, say, show_json
from retrain.commands._place import actor, airflow, moment, open_site, open_spec
from retrain.errors import UsageError
from retrain.markdown import plain

if TYPE_CHECKING:
    from rich.status import Status

    from retrain.artifacts import Request
    from retrain.remote import Airflow
    from retrain.retraining import Ended
    from retrain.site import Site
    from retrain.spec import Spec

PANEL = "Run"

MARKS = {"success": "✓", "failed": "✗", "interrupted": "✗"}
NEXT = {
    "promoted": "retrain serve {name}",
    "vetoed": "mend what the gate names; or overrule it with `retrain bless {name} VERSION --reason …`",
    "paused": "`retrain resume {name} --reason …`, which says how to watch it; or `retrain abort {name} --reason …`",
    "interrupted": "retrain run {name}, which goes on from what is made",
    "undecided": "bring more data; or decide yourself with `retrain bless {name} VERSION --reason …`",
}


def run(
    name: Annotated[str, typer.Argument(help="The pipeline.")],
    data_end: Annotated[
        str | None,
        typer.Option(help="Use no rows from this moment on (ISO 8601, UTC, or `now`); default: the end of the data."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also if the champion is fresh and nothing drifted.")] = False,
    skip_canary: Annotated[
        bool, typer.Option("--skip-canary", help="Release at 100 % at once; needs --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why; the ledger keeps it.")] = None,
    redeploy: Annotated[int | None, typer.Option(min=1, help="Release this version again, train nothing.")] = None,
    json: Json = False,
) -> None:
    """Retrain once: the same stages in the same order as the Dag, with the same ledger, without a scheduler."""
    if skip_canary and not (reason or "").strip():
        raise UsageError("--skip-canary needs a reason.", do="say why with --reason; the ledger keeps it.")
    if (remote := airflow()) is not None:
        form = {
            "data_end": data_end,
            "force": force,
            "skip_canary": skip_canary,
            "reason": reason,
            "redeploy": redeploy,
        }
        return _started(name, remote, form, json)
    with _stoppable(name):
        site = open_site()
        spec = open_spec(name, site)
        request = _request(spec, site, data_end, force, skip_canary, reason, redeploy)
        if not json:
            say(_line(name, request, found=data_end is None))
        outcome = _retrain(spec, request, site, quiet=json)
    if json:
        show_json(
            {
                "pipeline": name,
                "run": request.run,
                "data_end": request.data_end,
                "decision": outcome.decision,
                "headline": outcome.headline,
                "stages": outcome.report.stages,
                "exit_status": outcome.exit_status,
            }
        )
    else:
        say(outcome.headline)
        if outcome.decision in NEXT:
            say(f"Next: {NEXT[outcome.decision].format(name=name)}")
    raise typer.Exit(outcome.exit_status)


def _started(name: str, remote: Airflow, form: Mapping[str, Any], json: bool) -> None:
    """Start a run in Airflow, which goes on by itself."""
    run_id = remote.retrain(name, form)
    if json:
        return show_json({"pipeline": name, "run": run_id})
    return say(f"{name}: run {run_id} has begun in {remote.url}. How it goes: retrain status {name}")


@contextmanager
def _stoppable(name: str) -> Iterator[None]:
    """SIGTERM stops it as ^C does. Who stops it before it has begun, or again while it ends, is told so."""
    from retrain.retraining import INTERRUPTED

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"Interrupted as it stood, without a report. What stands: retrain status {name}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _request(
    spec: Spec,
    site: Site,
    end: str | None,
    force: bool,
    skip_canary: bool,
    reason: str | None,
    redeploy: int | None,
) -> Request:
    from retrain.artifacts import Request, now
    from retrain.stages.collect import end_of_data

    began = now()
    data_end = None if end is None else moment(end, "--data-end")
    if data_end is None and redeploy is None:
        data_end = end_of_data(spec, site)
    return Request(
        data_end=data_end or began,
        run=f"cli__{began:%Y-%m-%dT%H:%M:%S}-{uuid.uuid4().hex[:4]}",
        trigger="cli",
        actor=actor(),
        force=force,
        skip_canary=skip_canary,
        reason=reason,
        redeploy=redeploy,
    )


def _line(name: str, request: Request, *, found: bool) -> str:
    """What is begun, in a line.

    :param found: the end of the data was looked for, since nobody named one.
    """
    if request.redeploy is not None:
        return f"{name}: version {request.redeploy} again, run {request.run}"
    from retrain import words

    end = f"{words.moment(request.data_end)}{', the end of the data' if found else ''}"
    return f"{name}: data until {end}; run {request.run}"


def _retrain(spec: Spec, request: Request, site: Site, *, quiet: bool) -> Ended:
    from retrain.retraining import Interrupted, retrain

    with _progress(quiet) as lines:
        try:
            return retrain(spec, request, site, on_stage=lines.tell)
        except Interrupted as stopped:
            return stopped.ended


class _Lines:
    """One line a stage: its seconds and what came of it; while it works, a moving line on a terminal.

    :param say: prints a line.
    :param status: the moving line, where there is one.
    """

    def __init__(self, say: Callable[[str], None], status: Status | None = None) -> None:
        self.say, self.status = say, status
        self.began: dict[str, float] = {}

    def tell(self, stage: str, state: str, line: str) -> None:
        began = self.began.setdefault(stage, time.monotonic())
        if state in MARKS and stage != "report":  # the report's line is said at the very end
            self.say(f"  {MARKS[state]} {stage:<10} {time.monotonic() - began:6.1f} s  {plain(line)}")
        if self.status is not None:
            self.status.update(escape(f"{stage} {plain(line)}" if state in {"running", "waiting"} else ""))


@contextmanager
def _progress(quiet: bool) -> Iterator[_Lines]:
    if quiet or not is_terminal():
        yield _Lines(partial(say, err=quiet))
        return
    terminal = console()
    with terminal.status("") as status:  # lines and the moving line by one console, or they overwrite each other
        yield _Lines(partial(terminal.print, markup=False), status)
