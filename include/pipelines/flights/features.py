"""What the model sees of a flight: one row in, one row of numbers out.

The same function makes the features of a training set and those of a single live request, so a row's
features depend on nothing but that row. A value that is missing, unreadable or of a category that is
not in the lists below becomes NaN, which the model treats as missing.

The file is shipped inside every model, so it imports nothing but numpy and pandas.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

CARRIERS = ["9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV"]
ORIGINS = ["EWR", "JFK", "LGA"]
# From west to east, so that a split between two codes is a split between two regions.
DESTINATIONS = (
    "HNL ANC PDX SFO SEA OAK SJC SMF LAX BUR LGB SNA SAN PSP LAS PHX SLC BZN JAC MTJ HDN EGE ABQ DEN "
    "SAT AUS OKC DFW OMA TUL IAH HOU MCI XNA DSM MSP STL MSY MEM MSN ORD MKE MDW BHM BNA SBN IND SDF "
    "TVC GRR CVG LEX ATL DAY TYS DTW CMH SRQ AVL TPA GSP CLE EYW RSW JAX CRW CAK MCO SAV CAE CLT MIA "
    "PIT FLL PBI CHS GSO MYR RDU BUF CHO ILM ROC IAD RIC DCA BWI ORF SYR PHL LGA ALB BTV BDL MHT PVD "
    "BOS MVY PWM ACK BGR BQN PSE SJU STT"
)

CODES: dict[str, dict[str, float]] = {
    "carrier": {name: float(code) for code, name in enumerate(CARRIERS)},
    "origin": {name: float(code) for code, name in enumerate(ORIGINS)},
    "dest": {name: float(code) for code, name in enumerate(DESTINATIONS.split())},
}
# Of the weather only what delays flights. Temperature, dew point, humidity and pressure are left out:
# with three months to learn from they tell one day from another, and a model that has learnt its days
# by heart does worse on the next ones.
AS_THEY_ARE = ["distance", "airport_delay", "wind_dir", "wind_speed", "wind_gust", "precip", "visib"]
FEATURES = ["carrier", "origin", "dest", "departure", "weekday", "duration", *AS_THEY_ARE]


def build(frame: pd.DataFrame) -> pd.DataFrame:
    """Raw columns in, numeric features out, row for row, on the same index."""
    out = np.empty((len(frame), len(FEATURES)))
    for position, name in enumerate(("carrier", "origin", "dest")):
        out[:, position] = _codes(frame[name], CODES[name])
    departure = _minute_of_day(frame["sched_dep_time"])
    out[:, 3] = departure
    out[:, 4] = _weekday(frame["sched_dep"])
    # Clock to clock, each in its own time zone; an arrival "before" the departure is past midnight.
    out[:, 5] = (_minute_of_day(frame["sched_arr_time"]) - departure) % 1440
    for position, name in enumerate(AS_THEY_ARE, start=6):
        out[:, position] = _numbers(frame[name])
    out[~np.isfinite(out)] = np.nan
    return pd.DataFrame(out, index=frame.index, columns=FEATURES)


def _codes(column: pd.Series, codes: dict[str, float]) -> np.ndarray:
    """The code of each category; NaN for one that is missing or not known."""
    return np.array([codes.get(value, np.nan) if isinstance(value, str) else np.nan for value in column])


def _numbers(column: pd.Series) -> np.ndarray:
    """The column as floats; what is no number is NaN."""
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _minute_of_day(column: pd.Series) -> np.ndarray:
    """Minutes since midnight of a clock time written as the number HHMM; 2400 is midnight."""
    clock = _numbers(column)
    return (clock // 100 * 60 + clock % 100) % 1440


def _weekday(column: pd.Series) -> np.ndarray:
    """Day of the week in New York, Monday 0, from a UTC timestamp or its ISO string.

    Five hours are taken off all year: no flight leaves in the hour after midnight, the only one in
    which daylight saving would change the day.
    """
    times = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
    local = (times - pd.Timedelta(hours=5)).dt.dayofweek
    return local.to_numpy(dtype=np.float64, na_value=np.nan)
