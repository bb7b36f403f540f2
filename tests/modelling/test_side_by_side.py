"""Settings tried side by side: the same choice, the same errors, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from retrain.errors import SpecError, StoreFull, TrainingError
from retrain.modelling import search, side_by_side
from retrain.modelling.design_matrix import training_rows
from waiting import wait_for

ODD = """
import os, signal, time
import numpy as np

class Own:
    def __init__(self, C=1.0):
        self.C = C
    def get_params(self, deep=True):
        return {"C": self.C}
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self
    def predict_proba(self, X):
        return np.tile([1 - self.C / 8, self.C / 8], (len(X), 1))

class Printing(Own):
    def fit(self, X, y):
        os.write(1, b"fitting")
        print("fitting")
        return super().fit(X, y)

class Telling(Own):
    def predict_proba(self, X):
        return np.tile([1 - os.getpid() / 2**23, os.getpid() / 2**23], (len(X), 1))

class Killed(Own):
    def fit(self, X, y):
        os.kill(os.getpid(), signal.SIGKILL)

class Refusing(Own):
    def fit(self, X, y):
        time.sleep(self.C)
        raise ValueError(f"refused with {self.C}")

class OwnError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")

class Unsure(Own):
    def predict_proba(self, X):
        raise OwnError("this", "that")

class Writing(Own):
    def fit(self, X, y):
        X[0, 0] = 0.0

class Waiting(Own):
    def fit(self, X, y):
        with open(os.environ["STARTED"], "a") as file:
            file.write(f"{os.getpid()}\\n")
        time.sleep(600)
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of estimators, found where only this process looks."""
    (tmp_path / "odd_ones.py").write_text(ODD)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_ones", raising=False)
    return "odd_ones"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows are many."""
    monkeypatch.setattr(search, "LARGE", 1)


def own(odd: str, name: str, *values: float) -> dict[str, Any]:
    """A candidate of that module."""
    return {"estimator": f"{odd}.{name}", "search": {"C": list(values)}}


def select(workshop: Any, frame: Any, task: str = "binary", **train: Any) -> list[search.Tried]:
    """What is selected, as the training stage does it."""
    from retrain.stages.train import _split

    spec = workshop.write(task=task, train={"jobs": 2, **train})
    _, made = workshop.features(frame)
    learn, tuning = _split(spec, training_rows(spec, made, workshop.site), made.split_at)
    return search.select(spec, learn, tuning)


TREES = {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "params": {"max_iter": 9}}
FOREST = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 5}}
LINEAR = {"estimator": "sklearn.linear_model.LogisticRegression", "search": {"C": [0.1, 1.0]}, "scale": True}


def test_side_by_side_the_same_is_chosen_as_one_after_another(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = {"candidates": [LINEAR, TREES, FOREST], "budget": 4}
    in_turn = select(workshop, make_rows(), **candidates)
    monkeypatch.setattr(search, "LARGE", 1)
    monkeypatch.setattr(search, "fit", None)  # nothing is fitted here
    assert select(workshop, make_rows(), **candidates) == in_turn
    assert len({tried.loss for tried in in_turn}) == 4


def test_many_classes_and_numbers_side_by_side(workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = make_rows()
    ridge = {"estimator": "sklearn.linear_model.Ridge", "search": {"alpha": [0.1, 100.0]}, "scale": True}
    for task, label, candidate in (
        ("multiclass", np.select([frame["x"] > 0.7, frame["x"] > -0.7], ["high", "middle"], "low"), LINEAR),
        ("regression", 2.0 * frame["x"], ridge),
    ):
        frame["late"] = label
        with monkeypatch.context() as patch:
            in_turn = select(workshop, frame, task, candidates=[candidate])
            patch.setattr(search, "LARGE", 1)
            assert select(workshop, frame, task, candidates=[candidate]) == in_turn


@pytest.mark.parametrize("winner", [TREES, {**TREES, "scale": True}, FOREST, {**LINEAR, "search": {}}])
def test_the_number_of_jobs_changes_neither_the_model_nor_its_name(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch, winner: dict[str, Any]
) -> None:
    workshop.write(train={"candidates": [winner]})
    one, _ = workshop.train(make_rows())
    workshop.start_anew()
    workshop.write(train={"candidates": [winner], "jobs": 3})
    monkeypatch.setattr(search, "LARGE", 1)
    many, _ = workshop.train(make_rows())
    assert (many.key, many.model.digest, many.validation_loss) == (one.key, one.model.digest, one.validation_loss)


def test_each_setting_has_a_process_of_its_own(workshop: Any, make_rows: Any, odd: str, large: None) -> None:
    tried = select(workshop, make_rows(), candidates=[own(odd, "Telling", 1.0, 2.0, 3.0)])
    assert len({one.loss for one in tried}) == 3


def test_what_an_estimator_prints_does_no_harm(workshop: Any, make_rows: Any, odd: str, large: None) -> None:
    tried = select(workshop, make_rows(), candidates=[own(odd, "Printing", 1.0, 4.0)])
    assert [one.setting.params["C"] for one in tried] == [4.0, 1.0]


# -- failures --------------------------------------------------------------------------------------------------


def test_of_several_failures_the_first_in_the_specs_order_is_told(
    workshop: Any, make_rows: Any, odd: str, large: None
) -> None:
    candidates = [own(odd, "Own", 1.0), own(odd, "Refusing", 0.6, 0.1)]  # the second to refuse is the first to fail
    with pytest.raises(TrainingError, match=r"Refusing with {'C': 0.6} cannot be fitted .* refused with 0.6") as caught:
        select(workshop, make_rows(), candidates=candidates)
    assert "candidates.1" in str(caught.value.where)
    assert "in fit" in str(caught.value.__cause__.__notes__)


def test_an_estimator_that_cannot_take_missing_values_says_what_to_do(
    workshop: Any, make_rows: Any, large: None
) -> None:
    frame = make_rows()
    frame.loc[::7, "x"] = np.nan
    with pytest.raises(TrainingError, match="scale: true"):
        select(workshop, frame, candidates=[{**LINEAR, "scale": False}])


def test_an_estimator_that_fails_when_it_is_asked_says_so_itself(
    workshop: Any, make_rows: Any, odd: str, large: None
) -> None:
    with pytest.raises(RuntimeError, match="this and that"):  # its own error cannot be sent
        select(workshop, make_rows(), candidates=[own(odd, "Unsure", 1.0, 2.0)])


@pytest.mark.parametrize("size", [1, 10**12])
def test_an_estimator_may_not_change_its_rows(
    workshop: Any, make_rows: Any, odd: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LARGE", size)
    with pytest.raises(TrainingError, match="read-only"):
        select(workshop, make_rows(), candidates=[own(odd, "Writing", 1.0, 2.0)])


def test_a_process_that_is_killed_names_its_setting_and_what_to_do(
    workshop: Any, make_rows: Any, odd: str, large: None
) -> None:
    candidates = [own(odd, "Own", 1.0), own(odd, "Killed", 3.0)]
    before = psutil.Process().children()
    with pytest.raises(TrainingError, match=r"Killed with {'C': 3.0} .* killed by signal 9") as caught:
        select(workshop, make_rows(), candidates=candidates)
    assert "train.candidates.1" in str(caught.value.where)
    assert "lower `train.jobs`" in str(caught.value.do)
    assert psutil.Process().children() == before


def test_a_mistake_in_the_spec_is_one_side_by_side_too(workshop: Any, make_rows: Any, large: None) -> None:
    with pytest.raises(SpecError, match="depth"):
        select(workshop, make_rows(), candidates=[LINEAR, {**TREES, "params": {"depth": 3}}])


def test_a_disk_without_room_for_the_rows_is_told(
    workshop: Any, make_rows: Any, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(side_by_side, "_put", full)
    with pytest.raises(StoreFull):
        select(workshop, make_rows())


# -- how many ----------------------------------------------------------------------------------------------------


def test_few_rows_are_fitted_in_this_process(workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "run", None)
    assert len(select(workshop, make_rows())) == 3


def test_with_one_job_all_is_fitted_in_this_process_on_one_thread(
    workshop: Any, make_rows: Any, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "run", None)
    assert len(select(workshop, make_rows(), jobs=1)) == 3


def test_memory_bounds_how_many_fit_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.stat").write_text(f"anon {2**30}\nfile {7 * 2**30}\n")
    (tmp_path / "memory.max").write_text(f"{9 * 2**30}\n")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 100 * 2**30}))
    monkeypatch.setattr(side_by_side, "CGROUP", tmp_path)
    rows = 2**30 // 2
    assert side_by_side.at_once(rows, 64) == 8 * 2**30 // (side_by_side.COPIES * rows)
    assert side_by_side.at_once(rows, 2) == 2
    assert side_by_side.at_once(100 * rows, 64) == 1
    (tmp_path / "memory.max").write_text("max\n")
    assert side_by_side.at_once(rows, 10**6) == 100 * 2**30 // (side_by_side.COPIES * rows)


# -- where it is called, and killed ------------------------------------------------------------------------------

PLACE = textwrap.dedent("""
    import multiprocessing, os, sys
    from pathlib import Path
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingRegressor
    from retrain.modelling import side_by_side
    from retrain.modelling.fitting import Recipe

    def run(path, name):
        rows = np.asfortranarray(np.random.default_rng(0).normal(size=(500, 3)))
        recipes = [Recipe(path, {name: n}, 0, False) for n in (1, 2, 3)]
        return list(side_by_side.run(recipes, side_by_side.Rows(rows, rows[:, 0].copy(), None, rows[:9]), 2, 2))

    def try_all():
        ended = run("sklearn.ensemble.HistGradientBoostingRegressor", "max_iter")
        os._exit(0 if all(one.result is not None for one in ended) else 1)

    def fork():
        pid = os.fork()
        if not pid:
            try_all()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def daemon():
        process = multiprocessing.get_context("fork").Process(target=try_all, daemon=True)
        process.start()
        process.join()
        return process.exitcode

    if __name__ == "__main__":
        rows = np.random.default_rng(0).normal(size=(5000, 3))
        HistGradientBoostingRegressor(max_iter=2).fit(rows, rows[:, 0])  # OpenMP has threads now
        sys.exit({"fork": fork, "daemon": daemon}[sys.argv[1]]())
""")


@pytest.mark.parametrize("how", ["fork", "daemon"])
def test_it_works_in_a_forked_process_and_in_a_daemonic_one(tmp_path: Path, how: str) -> None:
    """Airflow's tasks are forks; those of a worker may be daemonic, which multiprocessing gives no children."""
    (tmp_path / "place.py").write_text(PLACE)
    environment = {**os.environ, "OMP_NUM_THREADS": "4", "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "place.py", how], cwd=tmp_path, env=environment, timeout=300).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_whoever_ends_the_search_leaves_no_process_and_no_file(
    tmp_path: Path, odd: str, number: signal.Signals
) -> None:
    started, left = tmp_path / "started", tmp_path / "tmp"
    left.mkdir()
    started.touch()
    (tmp_path / "place.py").write_text(
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"{PLACE.partition('if __name__')[0]}\n"
        "run('odd_ones.Waiting', 'C')\n"
    )
    environment = {
        **os.environ,
        "STARTED": str(started),
        "TMPDIR": str(left),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    parent = subprocess.Popen([sys.executable, "place.py"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(started.read_text().split()) == 2, "two trials", 120)
        parent.send_signal(number)
        assert parent.wait(60) != 0
        wait_for(lambda: not any(psutil.pid_exists(int(pid)) for pid in started.read_text().split()), "their end", 120)
    finally:
        parent.kill()
    assert list(left.iterdir()) == []
