"""What the data was: failures first, and the rows that broke them, harmless wherever they are opened."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from hostile_names import HOSTILE
from orders_world import NOT_NULL, Orders
from retrain.artifacts import Validation
from retrain.data.frames import keep_frame
from retrain.errors import ArtifactChanged, DataError, ObjectMissing, RetrainError, UsageError
from retrain.site import Site
from retrain.status import DataStory, data_story, quarantine_csv

SHORT = {"type": "expect_column_value_lengths_to_be_between", "kwargs": {"column": "kind", "max_value": 4}}


def quarantined(orders: Orders, frame: pd.DataFrame, key: str = "v") -> Validation:
    """A validation with these rows in quarantine, as the stage leaves it."""
    snapshot = orders.collect()
    path = f"orders/data/validation/{key}/quarantine.parquet"
    made = Validation(
        key=key, pipeline="orders", snapshot=snapshot.ref(), success=False, rows=1200, results=(),
        quarantine=keep_frame(orders.site, path, frame),
    )  # fmt: skip
    orders.site.store.create(Validation.path("orders", key), made.to_bytes())
    orders.site.ledger("orders").record_stage("validate", made, orders.request(run=f"run-{key}"))
    return made


def rows_of(site: Site, key: str) -> list[list[str]]:
    data = b"".join(quarantine_csv("orders", key, site))
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def test_what_failed_stands_first_and_its_rows_are_shown_with_their_reason(orders: Orders) -> None:
    orders.write(orders.frame())
    orders.write_suite(NOT_NULL, SHORT | {"kwargs": {"column": "kind", "max_value": 3}})
    made = orders.validate()
    (found,) = data_story("orders", orders.site).validations
    assert (found.key, found.run, found.success, found.rows) == (made.key, "run-1", False, made.rows)
    assert [one.success for one in found.expectations] == [False, True, True]
    assert found.expectations[0].column == "kind"
    assert found.expectations[0].unexpected_rows == made.rows
    assert found.quarantine is not None
    assert found.quarantine.rows == made.rows
    assert found.quarantine.columns[:2] == ("_reason", "id")
    assert len(found.quarantine.sample) == 20
    assert "kind" in found.quarantine.sample[0][0]
    told = rows_of(orders.site, made.key)
    assert len(told) == made.rows + 1, "all of them, under their names"
    assert tuple(told[0]) == found.quarantine.columns
    assert DataStory.model_validate_json(found_json(orders)) == data_story("orders", orders.site)


def found_json(orders: Orders) -> str:
    return data_story("orders", orders.site).model_dump_json()


def test_the_newest_five_are_told_newest_first_and_one_that_is_gone_is_left_out(orders: Orders) -> None:
    orders.write(orders.frame())
    frame = pd.DataFrame({"price": [1.0], "_reason": ["bad"]})
    for number in range(7):
        quarantined(orders, frame, f"v{number}")
    assert [one.key for one in data_story("orders", orders.site).validations] == ["v6", "v5", "v4", "v3", "v2"]
    orders.site.store.delete(Validation.path("orders", "v5"))
    orders.site.store.delete("orders/data/validation/v4/quarantine.parquet")
    found = data_story("orders", orders.site).validations
    assert [one.key for one in found] == ["v6", "v4", "v3", "v2"]
    assert [one.quarantine is None for one in found] == [False, True, False, False]
    assert data_story("nothing", orders.site).validations == ()


def test_hostile_names_and_values_stay_text_and_no_cell_is_long(orders: Orders) -> None:
    orders.write(orders.frame())
    names = {f"{name} {number}": [value] for number, (name, value) in enumerate(HOSTILE.items())}
    headed = {value: ["held"] for value in HOSTILE.values()}
    quarantined(orders, pd.DataFrame({**names, **headed, "_reason": ["bad"]}))
    (found,) = data_story("orders", orders.site).validations
    assert found.quarantine is not None
    (cells,) = found.quarantine.sample
    assert cells[1 : 1 + len(HOSTILE)] == tuple(value[:200] for value in HOSTILE.values())
    assert set(HOSTILE.values()) <= set(found.quarantine.columns)
    assert DataStory.model_validate_json(found_json(orders)) == data_story("orders", orders.site)
    told = rows_of(orders.site, "v")
    assert told[1][1 : 1 + len(HOSTILE)] == [f"'{v}" if v.startswith("=") else v for v in HOSTILE.values()]


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_and_no_head_of_the_download_is_a_formula(orders: Orders, start: str) -> None:
    orders.write(orders.frame())
    quarantined(orders, pd.DataFrame({start: [start], "number": [-1.5], "_reason": [start]}))
    assert rows_of(orders.site, "v") == [["_reason", f"'{start}", "number"], [f"'{start}", f"'{start}", "-1.5"]]


def test_bytes_and_missing_values_are_shown_as_text(orders: Orders) -> None:
    orders.write(orders.frame())
    frame = pd.DataFrame({"raw": [b"\xff\x00ok", None], "when": [pd.Timestamp("2026-01-02"), None]})
    quarantined(orders, frame.assign(_reason="bad"))
    (found,) = data_story("orders", orders.site).validations
    assert found.quarantine is not None
    assert found.quarantine.sample == (("bad", "\\xff\x00ok", "2026-01-02 00:00:00"), ("bad", "", ""))


def test_what_is_not_there_or_not_what_it_was_is_said_before_a_byte_is_sent(orders: Orders) -> None:
    orders.write(orders.frame())
    made = orders.validate()
    for key, error in ((made.key, "No row is in quarantine"), ("gone", "has no validation 'gone'")):
        with pytest.raises(UsageError, match=error):
            quarantine_csv("orders", key, orders.site)
    for key in ("../../etc/passwd", "a/../../b", "", "a\\b", "a\x00b"):
        with pytest.raises(RetrainError):
            quarantine_csv("orders", key, orders.site)
    bad = quarantined(orders, pd.DataFrame({"price": [1.0], "_reason": ["bad"]}))
    assert bad.quarantine is not None
    orders.site.store.put(bad.quarantine.path, b"another table")
    with pytest.raises(DataError, match="its hash differs"):
        quarantine_csv("orders", bad.key, orders.site)
    orders.site.store.delete(bad.quarantine.path)
    with pytest.raises(ObjectMissing):
        quarantine_csv("orders", bad.key, orders.site)
    orders.site.store.put(Validation.path("orders", bad.key), bad.model_copy(update={"rows": 1}).to_bytes())
    with pytest.raises(ArtifactChanged):
        quarantine_csv("orders", bad.key, orders.site)


def test_many_rows_are_sent_a_stretch_at_a_time(orders: Orders) -> None:
    orders.write(orders.frame())
    rows = 2500
    quarantined(orders, pd.DataFrame({"price": range(rows), "_reason": ["bad"] * rows}))
    pieces = list(quarantine_csv("orders", "v", orders.site))
    assert len(pieces) == 3
    assert len(b"".join(pieces).splitlines()) == rows + 1
