"""The reference in docs/ says what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_reference_of_pipeline_yaml_is_up_to_date(root: Path) -> None:
    script = [sys.executable, str(root / "scripts/reference.py")]
    written = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert (root / "docs/pipeline.md").read_text(encoding="utf-8") == written, "run `make schema`"
