"""Great Expectations, applied to a frame: a suite as it is stored, and how each of its expectations comes out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from retrain.artifacts import ExpectationResult
from retrain.errors import DataError, SpecError
from retrain.spec import Spec
from retrain.spec.yamlfile import YamlFile

if TYPE_CHECKING:
    from pandas import DataFrame

Scope = Literal["window", "last"]
ROW_KEY_UNIQUE = "row_key_unique"
SHOWN = 20
"""So many values of a list are kept as evidence."""


@dataclass(frozen=True)
class Finding:
    """How one expectation came out on one scope.

    :param rows: positions in the snapshot of the rows that broke it, if it failed and judges row by row.
    :param evidence: the result as GX reports it, its lists cut.
    """

    result: ExpectationResult
    rows: Sequence[int]
    evidence: dict[str, Any]

    @property
    def reason(self) -> str:
        """Why its rows are in quarantine."""
        return " ".join(filter(None, (self.result.expectation, self.result.column and f"({self.result.column})")))


def read_suite(spec: Spec) -> list[Any]:
    """The suite's expectations, each as Great Expectations understands it.

    :raises SpecError: the file is missing or no suite, or an expectation is unknown or wrongly parametrised.
    """
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    expectations = []
    for number, stored in enumerate(_stored_suite(spec)):
        try:
            expectations.append(ExpectationConfiguration(**{**stored, "id": str(number)}).to_domain_obj())
        except Exception as error:  # pydantic's, GX's own, or a TypeError, by the kind of mistake
            raise _wrong_expectation(spec, number, stored, error) from None
    return expectations


def _stored_suite(spec: Spec) -> list[dict[str, Any]]:
    """The expectations of the suite file, as stored."""
    file = spec.suite_file
    spec.require_file(file, "validate.expectations", "a Great Expectations suite")
    try:
        suite = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SpecError("The suite is not UTF-8 text.", file=file, do="save it as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise SpecError(f"The suite is not JSON: {error.msg}.", file=file, line=error.lineno, do="mend it.") from None
    expectations = suite.get("expectations") if isinstance(suite, dict) else None
    if not isinstance(expectations, list) or not all(isinstance(one, dict) for one in expectations):
        raise SpecError(
            "The suite has no list of expectations.",
            file=file,
            key="expectations",
            do='write it as Great Expectations stores it: {"name": …, "expectations": [{"type": …, "kwargs": {…}}]}.',
        )
    return expectations


def _wrong_expectation(spec: Spec, number: int, stored: dict[str, Any], error: Exception) -> SpecError:
    """What is wrong with the n-th expectation, and on which line it stands."""
    import difflib

    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    kind = stored.get("type")
    do = "correct it; `kwargs` are the arguments of that expectation in Great Expectations' gallery."
    if isinstance(error, ExpectationNotFoundError):
        near = difflib.get_close_matches(str(kind), list_registered_expectation_implementations(), n=1)
        do = f"did you mean `{near[0]}`?" if near else "use an expectation of Great Expectations' gallery."
    message = " ".join(str(error).split())
    return SpecError(
        f"Expectation {number + 1} of the suite, {kind or 'without a type'}, cannot be used: {message}",
        file=spec.suite_file,
        line=_line(spec.suite_file, number),
        key=f"expectations.{number}",
        value=stored,
        do=do,
    )


def _line(file: Path, number: int) -> int | None:
    try:  # JSON is YAML, but for tabs
        return YamlFile.read(file).lines.get(("expectations", number))
    except SpecError:
        return None


# -- judging ---------------------------------------------------------------------------------------------------


def judge(expectations: list[Any], frame: DataFrame, scope: Scope) -> list[Finding]:
    """Apply the expectations; those that fail once more, to learn which rows broke them.

    :raises DataError: Great Expectations itself fails.
    """
    results = _run(expectations, frame, "BASIC")
    failed = [one for one, result in zip(expectations, results, strict=True) if not result["success"]]
    complete = dict(zip((one.id for one in failed), _run(failed, frame, "COMPLETE"), strict=True))
    return [
        _finding(result, complete.get(one.id, result), scope) for one, result in zip(expectations, results, strict=True)
    ]


def _run(expectations: list[Any], frame: DataFrame, detail: str) -> list[dict[str, Any]]:
    """The results of GX, in the order of the expectations, as JSON."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    if not expectations:
        return []
    in_memory = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars={"globally": False},
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=in_memory)
    suite = gx.ExpectationSuite(name="suite")
    suite.expectations = expectations
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("snapshot")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    try:
        results = batch.validate(suite, result_format=detail).results
    except Exception as error:  # GX reports what an expectation raises; this is something else
        raise DataError(
            f"Great Expectations itself failed: {type(error).__name__}: {error}.",
            do="the whole error is in the task's log; try the suite on a smaller window to find the expectation.",
        ) from error
    found = {result.expectation_config.id: result.to_json_dict() for result in results}
    return [found[one.id] for one in expectations]


def _finding(basic: dict[str, Any], complete: dict[str, Any], scope: Scope) -> Finding:
    config, numbers = basic["expectation_config"], basic["result"]
    success = bool(basic["success"])
    rows = [] if success else sorted(set(complete["result"].get("unexpected_index_list") or []))
    error = _raised(basic["exception_info"])
    result = ExpectationResult(
        expectation=config["type"],
        column=_column(config["kwargs"]),
        success=success,
        scope=scope,
        observed=_observed(numbers),
        unexpected_rows=len(rows),
        message="" if success else (error or _explained(config["kwargs"], numbers)),
    )
    kwargs = {name: value for name, value in config["kwargs"].items() if name != "batch_id"}
    evidence = {
        "success": success,
        "scope": scope,
        "expectation": {**{k: v for k, v in config.items() if k != "id"}, "kwargs": kwargs},
        "result": complete["result"],
        "error": error or None,
    }
    return Finding(result, rows, _cut(evidence))


def row_key_unique(spec: Spec, frame: DataFrame) -> list[Finding]:
    """The built-in check: no two rows share the row key."""
    key = list(spec.source.row_key)
    if not key:
        return []
    rows = frame.duplicated(key, keep=False).to_numpy().nonzero()[0].tolist()
    message, example = "", None
    if rows:
        example = {name: str(value) for name, value in frame.loc[rows[0], key].items()}
        first = ", ".join(f"{name}={value}" for name, value in example.items())
        message = f"{len(rows):,} rows share their key with another row, e.g. {first}"
    result = ExpectationResult(
        expectation=ROW_KEY_UNIQUE,
        column=", ".join(key),
        success=not rows,
        scope="window",
        observed=message or "every row has its own key",
        unexpected_rows=len(rows),
        message=message,
    )
    kwargs = {"column_list": key}
    evidence = {
        "success": not rows,
        "scope": "window",
        "expectation": {"type": ROW_KEY_UNIQUE, "kwargs": kwargs},
        "result": {"unexpected_count": len(rows), "unexpected_index_list": rows, "example": example},
        "error": None,
    }
    return [Finding(result, rows, _cut(evidence))]


def _column(kwargs: dict[str, Any]) -> str | None:
    """The column or columns an expectation is about."""
    names = kwargs.get("column") or kwargs.get("column_list")
    if names is None and "column_A" in kwargs:
        names = [kwargs["column_A"], kwargs["column_B"]]
    return ", ".join(map(str, names)) if isinstance(names, list) else names


def _raised(info: dict[str, Any]) -> str:
    """What an expectation raised, or nothing; GX reports one exception, or one for each metric."""
    infos: Iterable[Any] = [info] if "raised_exception" in info else info.values()
    messages = [one.get("exception_message") for one in infos if isinstance(one, dict) and one.get("raised_exception")]
    return f"it could not be computed: {' '.join(str(messages[0]).split())}" if messages else ""


def _observed(numbers: dict[str, Any]) -> str:
    """What was seen, in a few words."""
    if "unexpected_count" in numbers:
        share = numbers.get("unexpected_percent") or 0.0
        return f"{numbers['unexpected_count']:,} of {numbers.get('element_count', 0):,} unexpected ({share:.3g} %)"
    return "" if numbers.get("observed_value") is None else _short(numbers["observed_value"])


def _explained(kwargs: dict[str, Any], numbers: dict[str, Any]) -> str:
    """What was seen and what was expected."""
    arguments = {k: v for k, v in kwargs.items() if k not in {"batch_id", "column", "column_list"} and v is not None}
    wanted = ", ".join(f"{name} {_short(value)}" for name, value in arguments.items())
    examples = list(dict.fromkeys(_short(v) for v in numbers.get("partial_unexpected_list") or [] if v is not None))
    seen = _observed(numbers) + (f", e.g. {', '.join(examples[:3])}" if examples else "")
    return "; ".join(filter(None, (seen, wanted and f"expected {wanted}")))


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "…"


def _cut(value: Any) -> Any:
    """JSON without NaN, and without lists of every bad value in the data."""
    if isinstance(value, dict):
        return {str(name): _cut(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value[:SHOWN]] + ([f"… {len(value):,} in all"] if len(value) > SHOWN else [])
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
