"""What a step finds decides whether it went as expected; what was changed for it is put back."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from retrain.demo import data
from retrain.demo.scenario import Demo, Findings
from retrain.demo.scenarios import SCENARIOS
from retrain.demo.stack import Stack
from retrain.demo.story import tell
from retrain.demo.view import Step, View


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    stack = Stack(tmp_path / "demo")
    stack.prepare()
    return Demo(stack, View(Console(file=io.StringIO(), width=100, color_system=None)))


def test_one_thing_missed_is_not_as_expected() -> None:
    found = Findings()
    assert not found.as_expected  # nothing was looked at
    found.see(True, "version 2 blessed")
    found.require(True, "never told")
    assert found.as_expected
    assert str(found) == "version 2 blessed"
    found.require(False, "the champion is version 1")
    assert not found.as_expected
    assert str(found) == "NOT AS EXPECTED: the champion is version 1"


def test_broken_step_is_told_and_the_story_goes_on(demo: Demo) -> None:
    with demo.step("bad-data", "first", "all is well") as found:
        found.see(True, "a")
        raise ValueError("the gateway said nothing")
    with demo.step("bad-data", "second", "all is well") as found:
        found.see(True, "b")
    first, second = demo.steps
    assert not first.as_expected
    assert first.happened == "NOT AS EXPECTED: ValueError: the gateway said nothing"
    assert second.as_expected
    assert "ValueError: the gateway said nothing" in (demo.stack.home / "logs" / "demo.log").read_text()


def test_interrupted_step_is_no_step(demo: Demo) -> None:
    with pytest.raises(KeyboardInterrupt), demo.step("bad-data", "first", "all is well"):
        raise KeyboardInterrupt
    assert demo.steps == []


def test_scenario_whose_needs_failed_is_not_played(demo: Demo) -> None:
    demo.steps.append(Step("first-model", "first model", "", "NOT AS EXPECTED: …", False, 1.0))
    retraining = next(scenario for scenario in SCENARIOS if scenario.name == "retraining")
    tell(demo, retraining, None)  # would ask Airflow, which is not there
    assert demo.steps[-1].happened == "NOT PLAYED: it needs first-model"
    assert not demo.steps[-1].as_expected


def test_month_files_are_put_back(demo: Demo) -> None:
    (file,) = data.write_months(demo.stack.months, (5,))
    true = file.read_bytes()

    def half(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[::2]

    with suppress(KeyboardInterrupt), demo.changed_months((5,), half):
        assert len(pd.read_parquet(file)) == (len(data.month_frame(5)) + 1) // 2
        raise KeyboardInterrupt
    assert file.read_bytes() == true


def test_features_are_put_back(demo: Demo) -> None:
    file = demo.stack.pipeline / "features.py"
    true = file.read_text()
    with suppress(KeyboardInterrupt), demo.changed_features(lambda text: text + "# new\n"):
        assert file.read_text() == true + "# new\n"
        raise KeyboardInterrupt
    assert file.read_text() == true
