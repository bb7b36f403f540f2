"""docs/openapi.json is what the API answers to."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path


def test_the_openapi_file_is_that_of_the_routes(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("openapi", root / "scripts" / "openapi.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert json.loads((root / "docs" / "openapi.json").read_text()) == module.described(), "run `make schema`"
