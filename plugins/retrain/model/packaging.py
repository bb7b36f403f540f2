"""A fitted estimator as an MLflow *pyfunc* model folder, the same bytes for the same model.

MLflow's own writer puts a clock reading and a random id into ``MLmodel``; here both follow from the model, so that
the folder's hash is reproducible.
"""

from __future__ import annotations

import logging
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.artifacts import canonical, digest

if TYPE_CHECKING:
    from retrain.model.model import Card

LOADER = "retrain_model"
PACKAGES = ("cloudpickle", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "threadpoolctl")


def environment(estimator: str) -> dict[str, str]:
    """Python and the packages a model needs to be loaded: name → version installed here.

    :param estimator: its import path; the package it comes from is added.
    """
    packages = set(PACKAGES)
    module = estimator.partition(".")[0]
    if module != "sklearn":
        packages.update(metadata.packages_distributions().get(module, [])[:1])
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in sorted(packages)}}


def write_model(folder: Path, estimator: Any, card: Card, feature_file: Path, environment: dict[str, str]) -> None:
    """Write the model's folder.

    :param folder: where; must not exist.
    :param environment: see :func:`environment`; becomes the model's requirements.
    """
    import cloudpickle

    from retrain.model import model as serving

    data, code = folder / "data", folder / "code"
    data.mkdir(parents=True)
    code.mkdir()
    (data / serving.ESTIMATOR).write_bytes(cloudpickle.dumps(estimator, protocol=5))
    shutil.copyfile(feature_file, data / serving.FEATURES)
    (data / serving.CARD).write_text(card.to_json(), encoding="utf-8")
    shutil.copyfile(str(serving.__file__), code / f"{LOADER}.py")
    _write_environment(folder, environment)
    _write_mlmodel(folder, card)


def _write_environment(folder: Path, environment: dict[str, str]) -> None:
    import yaml

    requirements = [f"{name}=={version}" for name, version in environment.items() if name != "python"]
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n")
    python = environment["python"]
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": requirements}],
    }
    virtualenv = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    (folder / "conda.yaml").write_text(yaml.safe_dump(conda, sort_keys=False))
    (folder / "python_env.yaml").write_text(yaml.safe_dump(virtualenv, sort_keys=False))


def _write_mlmodel(folder: Path, card: Card) -> None:
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    import mlflow.pyfunc
    from mlflow.models import Model

    from retrain.model.store import manifest

    content = digest(canonical(manifest(folder)))
    description = Model(
        signature=_signature(card),
        utc_time_created="1970-01-01 00:00:00.000000",
        model_uuid=content[:32],
        metadata={"inputs": dict(card.inputs), "features": list(card.features), "task": card.task},
    )
    mlflow.pyfunc.add_to_model(
        description,
        loader_module=LOADER,
        code="code",
        data="data",
        conda_env="conda.yaml",
        python_env="python_env.yaml",
    )
    description.save(str(folder / "MLmodel"))


def _signature(card: Card) -> Any:
    """Raw inputs → answer. Every input may be missing.

    Integers and moments with a zone are declared as ``Any``: MLflow would refuse the former where one is missing and
    the latter always, both of which the model takes. Their true dtypes stand in the model's metadata.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType, Map

    def kind(dtype: str) -> Any:
        if dtype.startswith("float"):
            return "double"
        if dtype.startswith("bool"):
            return "boolean"
        if dtype.startswith("str"):
            return "string"
        return AnyType()

    inputs = [ColSpec(kind(dtype), name, required=False) for name, dtype in card.inputs.items()]
    answer = (
        {bool: "boolean", int: "long", str: "string"}.get(type(card.classes[0]), "string") if card.classes else "double"
    )
    outputs = [ColSpec(answer, "prediction")]
    if card.task == "binary":
        outputs.append(ColSpec("double", "probability"))
    elif card.task == "multiclass":
        outputs.append(ColSpec(Map("double"), "probabilities"))
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
