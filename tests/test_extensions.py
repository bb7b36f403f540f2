"""Kinds that a pipeline names: ours, by import path, by entry point, and what is said where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from retrain import extensions
from retrain.errors import UsageError
from retrain.extensions import UnknownKind, find, names
from retrain.gates.base import Gate
from retrain.gates.change import Change
from retrain.metrics.base import Metric
from retrain.metrics.registry import METRICS

GATES, METRICS_GROUP = "retrain.gates", "retrain.metrics"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package that declares entry points."""

    def make(package: str, group: str, **points: str) -> None:
        info = tmp_path / package / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        monkeypatch.syspath_prepend(str(info.parent))

    return make


@pytest.mark.parametrize("path", ["acme:EqualRates", "acme.EqualRates"])
def test_an_import_path_has_a_colon_or_a_dot(path: str) -> None:
    import acme

    assert find(GATES, path, Gate) is acme.EqualRates


def test_a_name_of_ours_is_the_class_in_the_file_of_that_name() -> None:
    assert find(GATES, "change", Gate) is Change
    ours = {"baseline", "change", "decay", "inputs", "slices", "stability", "suspicious", "value"}
    assert set(names(GATES)) == ours


def test_every_file_in_the_gates_folder_but_base_is_a_gate() -> None:
    for name in names(GATES):
        assert issubclass(find(GATES, name), Gate)


def test_the_interface_may_be_named_as_the_class_in_the_folders_base() -> None:
    assert find(GATES, "change", "Gate") is Change
    with pytest.raises(UnknownKind, match="not a subclass of Gate"):
        find(GATES, "retrain.spec.section:Section", "Gate")


def test_an_entry_point_brings_a_name(install: Install) -> None:
    import acme

    install("acme-gates", GATES, equal="acme:EqualRates")
    assert find(GATES, "equal", Gate) is acme.EqualRates
    assert names(GATES)[-1] == "equal"


def test_a_registry_comes_before_entry_points_and_instead_of_files(install: Install) -> None:
    install("acme-metrics", METRICS_GROUP, brier="acme:brier", missed="acme:missed")
    assert find(METRICS_GROUP, "brier", Metric, registry=METRICS) is METRICS["brier"]
    assert find(METRICS_GROUP, "missed", Metric, registry=METRICS).name == "missed"
    with pytest.raises(UnknownKind, match="no 'harm' among metrics"):
        find(METRICS_GROUP, "harm", Metric, registry=METRICS)


def test_an_unknown_name_is_answered_with_the_likeliest_one(install: Install) -> None:
    install("acme-gates", GATES, fairness="acme:EqualRates")
    for wrong, meant in {"chnage": "change", "fairnes": "fairness"}.items():
        with pytest.raises(UnknownKind) as caught:
            find(GATES, wrong)
        assert wrong in caught.value.what
        assert str(caught.value.do).startswith(f"did you mean `{meant}`?")
    with pytest.raises(UnknownKind, match=r"use one of baseline, change, .*, fairness, or an import path"):
        find(GATES, "zzz")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere.at_all:Gate", "ModuleNotFoundError: No module named 'nowhere'"),
        ("acme:Nobody", "AttributeError: module 'acme' has no attribute 'Nobody'"),
        ("acme:", "cannot be imported"),
        (":EqualRates", "cannot be imported"),
        ("broken_on_import:Gate", "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_imported_says_why(
    path: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_on_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownKind, match=re.escape(says)) as caught:
        find(GATES, path)
    assert caught.value.do


@pytest.mark.parametrize("path", ["acme:pinball", "acme:pinball_loss", "builtins:int"])
def test_what_is_no_such_class_is_refused(path: str) -> None:
    with pytest.raises(UnknownKind, match="not a subclass of Gate"):
        find(GATES, path, Gate)


@pytest.mark.parametrize("path", ["acme:EqualRates", "retrain.metrics.base:Metric"])
def test_what_is_no_such_instance_is_refused(path: str) -> None:
    with pytest.raises(UnknownKind, match="not an instance of Metric"):
        find(METRICS_GROUP, path, Metric, registry=METRICS)


def test_two_packages_with_one_name_are_told_apart_by_import_path(install: Install) -> None:
    install("acme-gates", GATES, equal="acme:EqualRates")
    install("other-gates", GATES, equal="acme:Raising")
    with pytest.raises(UnknownKind, match=r"Several packages bring a 'equal': acme:\w+, acme:\w+") as caught:
        find(GATES, "equal")
    assert "import path" in str(caught.value.do)


def test_a_name_of_ours_cannot_be_taken(install: Install) -> None:
    install("evil-gates", GATES, change="acme:Raising")
    assert find(GATES, "change") is Change
    assert names(GATES).count("change") == 1


def test_what_the_kinds_share_is_no_kind() -> None:
    with pytest.raises(UnknownKind):
        find(GATES, "base")


def test_the_mistake_is_one_of_the_user_and_fits_a_validator() -> None:
    with pytest.raises(ValueError, match="no 'zzz'") as caught:
        extensions.find(GATES, "zzz")
    assert isinstance(caught.value, UsageError)
