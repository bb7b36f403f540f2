"""Models in the store: kept once, handed out as they were kept or not at all."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from retrain.artifacts import ModelRef
from retrain.errors import ModelTampered, StoreFull
from retrain.model.store import fetch_model, keep_model
from retrain.store.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A store of its own."""
    return LocalStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Something like a model's folder."""
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("a model")
    (folder / "data" / "estimator.pkl").write_bytes(b"weights")
    (folder / "data" / "__pycache__").mkdir()
    (folder / "data" / "__pycache__" / "features.pyc").write_bytes(b"bytecode")
    return folder


def test_what_is_kept_comes_back(store: LocalStore, folder: Path, tmp_path: Path) -> None:
    ref = keep_model(store, "p", folder)
    assert sorted(ref.files) == ["MLmodel", "data/estimator.pkl"]
    fetched = fetch_model(store, ref, tmp_path / "cache")
    assert (fetched / "data" / "estimator.pkl").read_bytes() == b"weights"
    assert fetch_model(store, ref, tmp_path / "cache") == fetched
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [ref.digest]


def test_the_same_model_is_kept_once(store: LocalStore, folder: Path) -> None:
    assert keep_model(store, "p", folder) == keep_model(store, "p", folder)
    (folder / "MLmodel").write_text("another")
    assert len({keep_model(store, "p", folder).digest, keep_model(store, "p", folder).digest}) == 1
    assert len({path.split("/")[2] for path in store.list("p/models")}) == 2


@pytest.mark.parametrize("name", ["MLmodel", "data/estimator.pkl"])
def test_a_changed_or_missing_file_is_never_handed_out(
    store: LocalStore, folder: Path, tmp_path: Path, name: str
) -> None:
    ref = keep_model(store, "p", folder)
    store.put(f"{ref.path}/{name}", b"evil")
    with pytest.raises(ModelTampered, match=name):
        fetch_model(store, ref, tmp_path / "cache")
    store.delete(f"{ref.path}/{name}")
    with pytest.raises(ModelTampered, match=f"{name} is not in the store"):
        fetch_model(store, ref, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_list_of_files_that_is_not_the_digests_is_refused(store: LocalStore, folder: Path, tmp_path: Path) -> None:
    ref = keep_model(store, "p", folder)
    forged = ModelRef(digest=ref.digest, path=ref.path, files={**ref.files, "data/more.py": "0" * 64})
    with pytest.raises(ModelTampered, match="does not have the model's digest"):
        fetch_model(store, forged, tmp_path / "cache")


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"evil"), lambda file: file.unlink()])
def test_a_changed_cache_is_replaced(store: LocalStore, folder: Path, tmp_path: Path, damage: Any) -> None:
    ref = keep_model(store, "p", folder)
    fetched = fetch_model(store, ref, tmp_path / "cache")
    damage(fetched / "data" / "estimator.pkl")
    again = fetch_model(store, ref, tmp_path / "cache")
    assert (again / "data" / "estimator.pkl").read_bytes() == b"weights"
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [ref.digest]


def test_many_fetch_at_once(store: LocalStore, folder: Path, tmp_path: Path) -> None:
    ref = keep_model(store, "p", folder)
    with ThreadPoolExecutor(8) as pool:
        fetched = set(pool.map(lambda _: fetch_model(store, ref, tmp_path / "cache"), range(16)))
    assert fetched == {tmp_path / "cache" / ref.digest}
    assert (tmp_path / "cache" / ref.digest / "MLmodel").read_text() == "a model"


def test_one_that_comes_second_leaves_the_first_ones_copy_alone(
    store: LocalStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = keep_model(store, "p", folder)
    cache = tmp_path / "cache"
    copy, first = shutil.copyfile, []

    def overtaken(source: Path, target: Path) -> None:
        if not first:
            first.append(None)
            first[0] = os.stat(fetch_model(store, ref, cache)).st_ino
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", overtaken)
    assert os.stat(fetch_model(store, ref, cache)).st_ino == first[0]


def test_a_full_disk_leaves_nothing_half_written(
    store: LocalStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = keep_model(store, "p", folder)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(StoreFull):
            fetch_model(store, ref, tmp_path / "cache")
    assert not [entry for entry in (tmp_path / "cache").glob("*") if entry.name.startswith(".partial")]
    assert fetch_model(store, ref, tmp_path / "cache").is_dir()
