"""``retrain ledger``: what happened, and what was served at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands._output import Json, console, escape, say, show_json
from retrain.commands._place import airflow, moment, open_ledger, open_site
from retrain.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from retrain.ledger import Entry, Ledger
    from retrain.remote import Airflow

PANEL = "Look"


def ledger(
    name: Annotated[str, typer.Argument(help="The pipeline.")],
    at: Annotated[str | None, typer.Option(help="Show what was served at this moment (ISO 8601, UTC).")] = None,
    verify: Annotated[bool, typer.Option(help="Only check that the chain is whole.")] = False,
    limit: Annotated[int, typer.Option("--last", min=0, help="Only the newest so many entries; 0: all.")] = 0,
    json: Json = False,
) -> None:
    """What happened, entry by entry, the newest last. Every reading checks the whole chain."""
    if (remote := airflow()) is not None:
        if at is not None or verify:
            raise UsageError("Airflow shows the ledger's entries only.", do="leave out --at and --verify.")
        return _show_lines(remote, name, limit, json)
    book = open_ledger(name, open_site())
    if at is not None:
        return _show_served(book, at, json)
    if verify:
        return _show_verified(book, json)
    return _show_entries(book.entries()[-limit:], json)


def _show_lines(remote: Airflow, name: str, limit: int, json: bool) -> None:
    """The newest entries, as Airflow tells them, the newest last."""
    page = remote.ledger(name)
    lines = list(page.entries)
    while page.more and (limit == 0 or len(lines) < limit):
        page = remote.ledger(name, before=lines[-1].number)
        lines += page.entries
    chosen = lines[:limit] if limit else lines
    if json:
        return show_json([line.model_dump(mode="json") for line in reversed(chosen)])
    return _show_rows((line.number, line.at, line.kind, line.actor, line.run, line.said) for line in reversed(chosen))


def _show_served(book: Ledger, at: str, json: bool) -> None:
    from retrain.words import second, share

    when = moment(at, "--at")
    release = book.served_at(when)
    if json:
        return show_json({"pipeline": book.pipeline, "at": when, "release": release.model_dump(mode="json")})
    if release.champion is None:
        return say(f"{book.pipeline} at {second(when)}: nothing was served.")
    trial = ""
    if release.challenger is not None:
        trial = f", version {release.challenger.version} {release.state} at {share(release.share)}"
    return say(f"{book.pipeline} at {second(when)}: version {release.champion.version}{trial} ({release.reason})")


def _show_verified(book: Ledger, json: bool) -> None:
    count = len(book.entries())
    if json:
        return show_json({"pipeline": book.pipeline, "entries": count, "whole": True})
    return say(f"{book.pipeline}: {count} entries, each follows from the one before it.")


def _show_entries(entries: list[Entry], json: bool) -> None:
    if json:
        return show_json([entry.model_dump(mode="json") for entry in entries])
    return _show_rows((entry.number, entry.at, entry.kind, entry.actor, entry.run, entry.summary) for entry in entries)


def _show_rows(rows: Iterable[tuple[int, datetime, str, str, str | None, str]]) -> None:
    from rich.table import Table

    from retrain.words import second

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("no.", "at", "kind", "by", "run", "what"):
        table.add_column(title, justify="right" if title == "no." else "left", overflow="fold")
    for number, when, kind, who, run, what in rows:
        row = (second(when), kind, who, run or "", what)
        table.add_row(str(number), *(escape(cell) for cell in row))
    return console().print(table)
