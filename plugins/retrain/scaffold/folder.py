"""A pipeline's folder, written whole or not at all."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from retrain.artifacts import now
from retrain.data.intake import rows
from retrain.data.tabular import column
from retrain.errors import RetrainError, StoreFull, UsageError
from retrain.scaffold.features_file import features_py, sample_columns, test_features_py
from retrain.scaffold.pipeline_file import pipeline_yaml
from retrain.scaffold.profile import Profile, profile
from retrain.scaffold.readme_file import readme_md
from retrain.scaffold.suite import suite
from retrain.scaffold.timestamp import Format, detect
from retrain.scaffold.windows import Windows, windows
from retrain.settings import Settings
from retrain.sources.base import Place, Window
from retrain.sources.files import Files, pattern, scheme_of
from retrain.spec import Spec, Task

if TYPE_CHECKING:
    from pandas import DataFrame

NAME = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")
EXAMPLE_ROWS = 3
EVER = timedelta(days=365 * 200)


@dataclass(frozen=True)
class Wish:
    """What ``retrain init`` was asked for."""

    name: str
    file: Path
    label: str
    timestamp: str
    entity: str | None = None
    key: tuple[str, ...] = ()
    task: Task | None = None
    timestamp_format: str | None = None
    timezone: str = "UTC"
    label_delay: timedelta = timedelta(0)
    force: bool = False


@dataclass(frozen=True)
class Made:
    """What came of it."""

    folder: Path
    profile: Profile
    windows: Windows
    notes: tuple[str, ...]


def make(wish: Wish, settings: Settings) -> Made:
    """Look at a file and write a pipeline's folder.

    :raises UsageError: the name, a column or an option is wrong, or the folder exists and ``force`` is not given.
    :raises DataError: the file cannot be used; the message says why.
    """
    folder = settings.pipelines / wish.name
    _require_name(wish.name)
    _require_zone(wish.timezone)
    _require_free(folder, wish.force)
    _require_file(wish.file)
    place = Place(wish.name, folder, settings.data)
    source = _source(wish, settings.data)
    _require_columns(wish, source.columns(str(wish.file.absolute()), place))
    form = Format(wish.timestamp_format)
    if wish.timestamp_format is None:
        form = detect(column(wish.file, wish.timestamp), wish.timestamp, str(wish.file.absolute()))
    frame = _rows(source.model_copy(update={"timestamp_format": form.form}), place)
    found = profile(frame, timestamp=wish.timestamp, label=wish.label, entity=wish.entity, key=wish.key, task=wish.task)
    cut = windows(found, wish.label_delay)
    notes = tuple(note for note in (form.note, *found.notes, *_left_out(found)) if note)
    _write(folder, _texts(wish, source, form, frame, found, cut, notes), settings)
    return Made(folder, found, cut, notes)


def _texts(
    wish: Wish,
    source: Files,
    form: Format,
    frame: DataFrame,
    found: Profile,
    cut: Windows,
    notes: tuple[str, ...],
) -> dict[str, str]:
    """File name → content."""
    return {
        "pipeline.yaml": pipeline_yaml(
            wish.name,
            source.files[0],
            found,
            cut,
            form=form.form,
            zone=wish.timezone,
            label_delay=wish.label_delay,
        ),
        "features.py": features_py(found, wish.timezone),
        "test_features.py": test_features_py(wish.name, _examples(frame, found)),
        "expectations.json": suite(wish.name, found),
        "README.md": readme_md(wish.name, found, notes),
    }


def _source(wish: Wish, data: Path) -> Files:
    return Files(
        files=(pattern(wish.file, data),),
        timestamp=wish.timestamp,
        timestamp_format=wish.timestamp_format,
        timezone=wish.timezone,
        entity=wish.entity,
        key=wish.key,
        label=wish.label,
    )


def _rows(source: Files, place: Place) -> DataFrame:
    """Every row, read exactly as the pipeline's first stage will read it."""
    present = now()
    window = Window(present - EVER, present)
    with source.read(window, None, place) as reading:
        return rows(reading.batches, source, window, place.pipeline, source.files[0])


def _left_out(found: Profile) -> list[str]:
    return [f"`{column.name}` is left out: {column.left_out}." for column in found.columns if column.left_out]


def _examples(frame: DataFrame, found: Profile) -> list[dict[str, Any]]:
    """A few real rows, first, middle and last, as a request would bring them."""
    places = sorted({0, len(frame) // 2, len(frame) - 1})[:EXAMPLE_ROWS]
    rows = frame.iloc[places][sample_columns(found)]
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows.to_dict("records")]


def _plain(value: Any) -> Any:
    import pandas as pd

    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _require_name(name: str) -> None:
    if not NAME.match(name):
        raise UsageError(
            f"'{name}' cannot be a pipeline's name.",
            do="use lower-case letters, digits, - and _, beginning with a letter, 63 at most.",
        )


def _require_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"'{zone}' is no time zone.", do="name one such as UTC or Europe/Berlin.") from None


def _require_free(folder: Path, force: bool) -> None:
    if folder.exists() and not force:
        raise UsageError(
            f"There is a pipeline '{folder.name}' already; nothing was changed.",
            where=folder,
            do="choose another name, or replace it with --force.",
        )


def _require_file(file: Path) -> None:
    if scheme := scheme_of(str(file)):
        raise UsageError(
            f"--from names something at {scheme}://, which cannot be read.",
            do="copy some past rows to a file on this disk; later, `source.files` needs a disk or share, too.",
        )
    if not file.is_file():
        raise UsageError(f"There is no file {file}.", where=file.absolute().parent, do="correct --from.")


def _require_columns(wish: Wish, columns: list[str]) -> None:
    named = [("--label", wish.label), ("--timestamp", wish.timestamp), ("--entity", wish.entity)]
    for option, name in (*named, *(("--key", name) for name in wish.key)):
        if name is not None and name not in columns:
            raise _no_column(option, name, columns, wish.file)
    if wish.label in {wish.timestamp, wish.entity, *wish.key}:
        raise UsageError(
            f"'{wish.label}' cannot be both the label and a key, timestamp or entity.", do="name different columns."
        )


def _no_column(option: str, name: str, columns: list[str], file: Path) -> UsageError:
    near = difflib.get_close_matches(name, columns, n=1, cutoff=0.5)
    near = near or [column for column in columns if column.lower() == name.lower()]
    hint = f"did you mean `{near[0]}`? " if near else ""
    return UsageError(
        f"{option} is '{name}', but {file.name} has no such column.",
        where=file.absolute(),
        do=f"{hint}It has: {', '.join(columns)}.",
    )


def _write(folder: Path, texts: dict[str, str], settings: Settings) -> None:
    """Write aside, prove that it loads, then rename: the folder is there whole or not at all."""
    aside = settings.pipelines / f".{folder.name}-{uuid.uuid4().hex}" / folder.name
    try:
        aside.mkdir(parents=True)
        for name, content in texts.items():
            (aside / name).write_text(content, encoding="utf-8")
        Spec.load(aside)
        _settle(aside, folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(aside.parent, ignore_errors=True)


def _settle(aside: Path, folder: Path) -> None:
    """Put the new folder in its place; an old one (``--force``) goes last."""
    replaced = aside.parent / "replaced"
    if folder.exists():
        os.rename(folder, replaced)
    try:
        os.rename(aside, folder)
    except OSError:
        if replaced.exists():
            os.rename(replaced, folder)
        raise


def _unwritable(folder: Path, error: OSError) -> RetrainError:
    kind = StoreFull if error.errno == 28 else UsageError
    return kind(
        f"The folder cannot be written: {error.strerror or error}; nothing was left behind.",
        where=folder,
        do="free space or correct the rights of that folder, or set RETRAIN_PIPELINES, then try again.",
    )
