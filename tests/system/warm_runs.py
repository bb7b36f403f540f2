"""A process that has imported everything once and forks a ``retrain run`` for each line it is given.

It says when it is ready, and then the exit status of each run. A run is killed with SIGKILL ``after`` some seconds; or
it kills itself ``at`` one of the operations that touch a file, a database or a process. Without either it says at its
end how many of those there were.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module

TOUCHES = ("open", "os.", "shutil.", "sqlite3.", "fcntl.", "subprocess.")


def main() -> None:
    for name in ("retrain.airflow.warm", "retrain.cli", "retrain.commands.run"):
        import_module(name)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        after = asked.pop("after")
        child = os.fork()
        if child == 0:
            run(**asked)
        print(watch(child, after), flush=True)


def watch(child: int, after: float | None) -> int:
    """Wait for a run, at most ``after`` seconds; its exit status."""
    until = math.inf if after is None else time.monotonic() + after
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    return os.waitstatus_to_exitcode(ended[1])


def run(words: list[str], environment: dict[str, str], output: str, at: int | None) -> None:
    from retrain.cli import main

    os.environ.update(environment)
    stream = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(stream, number)
    sys.argv = ["retrain", *words]
    counted = itertools.count(1)
    sys.addaudithook(killing(counted, at))
    try:
        main()
    except SystemExit as left:
        print(f"touches: {next(counted)}", flush=True)
        os._exit(int(left.code or 0))
    finally:
        os._exit(9)


def killing(counted: itertools.count[int], at: int | None) -> Callable[[str, object], None]:
    def hook(event: str, _: object) -> None:
        if event.startswith(TOUCHES) and next(counted) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


if __name__ == "__main__":
    main()
