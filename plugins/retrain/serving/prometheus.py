"""What Prometheus reads from a gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from retrain.ledger.release import ReleaseState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ARM = ["pipeline", "arm", "version"]
Gauges = Callable[[], Iterable[tuple[str, str, dict[str, str], float]]]


class Counters:
    """The gateway's counters. Rows are counted, not HTTP requests, because rows are what is routed.

    :param gauges: yields (name, help, labels, value) of what is true right now, whenever Prometheus asks.
    """

    def __init__(self, gauges: Gauges) -> None:
        self.registry = CollectorRegistry()
        self.rows = Counter("retrain_rows", "Rows asked.", ARM, registry=self.registry)
        self.errors = Counter("retrain_errors", "Rows without an answer.", [*ARM, "kind"], registry=self.registry)
        self.fallbacks = Counter(
            "retrain_fallbacks", "Rows the champion answered for a challenger.", ["pipeline"], registry=self.registry
        )
        self.latency = Histogram(
            "retrain_latency_seconds",
            "From asking a model to its answer.",
            ARM,
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.unlogged = Counter(
            "retrain_unlogged", "Rows answered but not logged.", ["pipeline"], registry=self.registry
        )
        self.labels = Counter("retrain_labels", "Labels received.", ["pipeline"], registry=self.registry)
        self.shadows_dropped = Counter(
            "retrain_shadow_dropped", "Shadow rows dropped.", ["pipeline"], registry=self.registry
        )
        self.responses = Counter(
            "retrain_http_responses", "HTTP responses.", ["route", "status"], registry=self.registry
        )
        self.registry.register(_Now(gauges))

    def observe(
        self, pipeline: str, arm: str, version: int, seconds: float, failures: Sequence[str], rows: int
    ) -> None:
        """Count the rows that one arm was asked together.

        :param failures: the kind of each failure among them.
        """
        labels = (pipeline, arm, str(version))
        self.rows.labels(*labels).inc(rows)
        self.latency.labels(*labels).observe(seconds)
        for kind in failures:
            self.errors.labels(*labels, kind).inc()

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)


class _Now(Collector):
    """Asks for the present values when it is asked for them."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    @override
    def collect(self) -> Iterable[Metric]:
        families: dict[str, Any] = {}
        for name, documentation, labels, value in self._gauges():
            if name not in families:
                families[name] = GaugeMetricFamily(name, documentation, labels=list(labels))
            families[name].add_metric(list(labels.values()), value)
        return families.values()


STATES: tuple[str, ...] = get_args(ReleaseState)
