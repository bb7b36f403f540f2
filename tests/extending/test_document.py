"""docs/extending.md: its code is the package that is installed and run here, its yaml is read, its counts are true."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from fenced_code import blocks, fenced
from retrain.spec import Spec

DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
HERE = Path(__file__).parent
SPEC: dict[str, Any] = {
    "name": "orders",
    "task": "binary",
    "source": {"files": "*.csv", "timestamp": "at", "label": "late"},
    "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
}
BECOMES_OURS = {
    "gates.py": ("gates/equal_rates.py", "retrain.gates", "EqualRates"),
    "sources.py": ("sources/sqlite.py", "retrain.sources", "Sqlite"),
    "targets.py": ("targets/fleet.py", "retrain.targets", "Fleet"),
    "alerts.py": ("alerts/journal.py", "retrain.alerts", "Journal"),
    "protocols.py": ("serving/protocols/lines.py", "retrain.serving.protocols", "Lines"),
    "commands.py": ("commands/versions.py", "retrain.commands", "versions"),
}
"""Acme's file → where it would lie in our tree, the folder it is found in, and what it defines."""


def file_of(name: str) -> Path:
    """The file a block is named after."""
    ours = name.startswith("retrain/")
    return HERE / "ours" / name.removeprefix("retrain/") if ours else HERE / "acme" / name


def test_its_code_is_that_of_the_files_it_is_named_after() -> None:
    shown = {file_of(name): code for name, code in blocks(DOCUMENT)}
    written = {file for folder in ("acme", "ours") for file in (HERE / folder).rglob("*.py")}
    of_a_pipeline = {file for file in written if "pipelines" in file.parts or file.name == "__init__.py"}
    assert set(shown) == written - of_a_pipeline
    for file, code in shown.items():
        assert code == file.read_text(encoding="utf-8"), f"{file} is not what the document shows"


def test_its_entry_points_are_those_that_are_installed(acme: Path) -> None:
    (text,) = (text for language, _, text in fenced(DOCUMENT) if language == "toml")
    shown = tomllib.loads(text)["project"]["entry-points"]
    installed = configparser.ConfigParser()
    installed.read(acme / "acme_retrain-1.0.dist-info" / "entry_points.txt")
    assert shown == {group: dict(installed[group]) for group in installed.sections()}


YAML = [text for language, _, text in fenced(DOCUMENT) if language == "yaml"]


@pytest.mark.parametrize("text", YAML, ids=[text.partition(":")[0] for text in YAML])
def test_its_yaml_is_read(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    others = {key: value for key, value in SPEC.items() if key != text.partition(":")[0]}
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(others) + text)
    assert Spec.load(folder)


def test_each_kind_that_a_pipeline_names_has_its_yaml() -> None:
    assert [text.partition(":")[0] for text in YAML] == ["bless", "source", "canary", "alerts", "drift", "bless"]


def test_acme_uses_only_what_is_said_to_be_public(acme: Path) -> None:
    told = DOCUMENT.read_text(encoding="utf-8").partition("## A gate\n")[0]
    public = set(re.findall(r"`(retrain(?:\.\w+)+)`", told))
    for file in (acme / "acme_retrain").glob("*.py"):
        used = [node.module for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
        for module in used:
            ours = module is not None and module.startswith("retrain.")
            assert not ours or any(f"{module}.".startswith(f"{name}.") for name in public), (file.name, module)


def test_each_becomes_ours_by_one_file(acme: Path, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    for name, (place, _, _) in BECOMES_OURS.items():
        heading = '\nPANEL = "Look"\n' if name == "commands.py" else ""
        code = (acme / "acme_retrain" / name).read_text() + heading
        (tmp_path / "plugins" / "retrain" / place).write_text(code)
    look = "from retrain import cli, extensions\nassert 'versions' in cli.OURS\n"
    for _, folder, name in BECOMES_OURS.values():
        if name != "versions":
            stem = "equal_rates" if name == "EqualRates" else name.lower()
            look += f"assert extensions.find({folder!r}, {stem!r}).__name__ == {name!r}\n"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "plugins")}
    done = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_its_table_counts_what_is_shown() -> None:
    counted = DOCUMENT.read_text(encoding="utf-8").partition("## How many files\n")[2]
    rows = dict(re.findall(r"^\| ([a-z ]+) \| .* \| (\d): ", counted, re.MULTILINE))
    assert rows == {"stage": "2", **dict.fromkeys(KINDS_OF_ONE_FILE, "1")}
    for place, _, _ in BECOMES_OURS.values():
        assert f"`{place}`" in counted


KINDS_OF_ONE_FILE = ("gate", "source", "target", "command", "alert", "drift distance", "protocol", "metric")
