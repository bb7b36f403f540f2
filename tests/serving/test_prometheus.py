"""What Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Open = Callable[..., Any]
Model = Callable[..., Any]


def test_metrics_say_what_is_served(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(), 2: pretended()})
    number = s.release(1, 2, share=0.5)
    s.ask(*({"x": 0.0} for _ in range(50)))
    metrics = s.client.get("/metrics").text.splitlines()
    assert f'retrain_release_number{{pipeline="flights"}} {float(number)}' in metrics
    assert 'retrain_release_state{pipeline="flights",state="ramping"} 1.0' in metrics
    assert 'retrain_release_state{pipeline="flights",state="promoted"} 0.0' in metrics
    assert 'retrain_challenger_share{pipeline="flights"} 0.5' in metrics
    assert 'retrain_models_loaded{pipeline="flights"} 2.0' in metrics
    counted = [text for text in metrics if text.startswith("retrain_rows_total")]
    assert sum(float(text.rsplit(" ", 1)[1]) for text in counted) == 50
    assert len(counted) == 2
    assert any(text.startswith("retrain_latency_seconds_bucket") for text in metrics)
    assert 'retrain_http_responses_total{route="invocations",status="200"} 1.0' in metrics
