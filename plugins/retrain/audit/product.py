"""What we claim of a release, asked of whole releases: in textbook streams, and in ordinary ones.

A false rollback is that of a challenger whose arm is equal to the champion's. A false promotion is that of one that is
worse by exactly the margin. Each is claimed to happen in at most ``alpha`` of releases, all metrics, looks and steps of
one together. The honest ones must be promoted: what never decides never errs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from retrain.audit.claim import Claim, Section
from retrain.audit.traffic import Traffic

if TYPE_CHECKING:
    import numpy as np

    from retrain.audit.releases import End

ALPHA = 0.05
SECTION: Section = "canary, through the product"

ERRORS = {"latency": None, "loss": None}
"""Failures alone; a promotion then hangs on nothing else."""

LOSS = {"latency": None, "loss": {"margin": 0.02}}
PAIRED = {"latency": None, "loss": {"margin": 0.02, "answer_changes_label": False}}
LATENCY = {"loss": None, "latency": {"ratio": 2.0, "floor": 0.0}}
SHARP = {"latency": {"ratio": 1.1, "floor": 0.0}}
"""A bound on latency that equal arms come near to by chance."""

MARGIN, LOSS_MARGIN = 0.01, 0.02
"""``canary.errors.margin``, as by default, and the margin of the loss above."""

DELAY = 5000.0
FEW = (20, 100, 300)


def ended(end: End, scenario: Mapping[str, Any], random: np.random.Generator) -> float:
    """Does a release end so?"""
    from retrain.audit.releases import Scenario, release

    return float(release(Scenario(**scenario), random).end == end)


def shown_after(scenario: Mapping[str, Any], random: np.random.Generator) -> float:
    """How many requests the challenger gets until it is rolled back; infinity if it never is."""
    from retrain.audit.releases import Scenario, release

    found = release(Scenario(**scenario), random)
    return float(found.tried) if found.end == "rolled back" else math.inf


def _claim(
    what: str, end: End, holds: Literal["at most", "at least"], stated: float, traffic: Traffic, **scenario: Any
) -> Claim:
    name = f"{what}: {end}"
    run = partial(ended, end, {"traffic": traffic, **scenario})
    return Claim(name, SECTION, run, holds, stated, cost=1.0)


def _equal(what: str, traffic: Traffic, **scenario: Any) -> Claim:
    return _claim(f"equal arms, {what}", "rolled back", "at most", ALPHA, traffic, **scenario)


def _at_margin(what: str, traffic: Traffic, canary: Mapping[str, Any], **scenario: Any) -> Claim:
    return _claim(f"worse by the margin, {what}", "promoted", "at most", ALPHA, traffic, canary=canary, **scenario)


def _of_few(what: str, traffic: Traffic, canary: Mapping[str, Any]) -> tuple[Claim, ...]:
    """The same of few entities, whose outcomes are alike."""
    few = {count: replace(traffic, entities=count, icc=0.2) for count in FEW}
    return tuple(_at_margin(f"{what}, {count} entities, ICC .2", those, canary) for count, those in few.items())


def _honest(what: str, traffic: Traffic, **scenario: Any) -> Claim:
    return _claim(f"equal arms, {what}", "promoted", "at least", 0.8, traffic, requests=40_000, **scenario)


def _detected(before: float, after: float, stated: int, every: int, most: int) -> Claim:
    """A tenth of the requests is the challenger's; the shadow has shown nothing; no difference is tolerated.

    :param stated: what we claim: what 200 releases came to, and two of their standard errors, rounded up. Sequential
        tests that look at failures alone, at the whole of alpha, are published with 47, 121, 882, 3,143 and 474.
    :param every: requests between two looks.
    """
    traffic = Traffic(fails=before, fails_more=after - before)
    canary = {"steps": (0.1,), "errors": {"margin": 0.0001}}
    scenario = {"traffic": traffic, "canary": canary, "requests": most, "every": every, "growth": 0.1}
    run = partial(shown_after, scenario)
    name = f"failures {before:.1%} → {after:.1%}: the challenger's requests until it is rolled back".replace("%", " %")
    return Claim(name, "canary", run, "at most", stated, measure="median", cost=1.0)


EQUAL = (
    _equal("independent requests", Traffic()),
    _equal("a client of 2 % of the traffic on whom both always fail", Traffic(entities=10_000, broken_client=0.02)),
    _equal("1,000 entities, Zipf, ICC .2", Traffic(entities=1000, zipf=True, icc=0.2)),
    *(_equal(f"{count} entities, ICC .2", Traffic(entities=count, icc=0.2)) for count in FEW),
    _equal("both fail for 100 requests after each step", Traffic(outage=100)),
    _equal("both fail for 1,000 requests after each step", Traffic(outage=1000)),
    _equal("positives' labels exp(5,000) requests late", Traffic(wrong=(0.1, 0.5), labels_late=(0.0, DELAY))),
    _equal(
        "negatives' labels 5,000 requests late",
        Traffic(wrong=(0.1, 0.5), labels_late=(DELAY, 0.0), exponential=False),
    ),
    _equal("latencies AR(.99), shared, 1.1 times tolerated", Traffic(moments="shared"), canary=SHARP),
    _equal("latencies AR(.99), each arm's own, 1.1 times tolerated", Traffic(moments="each arm's own"), canary=SHARP),
    _equal("losses in pairs", Traffic(), canary=PAIRED),
    _equal("losses in pairs, 100 entities, ICC .2", Traffic(entities=100, icc=0.2), canary=PAIRED),
    _claim(
        "failures .1 → .9 % where 1 % more is tolerated",
        "rolled back",
        "at most",
        0.1,
        Traffic(fails=0.001, fails_more=0.008),
        canary=ERRORS,
    ),
)

WORSE = (
    _at_margin("failures, independent", Traffic(fails=0.02, fails_more=MARGIN), ERRORS),
    _at_margin(
        "failures, 1,000 entities, Zipf, ICC .2",
        Traffic(fails=0.02, fails_more=MARGIN, entities=1000, zipf=True, icc=0.2),
        ERRORS,
    ),
    *_of_few("failures", Traffic(fails=0.02, fails_more=MARGIN), ERRORS),
    _at_margin("Brier loss, independent", Traffic(fails=0.0, loss_more=LOSS_MARGIN), LOSS),
    _at_margin(
        "Brier loss, positives' labels exp(5,000) requests late, ripe after 20,000",
        Traffic(fails=0.0, wrong=(0.1, 0.5), loss_more=LOSS_MARGIN, labels_late=(0.0, DELAY)),
        LOSS,
        label_delay="20000s",
        requests=40_000,
    ),
    *_of_few("Brier loss", Traffic(fails=0.0, loss_more=LOSS_MARGIN), LOSS),
    _at_margin("latency, AR(.99), each arm's own", Traffic(fails=0.0, slower=2.0, moments="each arm's own"), LATENCY),
    _at_margin("latency, 300 entities, ICC .2", Traffic(fails=0.0, slower=2.0, entities=300, icc=0.2), LATENCY),
    _at_margin("Brier loss in pairs", Traffic(fails=0.0, loss_more=LOSS_MARGIN), PAIRED),
    _at_margin(
        "Brier loss in pairs, positives' labels exp(5,000) requests late, ripe after 20,000",
        Traffic(fails=0.0, wrong=(0.1, 0.5), loss_more=LOSS_MARGIN, labels_late=(0.0, DELAY)),
        PAIRED,
        label_delay="20000s",
        requests=40_000,
    ),
    *_of_few("Brier loss in pairs", Traffic(fails=0.0, loss_more=LOSS_MARGIN), PAIRED),
    *(
        _at_margin(
            f"squared error, {100 * rare:g} % of rows err by {large:g}, as many are tolerated",
            Traffic(fails=0.0, large=large, rare=rare),
            LOSS | {"loss": {"margin": math.sqrt(1 + rare * (large**2 - 1)) - 1, "rare": rare}},
            task="regression",
        )
        for large, rare in ((500.0, 0.002), (100.0, 0.001))
    ),
)

HONEST = (
    _honest("40,000 labelled requests", Traffic()),
    _honest("40,000 labelled requests, 5,000 entities, ICC .2", Traffic(entities=5000, icc=0.2)),
    _honest("40,000 labelled requests, 200 entities", Traffic(entities=200)),
    _honest("40,000 labelled requests, losses in pairs", Traffic(), canary=PAIRED),
)

DETECTED = (
    _detected(0.01, 0.10, 60, 23, 10_000),
    _detected(0.01, 0.05, 150, 60, 10_000),
    _detected(0.01, 0.02, 1400, 441, 40_000),
    _detected(0.01, 0.015, 5000, 1571, 100_000),
    _detected(0.001, 0.01, 650, 237, 30_000),
)

CLAIMS: tuple[Claim, ...] = (*EQUAL, *WORSE, *HONEST, *DETECTED)
