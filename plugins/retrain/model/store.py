"""Models in the object store, by the hash of their files; nothing is loaded that was not verified."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from retrain.artifacts import ModelRef, canonical, digest, digest_file
from retrain.errors import ModelTampered, ObjectMissing, StoreError, StoreFull
from retrain.store import ObjectStore, scratch


def manifest(folder: Path) -> dict[str, str]:
    """Every file of a model's folder and its SHA-256; bytecode is not part of a model."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder).as_posix(): digest_file(file) for file in files}


def keep_model(store: ObjectStore, pipeline: str, folder: Path) -> ModelRef:
    """Put a model into the store. The same model has the same place, so doing it twice changes nothing.

    :param folder: a local MLflow model folder.
    """
    files = manifest(folder)
    name = digest(canonical(files))
    path = f"{pipeline}/models/{name}"
    for file in files:
        store.upload(f"{path}/{file}", folder / file)
    return ModelRef(digest=name, path=path, files=files)


def fetch_model(store: ObjectStore, ref: ModelRef, cache: Path) -> Path:
    """A local folder with a model whose every file has the hash the ledger names.

    A folder that is in the cache already is verified again, and fetched anew if it was changed.

    :param cache: a local folder of this machine's user; models lie in it by digest.
    :raises ModelTampered: if what the store holds is not what the ledger names.
    :raises StoreFull, StoreError: if the cache cannot be written.
    """
    if digest(canonical(ref.files)) != ref.digest:
        raise _tampered(store, ref, "the list of its files does not have the model's digest")
    target = cache / ref.digest
    if _intact(target, ref):
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with scratch.below(cache) as aside:
            for name, sha256 in ref.files.items():
                _fetch_file(store, ref, name, sha256, aside / "model" / name)
            _settle(aside / "model", target, ref)
    except OSError as error:
        raise _no_room(ref, cache, error) from error
    if not _intact(target, ref):
        raise _tampered(store, ref, f"the copy in {target} was changed while it was made")
    return target


def _intact(folder: Path, ref: ModelRef) -> bool:
    return all((folder / name).is_file() and digest_file(folder / name) == sha for name, sha in ref.files.items())


def _fetch_file(store: ObjectStore, ref: ModelRef, name: str, sha256: str, target: Path) -> None:
    try:
        source = store.fetch(f"{ref.path}/{name}")
    except ObjectMissing:
        raise _tampered(store, ref, f"its file {name} is not in the store") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    if digest_file(target) != sha256:
        raise _tampered(store, ref, f"its file {name} does not have the hash it was kept with")


def _settle(partial: Path, target: Path, ref: ModelRef) -> None:
    """Give a complete folder its name. Whoever came first with the same content wins; a changed folder gives way."""
    while True:
        try:
            os.rename(partial, target)
            return
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
        if _intact(target, ref):
            return
        changed = partial.with_name("changed")
        with suppress(FileNotFoundError):  # another one has just moved it
            os.rename(target, changed)
        shutil.rmtree(changed, ignore_errors=True)


def _no_room(ref: ModelRef, cache: Path, error: OSError) -> StoreError:
    kind = StoreFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else StoreError
    return kind(
        f"The model {ref.digest[:12]} cannot be copied to this machine: {error.strerror or error}.",
        where=cache,
        do="free space on that disk and see that this user may write there; nothing half-written was left behind.",
    )


def _tampered(store: ObjectStore, ref: ModelRef, why: str) -> ModelTampered:
    return ModelTampered(
        f"The model {ref.digest[:12]} is not the one the ledger names: {why}. It was not loaded.",
        where=f"{store.uri}/{ref.path}",
        do="find out who changed it; restore the folder from a backup, or roll back to another version.",
    )
