"""The distances drift is measured by: one registry of ours, and anybody's by import path or entry point.

A package brings one as an instance of :class:`Distance`, named in ``drift.distance`` by its import path, or by the
name of an entry point in the group ``retrain.metrics.distances``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retrain import extensions

if TYPE_CHECKING:
    from retrain.stats.histogram import Histogram

GROUP = "retrain.metrics.distances"


@dataclass(frozen=True)
class Distance:
    """How far one histogram lies from another on the same bins.

    :param function: of (reference, current); 0 where they are alike, larger the farther they are apart, inf allowed.
    :param threshold: the customary one, used where the reference is too short to learn it from. Less than a tenth of it
        is no drift, however sure.
    :param numeric_only: it needs numbers on both sides; columns without are compared by ``jensen_shannon`` instead.
    """

    function: Callable[[Histogram, Histogram], float]
    threshold: float
    numeric_only: bool = False


def home(name: str) -> str | None:
    """The module of a distance that is not ours; None of ours."""
    return extensions.home(GROUP, name, DISTANCES)


def find(name: str) -> Distance:
    """The distance that a name means: one of ours, an import path, or an entry point of :data:`GROUP`.

    :raises UnknownKind: there is none, it cannot be imported, or it is no :class:`Distance`.
    """
    found: Distance = extensions.find(GROUP, name, Distance, registry=DISTANCES)
    return found


def _cramer_von_mises(reference: Histogram, current: Histogram) -> float:
    from retrain.stats.drift import cramer_von_mises

    return cramer_von_mises(reference, current)


def _psi(reference: Histogram, current: Histogram) -> float:
    from retrain.stats.drift import psi

    return psi(reference, current)


def _jensen_shannon(reference: Histogram, current: Histogram) -> float:
    from retrain.stats.drift import jensen_shannon

    return jensen_shannon(reference, current)


def _wasserstein(reference: Histogram, current: Histogram) -> float:
    from retrain.stats.drift import wasserstein_scaled

    return wasserstein_scaled(reference, current)


# The customary threshold of PSI is Siddiqi's (2006); a fifth of a standard deviation is a small effect (Cohen 1988).
DISTANCES = {
    "cramer_von_mises": Distance(_cramer_von_mises, threshold=0.2, numeric_only=True),
    "psi": Distance(_psi, threshold=0.25),
    "jensen_shannon": Distance(_jensen_shannon, threshold=0.1),
    "wasserstein": Distance(_wasserstein, threshold=0.1, numeric_only=True),
}
