"""What we say we run with is what `make test` and `make test-lowest` run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SHOWN = ("apache-airflow", "pandas", "scikit-learn", "mlflow", "great-expectations", "numpy", "pyarrow")


def dependencies(root: Path) -> list[Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(one) for one in project["dependencies"]]


def pinned(file: Path) -> dict[str, str]:
    """What a file of constraints says for Python 3.11."""
    wanted = [Requirement(line) for line in file.read_text(encoding="utf-8").splitlines()]
    here = {"python_full_version": "3.11.0", "python_version": "3.11"}
    found = [one for one in wanted if one.marker is None or one.marker.evaluate(here)]
    return {canonicalize_name(one.name): next(iter(one.specifier)).version for one in found}


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-lowest.txt"])
def test_every_version_that_is_tried_is_one_that_is_allowed(file: str, root: Path) -> None:
    tried = pinned(root / file)
    for one in dependencies(root):
        assert one.specifier.contains(tried[canonicalize_name(one.name)]), one


@pytest.mark.parametrize("name", SHOWN)
def test_the_lowest_version_that_is_allowed_is_one_that_is_tried(name: str, root: Path) -> None:
    (bound,) = (one.version for wanted in dependencies(root) if wanted.name == name
                for one in wanted.specifier if one.operator == ">=")  # fmt: skip
    assert re.fullmatch(rf"{re.escape(bound)}(\.0)*", pinned(root / "constraints-lowest.txt")[name])


@pytest.mark.parametrize(
    ("file", "command"), [("constraints.txt", "make test"), ("constraints-lowest.txt", "make test-lowest")]
)
def test_the_readme_names_the_versions_that_are_tried(file: str, command: str, root: Path) -> None:
    tried = pinned(root / file)
    (row,) = (
        line
        for line in (root / "README.md").read_text(encoding="utf-8").splitlines()
        if f"`{command}`" in line and line.startswith("|")
    )
    assert [cell.strip() for cell in row.strip("|").split("|")][2:] == [tried[name] for name in SHOWN]
