"""Validate: what breaks a suite, what lies in quarantine for it, and what is wrong with a suite itself."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.artifacts import Validation
from retrain.data.expectations import ROW_KEY_UNIQUE, read_suite
from retrain.errors import ObjectMissing, SpecError, ValidationFailed
from retrain.stages.validate import require_valid

IN_RANGE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "price", "min_value": 0, "max_value": 1e4},
}
KNOWN = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "kind", "value_set": ["food", "toys"]}}
MEAN = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "price", "min_value": 1, "max_value": 100}}
ROWS = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1000}}
PAIR = {
    "type": "expect_column_pair_values_a_to_be_greater_than_b",
    "kwargs": {"column_A": "price", "column_B": "shop", "ignore_row_if": "either_value_is_missing"},
}


def failed(validation: Validation) -> list[str]:
    return [result.expectation for result in validation.results if not result.success]


def test_good_data_meets_every_expectation(orders: Any) -> None:
    orders.write(orders.frame())
    orders.write_suite(IN_RANGE, KNOWN, MEAN, ROWS)
    validation = orders.validate()
    assert validation.success
    assert validation.quarantine is None
    assert [result.expectation for result in validation.results] == [
        *(one["type"] for one in (IN_RANGE, KNOWN, MEAN, ROWS)),
        ROW_KEY_UNIQUE,
    ]
    require_valid(orders.spec(), orders.request(), validation, orders.site)


@pytest.mark.parametrize("highest", [1.0, 1e4])
def test_numbers_that_great_expectations_leaves_as_numpys_are_evidence_too(orders: Any, highest: float) -> None:
    """Of quantiles it does so with marshmallow 4."""
    ranges = {"quantiles": [0.1, 0.9], "value_ranges": [[0, highest], [None, 1e4]]}
    quantiles = {"column": "price", "quantile_ranges": ranges}
    orders.write(orders.frame())
    orders.write_suite({"type": "expect_column_quantile_values_to_be_between", "kwargs": quantiles})
    validation = orders.validate()
    assert validation.success == (highest > 1)
    (shown, _) = json.loads(orders.site.store.get(validation.evidence.path))["results"]
    assert len(shown["result"]["observed_value"]["values"]) == 2


def test_rows_that_break_an_expectation_lie_in_quarantine_with_every_reason(orders: Any) -> None:
    frame = orders.frame()
    frame.loc[[3, 4], "price"] = -1.0
    frame.loc[[4, 9], "kind"] = "cars"
    orders.write(frame)
    orders.write_suite(IN_RANGE, KNOWN, MEAN)
    validation = orders.validate()
    assert failed(validation) == [IN_RANGE["type"], KNOWN["type"]]
    bad = orders.load(validation.quarantine)
    price, kind = "expect_column_values_to_be_between (price)", "expect_column_values_to_be_in_set (kind)"
    assert dict(zip(bad["id"], bad["_reason"], strict=True)) == {"0-3": price, "0-4": f"{price}; {kind}", "0-9": kind}
    assert validation.quarantine.rows == 3
    assert [r.unexpected_rows for r in validation.results] == [2, 2, 0, 0]


def test_the_error_names_expectations_counts_and_quarantine(orders: Any) -> None:
    orders.write(orders.frame().assign(price=-5.0))
    orders.write_suite(IN_RANGE, KNOWN)
    validation = orders.validate()
    with pytest.raises(ValidationFailed) as caught:
        require_valid(orders.spec(), orders.request(), validation, orders.site)
    said = str(caught.value)
    for part in (
        "1 of 3 expectations of pipeline 'orders' are broken by 1,200 rows",
        "expect_column_values_to_be_between(price): 1,200 of 1,200 unexpected (100 %), e.g. -5",
        "max_value 10000",
        validation.quarantine.path,
        "1,200 rows",
    ):
        assert part in said
    assert not caught.value.retryable


def test_nulls_are_judged_as_great_expectations_does(orders: Any) -> None:
    frame = orders.frame()
    frame.loc[:99, "price"] = np.nan
    orders.write(frame)
    orders.write_suite(IN_RANGE)
    assert orders.validate().success
    orders.write_suite({"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "price"}})
    assert orders.load(orders.validate().quarantine)["id"].tolist() == frame["id"][:100].tolist()


def test_what_mostly_allows_is_not_in_quarantine(orders: Any) -> None:
    frame = orders.frame()
    frame.loc[:9, "price"] = -1.0
    frame.loc[:0, "kind"] = "cars"
    orders.write(frame)
    orders.write_suite({**IN_RANGE, "kwargs": {**IN_RANGE["kwargs"], "mostly": 0.95}}, KNOWN)
    validation = orders.validate()
    assert failed(validation) == [KNOWN["type"]]
    assert orders.load(validation.quarantine)["id"].tolist() == ["0-0"]


def test_rows_with_the_same_key_break_the_built_in_check(orders: Any) -> None:
    frame = orders.frame()
    orders.write(pd.concat([frame, frame.iloc[[7, 8]].assign(price=1.0)]))
    validation = orders.validate()
    assert failed(validation) == [ROW_KEY_UNIQUE]
    bad = orders.load(validation.quarantine)
    assert sorted(bad["id"]) == ["0-7", "0-7", "0-8", "0-8"]
    assert set(bad["_reason"]) == {"row_key_unique (id)"}
    with pytest.raises(ValidationFailed, match=r"4 rows share their key with another row, e\.g\. id=0-7"):
        require_valid(orders.spec(), orders.request(), validation, orders.site)


def test_the_entity_and_its_time_are_the_key_where_none_is_given(orders: Any) -> None:
    frame = orders.frame()
    orders.write(pd.concat([frame, frame.iloc[[7]].assign(id="other")]))
    assert failed(orders.validate(orders.spec(source={"key": []}))) == [ROW_KEY_UNIQUE]
    assert orders.validate(orders.spec(source={"key": [], "entity": None})).success


def test_a_new_fault_shows_in_the_newest_stretch_where_the_window_dilutes_it(orders: Any) -> None:
    frame = orders.frame()
    newest = frame["at"] > frame["at"].max() - timedelta(days=2)
    frame.loc[newest, "price"] = -1.0
    orders.write(frame)
    orders.write_suite({**IN_RANGE, "kwargs": {**IN_RANGE["kwargs"], "mostly": 0.9}})
    assert orders.validate().success
    spec = orders.spec(validate={"last": "2d"})
    validation = orders.validate(spec)
    assert [(r.scope, r.success) for r in validation.results] == [("window", True), ("window", True), ("last", False)]
    assert orders.load(validation.quarantine)["id"].tolist() == frame["id"][frame["price"] < 0].tolist()
    with pytest.raises(ValidationFailed, match="in the newest rows"):
        require_valid(spec, orders.request(), validation, orders.site)


def test_expectations_over_several_columns_are_quarantined_too(orders: Any) -> None:
    frame = orders.frame().assign(price=50.0)
    frame.loc[5, "price"] = -1.0
    orders.write(frame)
    orders.write_suite(PAIR)
    validation = orders.validate()
    assert validation.results[0].column == "price, shop"
    assert orders.load(validation.quarantine)["_reason"].tolist() == [f"{PAIR['type']} (price, shop)"]


def test_expectations_about_the_whole_fail_without_quarantine(orders: Any) -> None:
    orders.write(orders.frame())
    orders.write_suite({**MEAN, "kwargs": {"column": "price", "min_value": 1000}})
    validation = orders.validate()
    assert (failed(validation), validation.quarantine) == ([MEAN["type"]], None)
    assert "expected min_value 1000" in validation.results[0].message


def test_an_expectation_that_cannot_be_computed_has_failed(orders: Any) -> None:
    orders.write(orders.frame())
    orders.write_suite(
        IN_RANGE,
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "nowhere"}},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "kind", "min_value": 0}},
    )
    validation = orders.validate()
    assert [r.success for r in validation.results] == [True, False, False, True]
    assert "could not be computed" in validation.results[1].message
    assert "nowhere" in validation.results[1].message


def test_the_evidence_is_the_result_of_gx_without_long_lists(orders: Any) -> None:
    orders.write(orders.frame().assign(price=-1.0))
    orders.write_suite(IN_RANGE)
    validation = orders.validate()
    evidence = json.loads(orders.site.store.get(validation.evidence.path))["results"]
    assert [one["expectation"]["type"] for one in evidence] == [IN_RANGE["type"], ROW_KEY_UNIQUE]
    assert evidence[0]["result"]["unexpected_count"] == 1200
    assert evidence[0]["result"]["unexpected_index_list"][-1] == "… 1,200 in all"
    assert validation.evidence.bytes < 10_000


def test_done_twice_the_result_is_the_same_byte_for_byte(orders: Any) -> None:
    frame = orders.frame()
    frame.loc[3, "price"] = -1.0
    orders.write(frame)
    orders.write_suite(IN_RANGE, KNOWN)
    first = orders.validate()
    orders.site.store.delete(first.path("orders", first.key))
    again = orders.validate()
    assert again.model_dump(exclude={"made_at"}) == first.model_dump(exclude={"made_at"})
    stages = [entry.body.stage for entry in orders.site.ledger("orders").entries()]
    assert stages == ["collect", "validate", "validate"], "what was lost and made anew is written down, too"


def test_another_suite_is_another_validation(orders: Any) -> None:
    orders.write(orders.frame())
    first = orders.validate()
    orders.write_suite(IN_RANGE)
    assert orders.validate().key != first.key


def test_great_expectations_leaves_nothing_behind_and_says_nothing(
    orders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    orders.write(orders.frame())
    orders.validate()
    assert list(empty.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_suite_that_great_expectations_wrote_is_read(orders: Any) -> None:
    import great_expectations as gx

    suite = gx.ExpectationSuite(name="orders")
    gx.get_context(mode="ephemeral").suites.add(suite)
    suite.add_expectation(gx.expectations.ExpectColumnValuesToNotBeNull(column="price", notes="It is a price."))
    suite.save()
    orders.spec().suite_file.write_text(json.dumps(suite.to_json_dict()))
    orders.write(orders.frame())
    assert orders.validate().success
    assert len(read_suite(orders.spec())) == 1


# -- a wrong suite -----------------------------------------------------------------------------------------------


def test_an_unknown_expectation_is_named_with_its_line(orders: Any) -> None:
    orders.write_suite(IN_RANGE, {"type": "expect_column_values_to_be_inn_set", "kwargs": {"column": "kind"}})
    with pytest.raises(SpecError, match="did you mean `expect_column_values_to_be_in_set`") as caught:
        read_suite(orders.spec())
    assert caught.value.file == str(orders.folder / "expectations.json")
    line = (orders.folder / "expectations.json").read_text().splitlines()[caught.value.line]
    assert "inn_set" in line
    assert "Expectation 2" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "price", "min_vlue": 0, "max_value": 1}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "price"}},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {}},
        {"kwargs": {"column": "price"}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "price"}, "colour": "red"},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "price", "mostly": 7}},
    ],
)
def test_a_wrong_expectation_is_named(orders: Any, wrong: dict[str, Any]) -> None:
    orders.write(orders.frame())
    orders.write_suite(KNOWN, wrong)
    with pytest.raises(SpecError, match=r"Expectation 2 of the suite.*expectations\.json, line \d+") as caught:
        orders.validate()
    assert caught.value.key == "expectations.1"
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b'{"name": "x",\n "expectations": [', "not JSON.*line 2"),
        (b"[]", "no list of expectations"),
        (b'{"expectations": {}}', "no list of expectations"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_suite(orders: Any, content: bytes, match: str) -> None:
    orders.spec().suite_file.write_bytes(content)
    with pytest.raises(SpecError, match=match):
        read_suite(orders.spec())


def test_a_missing_suite(orders: Any) -> None:
    orders.write(orders.frame())
    orders.spec().suite_file.unlink()
    with pytest.raises(SpecError, match=r"validate\.expectations"):
        orders.validate()


def test_a_snapshot_that_is_gone_from_the_store(orders: Any) -> None:
    orders.write(orders.frame())
    orders.site.store.delete(orders.collect().parts[0].data.path)
    with pytest.raises(ObjectMissing):
        orders.validate()
