"""Artifacts by reference and by name: the bytes that were meant, or a refusal."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from retrain.artifacts import GateResult, Ref, Report, Request, Verdict, canonical, digest, now
from retrain.errors import ArtifactChanged, ObjectMissing
from retrain.settings import Settings
from retrain.site import Site

BEFORE = Path(__file__).parent / "golden" / "before" / "artifacts"
OLD = Ref(kind="scorecard", key="s", pipeline="flights")
REQUEST = Request(data_end=now(), run="run-1", actor="test")


def a_verdict(outcome: str = "vetoed", reason: str = "worse") -> Verdict:
    gate = GateResult(gate="change", outcome="failed", reason=reason)
    return Verdict(
        key="v", pipeline="flights", scorecard=OLD, candidate=OLD, version=2, champion=1, outcome=outcome,
        gates=(gate,), reason=reason,
    )  # fmt: skip


def keep(site: Site, made: Verdict) -> Verdict:
    return site.once(Verdict, made.pipeline, made.key, lambda: made)


def edit(site: Site, **fields: Any) -> None:
    """Somebody writes into the store, in good form."""
    path = Verdict.path("flights", "v")
    site.store.put(path, canonical(json.loads(site.store.get(path)) | fields))


def test_an_edited_artifact_is_not_what_its_reference_names(site: Site) -> None:
    ref = keep(site, a_verdict()).ref()
    assert site.read(Verdict, ref).outcome == "vetoed"
    edit(site, outcome="blessed")
    with pytest.raises(ArtifactChanged) as caught:
        site.read(Verdict, ref)
    assert "The verdict 'v' of pipeline 'flights' was changed after it was made" in str(caught.value)
    assert f"{site.store.uri}/flights/artifacts/verdict/v.json" in str(caught.value)
    assert "restore that object" in str(caught.value)


@fewer(60)
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.booleans())
def test_no_byte_of_it_can_be_changed(place: int, byte: int, cut: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Settings.load({"RETRAIN_HOME": str(Path(folder) / "home")}))
        ref = keep(site, a_verdict()).ref()
        path = Verdict.path("flights", "v")
        data = site.store.get(path)
        place %= len(data)
        other = data[:place] if cut else data[:place] + bytes([byte]) + data[place + 1 :]
        site.store.put(path, other)
        if other == data:
            assert site.read(Verdict, ref).ref() == ref
            return
        with pytest.raises(ArtifactChanged):
            site.read(Verdict, ref)


def test_what_the_ledger_says_of_an_artifact_holds_for_those_who_find_it_by_name(site: Site) -> None:
    site.ledger("flights").record_stage("bless", keep(site, a_verdict()), REQUEST)
    edit(site, outcome="blessed")
    again = Site(site.settings)
    for read in (
        lambda: again.find(Verdict, "flights", "v"),
        lambda: keep(again, a_verdict()),
        lambda: again.read(Verdict, Ref(kind="verdict", key="v", pipeline="flights")),
    ):
        with pytest.raises(ArtifactChanged):
            read()


def test_a_reference_of_an_earlier_release_is_read_and_written_as_it_was(site: Site) -> None:
    old = {"kind": "verdict", "key": "v", "pipeline": "flights"}
    ref = Ref.model_validate(old)
    assert (ref.model_dump(), json.loads(ref.model_dump_json())) == (old, old)
    assert canonical(ref) == canonical(old)
    keep(site, a_verdict())
    assert site.read(Verdict, ref) == site.find(Verdict, "flights", "v")


@pytest.mark.parametrize("path", sorted(BEFORE.rglob("artifacts/verdict/*.json")), ids=lambda path: path.stem[:6])
def test_the_bytes_count_as_they_lie_there_whichever_release_wrote_them(path: Path) -> None:
    """Read and written again they may be others: a field that came later has been added."""
    data = path.read_bytes()
    assert Verdict.from_bytes(data).ref().sha256 == digest(data)
    spaced = json.dumps(json.loads(data), indent=1).encode()
    assert Verdict.from_bytes(spaced).ref().sha256 == digest(spaced)
    assert Verdict.from_bytes(spaced) == Verdict.from_bytes(data)


def test_a_changed_copy_is_another_content() -> None:
    made = a_verdict()
    other = made.model_copy(update={"outcome": "blessed"})
    assert made.ref().sha256 == digest(made.to_bytes()) != other.ref().sha256 == digest(other.to_bytes())


def test_of_two_makers_the_first_is_believed_and_both_name_its_bytes(site: Site) -> None:
    first, second = a_verdict(reason="first"), a_verdict(reason="second")

    def meanwhile() -> Verdict:
        keep(Site(site.settings), first)
        return second

    found = site.once(Verdict, "flights", "v", meanwhile)
    assert (found.reason, found.ref()) == ("first", first.ref())
    assert site.read(Verdict, found.ref()) == found


def test_what_was_lost_and_made_anew_is_believed_and_so_is_what_it_was_if_it_comes_back(site: Site) -> None:
    ledger = site.ledger("flights")
    first = keep(site, a_verdict())
    ledger.record_stage("bless", first, REQUEST)
    site.store.delete(Verdict.path("flights", "v"))
    with pytest.raises(ObjectMissing):
        site.read(Verdict, first.ref())
    again = keep(site, a_verdict())
    assert again.ref() != first.ref()
    ledger.record_stage("bless", again, REQUEST)
    ledger.record_stage("bless", again, REQUEST)
    assert ledger.head == 2
    assert ledger.contents("verdict", "v") == {first.fingerprint, again.fingerprint}
    assert site.find(Verdict, "flights", "v") == again
    with pytest.raises(ArtifactChanged):
        site.read(Verdict, first.ref())
    site.store.put(Verdict.path("flights", "v"), first.to_bytes())
    assert site.find(Verdict, "flights", "v") == first


def test_a_reference_travels_as_json(site: Site) -> None:
    ref = keep(site, a_verdict()).ref()
    assert Ref.model_validate(json.loads(json.dumps(ref.model_dump()))) == ref
    report = Report(key="r", pipeline="flights", run="x", outcome="vetoed", headline="", markdown="", stages={})
    assert Report.from_bytes(report.to_bytes()).ref() == report.ref()
