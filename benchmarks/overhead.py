"""One whole retraining as an Airflow Dag run, over the same stage functions called in one plain process.

Both start from nothing: copies of the flights pipeline under other names, each with a ledger of its own, so that no
artifact is found that another run has made. The plain process is timed from its start to its end, imports included;
the Dag run from its trigger to its end, in an Airflow that has been up for a while and has run one Dag before.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from measure import Figure, figure, seconds

from retrain.demo.airflow import LocalAirflow
from retrain.demo.data import write_months
from retrain.demo.processes import inherited
from retrain.settings import Settings

ROOT = Path(__file__).parents[1]
RUNS = 3
DATA_END = "2013-04-01T00:00:00Z"


def measure(*, short: bool) -> list[Figure]:
    """Alternate plain processes and Dag runs, after one warm-up of each; in short one of each, and no warm-up."""
    warm_ups, runs = (0, 1) if short else (1, RUNS)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        settings = Settings.load({"RETRAIN_HOME": str(home / "home"), "RETRAIN_PIPELINES": str(home / "pipelines")})
        names = [f"flights_{kind}{number}" for kind in ("dag", "plain") for number in range(warm_ups + runs)]
        for name in names:
            _copy(settings.pipelines, name)
        write_months(settings.data / "flights", range(1, 4))
        environment = settings.environment()
        dags, plain = [], []
        with LocalAirflow(home / "airflow", ROOT / "dags", environment=environment) as airflow:
            for number in range(warm_ups + runs):
                name = f"flights_dag{number}"
                airflow.api.await_dag(name)
                airflow.api.unpause(name)
                begin = time.perf_counter()
                run = airflow.api.trigger(name, {"data_end": DATA_END})
                state = airflow.api.await_run(name, run)["state"]
                dags.append(time.perf_counter() - begin)
                if state != "success":
                    raise RuntimeError(f"the Dag run of {name} ended as {state}")
                command = [str(Path(sys.executable).with_name("retrain")), "run", f"flights_plain{number}"]
                plain.append(seconds([*command, "--data-end", DATA_END], {**inherited(), **environment}))
    dags, plain = dags[warm_ups:], plain[warm_ups:]
    ratios = [dag / process for dag, process in zip(dags, plain, strict=True)]
    peer = f"Dag run {statistics.median(dags):.1f} s; plain process {statistics.median(plain):.1f} s"
    return [figure("retraining as a Dag run ÷ in one plain process", ratios, "×", goal="≤ 1.5", peer=peer)]


def _copy(pipelines: Path, name: str) -> None:
    shutil.copytree(ROOT / "include/pipelines/flights", pipelines / name)
    yaml = pipelines / name / "pipeline.yaml"
    yaml.write_text(yaml.read_text().replace("name: flights", f"name: {name}", 1))
