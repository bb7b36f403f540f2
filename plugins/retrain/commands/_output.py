"""What commands print: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrain.errors import RetrainError, SpecError

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def console() -> Console:
    """The terminal. Without one, lines are not folded."""
    from rich.console import Console

    made = Console(highlight=False, soft_wrap=True)
    return made if made.is_terminal else Console(highlight=False, soft_wrap=True, width=160)


def say(text: str) -> None:
    """Print one line, as it is."""
    typer.echo(text)


def show_json(value: Any) -> None:
    """Print a result for a program."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def show_error(error: RetrainError) -> None:
    """Print an error of ours on stderr: what, where, what to do."""
    errors = [error, *error.also] if isinstance(error, SpecError) else [error]
    for each in errors:
        typer.secho(f"Error: {each.what}", fg="red", err=True, color=None)
        if each.where:
            typer.echo(f"  where: {each.where}", err=True)
        if each.do:
            typer.echo(f"  do:    {each.do}", err=True)
    for note in getattr(error, "__notes__", ()):
        typer.echo(f"  note:  {note}", err=True)


def is_terminal() -> bool:
    """Does a person watch?"""
    return sys.stdout.isatty()
