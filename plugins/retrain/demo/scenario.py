"""What a scenario of the demo is, and what each is given: the stack, ways to change its inputs and to look at it."""

from __future__ import annotations

import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from typing_extensions import override

from retrain.demo import data
from retrain.demo.data import LiveRequest
from retrain.demo.retraining import Live, Retraining, retrain
from retrain.demo.stack import PIPELINE, Stack
from retrain.demo.view import Step, View
from retrain.demo.waiting import looks

if TYPE_CHECKING:
    from pandas import DataFrame

ASKED = 40
"""So many requests are asked to see who answers."""


class Findings:
    """What is seen of a step, one by one. Only if everything is as expected, the step is."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.missed: list[str] = []

    def see(self, as_expected: bool, told: str) -> None:
        """Take down something worth telling."""
        (self.seen if as_expected else self.missed).append(told)

    def require(self, as_expected: bool, otherwise: str) -> None:
        """Take down something that is worth telling only if it is not as expected."""
        if not as_expected:
            self.missed.append(otherwise)

    @property
    def as_expected(self) -> bool:
        """Was everything as expected?"""
        return bool(self.seen) and not self.missed

    @override
    def __str__(self) -> str:
        return "; ".join(self.seen) if self.as_expected else "NOT AS EXPECTED: " + "; ".join(self.missed)


@dataclass
class Demo:
    """What every scenario is given.

    :param steps: what came of each step so far.
    """

    stack: Stack
    view: View
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, scenario: str, name: str, expected: str) -> Iterator[Findings]:
        """One step: takes down what is found, how long it took, and what went wrong.

        An error is a finding too: the story goes on, and the log keeps the traceback.
        """
        findings, began = Findings(), time.monotonic()
        try:
            yield findings
        except Exception as error:
            findings.require(False, f"{type(error).__name__}: {error}")
            with (self.stack.home / "logs" / "demo.log").open("a") as log:
                traceback.print_exc(file=log)
        step = Step(scenario, name, expected, str(findings), findings.as_expected, time.monotonic() - began)
        self.steps.append(step)
        self.view.step(step)

    def retrain(self, data_end: datetime, live: Live | None = None) -> Retraining:
        """One retraining on the real Dag."""
        return retrain(self.stack, self.view, data_end, live=live)

    @property
    def versions(self) -> int:
        """How many versions were ever trained."""
        return len(self.stack.site.ledger(PIPELINE).versions())

    @property
    def fallbacks(self) -> int:
        """How many requests the challenger failed on and the champion answered, as the gateway's metrics say."""
        text = httpx.get(f"{self.stack.gateway_url}/metrics", timeout=10, trust_env=False).text
        found = re.search(rf'^retrain_fallbacks_total{{pipeline="{PIPELINE}"}} ([0-9.e+]+)', text, re.MULTILINE)
        return int(float(found[1])) if found else 0

    @property
    def champion(self) -> int | None:
        """Who serves, as the ledger says."""
        served = self.stack.site.ledger(PIPELINE).champion()
        return served.version if served else None

    def answering(self, version: int, *, patience: float = 10) -> bool:
        """Does the gateway answer real requests, all of them, by this version?"""
        return any(self.ask() == {version: ASKED} for _ in looks(patience))

    def ask(self) -> Counter[int]:
        """Ask about some flights of July and count who answers; -1 stands for an error."""
        versions: Counter[int] = Counter()
        with httpx.Client(base_url=self.stack.gateway_url, timeout=10, trust_env=False) as client:
            for request in live(7)[:ASKED]:
                answer = client.post("/invocations", json={"dataframe_records": [request.payload]})
                versions[int(answer.headers["X-Retrain-Version"]) if answer.is_success else -1] += 1
        return versions

    @contextmanager
    def changed_months(self, months: Sequence[int], change: Callable[[DataFrame], DataFrame]) -> Iterator[None]:
        """Month files with a fault in them; afterwards the true ones are back."""
        try:
            for month in months:
                data.write_frame(change(data.month_frame(month)), self.stack.months / data.month_name(month))
            yield
        finally:
            data.write_months(self.stack.months, months)

    @contextmanager
    def changed_features(self, change: Callable[[str], str]) -> Iterator[None]:
        """A new version of the pipeline's feature file; afterwards the old one is back."""
        file = self.stack.pipeline / "features.py"
        text = file.read_text()
        try:
            file.write_text(change(text))
            yield
        finally:
            file.write_text(text)


def live(month: int) -> list[LiveRequest]:
    """A month's flights as live traffic."""
    return list(data.live_requests(data.month_frame(month)))


@dataclass(frozen=True)
class Scenario:
    """A part of the demo.

    :param needs: the scenarios that must have gone well before.
    """

    name: str
    title: str
    play: Callable[[Demo], None]
    needs: tuple[str, ...] = ()
