"""What commands print: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrain.errors import RetrainError, SpecError
from retrain.markdown import visible

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def console() -> Console:
    """The terminal. Without one, lines are not folded."""
    from rich.console import Console

    made = Console(highlight=False, soft_wrap=True)
    return made if made.is_terminal else Console(highlight=False, soft_wrap=True, width=160)


def say(text: str, *, err: bool = False) -> None:
    """Print one line, as it is, but for what would steer the terminal."""
    typer.echo(visible(text), err=err)


def escape(text: str) -> str:
    """Text of others as rich prints it: no markup of rich's, and nothing that would steer the terminal."""
    from rich.markup import escape as escaped

    return escaped(visible(text))


def show_json(value: Any) -> None:
    """Print a result for a program."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    typer.echo(re.sub(r"[^\x20-\x7e\n]", _in_json, text))


def _in_json(letter: re.Match[str]) -> str:
    """A letter as JSON that a terminal can show."""
    return letter[0] if visible(letter[0]) == letter[0] else json.dumps(letter[0])[1:-1]


def show_error(error: RetrainError) -> None:
    """Print an error of ours on stderr: what, where, what to do."""
    errors = [error, *error.also] if isinstance(error, SpecError) else [error]
    for each in errors:
        typer.secho(visible(f"Error: {each.what}"), fg="red", err=True, color=None)
        if each.where:
            say(f"  where: {each.where}", err=True)
        if each.do:
            say(f"  do:    {each.do}", err=True)
    for note in getattr(error, "__notes__", ()):
        say(f"  note:  {note}", err=True)


def is_terminal() -> bool:
    """Does a person watch?"""
    return sys.stdout.isatty()
