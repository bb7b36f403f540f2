"""MLflow's SQLite database, where it has no server: there whole, or not at all.

MLflow makes and upgrades its tables in dozens of steps. A process that dies among them leaves tables that no later
one can finish. So a new database is made aside and linked into place, where the first of several wins; and one of
another version is never upgraded on the way, because nobody has a copy of it then.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from retrain.errors import TrackingError
from retrain.store import scratch
from retrain.store.local import sync_folder

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

BUSY_SECONDS = 20.0


class Found(NamedTuple):
    """What a database says of itself.

    :param schema: the version of its tables; None if their making never came so far.
    :param runs: how many runs it holds.
    """

    schema: str | None
    runs: int


def file_of(uri: str) -> Path | None:
    """The file of a SQLite address; None if it is another address, or in memory."""
    if not uri.startswith("sqlite:///"):
        return None
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    return Path(path) if path not in {"", ":memory:"} else None


def require_whole(uri: str) -> None:
    """Make the database if it is a file and not there; see that it is one this MLflow can use as it is.

    :raises TrackingError: it was half made, or is of another version of MLflow; it was not touched.
    """
    file = file_of(uri)
    if file is None:
        return
    if not file.exists():
        _make(file)
    found = _look(file)
    if found.schema != _needed():
        raise _unusable(file, found)


def _make(file: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    with scratch.below(file.parent) as aside:
        made = aside / file.name
        SqlAlchemyStore(f"sqlite:///{made}", str(file.parent / "mlruns")).engine.dispose()
        with suppress(FileExistsError):  # somebody was faster
            os.link(made, file)
        sync_folder(file.parent)


def _look(file: Path) -> Found:
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        schemas = database.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else ()
        (runs,) = database.execute("SELECT count(*) FROM runs").fetchone() if "runs" in tables else (0,)
        return Found(next((schema for (schema,) in schemas), None), runs)


@cache
def _needed() -> str | None:
    """The version of the tables that this MLflow works with."""
    return _scripts().get_current_head()


def _scripts() -> ScriptDirectory:
    """MLflow's steps from one version of the tables to the next."""
    from alembic.script import ScriptDirectory
    from mlflow.store import db_migrations

    return ScriptDirectory(next(iter(db_migrations.__path__)))


def _unusable(file: Path, found: Found) -> TrackingError:
    name, uri = shlex.quote(str(file)), shlex.quote(f"sqlite:///{file}")
    known = {script.revision for script in _scripts().walk_revisions()}
    if found.schema is not None and found.schema not in known:
        what = "MLflow's database was written by a newer MLflow than this one."
        do = "install that version of MLflow here."
    elif found.runs == 0:
        what = "MLflow's database was not made to its end, or an older MLflow made it; it holds no runs."
        do = f"unless a process is just making it, put it away (`mv {name} {name}.old`) and run again: it is made anew."
    else:
        what = (
            f"MLflow's database, with {found.runs} runs, is of an older MLflow than this one, or its upgrade was "
            "interrupted. It is not upgraded without a copy."
        )
        do = (
            f"stop what uses it; `cp {name} {name}.copy && mlflow db upgrade {uri}`; then run again. "
            "If its upgrade was interrupted, that fails: bring back the copy from before it."
        )
    return TrackingError(what, where=file, do=do)
