"""What the commands share by which a human overrules the machine: what they are given, and what they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrain.commands._output import say, show_json
from retrain.commands._place import airflow

if TYPE_CHECKING:
    from retrain.ledger import Entry
    from retrain.ledger.acts import ActName

Name = Annotated[str, typer.Argument(help="The pipeline.")]
Version = Annotated[int, typer.Argument(min=1, help="The version.")]
Reason = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]


def by_airflow(name: str, act: ActName, *, version: int | None = None, reason: str, json: bool) -> bool:
    """Decide through Airflow, in the name of whoever is logged in there, if that is asked for.

    :param name: the pipeline.
    :param act: what is decided. :param version: of which version, where that has to be said.
    :param reason: why; the ledger keeps it.
    :param json: print what was done for a program.
    :return: whether it was; if not, it is to be decided here.
    """
    remote = airflow()
    if remote is None:
        return False
    done = remote.decide(name, act, version=version, reason=reason)
    if json:
        show_json(done.model_dump(mode="json"))
    else:
        say(f"{name}: {done.said} (ledger entry {done.entry}, by {remote.url}).")
    return True


def show(entry: Entry, version: int, json: bool, what: str) -> None:
    """Print the verdict that was written.

    :param entry: that holds it. :param version: that it is of.
    :param json: print the entry for a program.
    :param what: came of the version, for people.
    """
    if json:
        return show_json(entry.model_dump(mode="json"))
    return say(f"{entry.pipeline}: version {version} {what} (ledger entry {entry.number}).")


def show_release(entry: Entry, json: bool, said: str, **more: Any) -> None:
    """Print the routing decision that was written.

    :param entry: that holds it.
    :param json: print it for a program.
    :param said: what it does, for people.
    :param more: what a program is told besides.
    """
    if json:
        release = entry.body.model_dump(mode="json")
        return show_json(
            {"pipeline": entry.pipeline, "entry": entry.number, "at": entry.at, "release": release, **more}
        )
    return say(f"{entry.pipeline}: {said} (ledger entry {entry.number}).")
