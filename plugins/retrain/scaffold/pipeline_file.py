"""``pipeline.yaml``: every choice with a short comment that says why."""

from __future__ import annotations

import json
import math
import re
from datetime import timedelta
from typing import Any

from retrain.artifacts.scorecard import FEWEST_DAYS
from retrain.metrics.registry import for_task
from retrain.scaffold.profile import Column, Profile
from retrain.scaffold.windows import DAY, HOUR, Windows
from retrain.spec.durations import spell

PLAIN = re.compile(r"^[A-Za-z_./][A-Za-z0-9_./-]*$")
RESERVED = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n"})
SLICE_VALUES = 12

LINEAR = {
    "binary": ("sklearn.linear_model.LogisticRegression", "{max_iter: 1000}", "C: [0.1, 1.0]"),
    "multiclass": ("sklearn.linear_model.LogisticRegression", "{max_iter: 1000}", "C: [0.1, 1.0]"),
    "regression": ("sklearn.linear_model.Ridge", "{}", "alpha: [1.0, 30.0]"),
}
BOOSTING = {
    "binary": "sklearn.ensemble.HistGradientBoostingClassifier",
    "multiclass": "sklearn.ensemble.HistGradientBoostingClassifier",
    "regression": "sklearn.ensemble.HistGradientBoostingRegressor",
}


def pipeline_yaml(
    name: str, file: str, profile: Profile, windows: Windows, *, form: str | None, zone: str, label_delay: timedelta
) -> str:
    """The text of ``pipeline.yaml``."""
    parts = "\n".join(
        (
            _head(name, profile),
            _source(file, profile, windows, form, zone, label_delay),
            _train(profile, windows),
            _bless(profile, windows),
            _staleness(profile, windows),
            _canary(profile),
        )
    )
    return "\n".join(_aligned(line) for line in parts.split("\n"))


def _head(name: str, profile: Profile) -> str:
    return f"""\
# Written by `retrain init` from {profile.rows:,} rows of {profile.start:%d %b %Y} to {profile.newest:%d %b %Y}.
# Everything here may be changed; `retrain check {name}` says at once if it is right.
# `retrain schema` prints a JSON Schema that lets an editor complete and check this file.
name: {name}
description: {text(f"Predict {profile.label.name}.")}
owner: airflow
task: {profile.task}
schedule: null\t# only by hand for now; say "0 6 * * *" for every day at six (UTC)
"""


def _source(file: str, profile: Profile, windows: Windows, form: str | None, zone: str, label_delay: timedelta) -> str:
    lines = [
        "source:",
        f"  files: {text(file)}",
        "  # A glob such as flights-*.csv takes up new files as they come.",
        f"  timestamp: {text(profile.timestamp)}",
    ]
    if form:
        lines.append(f"  timestamp_format: {text(form)}\t# as found in the file")
    lines.append(f"  timezone: {text(zone)}\t# of timestamps that carry none")
    if profile.entity:
        lines.append(f"  entity: {text(profile.entity)}\t# requests of one entity see one model")
    if profile.key:
        lines.append(f"  key: {_list(profile.key)}\t# no two rows share it")
    lines += [
        f"  label: {text(profile.label.name)}",
        "  # How long after a row its label is known. Say it honestly: newer rows are not trained on.",
        f"  label_delay: {spell(label_delay)}",
        f"  window: {spell(windows.window)}\t# all there is now; let it grow as data come",
        "  inputs:\t# what is known when a prediction is asked for",
        *(f"    - {text(each)}" for each in _inputs(profile)),
    ]
    left_out = [column for column in profile.columns if column.left_out]
    if left_out:
        lines.append("    # Left out; take back what you know better:")
        lines += [f"    # - {text(column.name)}\t# {column.left_out}" for column in left_out]
    return "\n".join((*lines, "\nfeatures: features:build\t# the function `build` in features.py", ""))


def _inputs(profile: Profile) -> list[str]:
    names = [profile.timestamp, *([profile.entity] if profile.entity else [])]
    return [*names, *(column.name for column in profile.inputs)]


def _train(profile: Profile, windows: Windows) -> str:
    estimator, params, search = LINEAR[profile.task]
    leaf = "[5, 20]" if len(profile.moments) < 2000 else "[20, 100]"
    short = f"; fewer than {FEWEST_DAYS} days: no verdict" if windows.holdout_days < FEWEST_DAYS else ""
    return f"""\
train:
  candidates:\t# a simple one and a strong one; the best on the tuning stretch is the candidate
    - estimator: {estimator}
      scale: true\t# standardise, and fill in missing values
      params: {params}
      search: {{{search}}}
    - estimator: {BOOSTING[profile.task]}
      params: {{max_iter: 150, early_stopping: false}}
      search: {{learning_rate: [0.05, 0.1], min_samples_leaf: {leaf}}}
  budget: 6\t# fits at most
  holdout: {spell(windows.holdout)}\t# the newest {windows.holdout_rows:,} labelled rows, never trained on{short}
  tuning: {spell(windows.tuning)}\t# the stretch before it, on which settings are chosen
  seed: 0
"""


def _bless(profile: Profile, windows: Windows) -> str:
    slices = [column for column in profile.inputs if _sliceable(column)]
    least = max(20, min(200, windows.holdout_rows // 10))
    bands = profile.step < 6 * HOUR
    names = _list(tuple(column.name for column in slices))
    return f"""\
bless:
  metric: {for_task(profile.task)[0].name}
  change: {{relative: 0.05}}\t# a loss up to 5 % higher than the champion's may pass
  suspicious: {{relative: 0.3}}\t# a loss 30 % lower than the champion's is too good to be true
  slices:
    columns: {names}
    hour_bands: {"true" if bands else "false"}\t# night, morning, afternoon, evening
    min_rows: {least}\t# smaller slices are left out, by name
    relative: 0.15\t# a loss shown to be more than 15 % higher on a slice is a veto
"""


def _sliceable(column: Column) -> bool:
    return (column.kind == "text" and 2 <= column.distinct <= SLICE_VALUES) or column.kind == "truth"


def _staleness(profile: Profile, windows: Windows) -> str:
    data = max(DAY, math.ceil(3 * profile.gap / DAY) * DAY)
    return f"""\
staleness:
  model: {spell(max(7 * DAY, windows.holdout * 2))}\t# an older champion is retrained on schedule
  data: {spell(data)}\t# no release if the newest row is older; the longest gap was {_gap(profile.gap)}
"""


def _gap(gap: timedelta) -> str:
    hours = gap / HOUR
    return f"{hours:.3g} h" if hours < 48 else f"{hours / 24:.3g} days"


def _canary(profile: Profile) -> str:
    """Numbers of requests that the traffic can bring, taking one request a row."""
    requests = int(min(200, max(20, 10 * round(profile.rows_per_day / 10))))
    days = math.ceil(3 * requests * (1 / 0.1 + 1 / 0.25 + 1 / 0.5) / profile.rows_per_day)
    patience = spell(min(28 * DAY, max(DAY, days * DAY)))
    if profile.task == "regression":
        loss = f"{{margin: {_significant(0.05 * profile.label.sd**2)}}}\t# extra squared error that is harm"
    else:
        loss = "{margin: 0.02}\t# extra loss that is harm"
    return f"""\
canary:\t# sized for about {profile.rows_per_day:,.0f} requests a day
  shadow: {{requests: {requests}, patience: {patience}}}
  steps: [0.1, 0.25, 0.5]\t# shares of live {"entities" if profile.entity else "requests"}
  step_requests: {requests}
  patience: {patience}\t# no decision in this time is a rollback
  loss: {loss}
"""


def _aligned(line: str) -> str:
    """A key and its comment, the comments below each other. A tab is never part of a value: JSON escapes it."""
    key, tab, comment = line.partition("\t")
    return f"{key:<28}{'' if len(key) < 28 else '  '}{comment}" if tab else line


def text(value: str) -> str:
    """A YAML scalar: plain where nothing can be misread, else quoted as in JSON."""
    if PLAIN.match(value) and value.lower() not in RESERVED:
        return value
    return json.dumps(value, ensure_ascii=False)


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(text(value) for value in values)}]"


def _significant(value: float) -> Any:
    """Two significant digits, never zero."""
    short = float(f"{max(value, 1e-9):.2g}")
    return int(short) if short >= 10 and short.is_integer() else format(short, "f").rstrip("0").rstrip(".")
