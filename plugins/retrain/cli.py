"""The command line: ``retrain …``. Each command is a file of :mod:`retrain.commands`, or somebody else's entry point.

Exit status: 0 done, 1 a decision against (vetoed, rolled back, check failed, a claim missed), 2 wrong use, 3 something
broke, 130 interrupted.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from retrain import __version__, commands
from retrain.commands._output import say, show_error
from retrain.errors import RetrainError, UsageError
from retrain.markdown import visible

BROKE = 3
PANELS = ("Start", "Run", "Look", "Steer", "More")
"""The headings of ``retrain --help``, in order."""

THEIRS = "From other packages"
GROUP = "retrain.commands"
OURS = tuple(module.name for module in pkgutil.iter_modules(commands.__path__) if not module.name.startswith("_"))


class Commands(TyperGroup):
    """Every command, imported when it is asked for. Other packages are looked at only where ours do not suffice."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """Every name: ours, panel by panel, then those of entry points in the group ``retrain.commands``."""
        place = {name: PANELS.index(import_module(f"{GROUP}.{name}").PANEL) for name in OURS}
        theirs = {point.name for point in metadata.entry_points(group=GROUP)} - set(OURS)
        return [*sorted(OURS, key=lambda name: (place[name], name)), *sorted(theirs)]

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, or None."""
        if cmd_name in OURS:
            module = import_module(f"{GROUP}.{cmd_name}")
            return _command(cmd_name, getattr(module, cmd_name), module.PANEL)
        points = tuple(metadata.entry_points(group=GROUP, name=cmd_name))
        return _theirs(cmd_name, points) if points else None


def _command(name: str, function: Callable[..., Any], panel: str, **context_settings: bool) -> Any:
    alone = typer.Typer(add_completion=False)
    alone.command(name, rich_help_panel=panel, context_settings=context_settings)(function)
    return typer.main.get_command(alone)


def _theirs(name: str, points: tuple[metadata.EntryPoint, ...]) -> Any:
    """Somebody else's command; in its place, where it cannot be had, one that says why."""
    point = points[0]
    if len(points) > 1:
        packages = ", ".join(each.value for each in points)
        return _broken(name, f"Several packages bring a command `{name}`: {packages}.")
    try:
        function = point.load()
    except (Exception, SystemExit) as error:  # whatever somebody's module does when it is imported
        return _broken(name, f"`{point.value}` cannot be imported: {type(error).__name__}: {error}.")
    try:
        return _command(name, function, THEIRS)
    except Exception as error:  # it is no function, or takes what no command line can give
        return _broken(name, f"`{point.value}` cannot be a command: {type(error).__name__}: {error}.")


def _broken(name: str, what: str) -> Any:
    """A command that says why it is none, whatever is typed after it."""

    def broken() -> None:
        raise UsageError(what, do="mend the package that brings this command, or remove it.")

    broken.__doc__ = what
    return _command(name, broken, THEIRS, allow_extra_args=True, ignore_unknown_options=True)


app = typer.Typer(
    cls=Commands,
    name="retrain",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="One folder becomes a scheduled, self-defending retraining system on Apache Airflow.",
    epilog="Exit status: 0 done, 1 a decision against, 2 wrong use, 3 something broke, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"retrain {__version__}")
        raise typer.Exit


def _through(address: str | None) -> str | None:
    """From here on it is as if the environment had said so."""
    if address is not None:
        os.environ["RETRAIN_AIRFLOW"] = address
    return address


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    airflow: Annotated[
        str | None,
        typer.Option(
            callback=_through, help="Look and steer through the Airflow at this address, without the store's keys."
        ),
    ] = None,
) -> None:
    pass


def main() -> None:
    """Run the command that was typed; leave with its exit status, never with a traceback."""
    try:
        app()
    except RetrainError as error:
        show_error(error)
        _trace()
        sys.exit(error.exit_status)
    except Exception as error:  # a mistake of ours, or of a library
        typer.secho(visible(f"Error: {type(error).__name__}: {error}"), fg="red", err=True)
        if not _trace():
            typer.echo("  do:    run it again with RETRAIN_DEBUG=1 to see where; then report it.", err=True)
        sys.exit(BROKE)


def _trace() -> bool:
    """Print the traceback of the error being handled, if RETRAIN_DEBUG asks for it."""
    if not os.environ.get("RETRAIN_DEBUG"):
        return False
    traceback.print_exc()
    return True
