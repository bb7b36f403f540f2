"""A broken kind is named by file, line and key, and with what to do, whatever kind it is and however it is broken."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from retrain import cli
from retrain.check import Finding, check
from retrain.errors import UsageError
from retrain.serving.gateway import Gateway
from retrain.serving.options import Options
from retrain.site import Site

SPEC: dict[str, Any] = {
    "name": "p",
    "task": "binary",
    "source": {"files": "./rows.csv", "timestamp": "at", "label": "late"},
    "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
}
FEATURES = 'def build(frame):\n    return frame[["x"]].astype("float64")\n'

BROKEN = '''
from pydantic import field_validator

from retrain.alerts.base import Sender
from retrain.gates.base import Gate
from retrain.metrics.base import Metric
from retrain.metrics.distances import Distance
from retrain.serving.protocols.base import Protocol
from retrain.sources.files import Files
from retrain.targets.gateway import Gateway


def fail(*_):
    raise ZeroDivisionError("what Acme did not foresee")


def fragile(value):
    raise KeyError("what Acme did not foresee")


class RaisingSource(Files):
    columns = head = newest = fail

class RaisingOrigins(RaisingSource):
    origins = fail

class RaisingGate(Gate):
    judge = needs = fail

class RaisingDefault(RaisingGate):
    default = fail

class RaisingAlert(Sender):
    send = problem = fail

class FragileSource(Files):
    colour: str = ""
    _fails = field_validator("colour")(fragile)

class FragileGate(Gate):
    colour: str = ""
    _fails = field_validator("colour")(fragile)
    judge = fail

class FragileTarget(Gateway):
    colour: str = ""
    _fails = field_validator("colour")(fragile)

class FragileAlert(Sender):
    colour: str = ""
    _fails = field_validator("colour")(fragile)
    send = fail

class Unfinished(Gateway):
    """Its settings name what its module does not import."""

    since: "Moment"

class HalfTarget(__import__("retrain.targets.base", fromlist=["Target"]).Target):
    apply = fail

class HalfAlert(Sender):
    pass

class HalfGate(Gate):
    pass

raising_metric = Metric("acme", ("binary",), fail)
raising_distance = Distance(fail, threshold=0.1)
nan_distance = Distance(lambda before, now: float("nan"), threshold=0.1)


class RaisingRoutes(Protocol):
    routes = read = write = refuse = fail

class PathlessRoutes(RaisingRoutes):
    def routes(self):
        return ["lines"]

class Arguments(RaisingRoutes):
    def __init__(self, port):
        pass
'''
KINDS: dict[str, tuple[str, Any]] = {
    "source": ("source.kind", lambda name, **keys: {"source": {**SPEC["source"], "kind": name, **keys}}),
    "gate": ("bless.gates.1", lambda name, **keys: {"bless": {"gates": ["stability", name], **keys}}),
    "metric": ("bless.metric", lambda name: {"bless": {"metric": name}}),
    "distance": ("drift.distance", lambda name: {"drift": {"distance": name}}),
    "target": ("canary.target.kind", lambda name, **keys: {"canary": {"target": {"kind": name, **keys}}}),
    "alert": ("alerts.0.to", lambda name, **keys: {"alerts": [{"to": name, **keys}]}),
}
"""Kind → the key that names it, and what stands in the file."""


@pytest.fixture(autouse=True)
def pipeline(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which all is right, beside modules in which nothing is."""
    monkeypatch.setattr("retrain.check._dag", lambda spec: iter(()))
    (tmp_path / "acme_broken.py").write_text(BROKEN)
    (tmp_path / "acme_raising.py").write_text("1 / 0\n")
    (tmp_path / "acme_leaving.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_broken", raising=False)
    folder = site.settings.pipelines / "p"
    folder.mkdir(parents=True)
    at = pd.date_range("2024-01-01", periods=60, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    pd.DataFrame({"at": at, "x": range(60), "late": [0, 1] * 30}).to_csv(folder / "rows.csv", index=False)
    (folder / "features.py").write_text(FEATURES)
    (folder / "expectations.json").write_text(json.dumps({"name": "p", "expectations": []}))
    return folder


def wrong(site: Site, pipeline: Path, keys: dict[str, Any]) -> list[Finding]:
    (pipeline / "pipeline.yaml").write_text(yaml.safe_dump({**SPEC, **keys}, sort_keys=False))
    return [finding for finding in check(pipeline, site.settings) if not finding.ok]


def line_of(pipeline: Path, text: str) -> int:
    """The line on which something stands, counted from 1."""
    lines = (pipeline / "pipeline.yaml").read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if re.search(rf"\b{re.escape(text)}", line))


def located(site: Site, pipeline: Path, keys: dict[str, Any], key: str, text: str) -> Finding:
    """The finding at a key; it must name the file, the line that `text` stands on, and what to do."""
    found = wrong(site, pipeline, keys)
    where = f"{pipeline / 'pipeline.yaml'}, line {line_of(pipeline, text)}, key `{key}`"
    mine = [finding for finding in found if finding.where == where]
    assert mine, (where, found)
    assert mine[0].do
    return mine[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nobodys", "There is no 'nobodys' among"),
        ("acme_nowhere.kinds:Thing", "cannot be imported: ModuleNotFoundError"),
        ("acme_broken:Missing", "cannot be imported: AttributeError"),
        ("acme_raising:Thing", "cannot be imported: ZeroDivisionError"),
        ("acme_leaving:Thing", "cannot be imported: SystemExit"),
        ("json:JSONDecoder", "is the class JSONDecoder, not a"),
        ("json:dumps", "is of type function, not a"),
    ],
)
def test_one_that_is_not_there_or_is_something_else(
    site: Site, pipeline: Path, kind: str, name: str, says: str
) -> None:
    key, keys = KINDS[kind]
    assert says in located(site, pipeline, keys(name), key, name).what


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        (
            "source",
            "RaisingSource",
            "'acme_broken:RaisingSource' does not say its columns: ZeroDivisionError",
        ),
        ("source", "RaisingOrigins", "does not say its origins: ZeroDivisionError"),
        ("gate", "RaisingGate", "The gate 'raising_gate' does not say which columns it reads: ZeroDivisionError"),
        ("gate", "RaisingDefault", "'acme_broken:RaisingDefault' cannot be used: ZeroDivisionError"),
        ("metric", "raising_metric", "The metric 'acme' cannot be computed: ZeroDivisionError"),
        ("distance", "raising_distance", "The distance 'acme_broken:raising_distance' fails on numbers: ZeroDivision"),
        ("distance", "nan_distance", "The distance 'acme_broken:nan_distance' is nan on numbers"),
        ("alert", "RaisingAlert", "does not say what is wrong with it: ZeroDivisionError"),
    ],
)
def test_one_that_raises_when_it_is_asked(site: Site, pipeline: Path, kind: str, name: str, says: str) -> None:
    key, keys = KINDS[kind]
    found = located(site, pipeline, keys(f"acme_broken:{name}"), key, name)
    assert says in found.what


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("source", "FragileSource", "source.kind"),
        ("gate", "FragileGate", "bless.fragile_gate"),
        ("target", "FragileTarget", "canary.target.kind"),
        ("alert", "FragileAlert", "alerts.0.to"),
    ],
)
def test_one_that_fails_on_its_settings(site: Site, pipeline: Path, kind: str, name: str, key: str) -> None:
    settings = {"fragile_gate": {"colour": "red"}} if kind == "gate" else {"colour": "red"}
    keys = KINDS[kind][1](f"acme_broken:{name}", **settings)
    found = located(site, pipeline, keys, key, key.rpartition(".")[2] if kind == "gate" else name)
    assert "cannot be used: KeyError: 'what Acme did not foresee'" in found.what


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("target", "HalfTarget", "its class lacks `rehearse`, `watch`"),
        ("target", "Unfinished", "`Unfinished` is not fully defined"),
        ("alert", "HalfAlert", "its class lacks `send`"),
        ("gate", "HalfGate", "its class lacks `judge`"),
    ],
)
def test_one_that_is_not_whole(site: Site, pipeline: Path, kind: str, name: str, says: str) -> None:
    key, keys = KINDS[kind]
    assert says in located(site, pipeline, keys(f"acme_broken:{name}"), key, name).what


def test_several_are_found_at_once(site: Site, pipeline: Path) -> None:
    keys = {
        "bless": {"metric": "acme_broken:raising_metric"},
        "drift": {"distance": "acme_broken:raising_distance"},
        "alerts": [{"to": "acme_broken:RaisingAlert"}],
    }
    assert {finding.subject for finding in wrong(site, pipeline, keys)} == {"metric", "distance", "alerts"}


# -- what does not stand in pipeline.yaml ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nobodys", "There is no 'nobodys' among protocols"),
        ("acme_raising:Thing", "cannot be imported: ZeroDivisionError"),
        ("json:JSONDecoder", "is the class JSONDecoder, not a subclass of Protocol"),
        ("acme_broken:Arguments", "The protocol 'acme_broken:Arguments' cannot be used: TypeError"),
        ("acme_broken:RaisingRoutes", "it does not say its paths: ZeroDivisionError"),
        ("acme_broken:PathlessRoutes", "'lines' is no path"),
    ],
)
def test_a_broken_protocol_is_named_with_the_variable_that_names_it(
    site: Site, pipeline: Path, name: str, says: str
) -> None:
    (pipeline / "pipeline.yaml").write_text(yaml.safe_dump(SPEC))
    with pytest.raises(UsageError) as caught:
        Gateway(site, (), Options(protocols=(name,)))
    assert says in caught.value.what
    assert "RETRAIN_GATEWAY_PROTOCOLS" in str(caught.value.where)
    assert caught.value.do


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("acme_nowhere:plot", "`acme_nowhere:plot` cannot be imported: ModuleNotFoundError"),
        ("acme_leaving:plot", "`acme_leaving:plot` cannot be imported: SystemExit"),
        ("acme_broken:raising_metric", "`acme_broken:raising_metric` cannot be a command: TypeError"),
    ],
)
def test_a_broken_command_says_so_and_spares_the_others(
    value: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, "other", f"plot = {value}")
    for typed, status in (["plot", "p", "--colour", "red"], 2), (["--help"], 0):
        monkeypatch.setattr(sys, "argv", ["retrain", *typed])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert (left.value.code or 0) == status
        if status:
            assert says in said.err
            assert "do:    mend the package that brings this command, or remove it." in said.err
        else:
            assert "versions" in said.out, "Acme's other command is there"


def test_a_command_that_two_packages_bring_is_neithers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, "other", "versions = json:dumps")
    monkeypatch.setattr(sys, "argv", ["retrain", "versions", "p"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert "Several packages bring a command `versions`" in capsys.readouterr().err


def install(folder: Path, package: str, command: str) -> None:
    """Install a package that brings a command; the folder is on Python's path."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[retrain.commands]\n{command}\n")
