"""What stages hand on: small, typed, immutable, JSON, each named by the hash of what made it.

``Request → Snapshot → Validation → Drift → FeatureSet → Candidate → Scorecard → Verdict → …``

An artifact's ``key`` is :func:`identity` of its inputs, so the same work has the same name wherever and
whenever it is done. Bulk data lies beside it in the object store as Parquet and is referred to by
:class:`FileRef`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

from retrain.errors import ObjectMissing


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Moment = Annotated[AwareDatetime, PlainSerializer(_iso, return_type=str, when_used="json")]
Outcome = Literal["blessed", "vetoed", "undecided"]


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def canonical(value: Any) -> bytes:
    """JSON with one spelling: sorted keys, no spaces, UTF-8. NaN and infinity are refused."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
    ).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def digest(data: bytes) -> str:
    """SHA-256 of some bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def identity(kind: str, /, **inputs: Any) -> str:
    """The name of an artifact: the hash of its kind and of everything that went into it (32 hex digits)."""
    return digest(canonical({"kind": kind, **inputs}))[:32]


class Value(BaseModel):
    """A part of an artifact: immutable, and with no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class FileRef(Value):
    """A file in the object store.

    :param path: its path in the store.
    :param sha256: of its bytes.
    :param bytes: its size.
    :param rows: how many rows it holds, where it is a table.
    """

    path: str
    sha256: str
    bytes: int
    rows: int | None = None


class Ref(Value):
    """What goes through XCom: which artifact, not the artifact."""

    kind: str
    key: str
    pipeline: str


class Request(Value):
    """What one retraining was asked to do. The first thing every run is made of.

    :param data_end: rows at or after this moment are not used; the right end of the window.
    :param run: the run's id (Airflow's run_id, or one made by the command line).
    :param trigger: what started it.
    :param actor: who or what asked, e.g. ``airflow:schedule`` or ``cli:alice``.
    :param force: retrain although the champion is fresh and nothing drifted.
    :param skip_canary: release at 100 % without a canary; needs a reason, which the ledger keeps.
    :param redeploy: release this version again instead of training a new one.
    """

    data_end: Moment
    run: str
    trigger: Literal["schedule", "manual", "asset", "backfill", "cli"] = "manual"
    actor: str = "unknown"
    force: bool = False
    skip_canary: bool = False
    reason: str | None = None
    redeploy: int | None = None


class Artifact(Value):
    """Base of everything a stage hands on.

    :param key: :func:`identity` of its inputs.
    :param made_at: when it was made; not part of its identity.
    """

    kind: ClassVar[str]

    key: str
    pipeline: str
    made_at: Moment = Field(default_factory=now)

    @property
    def summary(self) -> str:
        """What came of the stage, in one line, for the task's note, the ledger and the terminal."""
        raise AttributeError(f"{type(self).__name__} does not say its summary")

    def ref(self) -> Ref:
        """The reference that goes through XCom."""
        return Ref(kind=self.kind, key=self.key, pipeline=self.pipeline)

    @classmethod
    def path(cls, pipeline: str, key: str) -> str:
        """Where an artifact of this kind lies in the store."""
        return f"{pipeline}/artifacts/{cls.kind}/{key}.json"

    def to_bytes(self) -> bytes:
        """Its canonical JSON."""
        return canonical(self.model_dump(mode="json"))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read back what :meth:`to_bytes` wrote."""
        return cls.model_validate_json(data)


class SourceFile(Value):
    """One file the snapshot was read from."""

    path: str
    sha256: str
    bytes: int


class Snapshot(Artifact):
    """The rows of one window, as one Parquet file.

    :param start, end: the window, half open.
    :param newest: the newest timestamp among its rows.
    :param columns: name → dtype, as pandas names it.
    """

    kind: ClassVar[str] = "snapshot"

    start: Moment
    end: Moment
    newest: Moment
    data: FileRef
    columns: dict[str, str]
    sources: tuple[SourceFile, ...]

    @property
    def summary(self) -> str:
        return f"{self.data.rows:,} rows, {self.start:%d %b %Y} to {self.end:%d %b %Y}, from {len(self.sources)} files"


class ExpectationResult(Value):
    """How one expectation of the suite came out.

    :param scope: ``window`` (all rows) or ``last`` (the newest days only, ``validate_last``).
    """

    expectation: str
    column: str | None
    success: bool
    scope: Literal["window", "last"]
    observed: str
    unexpected_rows: int = 0
    message: str = ""


class Validation(Artifact):
    """What Great Expectations found.

    :param quarantine: the rows that broke an expectation, with a ``_reason`` column; None if there are none.
    :param evidence: the whole result as GX reports it (JSON in the store).
    """

    kind: ClassVar[str] = "validation"

    snapshot: Ref
    success: bool
    rows: int
    results: tuple[ExpectationResult, ...]
    quarantine: FileRef | None = None
    evidence: FileRef | None = None

    @property
    def summary(self) -> str:
        failed = sum(not result.success for result in self.results)
        if not failed:
            return f"{len(self.results)} expectations met by {self.rows:,} rows"
        bad = self.quarantine.rows if self.quarantine else 0
        return f"{failed} of {len(self.results)} expectations broken; {bad:,} rows in quarantine"


class ColumnDrift(Value):
    """How far one column has moved from the reference."""

    column: str
    distance: str
    value: float
    threshold: float
    drifted: bool


class Drift(Artifact):
    """The distance of this snapshot from the one the champion was trained on.

    :param reference: the champion's snapshot; None without a champion, and then nothing has drifted.
    :param skipped: columns that have no distance → why (every value differs, dates, all null).
    """

    kind: ClassVar[str] = "drift"

    snapshot: Ref
    reference: Ref | None
    champion: int | None
    columns: tuple[ColumnDrift, ...]
    drifted: bool
    skipped: dict[str, str] = Field(default_factory=dict)

    @property
    def summary(self) -> str:
        if self.reference is None:
            return "no champion yet: nothing to compare with"
        moved = [column.column for column in self.columns if column.drifted]
        return f"drifted: {', '.join(moved)}" if moved else f"no drift in {len(self.columns)} columns"


class FeatureSet(Artifact):
    """Features of the labelled rows, split by time: ``train`` lies before ``split_at``, ``holdout`` after.

    Each Parquet file holds the feature columns and ``__label__``, ``__time__``, ``__entity__``; ``raw_holdout``
    holds the raw inputs of the holdout in the same row order, for slices and rehearsal.
    """

    kind: ClassVar[str] = "features"

    snapshot: Ref
    validation: Ref
    train: FileRef
    holdout: FileRef
    raw_holdout: FileRef
    split_at: Moment
    features: tuple[str, ...]
    inputs: tuple[str, ...]
    classes: tuple[str, ...]
    code: str
    parity_rows: int

    @property
    def summary(self) -> str:
        return (
            f"{len(self.features)} features; {self.train.rows:,} rows to train on, {self.holdout.rows:,} held out "
            f"from {self.split_at:%d %b %Y}"
        )


class ModelRef(Value):
    """A model in the store: an MLflow model directory, named by the hash of its files.

    :param digest: hash of the manifest (name → sha256 of every file).
    :param path: its folder in the store.
    :param files: name → sha256.
    """

    digest: str
    path: str
    files: dict[str, str]


class Candidate(Artifact):
    """A trained model that nobody has judged yet.

    :param version: its number in the ledger, 1, 2, 3 …
    :param run_id: its MLflow run.
    """

    kind: ClassVar[str] = "candidate"

    features: Ref
    snapshot: Ref
    data_end: Moment
    model: ModelRef
    version: int
    estimator: str
    params: dict[str, Any]
    tried: int
    validation_loss: float
    train_rows: int
    seed: int
    run_id: str
    environment: dict[str, str]
    finite: bool

    @property
    def summary(self) -> str:
        estimator = self.estimator.rpartition(".")[2]
        return f"version {self.version}: {estimator}, best of {self.tried}, on {self.train_rows:,} rows"


class Score(Value):
    """One metric on one set of rows; ``difference`` is challenger − champion, with its interval.

    ``better`` says which way is good. Bounds are one-sided at the pipeline's confidence. What cannot be computed
    (a slice with one class) is None, never zero.
    """

    metric: str
    better: Literal["lower", "higher"]
    rows: int
    challenger: float | None
    challenger_lower: float | None = None
    challenger_upper: float | None = None
    champion: float | None = None
    difference: float | None = None
    difference_lower: float | None = None
    difference_upper: float | None = None


class SliceScore(Value):
    """A score on the rows where ``column`` is ``value``."""

    column: str
    value: str
    score: Score


class Scorecard(Artifact):
    """Challenger, champion and baselines on the same held-out days.

    :param baselines: name (``majority``, ``one_feature``) → the challenger's score compared with that baseline
        (``champion`` and ``difference`` of the score then mean the baseline).
    :param left_out: slices too small to judge, by name, never silently.
    :param finite: no NaN or infinity among features and scores; what is not finite stands in ``unstable``.
    :param blocks: what the bounds' bootstrap drew: ``days``, or shorter stretches where the holdout has few days.
    :param predictions: held-out labels and scores (Parquet), for charts and later questions.
    """

    kind: ClassVar[str] = "scorecard"

    candidate: Ref
    version: int
    champion: int | None
    holdout_rows: int
    holdout_days: int
    scores: tuple[Score, ...]
    baselines: dict[str, Score]
    slices: tuple[SliceScore, ...]
    left_out: tuple[str, ...]
    finite: bool
    predictions: FileRef
    unstable: tuple[str, ...] = ()
    blocks: str = "days"

    @property
    def summary(self) -> str:
        if not self.scores:
            return f"version {self.version}: nothing could be scored"
        first = self.scores[0]
        against = "" if first.champion is None else f", champion {first.champion:.4f}"
        return (
            f"version {self.version}: {first.metric} {_number(first.challenger)}{against} on {self.holdout_rows:,} rows"
        )

    def score(self, metric: str) -> Score | None:
        """The overall score of one metric, or None."""
        return next((s for s in self.scores if s.metric == metric), None)


class GateResult(Value):
    """What one gate said, with its evidence in one sentence and in numbers."""

    gate: str
    outcome: Literal["passed", "failed", "undecided", "not applied"]
    reason: str
    evidence: dict[str, Any] = Field(default_factory=dict)


class Verdict(Artifact):
    """Blessed, vetoed, or undecided, gate by gate. Undecided never deploys."""

    kind: ClassVar[str] = "verdict"

    scorecard: Ref
    candidate: Ref
    version: int
    champion: int | None
    outcome: Outcome
    gates: tuple[GateResult, ...]
    reason: str

    @property
    def summary(self) -> str:
        return f"version {self.version} {self.outcome}: {self.reason}"


class Age(Value):
    """How old something is, and how old it may be (seconds)."""

    subject: str
    age: float
    limit: float | None
    stale: bool


class Freshness(Artifact):
    """Is the blessed challenger still fresh enough to release?"""

    kind: ClassVar[str] = "freshness"

    candidate: Ref
    version: int
    fresh: bool
    ages: tuple[Age, ...]
    reason: str

    @property
    def summary(self) -> str:
        return f"version {self.version} is {'fresh' if self.fresh else 'stale'}: {self.reason}"


class Rehearsal(Artifact):
    """The challenger in a gateway of its own, asked real requests.

    :param mismatches: answers that were not the training side's prediction.
    """

    kind: ClassVar[str] = "rehearsal"

    candidate: Ref
    version: int
    passed: bool
    requests: int
    failures: int
    mismatches: int
    load_seconds: float
    p50_ms: float | None
    p95_ms: float | None
    reason: str

    @property
    def summary(self) -> str:
        return f"version {self.version} rehearsal {'passed' if self.passed else 'failed'}: {self.reason}"


class Report(Artifact):
    """What came of a run, in words and in one table."""

    kind: ClassVar[str] = "report"

    run: str
    outcome: str
    headline: str
    markdown: str
    stages: dict[str, str]

    @property
    def summary(self) -> str:
        return self.headline


def _number(value: float | None) -> str:
    return "not computable" if value is None else f"{value:.4f}"


KINDS: Mapping[str, type[Artifact]] = {
    kind.kind: kind
    for kind in (
        Snapshot,
        Validation,
        Drift,
        FeatureSet,
        Candidate,
        Scorecard,
        Verdict,
        Freshness,
        Rehearsal,
        Report,
    )
}


def kind_of(ref: Ref) -> type[Artifact]:
    """The class a reference points at."""
    try:
        return KINDS[ref.kind]
    except KeyError:
        raise ObjectMissing(
            f"'{ref.kind}' is not a kind of artifact.",
            where=f"pipeline {ref.pipeline}, key {ref.key}",
            do=f"pass a reference to one of {', '.join(KINDS)}.",
        ) from None
