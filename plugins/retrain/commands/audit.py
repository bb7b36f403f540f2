"""``retrain audit``: a second opinion on our own claims, measured on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands._output import Json, console, say, show_json

if TYPE_CHECKING:
    from retrain.audit.claim import Claim
    from retrain.audit.measured import Measured
    from retrain.audit.pool import Told

PANEL = "More"

INTERRUPTED = 130
COLOURS = {"holds": "green", "does not hold": "red", "broke": "yellow"}


def audit(
    only: Annotated[str, typer.Option(help="Only the claims whose section or name holds this text.")] = "",
    runs: Annotated[
        int | None, typer.Option(min=1, help="Runs of each claim; default: 2,000, of whole releases 200, for hours.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers; the same seed gives the same figures.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write a page of Markdown to this file, too.")] = None,
    json: Json = False,
) -> None:
    """Simulate what we claim of decisions, with the shipped code: stated, measured, and whether it holds."""
    from retrain.audit import page, pool, suite

    claims = suite.chosen(only)
    of = page.source() if out is not None else ""
    found: list[Measured] = []
    with _stoppable(), _progress(claims, runs) as told, suppress(KeyboardInterrupt):
        for one in pool.measure(claims, runs=runs, seed=seed, jobs=jobs or _cores(), told=told):
            found.append(one)  # one by one: what is complete is shown
    found.sort(key=lambda one: claims.index(one.claim))
    if len(found) < len(claims):
        return _interrupted(found, claims)
    if out is not None:
        out.write_text(page.markdown(found, of=of, at=datetime.now(UTC), seed=seed), encoding="utf-8")
    holds = all(one.verdict == "holds" for one in found)
    if json:
        show_json({"seed": seed, "holds": holds, "claims": [page.plain(one) for one in found]})
    else:
        _show(found)
    if not holds:
        raise typer.Exit(1)
    return None


def _interrupted(found: list[Measured], claims: Sequence[Claim]) -> None:
    """Show what is complete, and leave."""
    if found:
        _show(found)
    typer.echo(f"Interrupted: {len(found)} of {len(claims)} claims are measured.", err=True)
    raise typer.Exit(INTERRUPTED)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM stops it as ^C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(claims: Sequence[Claim], runs: int | None) -> Iterator[Told]:
    """A bar on the terminal's stderr, measured in seconds of work; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from retrain.audit.pool import Batch, Done, runs_of

    stderr = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        work = sum(claim.cost * runs_of(claim, runs) for claim in claims)
        task = bar.add_task("", total=work)

        def told(batch: Batch, _done: Done) -> None:
            claim = batch.claim
            shown = claim.name if len(claim.name) <= 60 else f"{claim.name[:59]}…"
            bar.update(task, advance=claim.cost * (batch.end - batch.first), description=shown)

        yield told


def _show(found: Sequence[Measured]) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from retrain.audit.page import TITLES, by_section, cells

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in TITLES:
        numbers = title not in {"claim", "verdict"}
        table.add_column(title, justify="right" if numbers else "left", no_wrap=numbers, overflow="fold")
    for section, mine in by_section(found):
        table.add_section()
        table.add_row(Text(f"{section[0].upper()}{section[1:]}", style="bold"))
        for one in mine:
            claim, *figures, verdict = (Text(cell) for cell in cells(one))
            verdict.stylize(COLOURS[one.verdict])
            table.add_row(Padding(claim, (0, 0, 0, 2)), *figures, verdict)
    console().print(table)
    holding = sum(one.verdict == "holds" for one in found)
    say(f"{holding} of {len(found)} claims hold.")
