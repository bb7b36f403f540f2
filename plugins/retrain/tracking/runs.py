"""Experiment tracking: what MLflow is told of a candidate, once, however often a task is killed and run again.

One experiment a pipeline and one run a candidate, marked by the tag ``retrain.candidate``. The registered model
carries the pipeline's name, the tag ``retrain.version`` the ledger's number. The ledger decides; MLflow mirrors.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrain.data.frames import scratch
from retrain.errors import DatabaseLocked, TrackingError
from retrain.settings import Settings
from retrain.tracking.database import require_whole
from retrain.tracking.told import Told

CANDIDATE, VERSION = "retrain.candidate", "retrain.version"


@dataclass(frozen=True)
class RunRecord:
    """What one MLflow run says.

    :param candidate: the candidate's key.
    :param dataset: the snapshot's key: the dataset's digest.
    :param data: where the snapshot lies, which names its data.
    """

    candidate: str
    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    dataset: str
    data: str


class Tracking:
    """One pipeline's experiment and registered model.

    :param settings: names the tracking server or database.
    :raises TrackingError: MLflow cannot be reached; worth another try.
    :raises DatabaseLocked: its SQLite database is busy; worth another try.
    """

    def __init__(self, settings: Settings, pipeline: str) -> None:
        self.settings = settings
        self.pipeline = pipeline
        with _explained(settings):
            self._client = _client(settings.mlflow_tracking_uri)

    def log_run(self, record: RunRecord, model: Path) -> str:
        """A new, finished run of a candidate. Only the ledger can say which of several attempts counts.

        :param model: the model's local folder.
        :returns: the run's id.
        """
        with _explained(self.settings):
            return self._make_run(self._experiment(), record, model)

    def remove_other_runs(self, candidate: str, keep: str) -> None:
        """Remove what killed or overtaken attempts left of a candidate: every run but the one that counts."""
        with _explained(self.settings):
            for run in self._client.search_runs([self._experiment()], f"tags.`{CANDIDATE}` = '{candidate}'"):
                if run.info.run_id != keep:
                    self._remove(run)

    def register(self, run_id: str, version: int) -> None:
        """Register a run's model under the pipeline's name and call it ``challenger``; once."""
        with _explained(self.settings):
            self._ensure_registered_model()
            number = self._registered(run_id) or self._make_version(run_id, version)
            self._client.set_tag(run_id, VERSION, str(version))
            self._client.update_run(run_id, name=f"{self.pipeline} v{version}")
            self._client.set_registered_model_alias(self.pipeline, "challenger", number)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Add metrics to a run that is finished."""
        from mlflow.entities import Metric

        with _explained(self.settings):
            self._client.log_batch(run_id, metrics=[Metric(name, value, 0, 0) for name, value in metrics.items()])

    def alias(self, name: str) -> str | None:
        """The ledger's number (or MLflow's own) of the version an alias points at; None if there is none."""
        from mlflow.exceptions import MlflowException

        with _explained(self.settings):
            try:
                found = self._client.get_model_version_by_alias(self.pipeline, name)
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None
                raise
            return str(found.tags.get(VERSION, found.version))

    def point(self, alias: str, version: int | None) -> None:
        """Make an alias point at one of the ledger's versions; None removes it.

        :raises TrackingError: the version was never registered.
        """
        with _explained(self.settings):
            registered = self._client.search_model_versions(f"name = '{self.pipeline}'")
            found = [one for one in registered if version is not None and one.tags.get(VERSION) == str(version)]
            if found:
                self._client.set_registered_model_alias(self.pipeline, alias, found[0].version)
            elif version is not None:
                raise TrackingError(
                    f"MLflow knows no version {version} of '{self.pipeline}', so its alias '{alias}' stays as it is.",
                    where=_shown(self.settings),
                    do="nothing is lost: the ledger decides who serves. Was the registered model deleted by hand?",
                )
            elif registered:
                self._client.delete_registered_model_alias(self.pipeline, alias)

    def tell(self, versions: Iterable[Told]) -> None:
        """Say of each version what became of it, on the registered model and on its run, unless it is said."""
        with _explained(self.settings):
            found = self._client.search_model_versions(f"name = '{self.pipeline}'")
            registered = {one.tags.get(VERSION): one for one in found}
            for told in versions:
                one = registered.get(str(told.version))
                if one is not None and told.tags.items() - one.tags.items():
                    self._tell(one, told)

    def log_pictures(self, run_id: str, pictures: Mapping[str, bytes]) -> None:
        """Add pictures to a run that is finished, below ``pictures/``.

        :param pictures: name → PNG.
        """
        with _explained(self.settings), scratch() as folder:
            for name, picture in pictures.items():
                (folder / f"{name}.png").write_bytes(picture)
                self._client.log_artifact(run_id, str(folder / f"{name}.png"), "pictures")

    def _tell(self, one: Any, told: Told) -> None:
        """The registered model comes last: its tags say that the run has its own."""
        from mlflow.exceptions import MlflowException

        try:
            for name, value in told.tags.items():
                self._client.set_tag(one.run_id, name, value)
            self._client.update_run(one.run_id, name=told.name)
        except MlflowException as error:
            if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                raise  # else somebody has deleted the run
        self._client.update_model_version(self.pipeline, one.version, told.description)
        for name, value in told.tags.items():
            self._client.set_model_version_tag(self.pipeline, one.version, name, value)

    @property
    def _has_server(self) -> bool:
        return self.settings.mlflow_tracking_uri.startswith("http")

    def _experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(self.pipeline)
        if found is None:
            try:
                return str(self._client.create_experiment(self.pipeline, artifact_location=self._artifacts()))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(self.pipeline)
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"MLflow's experiment '{self.pipeline}' was deleted.",
                where=_shown(self.settings),
                do=f"restore it: `mlflow experiments restore --experiment-id {found.experiment_id}`.",
            )
        return str(found.experiment_id)

    def _artifacts(self) -> str | None:
        """A server knows where artifacts go; a bare database would put them into the current folder."""
        if self._has_server:
            return None
        return (self.settings.home / "mlflow" / self.pipeline).as_uri()

    def _remove(self, run: Any) -> None:
        made = self._client.search_logged_models(
            [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
        )
        for model in made:
            self._client.delete_logged_model(model.model_id)
        self._client.delete_run(run.info.run_id)

    def _make_run(self, experiment: str, record: RunRecord, model: Path) -> str:
        from mlflow.entities import LoggedModelOutput, Metric, Param

        client = self._client
        tags = {**record.tags, CANDIDATE: record.candidate}
        run_id = str(client.create_run(experiment, tags=tags, run_name=record.name).info.run_id)
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, 0, 0) for name, value in record.metrics.items()],
            params=[Param(name, str(value)[:6000]) for name, value in record.params.items()],
        )
        self._log_dataset(run_id, record)
        logged = client.create_logged_model(experiment, name="model", source_run_id=run_id, tags=tags)
        client.log_model_artifacts(logged.model_id, str(model))
        client.finalize_logged_model(logged.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
        client.set_terminated(run_id, "FINISHED")
        return run_id

    def _log_dataset(self, run_id: str, record: RunRecord) -> None:
        from mlflow.entities import Dataset, DatasetInput

        source = Dataset(self.pipeline, record.dataset, "retrain", record.data)
        self._client.log_inputs(run_id, [DatasetInput(source, [])])

    def _ensure_registered_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.pipeline)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _make_version(self, run_id: str, version: int) -> str:
        outputs = self._client.get_run(run_id).outputs
        model_id = outputs.model_outputs[0].model_id
        source = f"models:/{model_id}"
        if not self._has_server:  # without a server MLflow would look such an address up in its global database
            source = self._client.get_logged_model(model_id).artifact_location
        made = self._client.create_model_version(
            self.pipeline, source, run_id, tags={VERSION: str(version)}, model_id=model_id
        )
        return self._registered(run_id) or str(made.version)

    def _registered(self, run_id: str) -> str | None:
        """MLflow's number of a run's model. Where two attempts registered it at once, the first one's stays."""
        found = self._client.search_model_versions(f"name = '{self.pipeline}' and run_id = '{run_id}'")
        numbers = sorted(int(one.version) for one in found)
        for number in numbers[1:]:
            self._client.delete_model_version(self.pipeline, str(number))
        return str(numbers[0]) if numbers else None


def _client(uri: str) -> Any:
    """A client that is quiet and gives up after seconds, not minutes: whoever calls tries again."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow import MlflowClient

    require_whole(uri)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _shown(settings: Settings) -> str:
    """The address without the password that may stand in it."""
    return settings.mlflow_tracking_uri.rpartition("@")[2]


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    """Turn what MLflow and the libraries below it raise into ours."""
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        text = re.sub(r"//[^/@\s]+@", "//", text)  # a password in an address
        if "database is locked" in str(error):
            raise DatabaseLocked(
                "MLflow's SQLite database is locked by another process.",
                where=_shown(settings),
                do="run the task again; if it happens often, put MLflow on PostgreSQL.",
            ) from error
        raise TrackingError(
            f"MLflow refused or could not be reached: {text[:300]}",
            where=_shown(settings),
            do="see that its server runs and MLFLOW_TRACKING_URI is right, then run the task again.",
        ) from error
