"""What every artifact is: small, immutable, JSON, named by the hash of what made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer
from typing_extensions import override


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Moment = Annotated[AwareDatetime, PlainSerializer(_iso, return_type=str, when_used="json")]


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

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)


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
    """What goes through XCom, and what artifacts and the ledger say of others: which artifact, not the artifact.

    :param key: the name of what made it.
    :param sha256: of its bytes, so that nothing else is taken for it; None in references of an earlier release.
    """

    kind: str
    key: str
    pipeline: str
    sha256: str | None = Field(default=None, exclude_if=lambda sha256: sha256 is None)


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
        return Ref(kind=self.kind, key=self.key, pipeline=self.pipeline, sha256=self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of its bytes as they lie in the store: of those it was read from, whichever release wrote them."""
        return digest(self.to_bytes())

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("fingerprint", None)
        return copy

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
        read = cls.model_validate_json(data)
        read.__dict__["fingerprint"] = digest(data)
        return read
