"""What many runs of a claim came to: a figure, how far off it may be, and whether the claim holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from retrain.audit.claim import Claim

Verdict = Literal["holds", "does not hold", "broke"]

ERRORS = 2.0
"""A claim holds if what is measured is as good as stated, or off by so many standard errors at most."""

RESAMPLES = 1000
ONE_ERROR = (0.1587, 0.8413)
"""The quantiles between which a normal value lies within one standard error of its mean."""


@dataclass(frozen=True)
class Measured:
    """What was found out about a claim.

    :param runs: how many runs came to an end.
    :param figure: the share, or the median; infinity for "never", nan where a run broke.
    :param error: its standard error; infinity where the median is "never".
    :param seconds: that all runs took, one after the other.
    :param broke: what a run raised, if one did.
    """

    claim: Claim
    runs: int
    figure: float
    error: float
    seconds: float
    broke: str | None = None

    @property
    def verdict(self) -> Verdict:
        """Is it as stated, within two standard errors?"""
        if self.broke is not None or math.isnan(self.figure):
            return "broke"
        at_most = self.claim.holds == "at most"
        if math.isinf(self.figure):
            return "does not hold" if at_most else "holds"
        beyond = self.figure - self.claim.stated if at_most else self.claim.stated - self.figure
        return "holds" if beyond <= ERRORS * self.error else "does not hold"


def measured(claim: Claim, values: Sequence[float], seconds: float, broke: str | None = None) -> Measured:
    """What the values of all runs of a claim come to."""
    if not values or broke is not None:
        return Measured(claim, len(values), math.nan, math.nan, seconds, broke or "it was never run")
    figure, error = of_shares(values) if claim.measure == "share" else of_median(values)
    return Measured(claim, len(values), figure, error, seconds)


def of_shares(values: Sequence[float]) -> tuple[float, float]:
    """The share of ones, and its standard error: half of Wilson's interval at one standard error.

    Unlike √(p(1-p)/n), which it comes to for many runs, it is not zero where nothing happened (Wilson 1927).
    """
    runs, happened = len(values), sum(values)
    return happened / runs, math.sqrt(happened * (runs - happened) / runs + 0.25) / (runs + 1)


def of_median(values: Sequence[float]) -> tuple[float, float]:
    """The median, and its standard error by the bootstrap; both infinite where most runs never came to it.

    Half of the distance between the resampled medians' quantiles at one standard error; of a median that may be
    infinite, the distance to the lower one.
    """
    import numpy as np

    figure = float(np.median(values))
    if math.isinf(figure):
        return figure, math.inf
    drawn = np.random.default_rng(0).choice(np.asarray(values, dtype=float), size=(RESAMPLES, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), ONE_ERROR, method="inverted_cdf")
    return figure, float((high - low) / 2 if math.isfinite(high) else figure - low)
