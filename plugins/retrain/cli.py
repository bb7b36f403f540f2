"""The command line: ``retrain …``. Each command is a file of :mod:`retrain.commands`.

Exit status: 0 done, 1 a decision against (vetoed, rolled back, check failed), 2 wrong use, 3 something broke.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from retrain import __version__
from retrain.commands.check import check
from retrain.commands.demo import demo
from retrain.commands.init import init
from retrain.commands.ledger import ledger
from retrain.commands.output import say, show_error
from retrain.commands.overrule import bless, veto
from retrain.commands.reconcile import reconcile
from retrain.commands.rollback import rollback
from retrain.commands.run import run
from retrain.commands.schema import schema
from retrain.commands.serve import serve
from retrain.commands.status import status
from retrain.errors import RetrainError

BROKE = 3

app = typer.Typer(
    name="retrain",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="One folder becomes a scheduled, self-defending retraining system on Apache Airflow.",
    epilog="Exit status: 0 done, 1 a decision against, 2 wrong use, 3 something broke.",
)
for command in (demo, init, check, run, status, bless, veto, rollback, reconcile, ledger, serve, schema):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"retrain {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
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
        typer.secho(f"Error: {type(error).__name__}: {error}", fg="red", err=True)
        if not _trace():
            typer.echo("  do:    run it again with RETRAIN_DEBUG=1 to see where; then report it.", err=True)
        sys.exit(BROKE)


def _trace() -> bool:
    """Print the traceback of the error being handled, if RETRAIN_DEBUG asks for it."""
    if not os.environ.get("RETRAIN_DEBUG"):
        return False
    traceback.print_exc()
    return True
