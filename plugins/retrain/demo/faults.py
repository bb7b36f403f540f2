"""What goes wrong in practice, as changes to the demo's inputs.

Every function takes what a pipeline would be given (a frame of rows, the text of a features file, live
requests) and returns a changed copy. None touches a stage, a gate or the gateway: how the pipeline
answers is its own doing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from retrain.demo.data import KEY, OUTCOME, TIMESTAMP, LiveRequest

if TYPE_CHECKING:
    from pandas import DataFrame

VANISHED = "UA"
CHANGED_FEED = "B6"

STORIES = {
    "delays_in_seconds": "The airport's new export reports arr_delay in seconds; the contract says minutes.",
    "carrier_vanished": f"The code table lost {VANISHED} in a merger, so the join leaves its carrier empty.",
    "duplicated_rows": "A loader that timed out was started again and landed 8% of the rows twice.",
    "shuffled_labels": "A broken join key gave each flight the delay of some other one, until it was mended.",
    "leaked_outcome": "The history's timetable was written over with actual arrival times, as some feeds do.",
    "features_assuming_tailnum": "The new features read the aircraft's number and rely on its being there.",
    "features_of_the_moment": "The new features go by the carrier's recent delays, not by the clock.",
    "live_without_tailnum": "Some live requests come before an aircraft has been assigned.",
    "live_changed_feed": f"In {CHANGED_FEED}'s live feed columns moved: carrier_delay holds a clock time.",
}
"""The real-world cause of each fault, in a line, for people who watch the demo."""


# Bad data: validation stops it.


def delays_in_seconds(frame: DataFrame) -> DataFrame:
    """Arrival delays in seconds instead of minutes."""
    return frame.assign(**{OUTCOME: frame[OUTCOME] * 60})


def carrier_vanished(frame: DataFrame) -> DataFrame:
    """The code of one large carrier is missing from its rows."""
    return frame.assign(carrier=frame["carrier"].mask(frame["carrier"] == VANISHED))


def duplicated_rows(frame: DataFrame) -> DataFrame:
    """A share of the rows is there twice, in the order of time like all others."""
    import pandas as pd

    again = frame.sample(frac=0.08, random_state=8)
    return pd.concat([frame, again]).sort_values([TIMESTAMP, KEY], kind="stable", ignore_index=True)


# A bad model: the data passes validation, the gates veto what is trained on it.


def shuffled_labels(frame: DataFrame, before: datetime) -> DataFrame:
    """Arrival delays handed round among the flights that left before a moment; later ones stay true.

    Delays go only to flights that have one, so cancelled flights stay cancelled and every column has
    exactly the values it had.
    """
    import numpy as np

    delays = frame[OUTCOME].to_numpy(dtype=np.float64, copy=True)
    rows = np.flatnonzero((frame[TIMESTAMP] < before).to_numpy() & ~np.isnan(delays))
    delays[rows] = np.random.default_rng(4).permutation(delays[rows])
    return frame.assign(**{OUTCOME: delays})


def leaked_outcome(frame: DataFrame) -> DataFrame:
    """The scheduled arrival is the actual one, for every flight that arrived: the label is in an input."""
    import numpy as np

    clock = frame["sched_arr_time"].to_numpy()
    delay = frame[OUTCOME].to_numpy(dtype=np.float64, copy=True)
    minutes = clock // 100 * 60 + clock % 100 + np.nan_to_num(delay)
    minutes = minutes.astype(np.int64) % 1440
    minutes[minutes == 0] = 1440  # midnight is written 2400
    actual = minutes // 60 * 100 + minutes % 60
    return frame.assign(sched_arr_time=np.where(np.isnan(delay), clock, actual))


# A bad release: the model passes every gate, and fails on what only live requests bring.

_TAILNUM_FEATURES = '''

# --- new: the aircraft -------------------------------------------------------------------------

build_without_aircraft = build


def build(frame: pd.DataFrame) -> pd.DataFrame:
    """As before, and the number painted on the aircraft: neighbouring numbers are sister aircraft."""
    out = build_without_aircraft(frame)
    out["aircraft"] = [float("".join(filter(str.isdigit, tailnum))) for tailnum in frame["tailnum"]]
    return out
'''

_CURRENT_DELAY_FEATURES = '''

# --- new: how late things are running at this moment, in place of the clock and the calendar ---------

build_by_the_clock = build


def build(frame: pd.DataFrame) -> pd.DataFrame:
    """Recent delay of the airport and of the carrier's own flights there, as its feed reports it."""
    out = build_by_the_clock(frame).drop(columns=["departure", "weekday"])
    airport = out.pop("airport_delay")
    out["current_delay"] = (airport + _numbers(frame["carrier_delay"])) / 2
    out["current_delay"] = out["current_delay"].fillna(airport)
    return out
'''


def features_assuming_tailnum(source: str) -> str:
    """The features file with one more feature, which raises where ``tailnum`` is missing.

    Training never meets that: only cancelled flights have no aircraft, and they have no label.
    """
    return source.rstrip("\n") + "\n" + _TAILNUM_FEATURES


def features_of_the_moment(source: str) -> str:
    """The features file with a better idea, which rests on a column that no model has used so far.

    On the history it is at least as good as what it replaces.
    """
    return source.rstrip("\n") + "\n" + _CURRENT_DELAY_FEATURES


def live_without_tailnum(requests: Iterable[LiveRequest]) -> Iterator[LiveRequest]:
    """Live requests of which a share names no aircraft. The champion's features do not look at it."""
    import random

    chance = random.Random(5)
    for request in requests:
        if chance.random() < 0.05:
            request = replace(request, payload={**request.payload, "tailnum": None})
        yield request


def live_changed_feed(requests: Iterable[LiveRequest]) -> Iterator[LiveRequest]:
    """Live requests in which one carrier's ``carrier_delay`` holds a clock time, such as 1745.

    A column was added to the carrier's live feed, and what is read by position moved by one. The
    champion's features do not look at it; the history, gathered by another way, is right.
    """
    for request in requests:
        if request.payload["carrier"] == CHANGED_FEED:
            clock = float(request.payload["sched_dep_time"])
            request = replace(request, payload={**request.payload, "carrier_delay": clock})
        yield request
