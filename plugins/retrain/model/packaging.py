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

from retrain.artifacts import canonical, digest, digest_file

if TYPE_CHECKING:
    from retrain.model.model import Signature

TRAVELLING = ("__init__.py", "model.py", "rows.py")
"""The files of this folder that travel inside every model, as its loader."""

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


def write_model(
    folder: Path, estimator: bytes, signature: Signature, feature_file: Path, environment: dict[str, str]
) -> None:
    """Write the model's folder.

    :param folder: where; must not exist.
    :param estimator: fitted, and pickled.
    :param environment: see :func:`environment`; becomes the model's requirements.
    """
    from retrain.model.model import ESTIMATOR, FEATURES, SIGNATURE

    data = folder / "data"
    data.mkdir(parents=True)
    (data / ESTIMATOR).write_bytes(estimator)
    shutil.copyfile(feature_file, data / FEATURES)
    (data / SIGNATURE).write_text(signature.to_json(), encoding="utf-8")
    loader = _write_loader(folder / "code")
    _write_environment(folder, environment)
    _write_mlmodel(folder, signature, loader)


def _write_loader(code: Path) -> str:
    """Copy what travels; return the module that MLflow is to import.

    Its package is named by its content: MLflow imports by name only, so of two models in one process, written by
    different versions of this package, the second would otherwise be answered for by the first one's code.
    """
    here = Path(__file__).parent
    content = digest(canonical({name: digest_file(here / name) for name in TRAVELLING}))
    package = f"retrain_model_{content[:12]}"
    (code / package).mkdir(parents=True)
    for name in TRAVELLING:
        shutil.copyfile(here / name, code / package / name)
    return f"{package}.model"


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


def _write_mlmodel(folder: Path, signature: Signature, loader: str) -> None:
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    import mlflow.pyfunc
    from mlflow.models import Model

    from retrain.model.store import manifest

    content = digest(canonical(manifest(folder)))
    description = Model(
        signature=_mlflow_signature(signature),
        utc_time_created="1970-01-01 00:00:00.000000",
        model_uuid=content[:32],
        metadata={"inputs": dict(signature.inputs), "features": list(signature.features), "task": signature.task},
    )
    mlflow.pyfunc.add_to_model(
        description,
        loader_module=loader,
        code="code",
        data="data",
        conda_env="conda.yaml",
        python_env="python_env.yaml",
    )
    description.save(str(folder / "MLmodel"))


def _mlflow_signature(signature: Signature) -> Any:
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

    inputs = [ColSpec(kind(dtype), name, required=False) for name, dtype in signature.inputs.items()]
    spelled = {bool: "boolean", int: "long", str: "string"}
    answer = spelled.get(type(signature.classes[0]), "string") if signature.classes else "double"
    outputs = [ColSpec(answer, "prediction")]
    if signature.task == "binary":
        outputs.append(ColSpec("double", "probability"))
    elif signature.task == "multiclass":
        outputs.append(ColSpec(Map("double"), "probabilities"))
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
