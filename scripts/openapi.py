"""Write docs/openapi.json: the API below ``/retrain/api/v1`` of Airflow, from the routes themselves."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def described() -> dict[str, Any]:
    """The OpenAPI description of version 1."""
    from fastapi.openapi.utils import get_openapi

    from retrain import __version__
    from retrain.airflow.ui.app import app

    routes = [route for route in app.routes if getattr(route, "path", "").startswith("/api/v1")]
    return get_openapi(
        title="airflow-retrain",
        version=__version__,
        summary="Every pipeline's standing, history, versions, data and trial, and what a person may decide.",
        description="Served by Airflow's API server below /retrain to whoever Airflow lets read the Dag; steering "
        "needs the right to start its runs. Send Airflow's own token as a bearer token. What goes wrong is "
        '`{"error", "where", "do"}`: 401, 403, 404, 409 (somebody was first), 415, 422, 503 (the store).',
        routes=routes,
        servers=[{"url": "/retrain"}],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        text = json.dumps(described(), indent=1, ensure_ascii=False)
    Path(sys.argv[1]).write_text(f"{text}\n", encoding="utf-8")
