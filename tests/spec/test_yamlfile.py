"""Mistakes in a YAML file: found on their line, all at once, with what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from retrain.errors import SpecError
from retrain.spec.yamlfile import YamlFile


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    holdout: int
    tuning: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    train: Inner
    steps: tuple[float, ...] = ()


def explained(tmp_path: Path, text: str) -> list[SpecError]:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    read = YamlFile.read(file)
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(read.content)
    error = read.explain(caught.value, Outer)
    return [error, *error.also]


def test_every_mistake_has_its_line_key_value_and_remedy(tmp_path: Path) -> None:
    found = explained(tmp_path, "nam: x\ntrain:\n  holdot: 3\n  tuning: soon\nsteps: [0.1, lots]\n")
    seen = {(error.line, error.key): error for error in found}
    places = {(1, "nam"), (1, "name"), (2, "train.holdout")}
    places |= {(3, "train.holdot"), (4, "train.tuning"), (5, "steps.1")}
    assert set(seen) == places
    assert seen[1, "nam"].do == "did you mean `name`?"
    assert seen[3, "train.holdot"].do == "did you mean `holdout`?"
    assert seen[4, "train.tuning"].value == "soon"
    assert "valid integer" in str(seen[4, "train.tuning"])
    assert [error.line for error in found] == sorted(error.line for error in found)


def test_an_unknown_key_like_no_other_gets_the_list(tmp_path: Path) -> None:
    (error,) = explained(tmp_path, "name: x\ntrain: {holdout: 1, zzz: 2}\n")
    assert error.do == "use one of: holdout, tuning"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1, 2\nb: 3\n", "is not YAML"),
        (b"a: 1\nb: 2\na: 3\n", "stands twice"),
        (b"x:\n  a: 1\n  a: 2\n", "stands twice"),
        (b"- a\n- b\n", "is not a mapping"),
        (b"", "is not a mapping"),
        (b"a: \xff\xfe\n", "is not UTF-8"),
        (b"a: !!python/object/apply:os.system ['true']\n", "is not YAML"),
        (b"a: \x00\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError, match=says) as caught:
        YamlFile.read(file)
    assert str(file) in str(caught.value)


def test_the_second_of_two_keys_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("a: 1\nx:\n  b: 1\n  c: 2\n  b: 3\n")
    with pytest.raises(SpecError) as caught:
        YamlFile.read(file)
    assert (caught.value.line, caught.value.key) == (5, "x.b")


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="retrain init"):
        YamlFile.read(tmp_path / "p.yaml")


NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
TREES = st.recursive(
    st.integers(), lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=4), max_leaves=12
).filter(lambda tree: isinstance(tree, dict))


@given(TREES)
def test_every_key_is_found_on_the_line_it_stands_on(tree: dict[str, object]) -> None:
    import tempfile

    text = yaml.safe_dump(tree, default_flow_style=False, sort_keys=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "p.yaml"
        file.write_text(text)
        read = YamlFile.read(file)
    lines = text.splitlines()
    assert read.content == tree
    for location, line in read.lines.items():
        assert lines[line - 1].strip().startswith(f"{_spelled(location[-1])}:")


def _spelled(key: str | int) -> str:
    return yaml.safe_dump({key: 0}, default_flow_style=False).split(":")[0]


def test_on_is_a_key_and_other_keys_stay_what_yaml_says(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("on: [failure]\nclass_weight: {true: 5, false: 1}\n")
    assert YamlFile.read(file).content == {"on": ["failure"], "class_weight": {True: 5, False: 1}}
