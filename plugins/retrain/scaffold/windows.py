"""How much of the data to use, and where to cut it: by the span and the number of rows there are."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from retrain.artifacts.scorecard import FEWEST_DAYS
from retrain.data.event_time import hour_after
from retrain.errors import DataError
from retrain.scaffold.profile import Profile

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ENOUGH_ROWS = 50_000
LEAST_WINDOW = 90 * DAY
LEAST_ROWS = 30
SHARES, TUNING = (0.2, 0.25, 0.3, 0.4, 0.15, 0.1), 0.15
MOST_HOLDOUT, MOST_TUNING = 14 * DAY, 7 * DAY


@dataclass(frozen=True)
class Windows:
    """Durations for ``pipeline.yaml``, in whole hours, or whole days where there are enough of them.

    :param data_end: just after the newest row.
    :param holdout_rows: how many labelled rows the holdout has.
    :param holdout_days: on how many days they lie.
    """

    data_end: datetime
    window: timedelta
    holdout: timedelta
    tuning: timedelta
    holdout_rows: int
    holdout_days: int


def windows(profile: Profile, label_delay: timedelta) -> Windows:
    """Cut the data: the newest fifth is held out, the sixth before it chooses settings, the rest trains.

    :raises DataError: there is too little data to cut.
    """
    data_end = hour_after(profile.newest)
    moments = profile.moments[: bisect_left(profile.moments, (data_end - label_delay).timestamp())]
    if len(moments) < LEAST_ROWS:
        raise DataError(
            f"There are {len(moments)} labelled rows; a model and its judgement need {LEAST_ROWS} at the very least.",
            do="bring more history, or check --label and --label-delay.",
        )
    newest = datetime.fromtimestamp(moments[-1], UTC)
    span = data_end - profile.start
    unit = DAY if span >= 10 * DAY else HOUR
    window = _up(_window(moments, data_end, span), unit)
    inside = moments[bisect_left(moments, (data_end - window).timestamp()) :]
    codes = profile.codes[len(moments) - len(inside) : len(moments)]
    for least in (_bounded(inside, newest), timedelta(0)):
        held = _held_out(inside, codes, newest, unit, profile, least)
        rest = inside[: bisect_left(inside, (newest - held).timestamp())]
        tuning = min(_up(newest - held - _moment(rest, 1 - TUNING), unit), MOST_TUNING)
        if rest and held + tuning < window - label_delay:
            return Windows(data_end, window, held, tuning, len(inside) - len(rest), _days(inside[len(rest) :]))
    raise DataError(
        "The labelled rows lie too close together in time to be cut into past and future.",
        do="bring data over a longer stretch of time.",
    )


def _days(moments: tuple[float, ...]) -> int:
    """On how many days there are rows."""
    return len({moment // DAY.total_seconds() for moment in moments})


def _bounded(inside: tuple[float, ...], newest: datetime) -> timedelta:
    """How long a holdout must be to have days enough for bounds; nothing if that is more than half of it all."""
    days = sorted({moment // DAY.total_seconds() for moment in inside})
    if len(days) < 2 * FEWEST_DAYS:
        return timedelta(0)
    least = newest - datetime.fromtimestamp(days[-FEWEST_DAYS] * DAY.total_seconds(), UTC)
    return least if 2 * least <= newest - _moment(inside, 0) + DAY else timedelta(0)


def _window(moments: tuple[float, ...], data_end: datetime, span: timedelta) -> timedelta:
    """All of it, unless a shorter stretch has rows enough."""
    if len(moments) <= ENOUGH_ROWS or span <= LEAST_WINDOW:
        return span
    enough = data_end - datetime.fromtimestamp(moments[-ENOUGH_ROWS], UTC)
    return min(span, max(enough, LEAST_WINDOW))


def _held_out(
    inside: tuple[float, ...],
    codes: tuple[int, ...],
    newest: datetime,
    unit: timedelta,
    profile: Profile,
    least: timedelta,
) -> timedelta:
    """The newest fifth of the rows, or another share where a fifth cannot judge the classes; at least so long."""
    for share in SHARES:
        held = _up(max(least, newest - _moment(inside, 1 - share)), unit)
        first = bisect_left(inside, (newest - held).timestamp())
        if len(inside) - first >= ENOUGH_ROWS / 10:
            held = min(held, MOST_HOLDOUT)
            first = bisect_left(inside, (newest - held).timestamp())
        before, after_cut = set(codes[:first]), set(codes[first:])
        if profile.task == "regression" or (len(after_cut) > 1 and len(before) > 1 and after_cut <= before):
            return held
    raise DataError(
        f"The classes of '{profile.label.name}' do not mix in time: however the rows are cut, the newest have one "
        "class only, or one that the older ones lack.",
        do="bring more history, or group the rare classes.",
    )


def _moment(moments: tuple[float, ...], share: float) -> datetime:
    """The moment before which this share of the rows lies."""
    if not moments:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromtimestamp(moments[min(int(share * len(moments)), len(moments) - 1)], UTC)


def _up(span: timedelta, unit: timedelta) -> timedelta:
    return max(1, math.ceil(span / unit)) * unit
