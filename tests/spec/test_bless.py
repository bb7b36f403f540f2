"""``bless:``: which gates are asked, with which settings, by which metric; and what a mistake says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import acme
from retrain.commands.schema import spec_schema
from retrain.errors import SpecError
from retrain.gates.change import Change
from retrain.gates.slices import Slices
from retrain.gates.value import Value
from retrain.spec import GATES, Bless, Spec

BINARY: dict[str, Any] = {
    "name": "p",
    "task": "binary",
    "source": {"files": "*.csv", "timestamp": "at", "label": "late"},
    "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
}
FAIR = {"gates": ["stability", "acme:EqualRates"], "equal_rates": {"column": "sex"}}


def written(tmp_path: Path, bless: object, **keys: Any) -> Path:
    place = tmp_path / "p"
    place.mkdir(exist_ok=True)
    (place / "pipeline.yaml").write_text(yaml.safe_dump({**BINARY, **keys, "bless": bless}, sort_keys=False))
    return place


def mistakes(tmp_path: Path, bless: object, **keys: Any) -> dict[str | None, SpecError]:
    """By key; each must stand on the line of its key, or of the section it is missing from."""
    place = written(tmp_path, bless, **keys)
    with pytest.raises(SpecError) as caught:
        Spec.load(place)
    found = {error.key: error for error in (caught.value, *caught.value.also)}
    for error in found.values():
        assert error.file == str(place / "pipeline.yaml")
        assert error.line is not None
        assert error.do
    return found


def line_of(error: SpecError) -> str:
    return Path(error.file).read_text().splitlines()[(error.line or 0) - 1].strip()


def test_without_a_word_ours_are_asked_in_this_order(tmp_path: Path) -> None:
    bless = Spec.load(written(tmp_path, {})).bless
    assert tuple(bless.asked) == bless.gates == GATES
    assert bless.of(Change) == Change()
    assert bless == Bless.model_validate({})


def test_the_order_and_the_settings_are_the_pipelines(tmp_path: Path) -> None:
    bless = Spec.load(written(tmp_path, {"gates": ["change", "stability"], "change": {"absolute": 0.1}})).bless
    assert list(bless.asked) == ["change", "stability"]
    assert bless.asked["change"] == Change(absolute=0.1)
    assert bless.of(Slices) is None


def test_somebody_elses_gate_has_its_settings_under_its_classs_name(tmp_path: Path) -> None:
    bless = Spec.load(written(tmp_path, FAIR)).bless
    assert bless.of(acme.EqualRates) == acme.EqualRates(column="sex")
    assert list(bless.asked) == ["stability", "equal_rates"]
    assert bless.model_dump()["equal_rates"] == {"column": "sex", "margin": 0.1}


def test_a_gate_of_an_entry_point_has_its_settings_under_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "acme_gates-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-gates\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[retrain.gates]\nequal-odds = acme:EqualRates\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    bless = Spec.load(written(tmp_path, {"gates": ["equal-odds"], "equal_odds": {"column": "sex"}})).bless
    assert bless.asked == {"equal_odds": acme.EqualRates(column="sex")}


def test_settings_survive_being_written_down_and_read_back(tmp_path: Path) -> None:
    spec = Spec.load(written(tmp_path, FAIR))
    assert Bless.model_validate(spec.bless.model_dump()) == spec.bless
    assert spec.fragment("bless")["bless"]["equal_rates"] == {"column": "sex", "margin": 0.1}


def test_a_key_that_means_nothing_any_more_is_still_read(tmp_path: Path) -> None:
    assert Spec.load(written(tmp_path, {"replicates": 400})).bless == Spec.load(written(tmp_path, {})).bless


def test_lower_and_upper_are_the_value_gates_in_short(tmp_path: Path) -> None:
    short = Spec.load(written(tmp_path, {"lower": 0.1, "value": {"upper": 0.3}})).bless
    assert short.of(Value) == Value(lower=0.1, upper=0.3)
    assert short == Spec.load(written(tmp_path, {"value": {"lower": 0.1, "upper": 0.3}})).bless


@pytest.mark.parametrize(
    ("bless", "key", "line", "says"),
    [
        ({"gates": ["stability", "chnage"]}, "bless.gates.1", "- chnage", "did you mean `change`?"),
        ({"gates": ["nowhere:Gate"]}, "bless.gates.0", "- nowhere:Gate", "No module named 'nowhere'"),
        ({"gates": ["acme:pinball"]}, "bless.gates.0", "- acme:pinball", "not a subclass of Gate"),
        ({"gates": ["acme:Mute"]}, "bless.gates.0", "- acme:Mute", "lacks `judge`"),
        ({"gates": ["acme:Copy"]}, "bless.gates.0", "- acme:Copy", "cannot stand under `copy`"),
        ({"gates": ["change", "change"]}, "bless.gates.1", "- change", "Two of the gates have the key `change`"),
        ({"gates": ["change", 3]}, "bless.gates.1", "- 3", "the name of a gate"),
        ({"gates": "change"}, "bless.gates", "gates: change", "a list of gates"),
        ({"gates": []}, "bless.gates", "gates: []", "a list of gates"),
        ({**FAIR, "equal_rates": {"column": 3}}, "bless.equal_rates.column", "column: 3", "valid string"),
        ({**FAIR, "equal_rates": {"columm": "a"}}, "bless.equal_rates.columm", "columm: a", "did you mean `column`?"),
        ({**FAIR, "equal_rates": {}}, "bless.equal_rates.column", "equal_rates: {}", "missing"),
        ({"gates": ["acme:EqualRates"]}, "bless.equal_rates", "bless:", "missing"),
        ({**FAIR, "equal_rate": {}}, "bless.equal_rate", "equal_rate: {}", "did you mean `equal_rates`?"),
        ({"gates": ["stability"], "change": {"absolute": 1}}, "bless.change", "change:", "Unknown key"),
        ({"change": {"absolute": -1}}, "bless.change.absolute", "absolute: -1", "greater than or equal to 0"),
        ({"change": {"relative": -1}}, "bless.change.relative", "relative: -1", "greater than or equal to 0"),
        ({"suspicious": {"relativ": 1}}, "bless.suspicious.relativ", "relativ: 1", "did you mean `relative`?"),
        ({"slises": {}}, "bless.slises", "slises: {}", "did you mean `slices`?"),
        ({"upper": 1, "value": {"upper": 2}}, "bless.upper", "upper: 1", "say the same"),
        ({"gates": ["change"], "lower": 1}, "bless.lower", "lower: 1", "which is not asked"),
        ({"lower": "much"}, "bless.lower", "lower: much", "valid number"),
        ({"upper": float("nan")}, "bless.upper", "upper: .nan", "finite number"),
        ({"metric": "breir"}, "bless.metric", "metric: breir", "did you mean `brier`?"),
        ({"metric": "nowhere:metric"}, "bless.metric", "metric: nowhere:metric", "No module named 'nowhere'"),
        ({"metric": "acme:pinball_loss"}, "bless.metric", "metric: acme:pinball_loss", "not an instance of Metric"),
        ({"metric": "acme:brier"}, "bless.metric", "metric: acme:brier", "as one of ours is"),
        ({"metric": "acme:pinball"}, "bless.metric", "metric: acme:pinball", "for a binary task"),
        ({"metric": "rmse"}, "bless.metric", "metric: rmse", "one of brier, log_loss, roc_auc, average_precision"),
    ],
)  # fmt: skip
def test_each_mistake_is_found_where_it_stands(
    tmp_path: Path, bless: dict[str, Any], key: str, line: str, says: str
) -> None:
    error = mistakes(tmp_path, bless)[key]
    assert line_of(error) == line
    assert says in str(error)


def test_a_gate_that_nobody_knows_does_not_make_its_settings_a_second_mistake(tmp_path: Path) -> None:
    assert set(mistakes(tmp_path, {"gates": ["chnage"], "change": {"absolute": 1}})) == {"bless.gates.0"}


def test_the_metric_may_be_somebody_elses(tmp_path: Path) -> None:
    assert Spec.load(written(tmp_path, {"metric": "acme:missed"})).metric is acme.missed
    assert Spec.load(written(tmp_path, {}, task="regression")).metric.name == "rmse"


def test_the_schema_knows_the_keys_of_our_gates_and_leaves_room_for_others() -> None:
    schema = spec_schema()
    keys = schema["$defs"]["Bless"]["properties"]
    assert {*GATES, "gates", "metric", "lower", "upper", "approval"} <= set(keys)
    jsonschema.validate({**BINARY, "bless": FAIR}, schema)
    for wrong in ({"confidnce": 0.9}, {"change": {"absolut": 1}}, {"gates": []}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**BINARY, "bless": wrong}, schema)
