"""Whom a row is about, whatever else is wrong with ``pipeline.yaml``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway_world import constant
from retrain.errors import SpecError
from retrain.serving.entity import entity_column
from retrain.serving.router import goes_to_challenger
from retrain.spec import Spec
from waiting import wait_for

Open = Callable[..., Any]
Model = Callable[..., Any]


@pytest.mark.parametrize(
    ("text", "entity"),
    [("source: {entity: who}", "who"), ("source: {label: late}", None), ("source: {entity: null}\nbless: 7", None)],
)
def test_one_key_is_read(text: str, entity: str | None, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(text)
    assert entity_column(tmp_path) == entity


@pytest.mark.parametrize("text", ["", "source: {", "source: x", "name: flights", "source: {entity: [who]}", "\xff"])
def test_what_cannot_be_understood_is_a_mistake_of_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SpecError) as caught:
        entity_column(tmp_path)
    assert caught.value.file == str(tmp_path / "pipeline.yaml")


ROWS = [{"x": 0.0, "who": f"N{number % 20}"} for number in range(200)]


def test_entities_stay_with_their_model_where_the_pipelines_packages_are_not_installed(
    stand: Open, pretended: Model, pipeline_folder: Path
) -> None:
    file = pipeline_folder / "pipeline.yaml"
    file.write_text(file.read_text() + "bless: {no_such_gate: {from: not_installed}}\n")
    with pytest.raises(SpecError):
        Spec.load(pipeline_folder)
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2))})
    s.release(1, 2, share=0.5)
    release = s.pipeline.follower.routing.release
    said = s.ask(*ROWS).json()["predictions"]
    assert said == [{"prediction": 2.0 if goes_to_challenger(release, row["who"]) else 1.0} for row in ROWS]
    assert {answer["prediction"] for answer in said} == {1.0, 2.0}
    assert s.client.get("/health").json()["status"] == "ok"


def test_without_that_key_each_row_is_routed_by_itself_and_that_is_said(
    stand: Open, pretended: Model, pipeline_folder: Path
) -> None:
    (pipeline_folder / "pipeline.yaml").write_text("source: {entity: who\n")
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2))})
    s.release(1, 2, share=0.5)
    said = s.ask(*[{"who": "N1", "x": 0.0}] * 100).json()["predictions"]
    assert {answer["prediction"] for answer in said} == {1.0, 2.0}
    health = wait_for(lambda: s.client.get("/health").json(), "health")
    assert health["status"] == "degraded"
    assert "each row is routed by itself, not by entity: pipeline.yaml is not YAML" in health["problems"]["flights"][0]
