"""Acme's drift distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.metrics.distances import Distance

if TYPE_CHECKING:
    from retrain.stats.histogram import Histogram


def _total_variation(reference: Histogram, current: Histogram) -> float:
    """Half the sum of the differences of shares, missing values being a bin; from 0, alike, to 1, disjoint."""
    before, now = (*reference.counts, reference.missing), (*current.counts, current.missing)
    shares = zip(before, now, strict=True)
    return sum(abs(b / reference.total - n / max(current.total, 1)) for b, n in shares) / 2


total_variation = Distance(_total_variation, threshold=0.1)
