"""An artifact, a progress or a ledger as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from retrain.artifacts import Artifact
from retrain.ledger import Entry
from retrain.ui.page import facts, heading, page, paragraph, source, spoken, table

SHOWN_ENTRIES = 300
HIDDEN = frozenset({"markdown", "key", "pipeline"})


def artifact_page(artifact: Artifact, entries: Sequence[Entry], nav: str) -> str:
    """Everything an artifact says: its summary, its facts, its tables, and what this run wrote into the ledger."""
    values = artifact.model_dump(mode="json", exclude=set(HIDDEN))
    return page(
        f"{artifact.kind.title()} of {artifact.pipeline}",
        nav,
        heading(f"{artifact.kind.title()} of {artifact.pipeline}", 1),
        paragraph(artifact.summary, "summary"),
        *sections(values),
        _run(entries),
        facts({"key": artifact.key}),
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


def sections(values: Mapping[str, Any]) -> list[str]:
    """Simple values as one list of facts; lists of records as tables; records as facts under a heading."""
    plain = {name: value for name, value in values.items() if not _has_records(value)}
    parts = [facts(plain)]
    for name, value in values.items():
        if _has_records(value):
            parts += [heading(spoken(name).capitalize()), _section(value)]
    return parts


def _has_records(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict) and len(value) > 2


def _section(value: Any) -> str:
    if isinstance(value, list):
        return table(value)
    if all(isinstance(item, dict) for item in value.values()):
        return table([{"": name, **item} for name, item in value.items()])
    return facts(value)


def _run(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    return heading("What this run wrote into the ledger") + table([_line(entry) for entry in entries])


def _line(entry: Entry) -> dict[str, Any]:
    return {"entry": entry.number, "at": entry.at, "kind": entry.kind, "by": entry.actor, "what": _what(entry)}


def _what(entry: Entry) -> str:
    """An entry in one line."""
    body = entry.body
    match entry.kind:
        case "stage":
            return f"{body['stage']}: {body['summary']}"
        case "trained":
            return f"version {body['version']} trained on data up to {body['data_end']}"
        case "release":
            return f"{str(body['state']).replace('_', ' ')}: {body['reason']}"
        case _:
            said = [str(body[name]) for name in ("outcome", "reason") if body.get(name) is not None]
            version = f"version {body['version']}: " if "version" in body else ""
            return version + ", ".join(said)
