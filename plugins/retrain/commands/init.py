"""``retrain init``: a new pipeline from a file of data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from retrain.commands._output import Json, say, show_json
from retrain.errors import UsageError

if TYPE_CHECKING:
    from datetime import timedelta

    from retrain.scaffold.folder import Made

PANEL = "Start"

TaskOption = Literal["binary", "multiclass", "regression"]


def init(
    name: Annotated[str, typer.Argument(help="The new pipeline's name.")],
    file: Annotated[Path, typer.Option("--from", help="A CSV or Parquet file of past rows with their labels.")],
    label: Annotated[str, typer.Option(help="The column to predict.")],
    timestamp: Annotated[str, typer.Option(help="The column that says when a row happened.")],
    entity: Annotated[str | None, typer.Option(help="The column that says whom a row is about.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A column that names a row; may be repeated.")] = None,
    task: Annotated[TaskOption | None, typer.Option(help="What is predicted; found from the label.")] = None,
    timestamp_format: Annotated[str | None, typer.Option(help="strptime format; found from the data.")] = None,
    timezone: Annotated[str, typer.Option(help="Zone of timestamps that carry none.")] = "UTC",
    label_delay: Annotated[str, typer.Option(help="How long after a row its label is known, e.g. 12h.")] = "0s",
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that exists.")] = False,
    json: Json = False,
) -> None:
    """Look at a file and write a whole pipeline folder, which runs as it is."""
    from retrain.scaffold.folder import Wish, make
    from retrain.settings import Settings

    wish = Wish(
        name=name,
        file=file,
        label=label,
        timestamp=timestamp,
        entity=entity,
        key=tuple(key or ()),
        task=task,
        timestamp_format=timestamp_format,
        timezone=timezone,
        label_delay=_duration(label_delay),
        force=force,
    )
    made = make(wish, Settings.load())
    if json:
        _show_json(made)
    else:
        _show(made)


def _duration(text: str) -> timedelta:
    from retrain.spec.durations import parse

    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"--label-delay is '{text}'.", do=f"write {error}.") from None


def _show(made: Made) -> None:
    found, name = made.profile, made.folder.name
    say(f"Written: {made.folder}")
    say(
        f"  {found.task} of `{found.label.name}` from {len(found.inputs)} columns; {found.rows:,} rows, "
        f"{found.start:%d %b %Y} to {found.newest:%d %b %Y}"
    )
    for note in made.notes:
        say(f"  - {note}")
    say("Next:")
    say(f"  retrain check {name}    # is everything right?")
    say(f"  retrain run {name}      # train, judge and release a first model")
    say(f"  edit {made.folder / 'features.py'} and run it again")


def _show_json(made: Made) -> None:
    found = made.profile
    show_json(
        {
            "pipeline": made.folder.name,
            "folder": str(made.folder),
            "files": sorted(file.name for file in made.folder.iterdir()),
            "task": found.task,
            "rows": found.rows,
            "start": found.start,
            "newest": found.newest,
            "inputs": [column.name for column in found.inputs],
            "left_out": {column.name: column.left_out for column in found.columns if column.left_out},
            "notes": list(made.notes),
        }
    )
