"""An artifact, a progress or a ledger as a page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from retrain.airflow.ui.page import facts, heading, page, paragraph, source, spoken, table
from retrain.artifacts import Age, Artifact, FileRef, Ref
from retrain.ledger import Entry
from retrain.status import PipelineStatus
from retrain.words import duration

SHOWN_ENTRIES = 300
TOLD_OF_VERSIONS = ("version", "standing", "data_end", "trained_at", "reason")
HIDDEN = frozenset({"markdown", "key", "pipeline", "headline"})
REF = set(Ref.model_fields)
FILE = set(FileRef.model_fields)
MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.\d+)?Z")


def artifact_page(artifact: Artifact, entries: Sequence[Entry], nav: str) -> str:
    """Everything an artifact says: its summary, its facts, its tables, and what this run wrote into the ledger."""
    values = artifact.model_dump(mode="json", exclude=set(HIDDEN))
    return page(
        f"{artifact.kind.title()} of {artifact.pipeline}",
        nav,
        heading(f"{artifact.kind.title()} of {artifact.pipeline}", 1),
        paragraph(artifact.summary, "summary"),
        *sections({**values, "key": artifact.key}),
        _run(entries),
        source(json.dumps(values, indent=1, ensure_ascii=False)),
    )


def progress_page(pipeline: str, progress: Mapping[str, Any], entries: Sequence[Entry], nav: str) -> str:
    """How far a shadow or a canary came, and why."""
    title = f"{str(progress.get('phase', 'release')).title()} of {pipeline}"
    evidence = progress.get("evidence") or {}
    return page(
        title,
        nav,
        heading(title, 1),
        paragraph(str(progress.get("summary", "")), "summary"),
        facts({"state": progress.get("state")}),
        *sections(evidence),
        _run(entries),
        source(json.dumps(dict(progress), indent=1, ensure_ascii=False)),
    )


def run_page(pipeline: str, run: str, entries: Sequence[Entry], nav: str) -> str:
    """What one run has written into the ledger, for a task that hands on nothing else."""
    title = f"Run of {pipeline}"
    return page(title, nav, heading(title, 1), paragraph(run, "dim"), _run(entries))


def empty_page(title: str, why: str, nav: str = "") -> str:
    """Why there is nothing to see."""
    return page(title, nav, heading(title, 1), paragraph(why, "summary"))


def ledger_page(pipeline: str, entries: Sequence[Entry], run: str, nav: str) -> str:
    """The ledger, newest first, with the entries of one run marked."""
    newest = list(reversed(entries))[:SHOWN_ENTRIES]
    left = f" The newest {SHOWN_ENTRIES} are shown." if len(entries) > SHOWN_ENTRIES else ""
    mine = [index for index, entry in enumerate(newest) if entry.run == run]
    return page(
        f"Ledger of {pipeline}",
        nav,
        heading(f"Ledger of {pipeline}", 1),
        paragraph(f"{len(entries)} entries, newest first; those of this run are shaded.{left}", "dim"),
        table([{**_line(entry), "run": entry.run} for entry in newest], mine=mine),
    )


def status_page(status: PipelineStatus, nav: str) -> str:
    """How a pipeline stands: who serves since when, is it well, what waits for whom, what comes next."""
    title = f"Status of {status.pipeline}"
    values = status.model_dump(mode="json")
    told = {
        **values,
        "versions": [{name: version[name] for name in TOLD_OF_VERSIONS} for version in reversed(values["versions"])],
        "ages": [_told_age(age) for age in status.ages],
    }
    return page(
        title,
        nav,
        heading(title, 1),
        paragraph("; ".join((status.health.level, *status.health.reasons)), "summary"),
        *sections({name: value for name, value in told.items() if value}),
        source(json.dumps(values, indent=1, ensure_ascii=False)),
    )


def _told_age(age: Age) -> dict[str, Any]:
    limit = duration(age.limit) if age.limit is not None else None
    return {"of": age.subject, "age": duration(age.age), "at most": limit, "stale": age.stale}


def sections(values: Mapping[str, Any]) -> list[str]:
    """Lists of records as tables, then records as facts, each under a heading; simple values as facts at the end."""
    values = {name: readable(value) for name, value in values.items()}
    parts: list[str] = []
    for name, value in values.items():
        if _has_records(value):
            parts += [heading(spoken(name).capitalize()), _section(value)]
    plain = {name: value for name, value in values.items() if not _has_records(value)}
    return [*parts, heading("Facts"), facts(plain)] if plain else parts


def readable(value: Any) -> Any:
    """References, files and moments in words; everything else as it is."""
    if isinstance(value, dict):
        if set(value) == REF:
            return f"{value['kind']} {value['key']}"
        if set(value) == FILE:
            rows = f", {value['rows']:,} rows" if value["rows"] is not None else ""
            return f"{value['path']}{rows}, {value['bytes'] / 1024:,.0f} KB"
        return {name: readable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [readable(inner) for inner in value]
    if isinstance(value, str) and (moment := MOMENT.fullmatch(value)):
        return f"{moment[1]} {moment[2]} UTC"
    return value


def _has_records(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict) and bool(value) and (len(value) > 2 or _all_records(value))


def _all_records(value: dict[str, Any]) -> bool:
    return all(isinstance(inner, dict) for inner in value.values())


def _section(value: Any) -> str:
    if isinstance(value, list):
        return table(value)
    if _all_records(value):
        return table([{"": name, **item} for name, item in value.items()])
    return facts(value)


def _run(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    return heading("What this run wrote into the ledger") + table([_line(entry) for entry in entries])


def _line(entry: Entry) -> dict[str, Any]:
    return {"entry": entry.number, "at": entry.at, "kind": entry.kind, "by": entry.actor, "what": entry.summary}
