"""`retrain check`: every mistake at once, each with its place and its remedy."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from retrain import cli
from retrain.check import Finding, check
from retrain.site import Site

SPEC = {
    "name": "p",
    "task": "regression",
    "schedule": "0 6 * * *",
    "source": {"files": "./rows.csv", "timestamp": "when", "label": "y", "inputs": ["when", "x", "kind"]},
    "train": {"candidates": [{"estimator": "sklearn.linear_model.Ridge", "search": {"alpha": [1.0]}}]},
}
FEATURES = """\
def build(frame):
    return frame[["x"]].astype("float64").assign(hour=frame["when"].dt.hour)
"""
SUITE = {
    "name": "p",
    "expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "x"}}],
}


@pytest.fixture
def pipeline(site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which all is right."""
    monkeypatch.setattr("retrain.check._dag", lambda spec: iter(()))  # tried once, below
    folder = site.settings.pipelines / "p"
    folder.mkdir(parents=True)
    when = pd.date_range("2024-01-01", periods=60, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = pd.DataFrame({"when": when, "x": range(60), "kind": ["a", "b"] * 30, "y": range(60)})
    rows.to_csv(folder / "rows.csv", index=False)
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(SPEC))
    (folder / "features.py").write_text(FEATURES)
    (folder / "expectations.json").write_text(json.dumps(SUITE))
    return folder


@pytest.fixture
def wrong(pipeline: Path, site: Site) -> Callable[[], list[Finding]]:
    """What `check` finds wrong now."""
    return lambda: [finding for finding in check(pipeline, site.settings) if not finding.ok]


def changed(pipeline: Path, key: str, value: object) -> None:
    """Change one dotted key of the spec."""
    content = yaml.safe_load((pipeline / "pipeline.yaml").read_text())
    section = content
    *path, last = key.split(".")
    for part in path:
        section = section[int(part) if part.isdigit() else part]
    section[last] = value
    (pipeline / "pipeline.yaml").write_text(yaml.safe_dump(content))


def test_nothing_is_wrong_with_a_right_one(pipeline: Path, site: Site) -> None:
    found = check(pipeline, site.settings)
    assert all(finding.ok for finding in found), found
    assert {finding.subject for finding in found} == {
        "pipeline.yaml",
        "source",
        "features",
        "suite",
        "estimators",
        "schedule",
    }


def test_every_mistake_of_the_spec_is_a_finding(pipeline: Path, wrong: Callable[[], list[Finding]]) -> None:
    changed(pipeline, "task", "ranking")
    changed(pipeline, "colour", "red")
    found = wrong()
    assert {finding.where.rpartition("key ")[2] for finding in found if finding.where} == {"`task`", "`colour`"}
    assert all(finding.do for finding in found)


def test_mistakes_of_all_kinds_come_together(pipeline: Path, wrong: Callable[[], list[Finding]]) -> None:
    changed(pipeline, "schedule", "every day")
    changed(pipeline, "source.inputs", ["when", "x", "knid"])
    changed(pipeline, "train.candidates.0.estimator", "sklearn.linear_model.Rigde")
    (pipeline / "expectations.json").unlink()
    (pipeline / "features.py").unlink()
    assert {finding.subject for finding in wrong()} == {"source", "features", "suite", "estimators", "schedule"}


@pytest.mark.parametrize(
    ("key", "value", "subject", "says"),
    [
        ("source.files", "./none-*.csv", "source", "none-"),
        ("source.inputs", ["when", "x", "knid"], "source", "did you mean `kind`"),
        ("source.entity", "who", "source", "'who'"),
        ("source.timestamp", "whem", "source", "did you mean `when`"),
        ("source.timestamp", "kind", "source", "of the first 50 values of 'kind' are not ISO 8601"),
        ("bless", {"slices": {"columns": ["carrier"]}}, "source", "'carrier'"),
        ("bless", {"gates": ["acme:EqualRates"], "equal_rates": {"column": "sex"}}, "source", "'sex'"),
        ("bless", {"gates": ["acme:Unsure"]}, "source", "The gate 'unsure' does not say which columns it reads"),
        ("source.timestamp_format", "%d.%m.%Y", "source", "are not %d.%m.%Y"),
        ("features", "features:make", "features", "make"),
        ("features", "other:build", "features", "other.py"),
        ("validate", {"expectations": "none.json"}, "suite", "none.json"),
        ("train.candidates.0.estimator", "sklearn.linear_model.Rigde", "estimators", "Rigde"),
        ("train.candidates.0.params", {"alhpa": 1}, "estimators", "alhpa"),
        ("train.candidates.0.search", {"alhpa": [1]}, "estimators", "no parameter 'alhpa'"),
        ("schedule", "every day", "schedule", "no cron expression"),
        ("schedule", "0 25 * * *", "schedule", "no cron expression"),
        ("alerts", [{"notifier": "airflow_provider_of_nobody.Notifier"}], "alerts", "airflow_provider_of_nobody"),
    ],
)
def test_a_wrong_key(
    pipeline: Path, wrong: Callable[[], list[Finding]], key: str, value: object, subject: str, says: str
) -> None:
    changed(pipeline, key, value)
    found = [finding for finding in wrong() if finding.subject == subject]
    assert found
    text = " ".join(f"{finding.what} {finding.where} {finding.do}" for finding in found)
    assert says in text
    assert all(finding.do for finding in found)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def build(frame:\n", "SyntaxError"),
        ("import not_installed_anywhere\n", "not_installed_anywhere"),
        ("def build(frame):\n    return frame['z']\n", "KeyError"),
        ("def build(frame):\n    return frame[['kind']]\n", "not numbers: kind"),
        ("def build(frame):\n    return frame[['x']].head(3)\n", "one row for each row"),
        ("def build(frame):\n    return (frame[['x']] - frame[['x']].mean())\n", "not row-wise"),
        ("def build(frame):\n    return frame[['x']].shift().astype('float64')\n", "not row-wise"),
        ("def build(frame):\n    return frame[['y']]\n", "KeyError"),
    ],
)
def test_a_wrong_feature_function(pipeline: Path, wrong: Callable[[], list[Finding]], code: str, says: str) -> None:
    (pipeline / "features.py").write_text(code)
    (finding,) = wrong()
    assert finding.subject == "features"
    assert says in finding.what


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "no Great Expectations suite"),
        ("[]", "no Great Expectations suite"),
        ('{"expectations": [{"kwargs": {}}]}', "no Great Expectations suite"),
        ('{"expectations": [{"type": "expect_column_value_to_not_be_null"}]}', "expect_column_value_to_not_be_null"),
        (
            '{"expectations": [{"type": "expect_column_mean_to_be_between", "kwargs": {"column": "xx"}}]}',
            "names column 'xx'",
        ),
    ],
)
def test_a_wrong_suite(pipeline: Path, wrong: Callable[[], list[Finding]], content: str, says: str) -> None:
    (pipeline / "expectations.json").write_text(content)
    assert says in " ".join(finding.what for finding in wrong())


def test_a_file_of_the_source_that_cannot_be_read_is_one_finding(
    pipeline: Path, wrong: Callable[[], list[Finding]]
) -> None:
    changed(pipeline, "source.files", ["./rows.csv", "./z.parquet"])
    (pipeline / "z.parquet").write_bytes(b"PAR1 cut off")
    assert "z.parquet" in " ".join(finding.what for finding in wrong() if finding.subject == "source")


def test_its_dag_is_made_without_touching_airflows_own_folder(
    pipeline: Path, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By the command, in a process of its own: Airflow reads its configuration once a process."""
    import subprocess

    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    environment |= {**site.settings.environment(), "HOME": str(tmp_path / "me")}
    (tmp_path / "me").mkdir()
    run = subprocess.run(
        [sys.executable, "-c", "from retrain.cli import main; main()", "check", "p", "--json"],
        capture_output=True,
        text=True,
        env=environment,
    )
    (dag,) = [finding for finding in json.loads(run.stdout)["p"] if finding["subject"] == "dag"]
    assert dag["ok"], dag
    assert list((tmp_path / "me").iterdir()) == [], "nothing is left in the user's home"
    assert run.returncode == 0


def test_the_command_shows_marks_and_leaves_with_1(
    pipeline: Path, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in site.settings.environment().items():
        monkeypatch.setenv(name, value)

    def typed() -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["retrain", "check"])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code, capsys.readouterr().out

    status, out = typed()
    assert not status
    assert "All 6 checks passed." in out
    changed(pipeline, "schedule", "every day")
    status, out = typed()
    assert status == 1
    assert "✗" in out
    assert "do: write five fields" in out
    assert "1 of 6 checks failed." in out
