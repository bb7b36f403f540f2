"""A newcomer's way: a file nobody prepared → `init` → `check` → `run` → a judged model, by the commands alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from retrain import cli

Odd = Callable[..., pd.DataFrame]


@pytest.mark.parametrize(
    ("label", "form", "sep", "task"),
    [("load kW", "%d.%m.%Y %H:%M", ";", "regression"), ("level", "%b %d, %Y %I %p", ",", "binary")],
)
def test_from_an_odd_csv_to_a_served_model(
    odd_frame: Odd,
    written: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    label: str,
    form: str,
    sep: str,
    task: str,
) -> None:
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RETRAIN_PIPELINES", str(tmp_path / "pipelines"))
    (tmp_path / "home").mkdir()
    file = written(odd_frame(label=label), form=form, sep=sep)

    def typed(*arguments: str) -> tuple[int, Any]:
        monkeypatch.setattr(sys, "argv", ["retrain", *arguments, "--json"])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return left.value.code or 0, json.loads(out) if out else err  # type: ignore[return-value]

    status, made = typed("init", "power", "--from", str(file), "--label", label, "--timestamp", "When")
    assert (status, made["task"]) == (0, task), made
    check = [sys.executable, "-c", "from retrain.cli import main; main()", "check", "power"]
    checked = subprocess.run(check, capture_output=True, text=True)  # Airflow takes over a process's logging
    assert checked.returncode == 0, checked.stdout
    status, run = typed("run", "power")
    assert (status, run["decision"]) == (0, "promoted"), run
    status, state = typed("status", "power")
    assert state["champion"]["version"] == 1
    assert state["state"] == "serving"
    status, again = typed("run", "power")
    assert status in {0, 1}, again
    assert again["data_end"] == run["data_end"], "the same files are the same retraining"
