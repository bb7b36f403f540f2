"""Code that is not ours is a part of what a result is named by."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from retrain.artifacts import code


def test_ours_needs_no_mention() -> None:
    assert code.inputs("retrain.gates.change", None) == {}


def test_mended_code_of_others_is_another_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "mended_package"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "deep" / "part.py").write_text("MARGIN = 1")
    before = code.inputs("mended_package.gates")
    assert code.inputs("mended_package.metrics") == before
    (folder / "deep" / "part.py").write_text("MARGIN = 2")
    assert code.inputs("mended_package.gates") != before
    assert set(before["code"]) == {"mended_package"}


def test_what_a_feature_file_imports_is_named_by_version_and_else_by_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    own = tmp_path / "company_calendar.py"
    own.write_text("HOLIDAYS = 1")
    source = (
        "import math, os.path\nimport pandas as pd\n\ndef f(rows):\n    from company_calendar import HOLIDAYS\n"
        "    import not_installed_anywhere\n"
    )
    before = code.imported(source)
    assert before["pandas"] == f"pandas {version('pandas')}"
    assert set(before) == {"pandas", "company_calendar", "not_installed_anywhere"}
    own.write_text("HOLIDAYS = 2")
    after = code.imported(source)
    assert {name for name in before if before[name] != after[name]} == {"company_calendar"}
