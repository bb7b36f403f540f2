"""A first ``retrain run`` is killed at any moment of its life, and the next one ends as if nothing had been."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrain.ledger import StageDone
from retrain.settings import Settings
from retrain.site import Site
from retrain.store import scratch
from retrain.tracking.runs import CANDIDATE, Tracking

pytestmark = [pytest.mark.system]

SERVER = Path(__file__).parent / "warm_runs.py"
MADE_OF_INPUTS = ("collect", "validate", "drift", "features", "train", "evaluate", "bless")
OF_A_RUN = ("/ledger/", "/artifacts/report/", "/artifacts/rehearsal/", "/artifacts/freshness/")
"""What lies in the store once more for each run."""


class Runs:
    """Runs of the small pipeline, each in a process forked off one that is warm, in a home of its own."""

    def __init__(self, folder: Path, visits: Any) -> None:
        self.folder = folder
        self.data = visits.write_visits(folder / "data").parent.parent
        self.pipelines = visits.FOLDER.parent
        pipe = subprocess.PIPE
        self.server = subprocess.Popen([sys.executable, str(SERVER)], stdin=pipe, stdout=pipe, text=True)
        assert self.server.stdout
        assert self.server.stdout.readline() == "ready\n"

    def settings(self, home: Path) -> Settings:
        names = {"HOME": home, "DATA": self.data, "PIPELINES": self.pipelines}
        return Settings.load({f"RETRAIN_{name}": str(path) for name, path in names.items()})

    def run(self, home: Path, *, at: int | None = None, after: float | None = None) -> tuple[int, str]:
        """A run, killed ``at`` one of its touches or ``after`` some seconds; its exit status and its output."""
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        environment = {**self.settings(home / "home").environment(), "TMPDIR": str(home / "tmp")}
        words, output = ["run", "visits", "--force"], home / "output.txt"
        asked = {"words": words, "environment": environment, "output": str(output), "at": at, "after": after}
        assert self.server.stdin
        assert self.server.stdout
        self.server.stdin.write(json.dumps(asked) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline()), output.read_text()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    import visits  # beside the tests; conftest.py has loaded it

    made = Runs(tmp_path, visits)
    yield made
    made.server.terminate()
    made.server.wait()


class Place:
    """What is there after a run."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self.home, self.settings = home, settings
        self.entries = Site(settings).ledger("visits").entries()

    def keys(self) -> dict[str, str]:
        """Stage → artifact of the newest run."""
        newest = self.entries[-1].run
        done = [entry.body for entry in self.entries if entry.run == newest and isinstance(entry.body, StageDone)]
        assert len({body.stage for body in done}) == len(done)
        return {body.stage: body.artifact.key for body in done if body.stage in MADE_OF_INPUTS}

    def newest_promoted(self) -> bool:
        """Was it the newest run, and not one before it, that made the champion?"""
        return any(entry.kind == "release" and entry.run == self.entries[-1].run for entry in self.entries)

    def files(self) -> set[str]:
        """Everything below home and the temporary folder but what each run, or each place, has of its own.

        That is MLflow's copies, and the note of the ledger's head, which lies under the store's address.
        """
        found = {str(file.relative_to(self.home)) for file in self.home.rglob("*") if file.is_file()}
        own = ("home/mlflow/", "home/ledgers/", "output.txt")
        return {file for file in found if not file.startswith(own) and not any(part in file for part in OF_A_RUN)}

    def mlflow(self) -> tuple[int, int, str | None]:
        """How many runs of the candidate count, how many versions are registered, and which one is the champion."""
        tracking = Tracking(self.settings, "visits")
        client: Any = tracking._client
        experiment = client.get_experiment_by_name("visits").experiment_id
        counted = [run for run in client.search_runs([experiment]) if CANDIDATE in run.data.tags]
        return len(counted), len(client.search_model_versions("name = 'visits'")), tracking.alias("champion")


def kill_and_go_on(runs: Runs, calm: Place, name: str, **moment: Any) -> str:
    """Kill a first run, run again, and see that all is as if the first had not been; after which stage it was killed.

    Where the first one had promoted its version already, the second one finds it the champion.
    """
    home = runs.folder / name
    _, said = runs.run(home, **moment)
    status, again = runs.run(home)
    assert status == 0, again
    found = Place(home, runs.settings(home / "home"))
    kinds = Counter(entry.kind for entry in found.entries)
    assert kinds["release"] == kinds["trained"] == 1, kinds
    once = [entry.once for entry in found.entries if entry.once]
    assert len(once) == len(set(once))
    assert found.mlflow() == calm.mlflow() == (1, 1, "1")
    assert not list(home.rglob(f"{scratch.PREFIX}*"))
    assert not list((home / "tmp").iterdir())
    if found.newest_promoted():  # with a champion there is more to compare with
        assert found.keys() == calm.keys()
        assert found.files() == calm.files()
    shutil.rmtree(home)
    done = [line.split()[1] for line in said.splitlines() if line.startswith("  ✓")]
    return done[-1] if done else "nothing"


def calm_run(runs: Runs) -> tuple[Place, int, float]:
    """A run that nobody kills: what it leaves, how often it touched a file, and how many seconds it took."""
    began = time.monotonic()
    status, said = runs.run(runs.folder / "calm")
    assert status == 0, said
    touches = int(said.rpartition("touches: ")[2])
    return Place(runs.folder / "calm", runs.settings(runs.folder / "calm" / "home")), touches, time.monotonic() - began


@pytest.mark.timeout(1800)
def test_killed_in_any_twelfth_of_its_life_the_next_run_ends_as_it_should(runs: Runs) -> None:
    calm, touches, _ = calm_run(runs)
    moments = random.Random(12)
    for part in range(12):
        at = 1 + int(touches * (part + moments.random()) / 12)
        kill_and_go_on(runs, calm, f"killed-{part}", at=at)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_killed_a_hundred_times_at_random_the_next_run_ends_as_it_should(runs: Runs) -> None:
    calm, touches, seconds = calm_run(runs)
    moments = random.Random(100)
    killed: Counter[str] = Counter()
    for number in range(100):
        at, after = moments.randrange(1, touches), moments.uniform(0, seconds)
        moment: dict[str, Any] = {"at": at} if number % 2 else {"after": after}
        killed[kill_and_go_on(runs, calm, f"killed-{number}", **moment)] += 1
    print("killed after:", dict(killed))
    assert len(killed) >= 5, killed
