"""A model's folder: the same bytes for the same model, served by MLflow alone, readable for ever."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from model_world import write_model
from retrain.model import packaging
from retrain.model.model import Model, Signature
from retrain.model.rows import frame_of
from retrain.modelling.fitting import pickled


def test_the_same_model_has_the_same_bytes(tmp_path: Path, data: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    from retrain.model.store import manifest

    first, second = (write_model(tmp_path / name, LogisticRegression().fit(*data)) for name in ("a", "b"))
    assert manifest(first) == manifest(second)


def mlflow_answers(rows: list[dict[str, Any]], *folders: Path) -> list[Any]:
    """What MLflow's own scoring code makes of the rows, in one process that cannot import retrain; one a folder."""
    script = f"""
import sys
sys.modules["retrain"] = None
import mlflow.pyfunc
from mlflow.pyfunc.scoring_server import invocations
body = {json.dumps({"dataframe_records": rows})!r}
for folder in {[str(folder) for folder in folders]!r}:
    model = mlflow.pyfunc.load_model(folder)
    print(invocations(body, "application/json", model, model.metadata.get_input_schema()).response)
"""
    aside = folders[0].parent  # an older MLflow makes a folder `mlruns` where it is
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=aside)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["predictions"] for line in done.stdout.strip().splitlines()[-len(folders) :]]


def test_mlflow_serves_it_where_this_package_is_not_installed(binary: Path) -> None:
    rows = [{"x": 2, "colour": "red"}, {"x": -2, "colour": "blue"}]
    model = Model.load(binary)
    assert mlflow_answers(rows, binary) == [model.answer(model.frame(rows)).output]


def test_the_loader_that_travels_is_whole_and_named_by_its_content(binary: Path) -> None:
    (package,) = (binary / "code").iterdir()
    assert sorted(file.name for file in package.iterdir()) == ["__init__.py", "model.py", "rows.py"]
    assert f"loader_module: {package.name}.model\n" in (binary / "MLmodel").read_text()
    assert re.fullmatch(r"retrain_model_[0-9a-f]{12}", package.name)


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A model's folder as it was written when its loader was a single file."""
    folder = tmp_path / "before"
    with zipfile.ZipFile(Path(__file__).with_name("loader_of_one_file.zip")) as kept:
        kept.extractall(folder)
    return folder


ROWS = [{"x": 0.3, "colour": "red"}, {"x": -2}]
SAID_BEFORE = [
    {"prediction": True, "probability": pytest.approx(0.8446846246761943)},
    {"prediction": False, "probability": pytest.approx(3.911550855501879e-06)},
]


def test_a_model_written_before_answers_as_it_did(before: Path) -> None:
    model = Model.load(before)
    assert model.answer(model.frame(ROWS)).output == SAID_BEFORE
    assert model.signature.inputs == {"x": "float64", "colour": "str", "at": "datetime64[us, UTC]"}


def test_models_of_both_kinds_answer_in_one_process_of_mlflow(before: Path, binary: Path) -> None:
    """MLflow imports loaders by name: neither may answer with the other's."""
    model = Model.load(binary)
    expected = model.answer(model.frame(ROWS)).output
    assert mlflow_answers(ROWS, before, binary, before) == [SAID_BEFORE, expected, SAID_BEFORE]


def test_mlflows_signature_lets_missing_values_and_zones_through(tmp_path: Path) -> None:
    import mlflow.pyfunc

    inputs = {"n": "int64", "x": "float64", "at": "datetime64[us, UTC]", "ok": "bool", "text": "str"}
    signature = Signature("binary", "build", inputs, ("x",), (0, 1), "brier")
    from sklearn.dummy import DummyClassifier

    source = tmp_path / "f.py"
    source.write_text("def build(frame):\n    return frame[['x']]\n")
    estimator = DummyClassifier().fit([[0.0], [1.0]], [0, 1])
    environment = packaging.environment("sklearn.dummy.X")
    packaging.write_model(tmp_path / "m", pickled(estimator), signature, source, environment)
    model = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    whole = frame_of([{"n": 1, "x": 1.0, "at": "2020-01-01T00:00:00Z", "ok": True, "text": "a"}], inputs)
    assert len(model.predict(whole)) == 1
    assert len(model.predict(frame_of([{"n": None, "x": None, "at": None, "text": None}], inputs))) == 1
    assert Signature.from_json((tmp_path / "m" / "data" / "model.json").read_text()) == signature
