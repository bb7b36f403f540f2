"""Which protocols are spoken, and that no path is claimed twice."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from retrain import extensions
from retrain.errors import UsageError
from retrain.serving.gateway import Gateway
from retrain.serving.options import Options
from retrain.serving.protocols.mlflow import Mlflow
from retrain.serving.routes import FOLDER, open_protocols
from retrain.site import Site


def test_ours_are_always_spoken() -> None:
    assert {name: type(protocol) for name, protocol in open_protocols(()).items()} == {"mlflow": Mlflow}
    assert list(open_protocols(("mlflow", "csv_protocol:Csv", "csv_protocol:Csv"))) == ["mlflow", "csv_protocol:Csv"]


def test_an_entry_point_is_spoken_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("csv", "csv_protocol:Csv", FOLDER)
    monkeypatch.setattr(
        extensions.metadata,
        "entry_points",
        lambda group, name="csv": [point] if (group, name) == (FOLDER, "csv") else [],
    )
    assert list(open_protocols(())) == ["mlflow"]
    assert list(open_protocols(("csv",))) == ["mlflow", "csv"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mlfow", "did you mean `mlflow`"),
        ("csv_protocol:Tsv", "cannot be imported: AttributeError"),
        ("csv_protocol:PATH", "of type str, not a subclass of Protocol"),
        (
            "csv_protocol:Half",
            r"'csv_protocol:Half' .* lacks `read`, `refuse`, `write`.*RETRAIN_GATEWAY_PROTOCOLS",
        ),
    ],
)
def test_a_protocol_that_cannot_be_spoken_is_wrong_use(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        open_protocols((name,))


@pytest.mark.parametrize(
    ("named", "says"),
    [
        (
            ("csv_protocol:Greedy",),
            r"/pipelines/\{name\}/invocations of the protocol 'mlflow'|"
            r"/pipelines/\{pipeline\}/invocations of the protocol 'csv_protocol:Greedy'",
        ),
        (("csv_protocol:Bold",), r"GET /pipelines/csv of the protocol 'csv_protocol:Bold' .* of the gateway itself"),
        (("csv_protocol:Csv", "csv_protocol:Wordless"), "the protocol 'csv_protocol:Wordless' is also"),
    ],
)
def test_a_path_claimed_twice_is_wrong_use(
    named: tuple[str, ...], says: str, site: Site, pipeline_folder: Path
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        Gateway(site, (), Options(protocols=named))
    assert "RETRAIN_GATEWAY_PROTOCOLS" in str(caught.value)
