"""The demo's folder, its processes and its lock, with small processes in place of Airflow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from retrain.commands import demo as demo_command
from retrain.demo import story
from retrain.demo.processes import MARK, marks, only_one, running, spawn, stop_all
from retrain.demo.stack import Stack, pipeline_source
from retrain.errors import UsageError
from retrain.settings import Settings
from retrain.spec import Spec

FAMILY = """
import subprocess, sys, time
child = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / ".retrain" / "demo"
    home.mkdir(parents=True)
    yield home
    stop_all(home, grace=0)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.02)


def begin(home: Path, code: str = FAMILY) -> subprocess.Popen[bytes]:
    process = spawn([sys.executable, "-c", code], {**os.environ, **marks(home)}, home / "logs" / "family.log", cwd=home)
    until(lambda: "ready" in (home / "logs" / "family.log").read_text())
    return process


def test_a_process_and_all_it_started_are_found_and_stopped(home: Path) -> None:
    """The child has a session of its own and ignores SIGTERM; it is ended all the same."""
    parent = begin(home)
    family = {process.pid for process in running(home)}
    assert parent.pid in family
    assert len(family) == 2
    assert stop_all(home, grace=0.2) == 2
    parent.wait()
    assert running(home) == []
    assert not any(psutil.pid_exists(pid) for pid in family)


def test_children_of_a_dead_process_are_found(home: Path) -> None:
    parent = begin(home)
    parent.kill()
    parent.wait()
    (orphan,) = running(home)
    assert orphan.pid != parent.pid
    stop_all(home, grace=0.1)
    assert running(home) == []


def test_strangers_are_left_alone(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "demo"
    other.mkdir(parents=True)
    stranger = begin(other)
    unmarked = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        assert stop_all(home, grace=0) == 0
        assert stranger.poll() is None
        assert unmarked.poll() is None
    finally:
        unmarked.kill()
        unmarked.wait()
        stop_all(other, grace=0)
        stranger.wait()


def test_mark_outlives_a_new_process_title(home: Path) -> None:
    """Airflow renames its processes, which writes over the environment that ``ps`` shows unless told not to."""
    code = (
        "import setproctitle, time; setproctitle.setproctitle('airflow ' * 50); "
        "print('ready', flush=True); time.sleep(600)"
    )
    process = begin(home, code)
    assert [found.pid for found in running(home)] == [process.pid]
    stop_all(home, grace=0)
    process.wait()


def test_one_demo_a_folder(home: Path) -> None:
    with only_one(home):
        with pytest.raises(UsageError, match=f"running here already .process {os.getpid()}."), only_one(home):
            pass
        with only_one(home.parent / "other"):
            pass
    with only_one(home):
        pass


def test_lock_dies_with_its_holder(home: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from retrain.demo.processes import only_one\n"
        "with only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(UsageError), only_one(home):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with only_one(home):
        pass


def test_folder_is_begun_anew(home: Path) -> None:
    (home / "store").mkdir()
    (home / "store" / "of-yesterday").touch()
    stack = Stack(home)
    stack.prepare()
    assert list((home / "store").iterdir()) == []
    assert Spec.load(stack.pipeline).name == "flights"
    assert stack.pipeline.is_relative_to(home)
    assert (stack.pipeline / "features.py").read_bytes() == (pipeline_source() / "features.py").read_bytes()
    compile((home / "dags" / "pipelines.py").read_text(), "pipelines.py", "exec")
    assert stack.months.is_dir()


def test_environment_is_ours_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the shell says of another Airflow or MLflow must not reach the demo's."""
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://production")
    monkeypatch.setenv("RETRAIN_STORE", "s3://production")
    monkeypatch.setenv("RETRAIN_GATEWAY_POLL", "60")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    stack = Stack(home)
    for environment in (stack.environment, stack.airflow.environment):
        assert "production" not in str(environment)
        assert "RETRAIN_GATEWAY_POLL" not in environment
        assert environment[MARK] == str(home)
        assert "127.0.0.1" in environment["NO_PROXY"].split(",")
        assert Settings.load(environment) == stack.settings


def test_env_file_leads_the_command_line_to_the_demo(home: Path) -> None:
    stack = Stack(home.parent / "with space")
    stack.prepare()
    script = f". '{stack.home}/env' && env"
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    environment = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert Settings.load(environment) == stack.settings


def test_command_line_names_every_scenario() -> None:
    assert [name.strip() for name in demo_command.SCENARIOS.split(",")] == [s.name for s in story.SCENARIOS]


def test_scenarios_bring_what_they_need() -> None:
    assert [scenario.name for scenario in story.choose(None)] == [
        "first-model",
        "retraining",
        "bad-data",
        "bad-model",
        "bad-release",
        "rollback",
    ]
    assert [scenario.name for scenario in story.choose("bad-data")] == ["first-model", "bad-data"]
    assert [scenario.name for scenario in story.choose("rollback")] == ["first-model", "retraining", "rollback"]
    with pytest.raises(UsageError, match="no scenario 'good-data'") as caught:
        story.choose("good-data")
    assert "bad-data" in str(caught.value)
