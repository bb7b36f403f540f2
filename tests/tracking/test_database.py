"""MLflow's SQLite database is there whole or not at all, whenever its maker dies; and is never upgraded uncopied."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from retrain.errors import TrackingError
from retrain.tracking import database
from retrain.tracking.database import file_of, require_whole


def uri(file: Path) -> str:
    return f"sqlite:///{file}"


def made_to(file: Path, schema: str) -> None:
    """A database as an MLflow whose newest tables were of that version has made it."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    engine = create_engine(uri(file))
    Base.metadata.create_all(engine)
    engine.dispose()
    command.upgrade(_get_alembic_config(uri(file)), schema)


def add_run(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO runs (run_uuid, experiment_id) VALUES ('r', 0)")


def start_to_make(file: Path) -> int:
    """Another process that makes it; 0 is its exit status if it can."""
    child = os.fork()
    if child == 0:
        try:
            require_whole(uri(file))
            os._exit(0)
        finally:
            os._exit(1)
    return child


def kill_while_it_makes(file: Path, size: int) -> None:
    """Kill a process with SIGKILL when the database it makes, wherever that is, has reached so many bytes."""
    child = start_to_make(file)
    while sum(found.stat().st_size for found in list(file.parent.rglob(file.name))) < size:
        assert os.waitpid(child, os.WNOHANG)[0] == 0, "it was done before it could be killed"
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_its_maker_may_be_killed(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    kill_while_it_makes(file, 200_000)  # about a third of it
    assert not file.exists()
    require_whole(uri(file))
    assert list(tmp_path.iterdir()) == [file]
    from mlflow import MlflowClient

    assert [one.name for one in MlflowClient(uri(file)).search_experiments()] == ["Default"]


def test_of_two_that_make_it_at_once_the_first_one_s_stays(tmp_path: Path) -> None:
    file = tmp_path / "home" / "mlflow.db"
    for child in [start_to_make(file), start_to_make(file)]:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    inode = file.stat().st_ino
    require_whole(uri(file))
    assert (file.stat().st_ino, list(file.parent.iterdir())) == (inode, [file])


def test_one_that_was_half_made_by_somebody_else_is_named_and_what_is_advised_helps(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    made_to(file, "451aebb31d03")
    with pytest.raises(TrackingError, match=r"not made to its end.*holds no runs") as caught:
        require_whole(uri(file))
    assert f"mv {file} {file}.old" in str(caught.value)
    file.rename(f"{file}.old")
    require_whole(uri(file))


def test_one_of_an_older_mlflow_is_not_upgraded_without_a_copy(tmp_path: Path) -> None:
    from mlflow.db import upgrade

    file = tmp_path / "mlflow.db"
    made_to(file, f"{database._needed()}-1")
    add_run(file)
    before = file.read_bytes()
    with pytest.raises(TrackingError, match="with 1 runs, is of an older MLflow") as caught:
        require_whole(uri(file))
    assert file.read_bytes() == before
    assert f"cp {file} {file}.copy && mlflow db upgrade {uri(file)}" in str(caught.value)
    upgrade.callback(uri(file))
    require_whole(uri(file))


def test_one_of_a_newer_mlflow_is_said_to_be_newer(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('of tomorrow')")
    with pytest.raises(TrackingError, match="newer MLflow"):
        require_whole(uri(file))


@pytest.mark.parametrize(
    "address", ["http://mlflow:5000", "postgresql://u@h/mlflow", "sqlite://", "sqlite:///:memory:"]
)
def test_what_is_no_file_is_left_to_others(address: str) -> None:
    assert file_of(address) is None
    require_whole(address)


def test_the_file_is_named_before_what_follows_a_question_mark() -> None:
    assert file_of("sqlite:////a/b c.db?timeout=1") == Path("/a/b c.db")
    assert file_of("sqlite:///relative.db") == Path("relative.db")
