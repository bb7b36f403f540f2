"""``retrain audit``: a second opinion on our own claims, measured on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands._output import Json, console, say, show_json

if TYPE_CHECKING:
    from retrain.audit.claim import Claim
    from retrain.audit.kept import Kept
    from retrain.audit.measured import Measured
    from retrain.audit.pool import Batch, Done, Told

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
    from retrain.audit import page, suite

    claims = suite.chosen(only)
    of = page.source() if out is not None else ""
    with _kept(out, of, seed) as kept:
        found = _measured(claims, runs, seed, jobs or _cores(), kept)
        if len(found) < len(claims):
            return _interrupted(found, claims, kept)
        if out is not None:
            out.write_text(page.markdown(found, of=of, at=datetime.now(UTC), seed=seed), encoding="utf-8")
        if kept is not None:
            kept.forget()
    holds = all(one.verdict == "holds" for one in found)
    if json:
        show_json({"seed": seed, "holds": holds, "claims": [page.plain(one) for one in found]})
    else:
        _show(found)
    if not holds:
        raise typer.Exit(1)
    return None


def _kept(out: Path | None, of: str, seed: int) -> AbstractContextManager[Kept | None]:
    """What was done for a page before; nothing is kept of what is only printed."""
    from retrain.audit.kept import keeping

    return nullcontext() if out is None else keeping(out, {"source": of, "seed": seed})


def _measured(claims: Sequence[Claim], runs: int | None, seed: int, jobs: int, kept: Kept | None) -> list[Measured]:
    """What is complete, in the claims' order: all of it, or what was until somebody stopped it."""
    from retrain.audit import pool

    found: list[Measured] = []
    with _stoppable(), _progress(claims, runs) as shown, suppress(KeyboardInterrupt):

        def told(batch: Batch, done: Done) -> None:
            shown(batch, done)
            if kept is not None:
                kept.add(batch, done)

        known = kept.get if kept is not None else pool.nothing
        for one in pool.measure(claims, runs=runs, seed=seed, jobs=jobs, told=told, known=known):
            found.append(one)
    return sorted(found, key=lambda one: claims.index(one.claim))


def _interrupted(found: list[Measured], claims: Sequence[Claim], kept: Kept | None) -> None:
    """Show what is complete, and leave."""
    if found:
        _show(found)
    typer.echo(f"Interrupted: {len(found)} of {len(claims)} claims are measured.", err=True)
    if kept is not None:
        typer.echo(f"The same command goes on from here: what is done is kept in {kept.path}.", err=True)
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

    from retrain.audit.pool import runs_of

    stderr = Console(stderr=True)
    if not stderr.is_terminal:  # older releases of rich end even a bar that is not shown with a line
        yield lambda _batch, _done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
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
