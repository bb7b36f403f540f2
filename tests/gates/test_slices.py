"""The slices gate: no part of the rows is harmed."""

from __future__ import annotations

from typing import Any

from retrain.gates.slices import Slices

SLICES = Slices(columns=("carrier",), margin=0.02)


def test_a_slice_that_is_shown_to_be_worse_is_named(make_scorecard: Any, make_slice: Any, judged: Any) -> None:
    card = make_scorecard(
        slices=(
            make_slice("AA", (0.0, -0.01, 0.01)),
            make_slice("UA", (0.05, 0.03, 0.07)),
            make_slice("DL", (0.05, 0.01, 0.09)),  # worse as measured, not shown
        ),
        left_out=("carrier=HA (12 rows)",),
    )
    result = judged(SLICES, card)
    assert result.outcome == "failed"
    assert "worse on 1 of 3 slices: carrier=UA" in result.reason
    assert "carrier=HA (12 rows)" in result.reason
    assert "DL" not in result.reason
    assert result.evidence["left_out"] == ["carrier=HA (12 rows)"]


def test_slices_that_hold_pass_and_small_ones_are_still_named(
    make_scorecard: Any, make_slice: Any, judged: Any
) -> None:
    card = make_scorecard(slices=(make_slice("AA", (0.0, -0.01, 0.01)),), left_out=("carrier=HA (12 rows)",))
    result = judged(SLICES, card)
    assert result.outcome == "passed"
    assert "carrier=HA (12 rows)" in result.reason


def test_the_margin_is_a_share_of_the_champions_loss_on_the_slice(
    make_scorecard: Any, make_slice: Any, judged: Any
) -> None:
    card = make_scorecard(slices=(make_slice("UA", (0.05, 0.029, 0.07), champion=0.2),))
    assert judged(Slices(columns=("carrier",)), card).outcome == "passed"  # 15 % of 0.2 is 0.03
    assert judged(Slices(columns=("carrier",), relative=0.1), card).outcome == "failed"
    assert judged(Slices(columns=("carrier",), relative=0.2, margin=0.02), card).outcome == "failed"


def test_what_could_hide_is_said(make_scorecard: Any, make_slice: Any, judged: Any) -> None:
    card = make_scorecard(slices=(make_slice("AA", (0.0, -0.01, 0.01)), make_slice("HA", (0.0, -0.08, 0.08))))
    assert (
        "carrier=HA may be up to 0.0800 worse, which more days or fewer slices would tell"
        in judged(SLICES, card).reason
    )


def test_a_slice_without_its_score_fails(make_scorecard: Any, make_slice: Any, judged: Any) -> None:
    for lost in ("challenger", "champion", "difference_lower"):
        card = make_scorecard(slices=(make_slice("AA", (0.0, -0.01, 0.01), **{lost: None}),))
        result = judged(SLICES, card)
        assert result.outcome == "failed"
        assert "carrier=AA" in result.reason


def test_when_it_is_not_applied_it_says_why(make_scorecard: Any, make_slice: Any, judged: Any) -> None:
    def said(**card: Any) -> str:
        result = judged(SLICES if card else Slices(), make_scorecard(**card))
        assert result.outcome == "not applied"
        return result.reason

    assert "no champion" in said(champion=None)
    assert "carrier=HA (12 rows)" in said(left_out=("carrier=HA (12 rows)",))
    assert "no slices are asked for" in said()
