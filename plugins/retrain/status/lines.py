"""Champion beside challenger, one line a metric or slice, as the gates that judged them saw it. The worst first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from retrain.artifacts import GateResult, Score, Scorecard, Value
from retrain.metrics.harm import OF_A_SLICE, Harm, Margin

LineOutcome = Literal["better", "within", "worse", "undecided", "not compared"]
OUTCOMES: tuple[LineOutcome, ...] = ("worse", "undecided", "within", "better", "not compared")
"""The worst first."""


class Line(Value):
    """One comparison.

    :param name: the metric, or ``column=value`` of a slice. :param metric: what is compared.
    :param better: which way it is better.
    :param rows: held-out rows that it was measured on.
    :param champion: its score, in units of the metric; None where there is none. :param challenger: likewise.
    :param difference: challenger − champion. :param lower, upper: its bounds, those that the margin was held against.
    :param margin: how much worse the challenger may be, in units of the metric; None where none was asked for.
    :param outcome: ``worse`` and ``better`` are shown, beyond the margin and at all; ``within``: it is shown to be
        no worse than the margin allows.
    """

    name: str
    metric: str
    better: Literal["lower", "higher"]
    rows: int
    champion: float | None
    challenger: float | None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    margin: float | None = None
    outcome: LineOutcome


def score_lines(scorecard: Scorecard, gates: Iterable[GateResult]) -> tuple[Line, ...]:
    """Every metric on all held-out rows; the deciding one with the margin of the ``change`` gate."""
    change = _evidence(gates, "change")
    lines = [
        (_judged(score, change) if score.metric == change.get("metric") else None) or _line(score.metric, score, ())
        for score in scorecard.scores
    ]
    return _worst_first(lines)


def slice_lines(scorecard: Scorecard, gates: Iterable[GateResult]) -> tuple[Line, ...]:
    """The deciding metric on every slice, with the margin of the ``slices`` gate where that was asked."""
    asked = _evidence(gates, "slices")
    lines = []
    for one in scorecard.slices:
        absolute, relative = _number(asked.get("margin")), _number(asked.get("relative"))
        margins = Margin.of(one.score, absolute, relative, OF_A_SLICE) if asked else []
        lines.append(_line(f"{one.column}={one.value}", one.score, margins))
    return _worst_first(lines)


def _evidence(gates: Iterable[GateResult], name: str) -> Mapping[str, Any]:
    return next((gate.evidence for gate in gates if gate.gate == name), {})


def _judged(score: Score, change: Mapping[str, Any]) -> Line | None:
    """The line of the metric that the ``change`` gate has judged, by the numbers that it left."""
    numbers = [_number(change.get(name)) for name in ("harm", "harm_lower", "harm_upper", "margin")]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return None
    point, least, most, width = known
    return _line(score.metric, score, [Margin(width, "", Harm(point, least, most))])


def _line(name: str, score: Score, margins: Iterable[Margin]) -> Line:
    held = sorted(margins, key=lambda margin: margin.width)
    harm = held[0].harm if held else Harm.relative(score) or Harm.of(score)
    bounds = {} if harm is None else _bounds(harm, score)
    return Line(
        name=name,
        metric=score.metric,
        better=score.better,
        rows=score.rows,
        champion=score.champion,
        challenger=score.challenger,
        **({"difference": score.difference} | bounds),
        margin=held[0].width if held else None,
        outcome=_outcome(harm, held),
    )


def _bounds(harm: Harm, score: Score) -> dict[str, float | None]:
    if score.better == "lower":
        return {"difference": harm.point, "lower": harm.least, "upper": harm.most}
    return {"difference": -harm.point, "lower": -harm.most, "upper": -harm.least}


def _outcome(harm: Harm | None, margins: list[Margin]) -> LineOutcome:
    if harm is None:
        return "not compared"
    if any(margin.harm.least > margin.width for margin in margins) or (not margins and harm.least > 0.0):
        return "worse"
    if harm.most < 0.0 and all(margin.harm.most < 0.0 for margin in margins):
        return "better"
    return "within" if margins and all(margin.harm.most <= margin.width for margin in margins) else "undecided"


def _worst_first(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=lambda line: (OUTCOMES.index(line.outcome), -_harm(line), line.name)))


def _harm(line: Line) -> float:
    """How much worse, as a share of what the champion loses, so that different metrics can be put in one order."""
    if line.difference is None or line.champion is None:
        return 0.0
    worse = line.difference if line.better == "lower" else -line.difference
    lost = abs(line.champion if line.better == "lower" else 1.0 - line.champion)
    return worse / lost if lost else worse


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
