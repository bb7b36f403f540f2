"""Requests as they come in production, and what both arms make of them, drawn by the thousand.

One request a second. Each arm's answer is drawn for every request, and the router's own coin says which one is given.
An answer to two classes is .9 or .1, so its Brier loss is .01 if it is right and .81 if it is wrong: how often an arm
is wrong says its mean loss exactly, of every entity alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from retrain.log.parts import Arm, LogTable, schema
from retrain.serving.router import goes_to_challenger, is_shadowed

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from retrain.ledger.release import Release

SURE, RIGHT, WRONG = 0.9, 0.01, 0.81
"""What is answered for the class that is meant, and the loss of an answer that is right, and of one that is wrong."""

POSITIVE = 0.3
MEMORY = 0.99
"""How much of a slow moment is left at the next request, where latencies move over time."""

SPREAD = 0.5
"""Standard deviation of the logarithm of a latency."""

BROKEN_CLIENT = 0
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Traffic:
    """Who asks, and how both arms answer.

    :param entities: how many ask; None where requests name nobody.
    :param zipf: does the k-th of them ask 1/k as often as the first?
    :param icc: how alike the outcomes of one entity are: the intraclass correlation of failures, and of wrong answers.
    :param broken_client: the share of requests of one client, on which both arms always fail.
    :param outage: so many requests fail after each step of the ramp.
    :param fails, fails_more: how often the champion fails, and how much more often the challenger, in its canary.
    :param wrong: how often the champion is wrong on negatives and on positives; both alike where entities differ.
    :param loss_more: by how much the challenger's mean loss is higher.
    :param labels_late: mean seconds until the label of a negative and of a positive is known.
    :param exponential: do those seconds vary?
    :param milliseconds: the champion's median latency.
    :param slower: the challenger's, times that.
    :param moments: do latencies move over time, in both arms alike, or each arm by itself?
    :param large, rare: of a regression: the error of some of the challenger's answers, and their share.
    """

    entities: int | None = None
    zipf: bool = False
    icc: float = 0.0
    broken_client: float = 0.0
    outage: int = 0
    fails: float = 0.01
    fails_more: float = 0.0
    wrong: tuple[float, float] = (0.2, 0.2)
    loss_more: float = 0.0
    labels_late: tuple[float, float] = (0.0, 0.0)
    exponential: bool = True
    milliseconds: float = 50.0
    slower: float = 1.0
    moments: Literal["independent", "shared", "each arm's own"] = "independent"
    large: float = 0.0
    rare: float = 0.0


@dataclass
class Entities:
    """What is peculiar to each entity: how often it asks, is failed, is told wrong things, and how slowly."""

    shares: NDArray[np.float64]
    fails: NDArray[np.float64]
    wrong: NDArray[np.float64]
    slow: NDArray[np.float64]

    @classmethod
    def drawn(cls, traffic: Traffic, random: np.random.Generator) -> Entities:
        """Other ones for each release."""
        import numpy as np

        count = traffic.entities or 1
        shares = 1.0 / np.arange(1, count + 1) if traffic.zipf else np.ones(count)
        return cls(
            shares=shares / shares.sum(),
            fails=_rates(traffic.fails, traffic.icc, count, random),
            wrong=_rates(traffic.wrong[0], traffic.icc, count, random),
            slow=np.sqrt(traffic.icc) * random.standard_normal(count),
        )


@dataclass
class Requests:
    """Some requests in a row.

    :param first: the number of the first.
    :param names: their ids.
    :param whose: the entity of each; None where they name nobody.
    :param positive: the label of each, which nobody knows yet.
    """

    first: int
    names: list[str]
    whose: NDArray[np.int64] | None
    positive: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.names)


@dataclass
class Answers:
    """What one arm makes of each of them."""

    failed: NDArray[np.bool_]
    score: NDArray[np.float64]
    milliseconds: NDArray[np.float64]


@dataclass
class Stream:
    """The requests of one release, one after the other.

    :param regression: is a number predicted? Otherwise one of two classes.
    :ivar sent: how many there were.
    :ivar tried: how many of them the challenger was asked, and heard.
    """

    traffic: Traffic
    random: np.random.Generator
    began: datetime
    regression: bool = False
    sent: int = 0
    tried: int = 0
    _entities: Entities = field(init=False)
    _moments: dict[str, float] = field(default_factory=dict)
    _shared: NDArray[np.float64] = field(init=False)
    _outage_ends: int = 0
    _number: int = 0
    _due: NDArray[np.int64] = field(init=False)
    _labels: list[str] = field(default_factory=list)
    _written: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        import numpy as np

        self._entities = Entities.drawn(self.traffic, self.random)
        self._due, self._written = np.empty(0, dtype=np.int64), np.empty(0, dtype=bool)

    def requests(self, count: int, release: Release, number: int) -> Any:
        """The next requests under a routing decision, answered and logged as a gateway does it: a table of rows.

        :param number: the decision's, in the ledger.
        """
        import numpy as np
        import pyarrow as pa

        asked = self._asked(count)
        if number != self._number and release.state == "ramping":
            self._outage_ends = self.sent + self.traffic.outage
        self._number = number
        tried = self._routed(asked, release)
        champion, challenger = (self._answers(asked, release, arm) for arm in ("champion", "challenger"))
        written: list[tuple[NDArray[np.bool_], Arm, Answers]] = [(~tried, "champion", champion)]
        if release.state == "ramping":
            written += [(tried, "challenger", challenger), (tried & challenger.failed, "fallback", champion)]
        if release.shadow > 0.0:
            shadowed = np.array([is_shadowed(release, name) for name in asked.names])
            written.append((shadowed & ~tried, "shadow", challenger))
        self._remember(asked)
        self.sent, self.tried = self.sent + count, self.tried + int(tried.sum())
        return pa.concat_tables([self._rows(asked, where, arm, answers, release) for where, arm, answers in written])

    def labels(self) -> Any:
        """The labels that came to be known since the last time, as a table."""
        import numpy as np
        import pyarrow as pa

        known = np.flatnonzero((self._due <= self.sent * MICROSECONDS) & ~self._written)
        self._written[known] = True
        labels = [self._labels[row] for row in known]
        at = self._at(self._due[known])
        return _table("labels", {"at": at, "id": pa.array([f"r{n}" for n in known], pa.string()), "label": labels})

    # -- what is drawn -----------------------------------------------------------------------------------------

    def _asked(self, count: int) -> Requests:
        traffic, whose = self.traffic, None
        if traffic.entities is not None:
            whose = self.random.choice(traffic.entities, size=count, p=self._entities.shares)
        if traffic.broken_client and whose is not None:
            whose[self.random.random(count) < traffic.broken_client] = BROKEN_CLIENT
        names = [f"r{number}" for number in range(self.sent, self.sent + count)]
        return Requests(self.sent, names, whose, self.random.random(count) < POSITIVE)

    def _routed(self, asked: Requests, release: Release) -> NDArray[np.bool_]:
        """Whom the challenger answers, by the gateway's own coin."""
        import numpy as np

        if release.state != "ramping":
            return np.zeros(len(asked), dtype=bool)
        if asked.whose is None:
            return np.array([goes_to_challenger(release, name) for name in asked.names])
        met, place = np.unique(asked.whose, return_inverse=True)
        return np.array([goes_to_challenger(release, f"e{entity}") for entity in met])[place]

    def _answers(self, asked: Requests, release: Release, arm: Arm) -> Answers:
        """What an arm makes of every request. In its shadow a challenger fails as often as the champion."""
        import numpy as np

        traffic, entities, count = self.traffic, self._entities, len(asked)
        tried = arm == "challenger"
        more = traffic.fails_more if tried and release.state == "ramping" else 0.0
        fails: Any = traffic.fails if asked.whose is None else entities.fails[asked.whose]
        failed = self.random.random(count) < fails + more
        failed |= np.arange(asked.first, asked.first + count) < self._outage_ends
        if traffic.broken_client and asked.whose is not None:
            failed |= asked.whose == BROKEN_CLIENT
        score = self._errors(count, tried) if self.regression else self._scores(asked, tried)
        usual = traffic.milliseconds * (traffic.slower if tried else 1.0)
        return Answers(failed, score, usual * np.exp(SPREAD * self._slowness(asked, arm)))

    def _scores(self, asked: Requests, tried: bool) -> NDArray[np.float64]:
        import numpy as np

        traffic, negative, positive = self.traffic, *self.traffic.wrong
        wrong = np.where(asked.positive, positive, negative) if negative != positive else np.full(len(asked), negative)
        if asked.whose is not None and traffic.icc:
            wrong = self._entities.wrong[asked.whose]
        more = traffic.loss_more / (WRONG - RIGHT) if tried else 0.0
        mistaken = self.random.random(len(asked)) < wrong + more
        return np.where(asked.positive ^ mistaken, SURE, 1.0 - SURE)

    def _errors(self, count: int, tried: bool) -> NDArray[np.float64]:
        """By how much a prediction is off; the label is 0."""
        import numpy as np

        usual = self.random.standard_normal(count)
        if not tried or not self.traffic.rare:
            return usual
        return np.where(self.random.random(count) < self.traffic.rare, self.traffic.large, usual)

    def _slowness(self, asked: Requests, arm: Arm) -> NDArray[np.float64]:
        """How slow each answer of an arm is, in standard deviations."""
        import numpy as np

        if self.traffic.moments == "independent":
            noise = self.random.standard_normal(len(asked))
            if asked.whose is None or not self.traffic.icc:
                return noise
            slow: NDArray[np.float64] = self._entities.slow[asked.whose] + np.sqrt(1.0 - self.traffic.icc) * noise
            return slow
        if self.traffic.moments == "shared":
            if arm == "champion":
                self._shared = self._moving("both", len(asked))
            return self._shared
        return self._moving(arm, len(asked))

    def _moving(self, whose: str, count: int) -> NDArray[np.float64]:
        """A stationary AR(1) of variance 1, which goes on from where it was."""
        import numpy as np
        from scipy.signal import lfilter

        before = self._moments.get(whose, float(self.random.standard_normal()))
        noise = np.sqrt(1.0 - MEMORY**2) * self.random.standard_normal(count)
        values: NDArray[np.float64] = lfilter([1.0], [1.0, -MEMORY], noise, zi=[MEMORY * before])[0]
        self._moments[whose] = float(values[-1]) if count else before
        return values

    def _remember(self, asked: Requests) -> None:
        """The labels of some requests, and when they will be known."""
        import numpy as np

        late = np.where(asked.positive, self.traffic.labels_late[1], self.traffic.labels_late[0])
        if self.traffic.exponential:
            late = late * self.random.exponential(size=len(asked))
        due = (np.arange(asked.first, asked.first + len(asked)) + late) * MICROSECONDS
        self._due = np.concatenate([self._due, due.astype(np.int64)])
        self._written = np.concatenate([self._written, np.zeros(len(asked), dtype=bool)])
        self._labels += ["0.0"] * len(asked) if self.regression else ["true" if y else "false" for y in asked.positive]

    # -- what is written ---------------------------------------------------------------------------------------

    def _rows(self, asked: Requests, where: NDArray[np.bool_], arm: Arm, answers: Answers, release: Release) -> Any:
        """The rows of one arm, as a gateway writes them."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = np.flatnonzero(where)
        served = release.challenger if arm in {"challenger", "shadow"} else release.champion
        failed = answers.failed[rows] & (arm != "fallback")
        score = pa.array(answers.score[rows], pa.float64(), mask=failed)
        whose = [None] * len(rows) if asked.whose is None else [f"e{entity}" for entity in asked.whose[rows]]
        said = pc.binary_join_element_wise('{"probability": ', pc.cast(score, pa.string()), "}", "")
        columns = {
            "at": self._at((asked.first + rows) * MICROSECONDS),
            "id": [asked.names[row] for row in rows],
            "release": [self._number] * len(rows),
            "arm": [arm] * len(rows),
            "version": [served.version if served is not None else 0] * len(rows),
            "entity": pa.array(whose, pa.string()),
            "inputs": ["{}"] * len(rows),
            "output": pc.cast(score, pa.string()) if self.regression else said,
            "score": score,
            "latency_ms": answers.milliseconds[rows],
            "error": pa.array(["ValueError: no" if one else None for one in failed], pa.string()),
            "served": ~failed if arm != "shadow" else np.zeros(len(rows), dtype=bool),
        }
        return _table("predictions", columns)

    def _at(self, microseconds: NDArray[np.int64]) -> Any:
        """Moments, by how long after the first request they are."""
        import pyarrow as pa

        first = int(self.began.timestamp() * MICROSECONDS)
        return pa.array(first + microseconds, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _rates(mean: float, icc: float, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A rate of each entity: of the beta distribution that makes two outcomes of one entity correlated by ``icc``."""
    import numpy as np

    if not icc or not 0.0 < mean < 1.0:
        return np.full(count, mean)
    both = 1.0 / icc - 1.0
    return random.beta(mean * both, (1.0 - mean) * both, size=count)


def _table(table: LogTable, columns: dict[str, Any]) -> Any:
    """Columns as the log has them; what is of a later format than this file is null."""
    import pyarrow as pa

    form = schema(table)
    rows = len(columns["id"])
    whole = {name: columns.get(name, pa.nulls(rows, form.field(name).type)) for name in form.names}
    return pa.Table.from_pydict(whole, schema=form)


def parquet(table: Any) -> bytes:
    """A part of the log."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
