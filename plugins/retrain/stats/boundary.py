"""Time-uniform boundaries: how far a sum may stray from its mean, at any time, with probability alpha.

Every boundary is one-sided. ``P(exists t: S_t >= u(V_t)) <= alpha``, where S is a sum of centred
observations and V its intrinsic time (accumulated variance).

Sources: Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics 2021 (called HRMS below); the `confseq` package by the same authors.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaln, lambertw, log_ndtr

NEWTON_STEPS = 6
TOLERANCE = 1e-6


def check_alpha(alpha: float) -> float:
    """Return ``alpha`` if it is a usable error budget.

    :raises ValueError: unless 0 < alpha < 1/2.
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must be between 0 and 0.5, got {alpha!r}")
    return float(alpha)


def mixture_precision(tightest_at: float, alpha: float) -> float:
    """Return the mixture parameter rho for which a boundary is tightest at one intrinsic time.

    HRMS, Proposition 3: rho = v / (-W_{-1}(-a^2/e) - 1), with a = 2 alpha for a one-sided boundary.

    :param tightest_at: the intrinsic time v at which to be tightest, above 0.
    :raises ValueError: if ``tightest_at`` is not above 0.
    """
    if not tightest_at > 0.0:
        raise ValueError(f"tuning must be above 0, got {tightest_at!r}")
    branch = float(lambertw(-((2.0 * alpha) ** 2) / math.e, -1).real)
    return tightest_at / (-branch - 1.0)


def normal_mixture(variance: ArrayLike, rho: float, alpha: float) -> NDArray[np.float64]:
    """Return u(V) for sub-Gaussian sums: the one-sided (half-normal) mixture.

    HRMS, Proposition 6: u solves 2 sqrt(rho/(V+rho)) exp(u^2 / (2 (V+rho))) Phi(u / sqrt(V+rho)) =
    1/alpha. Newton's method from their closed-form upper bound.

    :param variance: intrinsic times V, any shape, not negative.
    :param rho: mixture parameter in the unit of V; see :func:`mixture_precision`.
    """
    total = np.asarray(variance, dtype=np.float64) + rho
    target = 0.5 * np.log(total / rho) - math.log(2.0 * alpha)
    z = np.sqrt(2.0 * np.log1p(np.exp(target)))
    for _ in range(NEWTON_STEPS):
        slope = z + np.exp(-0.5 * z * z - 0.5 * math.log(2.0 * math.pi) - log_ndtr(z))
        z = z - (0.5 * z * z + log_ndtr(z) - target) / slope
    boundary: NDArray[np.float64] = np.sqrt(total) * z
    return boundary


def gamma_exponential_log_evidence(total: ArrayLike, variance: ArrayLike, rho: float) -> NDArray[np.float64]:
    """Return the log of the gamma-exponential mixture supermartingale (scale c = 1).

    It mixes exp(l S - psi(l) V), psi(l) = -log(1 - l) - l, over l in [0, 1): it holds for sums of
    observations in [0, 1] with V = sum (x - predictable centre)^2 (the empirical-Bernstein case).
    HRMS, Proposition 9 and Theorem 4.

    :param total: sums S, any shape.
    :param variance: intrinsic times V, the same shape.
    :param rho: mixture parameter in the unit of V; see :func:`mixture_precision`.
    """
    shape = np.asarray(variance, dtype=np.float64) + rho
    reach = np.maximum(np.asarray(total, dtype=np.float64) + shape, np.finfo(np.float64).tiny)
    start = rho * math.log(rho) - gammaln(rho) - np.log(gammainc(rho, rho))
    with np.errstate(divide="ignore"):
        log_gamma_below = np.log(gammainc(shape, reach))
    evidence: NDArray[np.float64] = start + gammaln(shape) + log_gamma_below - shape * np.log(reach) + reach - rho
    return evidence


def gamma_exponential_mixture(variance: float, rho: float, alpha: float) -> float:
    """Return u(V) for sub-exponential sums (scale c = 1), by bisection on the log evidence.

    :param variance: intrinsic time V, not negative.
    :param rho: mixture parameter in the unit of V; see :func:`mixture_precision`.
    """
    needed = -math.log(alpha)
    low, high = 0.0, 2.0 * float(normal_mixture(variance, rho, alpha)) + 2.0 * needed
    while gamma_exponential_log_evidence(high, variance, rho) < needed:
        high *= 2.0
    while high - low > TOLERANCE * high:
        middle = 0.5 * (low + high)
        if gamma_exponential_log_evidence(middle, variance, rho) < needed:
            low = middle
        else:
            high = middle
    return high
