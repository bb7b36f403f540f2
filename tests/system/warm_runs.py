"""A process that has imported everything once and forks a ``retrain run`` for each line it is given.

It prints the run's process id, then its exit status. With ``at`` the run kills itself with SIGKILL at that one of the
operations that touch a file, a database or a process; without, it says at the end how many there were.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module

TOUCHES = ("open", "os.", "shutil.", "sqlite3.", "fcntl.", "subprocess.")


def main() -> None:
    for name in ("retrain.airflow.warm", "retrain.cli", "retrain.commands.run"):
        import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(**json.loads(line))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


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
