"""Features: turn the raw columns of labelled rows into numbers, by the pipeline's own function.

The function runs chunk by chunk here and row by row in the gateway; :mod:`~retrain.data.parity` proves on every run
that both come to the same numbers.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from retrain.artifacts import FeatureSet, Request, Snapshot, Validation, identity
from retrain.data.frames import keep_frame, load_frame
from retrain.data.labels import ENTITY, LABEL, TIME, LabelledRows, classes, labelled_rows
from retrain.data.parity import drawn, not_row_wise, prove_row_wise
from retrain.errors import FeatureError, ModelError
from retrain.site import Site
from retrain.spec import Spec
from retrain.spec.durations import spell
from retrain.stages.validate import require_valid

if TYPE_CHECKING:
    from pandas import DataFrame

    Function = Callable[[DataFrame], DataFrame]

CHUNK = 200_000


def features(spec: Spec, request: Request, snapshot: Snapshot, validation: Validation, site: Site) -> FeatureSet:
    """Make the feature set of a valid snapshot.

    :raises ValidationFailed: the snapshot is not valid.
    :raises DataError: no row has a label, the label does not fit the task, or a part has one class only.
    :raises FeatureError: the feature function fails, returns something else than a number for each row and feature,
        or is not row-wise.
    """
    require_valid(spec, request, validation, site)
    code = spec.code_digest()
    key = identity(
        "features",
        snapshot=snapshot.key,
        validation=validation.key,
        source=spec.fragment("source"),
        task=spec.task,
        features=spec.features,
        code=code,
        holdout=spell(spec.train.holdout),
        seed=spec.train.seed,
    )
    feature_set = site.once(FeatureSet, spec.name, key, lambda: _make(spec, site, key, snapshot, validation, code))
    site.ledger(spec.name).record_stage("features", feature_set, request)
    return feature_set


def _make(spec: Spec, site: Site, key: str, snapshot: Snapshot, validation: Validation, code: str) -> FeatureSet:
    import pandas as pd

    function = _function(spec, code)
    rows = labelled_rows(spec, snapshot, load_frame(site, snapshot.data))
    sample = drawn(len(rows), spec.train.seed)
    seen: list[DataFrame] = []

    def keep(name: str, start: int, stop: int) -> Any:
        path = f"{spec.name}/data/features/{key}/{name}.parquet"
        return keep_frame(site, path, _pieces(spec, function, rows, range(start, stop), sample, seen))

    train, holdout = keep("train", 0, rows.cut), keep("holdout", rows.cut, len(rows))
    proved = prove_row_wise(spec, function, rows, sample, pd.concat(seen, ignore_index=True))
    raw = keep_frame(site, f"{spec.name}/data/features/{key}/raw_holdout.parquet", rows.raw.iloc[rows.cut :])
    return FeatureSet(
        key=key,
        pipeline=spec.name,
        snapshot=snapshot.ref(),
        validation=validation.ref(),
        train=train,
        holdout=holdout,
        raw_holdout=raw,
        split_at=rows.known[TIME].iloc[-1].to_pydatetime() - spec.train.holdout,
        features=tuple(seen[0].columns),
        inputs=tuple(rows.raw.columns),
        classes=classes(spec, rows.known[LABEL]),
        code=code,
        parity_rows=proved,
    )


def _function(spec: Spec, code: str) -> Function:
    """The pipeline's feature function, out of the file whose hash is ``code``."""
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


def _pieces(
    spec: Spec, function: Function, rows: LabelledRows, positions: range, sample: Any, seen: list[DataFrame]
) -> Iterator[DataFrame]:
    """Features of some rows, chunk by chunk, with what is known of each row; ``seen`` gathers those of the sample."""
    import pandas as pd

    for begin in positions[::CHUNK]:
        end = min(begin + CHUNK, positions.stop)
        piece = _computed(spec, function, rows, begin, end)
        if seen and list(piece.columns) != list(seen[0].columns):
            only = sorted(set(piece.columns) ^ set(seen[0].columns)) or ["their order"]
            raise not_row_wise(spec, f"its columns depend on the rows it is given ({', '.join(only[:5])})")
        seen.append(piece.iloc[sample[(sample >= begin) & (sample < end)] - begin])
        known = rows.known.iloc[begin:end].reset_index(drop=True)
        yield pd.concat([piece, known], axis=1)


def _computed(spec: Spec, function: Function, rows: LabelledRows, begin: int, end: int) -> DataFrame:
    """The features of one chunk, as float64, one row for each row."""
    import pandas as pd

    from retrain.model.model import matrix

    raw = rows.raw.iloc[begin:end].reset_index(drop=True)
    try:
        out = function(raw.copy())
    except Exception as error:  # whatever the pipeline's own code raises
        raise _failed(spec, function, rows, raw, begin, error) from error
    _refuse_malformed(spec, raw, out)
    return pd.DataFrame(matrix(out), columns=list(out.columns))


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
    wrong_name = next((n for n in names if not isinstance(n, str) or n in {LABEL, TIME, ENTITY}), None)
    if not names or len(set(names)) != len(names) or wrong_name is not None:
        raise FeatureError(
            f"The feature function of pipeline '{spec.name}' returned columns {names}.",
            where=where,
            do=f"name each feature once, with text other than {LABEL}, {TIME} and {ENTITY}.",
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


def _failed(
    spec: Spec, function: Function, rows: LabelledRows, raw: DataFrame, begin: int, error: Exception
) -> FeatureError:
    """The error for a function that raises, with the first row it raises on."""
    row = _offending(function, raw)
    which = "It fails on no row alone, only on many."
    if row is not None:
        values = {name: value for name, value in raw.iloc[row].items() if name not in rows.names.columns}
        shown = ", ".join(f"{name}={value!r}" for name, value in list(values.items())[:12])
        which = f"The first such row is {rows.name(begin + row)} with {shown}."
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
