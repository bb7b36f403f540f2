"""``retrain status``: who serves, since when, what was decided last, what comes next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrain.commands._output import Json, console, say, show_json
from retrain.commands._place import open_ledger, open_site, pipelines

if TYPE_CHECKING:
    from retrain.ledger import Entry, Ledger, Version
    from retrain.ledger.release import Release
    from retrain.site import Site

PANEL = "Look"

RUNS = 5


def status(
    name: Annotated[str | None, typer.Argument(help="The pipeline; all of them if none is named.")] = None,
    json: Json = False,
) -> None:
    """Champion, challenger, ages, the last verdict, the canary, the last runs and the next one."""
    site = open_site()
    names = [name] if name is not None else pipelines(site.settings)
    found = [_status(open_ledger(each, site), site) for each in names]
    if json:
        return show_json(found if name is None else found[0])
    if not found:
        return say(f"No pipelines in {site.settings.pipelines}. Make one with `retrain init`.")
    for each in found:
        _show(each)
    return None


def _status(ledger: Ledger, site: Site) -> dict[str, Any]:
    release = ledger.release()
    versions = {version.version: version for version in ledger.versions()}
    schedule, problem = _schedule(ledger.pipeline, site)
    return {
        "pipeline": ledger.pipeline,
        "state": release.state,
        "reason": release.reason,
        "champion": _served(versions, release.champion.version if release.champion else None),
        "challenger": _served(versions, release.challenger.version if release.challenger else None),
        "canary": _canary(release),
        "verdict": _verdict(ledger),
        "versions": [_version(version) for version in versions.values()],
        "stages": _stages(ledger),
        "runs": _runs(ledger),
        "schedule": schedule,
        "next_run": _next_run(schedule),
        "spec_problem": problem,
        "entries": ledger.head,
    }


def _served(versions: dict[int, Version], number: int | None) -> dict[str, Any] | None:
    return None if number is None or number not in versions else _version(versions[number])


def _version(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "standing": version.standing,
        "data_end": version.data_end,
        "trained_at": version.trained_at,
        "reason": version.reason,
    }


def _canary(release: Release) -> dict[str, Any] | None:
    if not release.under_way:
        return None
    return {
        "state": release.state,
        "step": release.step,
        "steps": list(release.steps),
        "share": release.share,
        "shadow": release.shadow,
        "started": release.started,
    }


def _verdict(ledger: Ledger) -> dict[str, Any] | None:
    newest = next(ledger.of_kind("verdict"), None)
    if newest is None:
        return None
    return {"at": newest.at, **{key: newest.body.get(key) for key in ("version", "outcome", "reason", "by")}}


def _stages(ledger: Ledger) -> dict[str, datetime]:
    """When each stage last came to something."""
    newest: dict[str, datetime] = {}
    for entry in ledger.of_kind("stage"):
        newest.setdefault(str(entry.body["stage"]), entry.at)
    return newest


def _runs(ledger: Ledger) -> list[dict[str, Any]]:
    """The last few retrainings, newest first, each with the last thing it wrote."""
    from retrain.commands.ledger import what

    last: dict[str, Entry] = {}
    first: dict[str, Entry] = {}
    for entry in ledger.entries():
        if entry.run is not None:
            first.setdefault(entry.run, entry)
            last[entry.run] = entry
    newest = sorted(first, key=lambda run: first[run].number, reverse=True)[:RUNS]
    return [
        {"run": run, "by": first[run].actor, "began": first[run].at, "last": last[run].at, "what": what(last[run])}
        for run in newest
    ]


def _schedule(name: str, site: Site) -> tuple[str | None, str | None]:
    """The cron expression of a pipeline, or why its spec cannot be read."""
    from retrain.errors import SpecError
    from retrain.spec import Spec

    try:
        return Spec.load(site.settings.pipelines / name).schedule, None
    except SpecError as error:
        return None, str(error)


def _next_run(schedule: str | None) -> datetime | None:
    from croniter import CroniterError, croniter  # type: ignore[import-untyped]

    if schedule is None:
        return None
    try:
        found: datetime = croniter(schedule, datetime.now(UTC)).get_next(datetime)
    except CroniterError:
        return None
    return found


def _show(found: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, title_justify="left", title_style="bold")
    table.title = found["pipeline"]
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _lines(found):
        table.add_row(label, escape(text))
    console().print(table)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("champion", _say_version(found["champion"])), ("challenger", _say_version(found["challenger"]))]
    if (canary := found["canary"]) is not None:
        lines.append(("canary", _say_canary(canary)))
    if found["reason"]:
        lines.append(("last release", f"{found['state']}: {found['reason']}"))
    if (verdict := found["verdict"]) is not None:
        text = f"version {verdict['version']} {verdict['outcome']} {_ago(verdict['at'])} by {verdict['by']}"
        lines.append(("last verdict", f"{text}: {verdict['reason']}"))
    if found["stages"]:
        lines.append(("stages", ", ".join(f"{stage} {_ago(at)}" for stage, at in found["stages"].items())))
    lines += [(f"run {run['run']}", f"{_ago(run['began'])}, by {run['by']}: {run['what']}") for run in found["runs"]]
    upcoming = found["next_run"]
    lines.append(("next run", f"{upcoming:%Y-%m-%d %H:%M} UTC ({found['schedule']})" if upcoming else "by hand only"))
    if found["spec_problem"]:
        lines.append(("problem", found["spec_problem"]))
    return lines


def _say_version(version: dict[str, Any] | None) -> str:
    if version is None:
        return "none"
    return (
        f"version {version['version']}, data until {version['data_end']:%d %b %Y %H:%M}, "
        f"trained {_ago(version['trained_at'])}"
    )


def _say_canary(canary: dict[str, Any]) -> str:
    if canary["state"] == "shadowing":
        return f"shadowing {canary['shadow']:.0%} of requests, began {_ago(canary['started'])}"
    where = f"step {canary['step']} of {len(canary['steps'])}, {canary['share']:.0%} of entities"
    return f"{canary['state']}, {where}, began {_ago(canary['started'])}"


def _ago(at: datetime) -> str:
    from retrain.spec.durations import about

    return f"{about((datetime.now(UTC) - at).total_seconds())} ago"
