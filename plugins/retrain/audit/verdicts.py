"""Claims about the verdict: how often it blesses what is harmful, and vetoes what is not, on days that hang together.

Rows are drawn; what is asked of them is the product: the contest whose bounds `evaluate` writes, and the gates. The
loss of each row is given, so that what is true is known: a challenger that is worse by the margin and not a hair more
must be blessed in one run of twenty at most, and one that is no worse must not be vetoed more often than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Candidate, FileRef, GateResult, Ref, Score, Scorecard, SliceScore
from retrain.audit.claim import Claim
from retrain.gates.base import Evidence, Gate
from retrain.gates.baseline import Baseline
from retrain.gates.change import Change
from retrain.gates.decay import Decay
from retrain.gates.slices import Slices
from retrain.metrics.base import Metric, mean_of
from retrain.metrics.registry import METRICS
from retrain.modelling.contest import Contest, beside, score, scores, share

if TYPE_CHECKING:
    import numpy as np

    from retrain.stats.long_run import Clusters

CONFIDENCE = 0.95
ROWS = 40
"""A day's."""

GIVEN = Metric("loss", ("regression",), mean_of(lambda _target, losses: losses))
"""What answers say is what they lose."""

LOSS, MARGIN = 10.0, 0.5
"""A champion's loss, and what a challenger may lose more."""


# -- days and entities ------------------------------------------------------------------------------------------


def effects(random: np.random.Generator, days: int, tied: float) -> np.ndarray:
    """One effect a day, of variance 1; each day's is ``tied`` times that of the day before, and news (AR(1))."""
    import numpy as np

    found = np.empty(days)
    found[0] = random.normal()
    for day in range(1, days):
        found[day] = tied * found[day - 1] + random.normal() * (1.0 - tied**2) ** 0.5
    return found


def of_days(days: int, rows: int = ROWS) -> Clusters:
    """So many rows on each day, about nobody in particular."""
    import numpy as np

    from retrain.stats.long_run import Clusters

    return Clusters(np.repeat(np.arange(days), rows), days)


def drawn(random: np.random.Generator, clusters: Clusters, tied: float) -> np.ndarray:
    """What each row adds to the difference: its day's effect, and its own."""
    noise: np.ndarray = effects(random, clusters.count, tied)[clusters.days] + random.normal(size=len(clusters.days))
    return noise


def contest(clusters: Clusters, more: np.ndarray) -> Contest:
    """A challenger that loses so much more than the champion on each row."""
    import numpy as np

    champion = np.full(len(more), LOSS)
    return Contest(np.zeros(len(more)), champion + more, champion, clusters)


# -- what the gates say -----------------------------------------------------------------------------------------


def said(gate: Gate, card: Scorecard, metric: str = GIVEN.name, past: Scorecard | None = None) -> GateResult:
    """What a gate says of a scorecard. None of those asked here looks at anything else."""

    def unread() -> Any:
        raise AssertionError("no rows are kept")

    candidate: Candidate = object.__new__(Candidate)
    return gate.judge(Evidence(card, candidate, "binary", metric, CONFIDENCE, unread, unread, past=past))


def card(days: int, overall: Iterable[Score] = (), **parts: Any) -> Scorecard:
    """A scorecard as `evaluate` writes it."""
    ref = Ref(kind="candidate", key="audit", pipeline="audit")
    values = {"baselines": {}, "slices": (), "left_out": (), "finite": True, **parts}
    return Scorecard(
        key="audit", pipeline="audit", candidate=ref, version=2, champion=1, holdout_rows=0, holdout_days=days,
        scores=tuple(overall), predictions=FileRef(path="", sha256="", bytes=0), **values,
    )  # fmt: skip


def blessed(clusters: Clusters, more: np.ndarray, gate: Change) -> float:
    """Does the change gate let it pass?"""
    found = score(GIVEN, contest(clusters, more), CONFIDENCE)
    return float(said(gate, card(clusters.count, [found])).outcome == "passed")


# -- the runs ----------------------------------------------------------------------------------------------------


def worse_by_the_margin(days: int, tied: float) -> Callable[[np.random.Generator], float]:
    """Worse by the margin; is it blessed?"""

    def run(random: np.random.Generator) -> float:
        clusters = of_days(days)
        return blessed(clusters, MARGIN + drawn(random, clusters, tied), Change(absolute=MARGIN))

    return run


def worse_by_the_share(days: int, tied: float) -> Callable[[np.random.Generator], float]:
    """Worse by 5 % of the champion's loss, which is twice as great on some days as on others; is it blessed?"""

    def run(random: np.random.Generator) -> float:
        import numpy as np

        clusters = of_days(days)
        champion = (
            LOSS
            * np.exp(0.3 * effects(random, days, tied))[clusters.days]
            * random.exponential(size=len(clusters.days))
        )
        challenger = champion * 1.05 + 0.1 * LOSS * drawn(random, clusters, tied)
        found = score(GIVEN, Contest(np.zeros(len(champion)), challenger, champion, clusters), CONFIDENCE)
        return float(said(Change(relative=0.05), card(days, [found])).outcome == "passed")

    return run


def with_entities(days: int, tied: float, *, even: bool = True) -> Callable[[np.random.Generator], float]:
    """The same where 100 entities come back every day and 8 % of the variance is theirs.

    :param even: do all of them come equally often?
    """

    def run(random: np.random.Generator) -> float:
        import numpy as np

        from retrain.stats.long_run import Clusters

        rows, often = 100 * days, np.ones(100) if even else 1.0 / np.arange(10, 110)
        day = np.repeat(np.arange(days), 100)
        entity = random.choice(100, size=rows * 10, p=often / often.sum())
        clusters = Clusters(np.repeat(day, 10), days, entity)
        own = np.sqrt(0.08) * random.normal(size=100)[entity] + np.sqrt(0.92) * random.normal(size=rows * 10)
        by_day = 0.1 * effects(random, days, tied)[clusters.days] if tied else 0.0
        return blessed(clusters, MARGIN + own + by_day, Change(absolute=MARGIN))

    return run


def slices_of_equal_models(count: int, tied: float, *, shared: bool) -> Callable[[np.random.Generator], float]:
    """A challenger as good as the champion on every slice, no margin; is it vetoed?

    :param shared: do the slices have their days in common? Else each has its own.
    """

    def run(random: np.random.Generator) -> float:
        clusters = of_days(14, 10)
        common = effects(random, 14, tied)
        contests = []
        for _ in range(count):
            day = common if shared else effects(random, 14, tied)
            contests.append(contest(clusters, day[clusters.days] + random.normal(size=len(clusters.days))))
        found = scores(GIVEN, contests, CONFIDENCE)
        slices = tuple(SliceScore(column="slice", value=str(n), score=one) for n, one in enumerate(found))
        return float(said(Slices(columns=("slice",), margin=0.0), card(14, slices=slices)).outcome == "failed")

    return run


def luckier_base_rate(tied: float) -> Callable[[np.random.Generator], float]:
    """A model that knows nothing, whose base rate is nearer to the holdout's by 0.02; is it blessed?"""

    def run(random: np.random.Generator) -> float:
        import numpy as np

        clusters = of_days(14, 100)
        rate = np.clip(0.22 + 0.03 * effects(random, 14, tied), 0.02, 0.98)
        target = (random.random(len(clusters.days)) < rate[clusters.days]).astype(int)

        def answers(level: float, spread: float) -> np.ndarray:
            second = np.clip(level + spread * random.normal(size=len(target)), 0.01, 0.99)
            return np.column_stack([1.0 - second, second])

        baselines = {"majority": answers(0.20, 0.0), "one_feature": answers(0.20, 0.01)}
        against = beside(METRICS["brier"], Contest(target, answers(0.22, 0.005), None, clusters), baselines, CONFIDENCE)
        return float(said(Baseline(), card(14, **against), "brier").outcome == "passed")

    return run


def knows_something(lead: float) -> Callable[[np.random.Generator], float]:
    """A model that takes a share of the constant's brier away, and one feature half of that; is it blessed?"""

    def run(random: np.random.Generator) -> float:
        import numpy as np

        clusters = of_days(14, 400)
        signal = random.normal(size=(3, len(clusters.days)))
        weights = np.array([1.0, 1.0, 0.0]) * lead
        day = 0.2 * effects(random, 14, 0.3)[clusters.days]
        logit = -1.4 + weights @ signal + day
        target = (random.random(len(logit)) < 1.0 / (1.0 + np.exp(-logit))).astype(int)

        def answers(known: np.ndarray) -> np.ndarray:
            second = 1.0 / (1.0 + np.exp(1.4 - known))
            return np.column_stack([1.0 - second, second])

        nothing = np.zeros(len(logit))
        baselines = {"majority": answers(nothing), "one_feature": answers(weights[0] * signal[0])}
        tried = Contest(target, answers(weights @ signal), None, clusters)
        against = beside(METRICS["brier"], tried, baselines, CONFIDENCE)
        return float(said(Baseline(), card(14, **against), "brier").outcome == "passed")

    return run


def equal_models(margin: float, spread: float, tied: float) -> Callable[[np.random.Generator], float]:
    """A challenger as good as the champion, with so much difference from day to day; is it blessed?

    :param spread: the standard deviation of a day's difference, as a share of the champion's loss; so is the margin.
    """

    def run(random: np.random.Generator) -> float:
        clusters = of_days(14)
        by_day = spread * LOSS * effects(random, 14, tied)[clusters.days]
        own = spread * LOSS * random.normal(size=len(clusters.days))
        return blessed(clusters, by_day + own, Change(relative=margin))

    return run


def fallen(before: float, now: float, regained: float) -> Callable[[np.random.Generator], float]:
    """The champion loses shares of a constant's loss, before and now; does the verdict let the challenger pass?"""

    def run(random: np.random.Generator) -> float:
        past, today = (_shares(random, level, level - regained * (now - before)) for level in (before, now))
        past = past.model_copy(update={"share": past.share and past.share.model_copy(update=_swapped(past.share))})
        return float(said(Decay(), today, past=past).outcome == "passed")

    return run


def _shares(random: np.random.Generator, champion: float, challenger: float) -> Scorecard:
    """Two weeks on which champion and challenger lose so much of what a constant loses."""
    import numpy as np

    clusters = of_days(14)
    hard = LOSS * (1.0 + 0.1 * drawn(random, clusters, 0.5))
    noise = 1.0 + 0.1 * drawn(random, clusters, 0.5)
    tried = Contest(np.zeros(len(hard)), hard * challenger * noise, hard * champion * noise, clusters)
    return card(14, [score(GIVEN, tried, CONFIDENCE)], share=share(GIVEN, tried, hard, CONFIDENCE))


def _swapped(share: Score) -> dict[str, float | None]:
    """The champion of today was the challenger when it was blessed."""
    return {f"challenger{end}": getattr(share, f"champion{end}") for end in ("", "_lower", "_upper")}


# -- what is claimed ---------------------------------------------------------------------------------------------


def _claim(name: str, run: Callable[[np.random.Generator], float], stated: float, cost: float) -> Claim:
    return Claim(name, "verdict", run, "at most", stated, cost=cost)


def _power(name: str, run: Callable[[np.random.Generator], float], stated: float) -> Claim:
    return Claim(name, "verdict", run, "at least", stated, cost=0.01)


WORSE = "worse by the margin"

CLAIMS: tuple[Claim, ...] = (
    *(
        _claim(f"{WORSE}, {days} independent days: blessed", worse_by_the_margin(days, 0.0), 0.05, cost=0.01)
        for days in (7, 10, 14, 28, 56)
    ),
    *(
        _claim(f"{WORSE}, 14 days tied by {tied:g}: blessed", worse_by_the_margin(14, tied), stated, cost=0.01)
        for tied, stated in ((0.3, 0.07), (0.5, 0.07), (0.7, 0.10))
    ),
    *(
        _claim(f"{WORSE}, {days} days tied by 0.5: blessed", worse_by_the_margin(days, 0.5), 0.07, cost=0.01)
        for days in (7, 28)
    ),
    *(
        _claim(
            f"worse by 5 % of the loss, {days} days tied by {tied:g}: blessed",
            worse_by_the_share(days, tied),
            most,
            0.01,
        )
        for days, tied, most in ((7, 0.0, 0.05), (14, 0.0, 0.05), (14, 0.5, 0.07))
    ),
    *(
        _claim(f"{WORSE}, a holdout of {days} days: blessed", worse_by_the_margin(days, 0.0), 0.0, cost=0.01)
        for days in (1, 2, 4)
    ),
    _claim(f"{WORSE}, 100 entities come back every day: blessed", with_entities(14, 0.0), 0.05, cost=0.05),
    _claim(f"{WORSE}, 100 entities, some more often: blessed", with_entities(14, 0.0, even=False), 0.05, cost=0.05),
    _claim(f"{WORSE}, 100 entities on days tied by 0.5: blessed", with_entities(14, 0.5), 0.07, cost=0.05),
    *(
        _claim(
            f"no worse, {count} slices with {'common' if shared else 'own'} days tied by {tied:g}, no margin: vetoed",
            slices_of_equal_models(count, tied, shared=shared),
            0.05,
            cost=0.03,
        )
        for count in (10, 50)
        for tied in (0.0, 0.7)
        for shared in (False, True)
    ),
    *(
        _claim(
            f"knows nothing, luckier base rate, days tied by {tied:g}: blessed",
            luckier_base_rate(tied),
            0.05,
            cost=0.03,
        )
        for tied in (0.0, 0.7)
    ),
    _claim("both models fell together: passed by decay", fallen(0.5, 1.5, 0.0), 0.05, cost=0.01),
    _power("the champion holds: passed by decay", fallen(0.5, 0.5, 0.0), 0.95),
    _power("the champion fell, the challenger did not: passed by decay", fallen(0.5, 1.5, 0.9), 0.8),
    _power("as good, 14 days differ by 2 % of the loss, margin 5 %: blessed", equal_models(0.05, 0.02, 0.0), 0.9),
    _power("as good, the same days tied by 0.5: blessed", equal_models(0.05, 0.02, 0.5), 0.8),
    _power("takes a tenth of the constant's brier away: passes the baselines", knows_something(0.4), 0.8),
)
