"""Does the challenger fail more often than the champion? An anytime-valid test and an upper bound."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from retrain.stats.boundary import check_alpha, gamma_exponential_mixture, mixture_precision
from retrain.stats.pairing import BLOCK_ROWS, arm_weights

ODDS_RATIOS = 24
EXPECTED_HARM = 10.0
"""Harm is expected to be an odds ratio up to this: the log odds ratio has a Gamma(2) prior with 84% of its mass
below the log of it. Affects power, never validity."""

TIGHTEST_AT = 5.0
"""Intrinsic time at which the upper bound is tightest: about this many challenger errors."""


class ErrorRateTest:
    """Sequential, anytime-valid comparison of two arms' error rates under (possibly changing) shares.

    The null hypothesis: at no time is the challenger's error rate above the champion's. Requests are
    grouped into blocks (:mod:`retrain.stats.pairing`). Given the requests each arm really had in a
    block and the block's errors, how many of those errors are the challenger's is hypergeometric under
    equal rates, whatever the rate, and Fisher's noncentral hypergeometric under an odds ratio w. Their
    likelihood ratio has mean 1 under equal rates and, being increasing in the challenger's errors, at
    most 1 under a lower challenger rate. Products over blocks, mixed over w > 1, are therefore a
    nonnegative supermartingale, and P(it ever reaches 1/alpha) <= alpha (Ville).

    Why not the Dirichlet-multinomial test of Lindon & Malek ("Anytime-valid inference for multinomial
    count data", NeurIPS 2022): it takes the arm of a request as random with *known* probability
    `share`. Routing that is sticky by entity makes the real share differ from the nominal one, and the
    test then alarms without harm. Conditioning on the counts seen needs no share, and an error rate
    that moves over time in both arms alike (an outage upstream, a ramp during a bad hour) cancels in
    each block. The price is a delay of up to five requests an arm. It is a safe two-sample test in the
    sense of Turner, Ly & Grünwald ("Generic e-variables for exact sequential k-sample tests", 2021),
    conditional on the block's margin as in Fisher's exact test.

    Assumed: given the time, requests fail independently. One entity that repeats one failing request
    counts as many errors; where that can happen count an entity's failures once a batch.

    :param alpha: probability of ever calling a harmless challenger harmful; and that `upper` is ever
        below the true difference.
    :raises ValueError: for alpha outside (0, 0.5).
    """

    def __init__(self, alpha: float) -> None:
        self._alpha = check_alpha(alpha)
        self._log_odds, self._log_prior = _gamma_prior()
        self._log_evidence = np.zeros(ODDS_RATIOS)
        self._largest_log_evidence = 0.0
        self._rho = mixture_precision(TIGHTEST_AT, alpha)
        self._waiting = [0, 0, 0, 0]  # requests, errors of the champion; of the challenger
        self._seen = [0, 0, 0, 0]
        self._weight = 0.0
        self._weighted_difference = 0.0
        self._variance = 0.0

    def observe(
        self,
        *,
        share: float,
        champion_requests: int,
        champion_errors: int,
        challenger_requests: int,
        challenger_errors: int,
    ) -> None:
        """Add one batch; batches come in the order of time.

        :param share: the challenger's nominal share of traffic during the batch, in [0, 1]. Checked;
            the evidence rests on the requests seen.
        :raises ValueError: for a share outside [0, 1], negative counts, or more errors than requests.
        """
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share must be between 0 and 1, got {share!r}")
        _check_counts("champion", champion_requests, champion_errors)
        _check_counts("challenger", challenger_requests, challenger_errors)
        batch = (champion_requests, champion_errors, challenger_requests, challenger_errors)
        self._waiting = [int(a + b) for a, b in zip(self._waiting, batch, strict=True)]
        if min(self._waiting[0], self._waiting[2]) >= BLOCK_ROWS:
            self._close_block(*self._waiting)
            self._waiting = [0, 0, 0, 0]

    @property
    def p_value(self) -> float:
        """Anytime-valid p-value of "never a higher error rate than the champion"; it only falls."""
        return min(1.0, math.exp(-self._largest_log_evidence))

    @property
    def harmful(self) -> bool:
        """Whether harm is shown: p_value <= alpha. Once true, it stays true."""
        return self.p_value <= self._alpha

    @property
    def difference(self) -> float:
        """Challenger's rate minus champion's, averaged over blocks; nan while an arm has no requests."""
        weight, weighted_difference = self._weight, self._weighted_difference
        champion_requests, champion_errors, challenger_requests, challenger_errors = self._waiting
        if min(champion_requests, challenger_requests) > 0:
            of_champion, of_challenger = arm_weights(champion_requests, challenger_requests)
            weight += of_champion * champion_requests
            weighted_difference += of_challenger * challenger_errors - of_champion * champion_errors
        return weighted_difference / weight if weight > 0.0 else math.nan

    @property
    def upper(self) -> float:
        """Upper confidence bound for the difference averaged up to now; 1.0 before evidence.

        P(it is ever below that average) <= alpha. It is the bound at this moment, not the smallest so
        far: a challenger that was good in its first hour and then degrades is not promoted on the
        first hour's bound. Empirical Bernstein (HRMS 2021, Theorem 4) on the weighted errors of both
        arms in one supermartingale, so that the arms' errors add in squares and no alpha is split.
        """
        if self._weight == 0.0:
            return 1.0
        reach = gamma_exponential_mixture(self._variance, self._rho, self._alpha)
        return min(1.0, (self._weighted_difference + reach) / self._weight)

    def _close_block(
        self, champion_requests: int, champion_errors: int, challenger_requests: int, challenger_errors: int
    ) -> None:
        self._log_evidence += _log_likelihood_ratio(
            self._log_odds, champion_requests, champion_errors, challenger_requests, challenger_errors
        )
        evidence = float(logsumexp(self._log_evidence + self._log_prior))
        self._largest_log_evidence = max(self._largest_log_evidence, evidence)

        of_champion, of_challenger = arm_weights(champion_requests, challenger_requests)
        expected_champion = self._seen[1] / (self._seen[0] + 1)
        expected_challenger = self._seen[3] / (self._seen[2] + 1)
        self._weight += of_champion * champion_requests
        self._weighted_difference += of_challenger * challenger_errors - of_champion * champion_errors
        self._variance += of_champion**2 * _squares(champion_requests, champion_errors, expected_champion)
        self._variance += of_challenger**2 * _squares(challenger_requests, challenger_errors, expected_challenger)
        block = (champion_requests, champion_errors, challenger_requests, challenger_errors)
        self._seen = [a + b for a, b in zip(self._seen, block, strict=True)]


def _gamma_prior() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log odds ratios, shape (ODDS_RATIOS,), and the logs of their prior weights."""
    scale = math.log(EXPECTED_HARM) / 3.29  # Gamma(2, 1) has 84% of its mass below 3.29
    log_odds = np.geomspace(0.15 * scale, 8.0 * scale, ODDS_RATIOS)
    log_density = np.log(log_odds) - log_odds / scale
    log_mass = log_density + np.log(log_odds)  # spacing grows with log_odds
    log_prior: NDArray[np.float64] = log_mass - logsumexp(log_mass)
    return log_odds, log_prior


def _log_likelihood_ratio(
    log_odds: NDArray[np.float64],
    champion_requests: int,
    champion_errors: int,
    challenger_requests: int,
    challenger_errors: int,
) -> NDArray[np.float64]:
    """Return log [ w^s / E w^S ], S hypergeometric: Fisher's noncentral against the central law."""
    errors = champion_errors + challenger_errors
    requests = champion_requests + challenger_requests
    if errors in (0, requests):
        return np.zeros_like(log_odds)
    s = np.arange(max(0, errors - champion_requests), min(errors, challenger_requests) + 1)
    log_mass = (
        _log_choose(challenger_requests, s)
        + _log_choose(champion_requests, errors - s)
        - _log_choose(requests, np.asarray(errors))
    )
    log_mean = logsumexp(log_mass[None, :] + log_odds[:, None] * s[None, :], axis=1)
    ratio: NDArray[np.float64] = challenger_errors * log_odds - log_mean
    return ratio


def _log_choose(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
    choose: NDArray[np.float64] = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return choose


def _squares(requests: int, errors: int, expected: float) -> float:
    """Return the sum over requests of (failed or not - expected rate)^2."""
    return errors * (1.0 - expected) ** 2 + (requests - errors) * expected**2


def _check_counts(arm: str, requests: int, errors: int) -> None:
    if not 0 <= errors <= requests:
        raise ValueError(f"{arm}: need 0 <= errors <= requests, got {errors!r} of {requests!r}")
