"""How long Airflow needs to parse ``dags/`` with 1 and with many pipelines, against an empty Dag file."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from measure import Figure, figure, output

from retrain.demo.processes import inherited

ROOT = Path(__file__).parents[1]
RUNS, MANY = 5, 100
# As the Dag processor does it: Airflow itself is imported before and its objects are frozen (they are not garbage), the
# file is read, its Dags are serialised.
PARSE = """
import gc, json, sys, time
import airflow.sdk, airflow.providers.standard.operators.empty
from airflow.dag_processing.dagbag import DagBag
gc.collect()
gc.freeze()
begin = time.perf_counter()
bag = DagBag(dag_folder=sys.argv[1])
spent = time.perf_counter() - begin
heavy = sorted({"pandas", "sklearn", "mlflow", "great_expectations", "pyarrow"} & set(sys.modules))
print(json.dumps({"seconds": spent, "dags": len(bag.dags), "errors": bag.import_errors, "heavy": heavy}))
"""


def measure(*, short: bool) -> list[Figure]:
    """Parse each folder several times, in turn, each in a process of its own; in short once, and a tenth as many."""
    runs, most = (1, MANY // 10) if short else (RUNS, MANY)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        empty = work / "empty"
        empty.mkdir()
        (empty / "empty.py").write_text("from airflow.sdk import DAG\n\ndag = DAG('empty')\n")
        counts = (1, most)
        for count in counts:
            _pipelines(work / f"pipelines-{count}", count)
        times: dict[int, list[float]] = {0: [], **{count: [] for count in counts}}
        for _ in range(runs):
            times[0].append(_parse(work, empty, None, 1))
            for count in counts:
                times[count].append(_parse(work, ROOT / "dags", work / f"pipelines-{count}", count))
    base = sorted(times[0])[runs // 2]
    peer = f"an empty Dag file: {base * 1000:.0f} ms"
    first = [(spent - base) * 1000 for spent in times[1]]
    many = [(spent - base) * 1000 / most for spent in times[most]]
    return [
        figure("parse dags/ with 1 pipeline, beyond an empty file (with our imports)", first, "ms", peer=peer),
        figure(f"parse dags/ with {most} pipelines, beyond an empty file, each", many, "ms", goal="≤ 5", peer=peer),
    ]


def _pipelines(folder: Path, count: int) -> None:
    for number in range(count):
        name = f"flights_{number}"
        shutil.copytree(ROOT / "include/pipelines/flights", folder / name)
        yaml = folder / name / "pipeline.yaml"
        yaml.write_text(yaml.read_text().replace("name: flights", f"name: {name}", 1))


def _parse(work: Path, dags: Path, pipelines: Path | None, count: int) -> float:
    environment = {
        **inherited(),
        "AIRFLOW_HOME": str(work / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "RETRAIN_PIPELINES": str(pipelines or ""),
        "RETRAIN_HOME": str(work / "home"),
    }
    command = [sys.executable, "-c", PARSE, str(dags)]
    found = json.loads(output(command, environment).strip().splitlines()[-1])
    if found["errors"] or found["dags"] != count or found["heavy"]:
        raise RuntimeError(f"the parse of {dags} went wrong: {found}")
    return float(found["seconds"])
