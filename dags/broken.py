"""No Dag. While a pipeline is described wrongly, Airflow shows the mistake as the import error of this file."""

from pathlib import Path

from retrain.airflow.dag import require_whole

require_whole(Path(__file__).parent.parent / "include" / "pipelines")
