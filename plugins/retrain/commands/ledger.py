"""``retrain ledger``: what happened, and what was served at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands._output import Json, console, escape, say, show_json
from retrain.commands._place import moment, open_ledger, open_site

if TYPE_CHECKING:
    from retrain.ledger import Entry, Ledger

PANEL = "Look"


def ledger(
    name: Annotated[str, typer.Argument(help="The pipeline.")],
    at: Annotated[str | None, typer.Option(help="Show what was served at this moment (ISO 8601, UTC).")] = None,
    verify: Annotated[bool, typer.Option(help="Only check that the chain is whole.")] = False,
    limit: Annotated[int, typer.Option("--last", min=0, help="Only the newest so many entries; 0: all.")] = 0,
    json: Json = False,
) -> None:
    """What happened, entry by entry, the newest last. Every reading checks the whole chain."""
    book = open_ledger(name, open_site())
    if at is not None:
        _show_served(book, at, json)
    elif verify:
        _show_verified(book, json)
    else:
        _show_entries(book.entries()[-limit:], json)


def _show_served(book: Ledger, at: str, json: bool) -> None:
    when = moment(at, "--at")
    release = book.served_at(when)
    if json:
        return show_json({"pipeline": book.pipeline, "at": when, "release": release.model_dump(mode="json")})
    if release.champion is None:
        return say(f"{book.pipeline} at {when:%Y-%m-%d %H:%M:%S} UTC: nothing was served.")
    from retrain.words import share

    trial = ""
    if release.challenger is not None:
        trial = f", version {release.challenger.version} {release.state} at {share(release.share)}"
    return say(
        f"{book.pipeline} at {when:%Y-%m-%d %H:%M:%S} UTC: version {release.champion.version}{trial} ({release.reason})"
    )


def _show_verified(book: Ledger, json: bool) -> None:
    count = len(book.entries())
    if json:
        return show_json({"pipeline": book.pipeline, "entries": count, "whole": True})
    return say(f"{book.pipeline}: {count} entries, each follows from the one before it.")


def _show_entries(entries: list[Entry], json: bool) -> None:
    from rich.table import Table

    if json:
        return show_json([entry.model_dump(mode="json") for entry in entries])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("no.", "at (UTC)", "kind", "by", "run", "what"):
        table.add_column(title, justify="right" if title == "no." else "left", overflow="fold")
    for entry in entries:
        row = (f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.kind, entry.actor, entry.run or "", entry.summary)
        table.add_row(str(entry.number), *(escape(cell) for cell in row))
    return console().print(table)
