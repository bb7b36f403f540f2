"""``retrain status``: who serves, since when, what was decided last, what comes next; of all, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands._output import Json, console, escape, say, show_json
from retrain.commands._place import airflow, open_ledger, open_site, pipelines
from retrain.commands._trial import trial_lines
from retrain.errors import RetrainError
from retrain.markdown import plain

if TYPE_CHECKING:
    from rich.table import Table

    from retrain.artifacts import Age
    from retrain.rollout.looks import TrialStory
    from retrain.status import Fleet, PipelineStatus, Serving, UnderWay

GOOD, ATTENTION, BAD = "green", "yellow", "red"
STYLES = {"UNREAD": BAD, "BROKEN": BAD, "FAILED": BAD, "CANARY": GOOD, "OK": GOOD}
COLOURS = {"good": GOOD, "attention": ATTENTION, "bad": BAD}
NAME = 28
"""Columns of a pipeline's name, at most: a longer one goes on below, so that its sentence has room at 80."""

PANEL = "Look"


def status(
    name: Annotated[str | None, typer.Argument(help="The pipeline; all, the worst first, if none is named.")] = None,
    json: Json = False,
) -> None:
    """Health, champion, challenger, ages, the last verdict, the canary, the last runs and the next one."""
    from retrain.status import standing

    if name is None:
        return _show_all(json)
    found, trial = _one(name)
    if json:
        return show_json(found.model_dump(mode="json") | {"standing": standing(found).model_dump(mode="json")})
    return _show(found, trial)


def _one(name: str) -> tuple[PipelineStatus, TrialStory | None]:
    """How a pipeline stands, and what is tried there."""
    from retrain.rollout.looks import trial_story
    from retrain.status import status as look

    if (remote := airflow()) is not None:
        return remote.status(name), remote.trial(name)
    site = open_site()
    found = look(open_ledger(name, site).pipeline, site)
    return found, trial_story(name, site)


def _fleet() -> Fleet:
    """All that somebody may see in Airflow, or all whose folders are here."""
    from retrain.status import fleet

    if (remote := airflow()) is not None:
        return remote.fleet()
    site = open_site()
    return fleet(site, pipelines(site.settings))


def _show_all(json: bool) -> None:
    """One row a pipeline. Leaves with 3 where a ledger cannot be read, once the others are told."""
    found = _fleet()
    if json:
        show_json(found.model_dump(mode="json"))
    elif found.pipelines:
        console().print(_table(found))
    else:
        say("There is no pipeline here. Make one with `retrain init`.")
    if any(one.word == "UNREAD" for one in found.pipelines):
        raise typer.Exit(RetrainError.exit_status)


def _table(found: Fleet) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=NAME)
    table.add_column(overflow="fold")
    for one in found.pipelines:
        style = STYLES.get(one.word, ATTENTION)
        table.add_row(Text(one.word, style=style), Text(plain(one.pipeline)), Text(plain(one.said)))
    return table


def _show(found: PipelineStatus, trial: TrialStory | None) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, title_justify="left", title_style="bold")
    table.title = escape(plain(found.pipeline))
    table.add_column(style="dim", overflow="fold", max_width=NAME)
    table.add_column(overflow="fold")
    health = plain("; ".join((found.health.level, *found.health.reasons)))
    table.add_row("health", f"[{COLOURS[found.health.level]}]{escape(health)}[/]")
    for label, text in _lines(found, trial):
        table.add_row(escape(plain(label)), escape(plain(text)))
    console().print(table)


def _lines(found: PipelineStatus, trial: TrialStory | None) -> Iterator[tuple[str, str]]:
    from retrain.words import moment

    yield "champion", _serving(found.champion, "serves")
    yield "challenger", _serving(found.challenger, "tried")
    for age in found.ages:
        yield f"age of {age.subject}", _age(age)
    if found.under_way is not None:
        seen = dict(trial_lines(found.pipeline, trial))
        yield "canary", _under_way(found.under_way, ends="patience" not in seen)
        yield from seen.items()
    for one in found.waiting:
        until = f", until {moment(one.until)}" if one.until is not None else ""
        yield "waiting", f"for {one.who}, since {_ago(one.since)}{until}: {one.what}"
    if (last := found.last_release) is not None:
        yield "last release", f"{last.decision} {_ago(last.at)} by {last.actor}: {last.reason}"
    if (verdict := found.verdict) is not None:
        yield (
            "last verdict",
            f"version {verdict.version} {verdict.outcome} {_ago(verdict.at)} by {verdict.by}: {verdict.reason}",
        )
    if found.drift is not None:
        yield "drift", found.drift
    if found.stages:
        yield "stages", ", ".join(f"{stage} {_ago(at)}" for stage, at in found.stages.items())
    for run in found.runs:
        unended = "" if run.outcome is not None else f"has not ended; last heard of {_ago(run.last)}: "
        yield f"run {run.run}", f"{_ago(run.began)}, by {run.by}: {unended}{run.what}"
    upcoming = found.next_run
    yield "next run", f"{moment(upcoming)} ({found.schedule})" if upcoming else "by hand only"


def _age(age: Age) -> str:
    from retrain.words import duration

    limit = f", at most {duration(age.limit)}" if age.limit is not None else ""
    return f"{duration(age.age)} since its data ended{limit}"


def _serving(version: Serving | None, does: str) -> str:
    if version is None:
        return "none"
    from retrain.words import moment

    return (
        f"version {version.version}, data until {moment(version.data_end)}, trained {_ago(version.trained_at)}, "
        f"{does} since {moment(version.since)}"
    )


def _under_way(release: UnderWay, *, ends: bool) -> str:
    """Where a trial is.

    :param ends: is it to say until when? Not where the looks say so.
    """
    from retrain.words import moment, share

    began = f", began {_ago(release.started)}" if release.started is not None else ""
    began += f", ends by {moment(release.ends)}" if ends and release.ends is not None else ""
    if release.phase == "shadow":
        shadowing = f"shadowing {share(release.shadow)} of requests"
        return f"{'paused in its shadow' if release.state == 'paused' else shadowing}{began}"
    return f"{release.state}, step {release.step} of {len(release.steps)}, {share(release.share)} of entities{began}"


def _ago(at: datetime) -> str:
    from retrain.words import duration

    return f"{duration(max((datetime.now(UTC) - at).total_seconds(), 0.0))} ago"
