"""The pipeline's own feature function: found, run on rows, and what is said when it fails or returns no numbers."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from retrain.data.labels import ENTITY, LABEL, ROW, TIME
from retrain.errors import FeatureError, ModelError
from retrain.spec import Spec

if TYPE_CHECKING:
    from pandas import DataFrame

    Function = Callable[[DataFrame], DataFrame]

RESERVED = (LABEL, TIME, ENTITY, ROW)


def load_function(spec: Spec, code: str) -> Function:
    """The pipeline's feature function, out of the file whose hash is ``code``.

    :raises FeatureError: it is not there, or the file is another by now.
    """
    from retrain.model.model import feature_function

    try:
        function = feature_function(spec.feature_file, spec.feature_function)
    except ModelError as error:
        raise FeatureError(
            f"The feature function '{spec.feature_function}' of pipeline '{spec.name}' is not there: {error.what}",
            where=spec.feature_file,
            do=f"define it there, or correct `features:` in pipeline.yaml (now {spec.features}). The file may import "
            "installed packages only, not its neighbours: it travels alone.",
        ) from error
    if spec.code_digest() != code:
        raise FeatureError(
            f"{spec.feature_file.name} of pipeline '{spec.name}' changed while it was read.",
            where=spec.feature_file,
            do="run it again when the deployment is done.",
        )
    return function


def compute(spec: Spec, function: Function, raw: DataFrame, names: DataFrame) -> DataFrame:
    """The features of some rows, as float64, one row for each row.

    :param raw: the inputs, on an index from 0. :param names: the columns that name these rows.
    :raises FeatureError: the function raises, or returns something else than numbers.
    """
    import pandas as pd

    from retrain.model.model import matrix

    try:
        out = function(raw.copy())
    except Exception as error:  # whatever the pipeline's own code raises
        raise _failed(spec, function, raw, names, error) from error
    _refuse_malformed(spec, raw, out)
    return pd.DataFrame(matrix(out), columns=list(out.columns))


def row_name(names: DataFrame, row: int) -> str:
    """A row, said so that it can be found."""
    return ", ".join(f"{column}={value}" for column, value in names.iloc[row].items())


def _refuse_malformed(spec: Spec, raw: DataFrame, out: Any) -> None:
    """Refuse what is no table of numbers, one row for each row."""
    import pandas as pd

    where = f"{spec.feature_function} in {spec.feature_file}"
    if not isinstance(out, pd.DataFrame):
        raise FeatureError(
            f"The feature function of pipeline '{spec.name}' returned {type(out).__name__}, not a DataFrame.",
            where=where,
            do="return a DataFrame with the index of the one it is given.",
        )
    if len(out) != len(raw) or not out.index.equals(raw.index):
        wrong = f"{len(out):,} rows for {len(raw):,}" if len(out) != len(raw) else "rows on another index"
        raise FeatureError(
            f"The feature function of pipeline '{spec.name}' returned {wrong}.",
            where=where,
            do="return exactly one row for each row, on the same index: no filter, no sort, no join that doubles.",
        )
    names = list(out.columns)
    wrong_name = next((n for n in names if not isinstance(n, str) or n in RESERVED), None)
    if not names or len(set(names)) != len(names) or wrong_name is not None:
        raise FeatureError(
            f"The feature function of pipeline '{spec.name}' returned columns {names}.",
            where=where,
            do=f"name each feature once, with text other than {', '.join(RESERVED)}.",
        )
    for name in names:
        if out[name].dtype.kind not in "biuf":
            value = out[name].dropna().head(1).tolist()
            raise FeatureError(
                f"Feature '{name}' of pipeline '{spec.name}' is not a number but {out[name].dtype}"
                + (f", e.g. {value[0]!r}." if value else "."),
                where=where,
                do="turn it into numbers: a code for each category, a count of days, `.astype(float)`.",
            )


def _failed(spec: Spec, function: Function, raw: DataFrame, names: DataFrame, error: Exception) -> FeatureError:
    """The error for a function that raises, with the first row it raises on."""
    row = _offending(function, raw)
    which = "It fails on no row alone, only on many."
    if row is not None:
        values = {name: value for name, value in raw.iloc[row].items() if name not in names.columns}
        shown = ", ".join(f"{name}={value!r}" for name, value in list(values.items())[:12])
        which = f"The first such row is {row_name(names, row)} with {shown}."
    return FeatureError(
        f"The feature function '{spec.feature_function}' of pipeline '{spec.name}' raised "
        f"{type(error).__name__}: {error}. {which}",
        where=_line(spec, error),
        do="let it take such a row: what is missing becomes NaN. The whole traceback is in the log.",
    )


def _line(spec: Spec, error: BaseException) -> str:
    """Where in the feature file an exception was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(spec.feature_file)]
    return f"{spec.feature_file}, line {lines[-1]}" if lines else str(spec.feature_file)


def _offending(function: Function, raw: DataFrame) -> int | None:
    """The first row on which a function fails, found by halving; None if no half fails alone."""

    def fails(begin: int, end: int) -> bool:
        try:
            function(raw.iloc[begin:end].reset_index(drop=True))
        except Exception:
            return True
        return False

    begin, end = 0, len(raw)
    while end - begin > 1:
        middle = (begin + end) // 2
        if fails(begin, middle):
            end = middle
        elif fails(middle, end):
            begin = middle
        else:
            return None
    return begin
