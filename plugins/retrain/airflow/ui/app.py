"""What Airflow's API server serves below ``/retrain``: the operators' page, its API, and the pages behind tasks' links.

Whoever is asked for says first who asks: the app's own dependency, which a route cannot forget.
"""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI

from retrain.airflow.ui import api, shell, steer, task
from retrain.airflow.ui.faults import told_by

app = FastAPI(
    title="retrain",
    dependencies=[Depends(get_user)],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)
told_by(app)
app.include_router(api.router)
app.include_router(steer.router)
app.include_router(shell.router)
app.include_router(task.router)
