"""The object store in an S3 bucket: AWS, or any server that honours ``If-None-Match``."""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from typing_extensions import override

from retrain.artifacts import digest, now
from retrain.errors import (
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMissing,
    StoreUnsafe,
    UsageError,
)
from retrain.settings import Settings
from retrain.store import scratch
from retrain.store.base import ObjectStore, checked

# The object that proves, once a process, that the server honours create-if-absent. Never listed.
PROBE = ".probe-"
ATTEMPTS = 5
FULL = frozenset({"507", "InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "EntityTooLargeForQuota"})
DENIED = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"})
NO_BUCKET = frozenset({"NoSuchBucket", "InvalidBucketName"})
NO_OBJECT = frozenset({"404", "NoSuchKey", "NotFound"})
TAKEN = frozenset({"412", "PreconditionFailed"})
BUSY = frozenset({"409", "ConditionalRequestConflict", "OperationAborted"})


class S3Store(ObjectStore):
    """Objects in a bucket. Endpoint, region and credentials come from boto3's usual places (``AWS_*``).

    What is fetched is kept in ``RETRAIN_HOME/cache``.

    :param uri: ``s3://bucket/prefix``; the bucket must exist.
    """

    def __init__(self, uri: str) -> None:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket:
            raise UsageError(f"'{uri}' is not an S3 address.", do="write s3://bucket/prefix in RETRAIN_STORE.")
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self.uri = f"s3://{bucket}/{self.prefix}".rstrip("/")
        self.cache = Settings.load().home / "cache"
        self._proven = False
        self._ahead: timedelta | None = None  # of this machine's clock is the server's

    @override
    def get(self, path: str) -> bytes:
        with self._explained(path):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._key(path))
            data: bytes = answer["Body"].read()
        return data

    @override
    def put(self, path: str, data: bytes) -> None:
        with self._explained(path):
            self._client.put_object(Bucket=self.bucket, Key=self._key(path), Body=data)

    @override
    def create(self, path: str, data: bytes) -> bool:
        self._prove_safe()
        return self._create(self._key(path), path, data)

    @override
    def exists(self, path: str) -> bool:
        return self._head(path) is not None

    @override
    def list(self, prefix: str) -> list[str]:
        folder = f"{checked(prefix.rstrip('/'))}/" if prefix.strip("/") else ""
        top = f"{self.prefix}/" if self.prefix else ""
        with self._explained(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=top + folder)
            keys = [found["Key"].removeprefix(top) for page in pages for found in page.get("Contents", ())]
        return sorted(key for key in keys if not key.startswith(PROBE) and not key.endswith("/"))

    @override
    def delete(self, path: str) -> None:
        with self._explained(path):
            self._client.delete_object(Bucket=self.bucket, Key=self._key(path))

    @override
    def upload(self, path: str, source: Path) -> None:
        with self._explained(path):
            self._client.upload_file(str(source), self.bucket, self._key(path))

    @override
    def fetch(self, path: str) -> Path:
        head = self._head(path)
        if head is None:
            raise self._missing(path)
        folder = self.cache / digest(f"{self.uri}/{path} {head['ETag']}".encode())[:32]
        target = folder / path.rpartition("/")[2]
        if not target.is_file() or target.stat().st_size != head["ContentLength"]:
            self._download(path, target, head)
        return target

    @override
    def clock(self) -> datetime | None:
        return None if self._ahead is None else now() + self._ahead

    def _hear(self, parsed: Mapping[str, Any], **_: Any) -> None:
        """Every answer says what time it is there, to the second."""
        said = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        with suppress(TypeError, ValueError):
            self._ahead = parsedate_to_datetime(said).astimezone(UTC) - now()

    def _key(self, path: str) -> str:
        return f"{self.prefix}/{checked(path)}" if self.prefix else checked(path)

    def _head(self, path: str) -> Mapping[str, Any] | None:
        """What the server says of an object, or None if it is not there."""
        try:
            with self._explained(path):
                answer: Mapping[str, Any] = self._client.head_object(Bucket=self.bucket, Key=self._key(path))
        except ObjectMissing:
            return None
        return answer

    def _download(self, path: str, target: Path, head: Mapping[str, Any]) -> None:
        """Bring exactly the object that was looked at, aside first, so that the cache never shows half a file."""
        with self._explained(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            with scratch.below(self.cache) as aside:
                answer = self._client.get_object(Bucket=self.bucket, Key=self._key(path), IfMatch=head["ETag"])
                with (aside / "object").open("xb") as stream:
                    for piece in answer["Body"].iter_chunks(1 << 20):
                        stream.write(piece)
                os.replace(aside / "object", target)

    # -- create-if-absent --------------------------------------------------------------------------------------

    def _create(self, key: str, path: str, data: bytes) -> bool:
        """Write an object if none is there.

        An attempt whose answer is lost may have won or not. So the writer signs the object with a number of its
        own (metadata ``writer``) and, where an earlier attempt is in doubt, looks whose object is there.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        writer = uuid.uuid4().hex
        doubtful = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._creator.put_object(
                    Bucket=self.bucket, Key=key, Body=data, IfNoneMatch="*", Metadata={"writer": writer}
                )
                return True
            except ClientError as error:
                code, status = _code(error), _status(error)
                if code in TAKEN or status == 412:
                    return doubtful and self._written_by(path) == writer
                if not (code in BUSY or status == 409 or status >= 500) or code in FULL or attempt == ATTEMPTS:
                    raise self._error(path, error) from error
                doubtful = doubtful or status >= 500
            except (BotoCoreError, OSError) as error:
                doubtful = True
                if attempt == ATTEMPTS:
                    raise self._error(path, error) from error
            time.sleep(0.05 * 2**attempt)
        raise AssertionError("unreachable")

    def _written_by(self, path: str) -> str | None:
        head = self._head(path)
        return None if head is None else head.get("Metadata", {}).get("writer")

    def _prove_safe(self) -> None:
        """Write one object twice; a server that lets the second win honours nothing, and is refused."""
        if self._proven:
            return
        probe = f"{PROBE}{uuid.uuid4().hex}"
        try:
            first = self._create(self._key(probe), probe, b"1")
            second = self._create(self._key(probe), probe, b"2")
        finally:
            self.delete(probe)
        if not first or second:
            raise StoreUnsafe(
                "The object store ignores If-None-Match: two writers could both win one ledger entry.",
                where=self.uri,
                do="use a store that honours it (AWS S3, SeaweedFS, MinIO, Ceph) or a local folder.",
            )
        self._proven = True

    # -- the client ---------------------------------------------------------------------------------------------

    @cached_property
    def _client(self) -> Any:
        return _connect(self._hear, attempts=4)

    @cached_property
    def _creator(self) -> Any:
        """A client that never repeats a request by itself: a repeated create cannot tell its own win from a loss."""
        return _connect(self._hear, attempts=1)

    # -- errors -------------------------------------------------------------------------------------------------

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        """Turn boto3's and the operating system's errors into ours."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise self._error(path, error) from error
        except Boto3Error as error:  # an upload's wrapper; the cause says what happened
            raise self._error(path, error.__context__ or error) from error
        except OSError as error:
            raise self._error(path, error) from error

    def _error(self, path: str, error: BaseException) -> StoreError:
        from botocore.exceptions import ClientError, NoCredentialsError

        if isinstance(error, NoCredentialsError):
            return self._denied(path, "no credentials were found")
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return StoreFull(
                f"No room left to keep a copy of '{path}'; nothing half-written was left behind.",
                where=self.cache,
                do="free space on that disk (the cache may be deleted at any time), then run the task again.",
            )
        if isinstance(error, OSError):
            return StoreError(
                f"The local copy of '{path}' failed: {error.strerror or error}.",
                where=error.filename or self.cache,
                do="check that the file is there and readable by this user, then run the task again.",
            )
        if not isinstance(error, ClientError):
            return StoreError(
                f"The object store cannot be reached for '{path}': {error}.",
                where=f"{self.uri} at {_endpoint()}",
                do="check the network and AWS_ENDPOINT_URL, then run the task again.",
            )
        code, status = _code(error), _status(error)
        if code in NO_BUCKET:
            return StoreMissing(
                f"There is no bucket '{self.bucket}'.",
                where=f"{self.uri} at {_endpoint()}",
                do="create it, or point RETRAIN_STORE at the right one.",
            )
        if code in NO_OBJECT or status == 404:
            return self._missing(path)
        if code in FULL or status == 507:
            return StoreFull(
                f"No room left to write '{path}'; nothing half-written was left behind.",
                where=self.uri,
                do="free space in that store or raise its quota, then run the task again.",
            )
        if code in DENIED or status in {401, 403}:
            return self._denied(path, f"the server says {code}")
        return StoreError(
            f"The object store failed on '{path}': {code} ({status}).",
            where=f"{self.uri} at {_endpoint()}",
            do="look at the server's log; run the task again.",
        )

    def _missing(self, path: str) -> ObjectMissing:
        return ObjectMissing(
            f"The object '{path}' is not in the store.",
            where=self.uri,
            do="run the stage that makes it again; if it was deleted, restore it from a backup.",
        )

    def _denied(self, path: str, why: str) -> StoreDenied:
        return StoreDenied(
            f"The object store refuses access to '{path}': {why}.",
            where=f"{self.uri} at {_endpoint()}",
            do="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or a role) that may read, write and list there.",
        )


def _connect(hear: Callable[..., None], *, attempts: int) -> Any:
    import boto3
    from botocore.config import Config

    endpoint = _endpoint()
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Servers other than AWS do not all know the newer trailing checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "auto" if endpoint == "AWS" else "path"},
    )
    region = None if endpoint == "AWS" else os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.session.Session().client("s3", config=config, region_name=region)
    client.meta.events.register("after-call.s3", hear)
    return client


def _endpoint() -> str:
    """Where the store is, without whatever key somebody has put into its address."""
    address = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
    scheme, found, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if found else address


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
