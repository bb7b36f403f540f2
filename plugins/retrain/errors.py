"""One tree of exceptions. Each message says what happened, where, and what to do now.

``retryable`` tells a scheduler whether trying again can help: a lost store may come back, bad data will not
mend itself. ``exit_status`` is what the command line leaves with.
"""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override


class RetrainError(Exception):
    """Base of every error this package raises on purpose.

    :param what: what happened, to which pipeline and version.
    :param where: the file, object or address it happened at.
    :param do: what the reader should do now.
    """

    retryable = False
    exit_status = 3

    def __init__(self, what: str, *, where: str | Path | None = None, do: str | None = None) -> None:
        self.what = what
        self.where = str(where) if where is not None else None
        self.do = do
        super().__init__(what, self.where, do)

    @override
    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"Where: {self.where}.")
        if self.do:
            parts.append(f"What to do: {self.do}")
        return " ".join(parts)

    @override
    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), dict(self.__dict__)))


def _rebuild(kind: type[RetrainError], state: dict[str, object]) -> RetrainError:
    """Unpickle an error without calling its own constructor, whose arguments may differ."""
    error = kind.__new__(kind)
    error.__dict__.update(state)
    Exception.__init__(error, state["what"], state["where"], state["do"])
    return error


class UsageError(RetrainError):
    """The command, the call or the trigger form was used wrongly."""

    exit_status = 2


class SpecError(RetrainError):
    """``pipeline.yaml`` or a file beside it is wrong.

    :param file: the file that is wrong.
    :param line: its line, counted from 1, or None where the whole file is meant.
    :param key: the dotted key, e.g. ``train.holdout``.
    :param value: what stands there.
    :param expected: what should stand there.

    ``also`` holds the further mistakes found in the same file.
    """

    exit_status = 2

    def __init__(
        self,
        what: str,
        *,
        file: str | Path,
        line: int | None = None,
        key: str | None = None,
        value: object = None,
        expected: str | None = None,
        do: str | None = None,
    ) -> None:
        self.file, self.line, self.key, self.value, self.expected = str(file), line, key, value, expected
        self.also: tuple[SpecError, ...] = ()
        where = self.file if line is None else f"{self.file}, line {line}"
        if key:
            where += f", key `{key}`"
        super().__init__(what, where=where, do=do or (f"write {expected}" if expected else None))


class DataError(RetrainError):
    """The data cannot be used. Trying again with the same data cannot help."""


class SourceError(DataError):
    """The source cannot be read."""


class SourceLost(SourceError):
    """The source cannot be reached now; it may come back."""

    retryable = True


class EmptyWindow(DataError):
    """The window holds no rows."""


class ValidationFailed(DataError):
    """The data breaks its expectations; the offending rows lie in quarantine."""


class FeatureError(DataError):
    """The feature function failed, or is not row-wise."""


class DriftError(RetrainError):
    """How far the inputs have moved cannot be measured."""


class TrainingError(RetrainError):
    """No usable model came of the training."""


class MetricError(RetrainError):
    """A metric's own code failed."""


class ModelError(RetrainError):
    """A model cannot be loaded or asked."""


class ModelTampered(ModelError):
    """A model file's hash is not the one the ledger names. It is not loaded."""


class StoreError(RetrainError):
    """The object store failed."""

    retryable = True


class StoreMissing(StoreError):
    """The store itself (folder, bucket) is not there."""


class ObjectMissing(StoreError):
    """An object that should be in the store is not there."""

    retryable = False


class ArtifactChanged(RetrainError):
    """An artifact's bytes are not those that its reference, or the ledger, names. It is not believed."""


class StoreFull(StoreError):
    """No room to write; nothing half-written was left behind."""


class StoreDenied(StoreError):
    """The store refuses us. Trying again with the same credentials cannot help."""

    retryable = False


class StoreUnsafe(StoreError):
    """The store does not honour create-if-absent, so no ledger can live in it."""

    retryable = False


class LedgerError(RetrainError):
    """The ledger cannot be used."""


class LedgerBroken(LedgerError):
    """An entry is missing, altered, or does not follow from the one before it."""


class LedgerRewritten(LedgerBroken):
    """What was read of the ledger before is gone, or another now."""


class LedgerMoved(LedgerError):
    """Somebody wrote the next entry first. Read again and decide again."""

    retryable = True


class LogBroken(RetrainError):
    """A part of the prediction log cannot be read, so nothing may be decided on the log."""


class DatabaseLocked(RetrainError):
    """MLflow's or Airflow's SQLite database is locked by another process."""

    retryable = True


class TrackingError(RetrainError):
    """MLflow cannot be reached or refused the call."""

    retryable = True


class ReleaseError(RetrainError):
    """A release, rollback or override that the ledger does not allow."""

    exit_status = 2


class AlertError(RetrainError):
    """Somebody could not be told how a run ended. The run is none the worse for it."""


class GatewayError(RetrainError):
    """The gateway cannot be reached or answered with an error."""

    retryable = True


class AirflowUnreachable(RetrainError):
    """Airflow, or what it reads from, does not answer."""
