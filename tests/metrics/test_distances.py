"""The registry of distances: ours, and anybody's by import path or entry point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrain.extensions import UnknownKind
from retrain.metrics import distances
from retrain.metrics.distances import DISTANCES
from retrain.stats.histogram import Histogram

MODULE = """
from retrain.metrics.distances import Distance

HALF = Distance(lambda reference, current: 0.5, threshold=0.3)
NUMBER = 0.5
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of a third party."""
    (tmp_path / "acme_half.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", DISTANCES)
def test_ours_are_0_from_themselves_and_beyond_their_threshold_for_other_numbers(name: str) -> None:
    distance = distances.find(name)
    reference = Histogram.from_values(np.arange(1000.0))
    assert distance.function(reference, reference) == pytest.approx(0.0, abs=1e-7)
    assert distance.function(reference, reference.count(np.arange(1000.0) + 900.0)) > distance.threshold
    assert distance.numeric_only == (name in {"wasserstein", "cramer_von_mises"})


def test_anybodys_is_found_by_its_import_path(acme: Path) -> None:
    kept = Histogram.from_values([1.0, 2.0])
    for path in ("acme_half:HALF", "acme_half.HALF"):
        found = distances.find(path)
        assert (found.function(kept, kept), found.threshold, found.numeric_only) == (0.5, 0.3, False)


def test_anybodys_is_found_by_the_name_of_its_entry_point_but_takes_no_name_of_ours(acme: Path) -> None:
    info = acme / "acme_half-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-half\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{distances.GROUP}]\nhalf = acme_half:HALF\npsi = acme_half:HALF\n")
    assert distances.find("half").threshold == 0.3
    assert distances.find("psi") is DISTANCES["psi"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hellinger", "There is no 'hellinger'"),
        ("acme_half:NOTHING", "cannot be imported: AttributeError"),
        ("acme_nowhere:HALF", "cannot be imported: ModuleNotFoundError"),
        ("acme_half:NUMBER", "of type float, not an instance of Distance"),
        ("retrain.metrics.distances:Distance", "the class Distance, not an instance of Distance"),
    ],
)  # fmt: skip
def test_what_is_no_distance_is_refused(acme: Path, name: str, says: str) -> None:
    with pytest.raises(UnknownKind, match=says):
        distances.find(name)
