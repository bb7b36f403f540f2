"""``retrain status``: who serves, since when, what was decided last, what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands._output import Json, console, say, show_json
from retrain.commands._place import open_ledger, open_site, pipelines
from retrain.commands._trial import trial_lines

if TYPE_CHECKING:
    from retrain.artifacts import Age
    from retrain.status import PipelineStatus, Serving, UnderWay

COLOURS = {"good": "green", "attention": "yellow", "bad": "red"}
PANEL = "Look"


def status(
    name: Annotated[str | None, typer.Argument(help="The pipeline; all of them if none is named.")] = None,
    json: Json = False,
) -> None:
    """Health, champion, challenger, ages, the last verdict, the canary, the last runs and the next one."""
    from retrain.status import status as look

    site = open_site()
    names = [name] if name is not None else pipelines(site.settings)
    found = [look(open_ledger(each, site).pipeline, site) for each in names]
    if json:
        plain = [each.model_dump(mode="json") for each in found]
        return show_json(plain if name is None else plain[0])
    if not found:
        return say(f"No pipelines in {site.settings.pipelines}. Make one with `retrain init`.")
    for each in found:
        _show(each)
    return None


def _show(found: PipelineStatus) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, title_justify="left", title_style="bold")
    table.title = found.pipeline
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    health = "; ".join((found.health.level, *found.health.reasons))
    table.add_row("health", f"[{COLOURS[found.health.level]}]{escape(health)}[/]")
    for label, text in _lines(found):
        table.add_row(label, escape(text))
    console().print(table)


def _lines(found: PipelineStatus) -> Iterator[tuple[str, str]]:
    yield "champion", _serving(found.champion, "serves")
    yield "challenger", _serving(found.challenger, "tried")
    for age in found.ages:
        yield f"age of {age.subject}", _age(age)
    if found.under_way is not None:
        yield "canary", _under_way(found.under_way)
        yield from trial_lines(found.pipeline)
    for one in found.waiting:
        yield "waiting", f"for {one.who}, since {_ago(one.since)}: {one.what}"
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
    yield "next run", f"{upcoming:%Y-%m-%d %H:%M} UTC ({found.schedule})" if upcoming else "by hand only"


def _age(age: Age) -> str:
    from retrain.spec.durations import about

    limit = f", at most {about(age.limit)}" if age.limit is not None else ""
    return f"{about(age.age)} since its data ended{limit}"


def _serving(version: Serving | None, does: str) -> str:
    if version is None:
        return "none"
    return (
        f"version {version.version}, data until {version.data_end:%d %b %Y %H:%M}, trained {_ago(version.trained_at)}, "
        f"{does} since {version.since:%d %b %Y %H:%M}"
    )


def _under_way(release: UnderWay) -> str:
    began = f"began {_ago(release.started)}" if release.started is not None else ""
    if release.state == "shadowing":
        return f"shadowing {release.shadow:.0%} of requests, {began}"
    return f"{release.state}, step {release.step} of {len(release.steps)}, {release.share:.0%} of entities, {began}"


def _ago(at: datetime) -> str:
    from retrain.spec.durations import about

    return f"{about(max((datetime.now(UTC) - at).total_seconds(), 0.0))} ago"
