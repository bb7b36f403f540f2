"""What is shown of a measuring."""

from __future__ import annotations

import math
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from retrain.audit import page
from retrain.audit.claim import Claim
from retrain.audit.measured import Measured
from retrain.errors import UsageError

SHARE = Claim("equal arms: rolled back", "canary, through the product", lambda _: 0.0, "at most", 0.05)
MEDIAN = Claim("harm: requests | until", "canary", lambda _: 0.0, "at most", 121, measure="median")
FOUND = (
    Measured(MEDIAN, 60, math.inf, math.inf, 60.0),
    Measured(SHARE, 200, 0.035, 0.0131, 700.0),
)


def test_a_row_says_what_is_stated_measured_and_how_surely() -> None:
    assert page.cells(FOUND[1]) == ("equal arms: rolled back", "≤ 5.0 %", "3.5 %", "1.3 %", "200", "holds")
    assert page.cells(FOUND[0])[1:] == ("≤ 121", "never", "", "60", "does not hold")
    broke = Measured(SHARE, 3, math.nan, math.nan, 1.0, "run 3 of seed 0: KeyError: 'x'")
    assert page.cells(broke)[2:] == ("", "", "3", "broke: run 3 of seed 0: KeyError: 'x'")


def test_a_program_is_given_numbers_or_null() -> None:
    given = page.plain(FOUND[0])
    assert (given["measured"], given["standard_error"], given["never"]) == (None, None, True)
    assert page.plain(FOUND[1])["measured"] == 0.035


def test_the_page_says_of_what_when_and_how_much() -> None:
    text = page.markdown(FOUND, of="airflow-retrain 0.1.0, commit abc", at=datetime(2026, 3, 2, tzinfo=UTC), seed=4)
    assert "airflow-retrain 0.1.0, commit abc, 2026-03-02, seed 4, 0.2 hours of one core" in text
    assert "**1 of 2 claims hold.**" in text
    assert text.index("## Canary\n") < text.index("## Canary, through the product\n")
    assert "| harm: requests &#124; until | ≤ 121 | never |  | 60 | **does not hold** |" in text


# -- of what -----------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a working tree of its own, in whose place ours is looked for."""
    folder = tmp_path / "retrain"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(page.retrain, "__file__", str(folder / "__init__.py"))
    return folder


def git(where: Path, *command: str) -> str:
    who: Any = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", *who, *command], cwd=where, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_what_was_measured_has_a_commit(package: Path) -> None:
    git(package, "init", "-q")
    git(package, "add", ".")
    git(package, "commit", "-qm", "first")
    assert page.source().endswith(f"commit {git(package, 'rev-parse', '--short=12', 'HEAD')}")


def test_no_page_is_written_of_what_is_in_no_commit(package: Path) -> None:
    git(package, "init", "-q")
    git(package, "add", ".")
    git(package, "commit", "-qm", "first")
    (package / "new.py").write_text("")
    with pytest.raises(UsageError, match="in no commit"):
        page.source()


def test_an_installed_package_has_a_release_and_no_commit_of_somebody_elses(package: Path) -> None:
    assert "commit" not in page.source()
    git(package.parent, "init", "-q")
    (package.parent / "theirs").write_text("")
    git(package.parent, "add", "theirs")
    git(package.parent, "commit", "-qm", "first")
    assert "commit" not in page.source()
