"""A model's thread: batches, bad rows, hangs."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_world import Pretended, Said
from retrain.serving.runtime import ISOLATING_CALLS, Answered, Failed, Runner, ask_together


def fails_on_negative(row: dict[str, Any]) -> float:
    if row["x"] < 0:
        raise ValueError(f"cannot take {row['x']}")
    return float(row["x"])


def rows(*values: float) -> list[dict[str, Any]]:
    return [{"x": value} for value in values]


@given(st.lists(st.lists(st.sampled_from([1.0, 2.0, 3.0, -1.0]), min_size=1, max_size=4), min_size=1, max_size=40))
def test_only_the_bad_rows_of_a_batch_fail(requests: list[list[float]]) -> None:
    outcomes = ask_together(Pretended(fails_on_negative), [rows(*request) for request in requests])
    assert [len(outcome) for outcome in outcomes] == [len(request) for request in requests]
    for request, outcome in zip(requests, outcomes, strict=True):
        for value, one in zip(request, outcome, strict=True):
            if value < 0:
                assert one == Failed("ValueError: cannot take -1.0", "error")
            else:
                assert one == Answered({"prediction": value}, value)


def test_one_bad_row_among_many_requests_costs_few_calls() -> None:
    model = Pretended(fails_on_negative)
    ask_together(model, [rows(float(value)) for value in range(63)] + [rows(-1.0)])
    assert len(model.calls) <= 2 * math.log2(64) + 2


def test_a_request_full_of_bad_rows_does_not_take_for_ever() -> None:
    model = Pretended(fails_on_negative)
    good, bad = ask_together(model, [rows(1.0), rows(*[-1.0] * 10_000)])
    assert good == [Answered({"prediction": 1.0}, 1.0)]
    assert len(bad) == 10_000
    assert all(isinstance(outcome, Failed) for outcome in bad)
    assert len(model.calls) <= ISOLATING_CALLS + 3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_answer_that_is_no_number_is_a_failure_of_its_row(value: float) -> None:
    outcomes = ask_together(Pretended(lambda row: value if row["x"] == 2 else 1.0), [rows(1), rows(2), rows(3)])
    assert outcomes[1] == [Failed("an answer is NaN or infinite", "error")]
    assert isinstance(outcomes[0][0], Answered)
    assert isinstance(outcomes[2][0], Answered)


class Nested(Pretended):
    def answer(self, frame: Sequence[dict[str, Any]]) -> Said:
        output = [{"prediction": "a", "probabilities": {"a": [0.5, float("nan")]}} for _ in frame]
        return Said(output, [float("nan")] * len(frame))


class Multiclass(Pretended):
    def answer(self, frame: Sequence[dict[str, Any]]) -> Said:
        return Said([{"prediction": "a", "probabilities": {"a": 1.0}} for _ in frame], [float("nan")] * len(frame))


class Short(Pretended):
    def answer(self, frame: Sequence[dict[str, Any]]) -> Said:
        return Said([{"prediction": 1}] * (len(frame) - 1), [1.0] * (len(frame) - 1))


class Exits(Pretended):
    def answer(self, frame: Sequence[dict[str, Any]]) -> Said:
        raise SystemExit(3)


class Nonsense(Pretended):
    def answer(self, frame: Sequence[dict[str, Any]]) -> Any:
        return None


def test_what_else_a_model_may_do_wrong() -> None:
    assert ask_together(Nested(), [rows(1)]) == [[Failed("an answer is NaN or infinite")]]
    assert ask_together(Short(), [rows(1)]) == [[Failed("1 rows were asked, 0 answers came")]]
    assert ask_together(Exits(), [rows(1)]) == [[Failed("SystemExit: 3")]]
    assert isinstance(ask_together(Nonsense(), [rows(1)])[0][0], Failed)
    bad_input = ask_together(Pretended(), [[{"x": "not a number"}], rows(1)])
    assert bad_input[0] == [Failed("ValueError: x should be a number", "input")]
    assert isinstance(bad_input[1][0], Answered)


def test_a_class_has_no_score() -> None:
    answered = ask_together(Multiclass(), [rows(1)])[0][0]
    assert answered == Answered({"prediction": "a", "probabilities": {"a": 1.0}}, None)


def test_a_long_error_is_cut() -> None:
    def talk(row: dict[str, Any]) -> float:
        raise ValueError("so\nmuch " * 1000)

    failed = ask_together(Pretended(talk), [rows(1)])[0][0]
    assert isinstance(failed, Failed)
    assert len(failed.error) <= 300
    assert "\n" not in failed.error


class Gate(Pretended):
    """A model that waits until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.opened = threading.Event(), threading.Event()

    def answer(self, frame: Sequence[dict[str, Any]]) -> Said:
        self.entered.set()
        assert self.opened.wait(20)
        return super().answer(frame)


@pytest.mark.anyio
async def test_requests_that_come_during_a_call_are_asked_together() -> None:
    gate = Gate()
    runner = Runner(gate, 1, waiting_rows=100)
    first = asyncio.create_task(runner.ask(rows(0), 20))
    await asyncio.to_thread(gate.entered.wait, 20)
    others = [asyncio.create_task(runner.ask(rows(value, value), 20)) for value in range(1, 9)]
    await asyncio.sleep(0)
    gate.opened.set()
    assert await first == [Answered({"prediction": 0.0}, 0.0)]
    for value, outcome in enumerate(await asyncio.gather(*others), start=1):
        assert outcome == [Answered({"prediction": float(value)}, float(value))] * 2
    assert gate.calls == [1, 16]
    runner.close()


@pytest.mark.anyio
async def test_a_model_that_hangs_costs_its_callers_their_patience_once() -> None:
    gate = Gate()
    runner = Runner(gate, 7, waiting_rows=100)
    late = Failed("version 7 gave no answer within 0.05 s", "timeout")
    assert await runner.ask(rows(1, 2), 0.05) == [late, late]
    await asyncio.sleep(0.01)
    asked = runner._jobs.qsize()
    assert await runner.ask(rows(3), 0.05) == [late]
    assert runner._jobs.qsize() == asked, "it should not even be queued"
    gate.opened.set()
    while isinstance((await runner.ask(rows(4), 5))[0], Failed):
        await asyncio.sleep(0.01)
    assert gate.calls[0] == 2
    assert sum(gate.calls) == 3, "what nobody waits for any more is not asked"
    runner.close()


@pytest.mark.anyio
async def test_a_queue_that_is_too_long_refuses() -> None:
    gate = Gate()
    runner = Runner(gate, 1, waiting_rows=3)
    first = asyncio.create_task(runner.ask(rows(0), 20))
    await asyncio.to_thread(gate.entered.wait, 20)
    assert await runner.ask(rows(1, 2, 3), 20) == [Failed("1 rows already wait for version 1", "busy")] * 3
    gate.opened.set()
    assert isinstance((await first)[0], Answered)
    runner.close()


@pytest.mark.anyio
async def test_a_request_larger_than_the_queue_is_answered_when_nothing_waits() -> None:
    runner = Runner(Pretended(), 1, waiting_rows=3)
    assert len([o for o in await runner.ask(rows(*range(10)), 20) if isinstance(o, Answered)]) == 10
    runner.close()


@pytest.mark.anyio
async def test_an_unloaded_model_refuses_and_its_thread_ends() -> None:
    runner = Runner(Pretended(), 1, waiting_rows=3)
    last = asyncio.create_task(runner.ask(rows(1), 20))
    await asyncio.sleep(0)
    runner.close()
    assert isinstance((await last)[0], Answered), "what was asked before is answered"
    assert await runner.ask(rows(1), 20) == [Failed("version 1 was unloaded", "busy")]
    await asyncio.to_thread(runner._thread.join, 20)
    assert not runner._thread.is_alive()
