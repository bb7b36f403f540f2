"""Side by side: estimators fitted at once, each in a process of its own.

Processes, not threads: Python's lock would let one fit wait for another, and numerical libraries count their threads by
process. Each is started anew, not forked: what has used OpenMP hangs in a fork. The rows are written once, to a file
without a name, which every process maps into its memory: nothing is copied to them, and nothing is left behind by
whoever is killed.

OpenMP's threads are told there to sleep while they wait, which they can be told only at the start. Otherwise they spin,
and on cores that others use, too, a fit on two of them took ten times as long as on one.
"""

from __future__ import annotations

import itertools
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from retrain.child import die_with
from retrain.data.frames import room
from retrain.modelling import fitting
from retrain.modelling.fitting import Recipe

if TYPE_CHECKING:
    import numpy as np

PROGRAM = "from retrain.modelling.side_by_side import main; main()"
PAGE = 4096
COPIES = 4
"""How many times over a fit may hold its rows: imputed, scaled, as its solver wants them, and what it derives."""
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Rows:
    """What every estimator learns from.

    :param classes: how many the target has; None for a regression.
    :param asked: what it is asked then; None if it is itself wanted.
    """

    learnt: np.ndarray
    target: np.ndarray
    classes: int | None
    asked: np.ndarray | None = None


@dataclass(frozen=True)
class Ended:
    """How a fit ended: with a result, with an error, or with neither, its process gone.

    :param result: the answers; or, where nothing was asked, the estimator, pickled.
    :param fitted: was the estimator fitted before it failed?
    :param status: of the process; a negative one is the signal that killed it.
    """

    result: Any = None
    error: Exception | None = None
    fitted: bool = False
    status: int = 0


@dataclass(frozen=True)
class Place:
    """Where an array lies in the file that is shared."""

    offset: int
    shape: tuple[int, ...]
    dtype: str
    order: Literal["C", "F"]


def at_once(size: int, cores: int) -> int:
    """How many fits the cores and the memory that is free can bear side by side.

    :param size: of the rows, in bytes.
    """
    return max(1, min(cores, _free_memory() // (COPIES * size)))


def run(recipes: Sequence[Recipe], rows: Rows, processes: int, threads: int) -> Generator[Ended]:
    """Fit side by side and give how each ended, in their order; close the generator to end those that still run.

    :param threads: of each process, for what is the same on many.
    :raises StoreFull: no room here for the rows.
    """
    with _shared(rows) as (file, places):
        waiting = enumerate(recipes)
        running: dict[Any, tuple[int, subprocess.Popen[bytes]]] = {}
        ended: dict[int, Ended] = {}
        try:
            for number in range(len(recipes)):
                while number not in ended:
                    for begun, recipe in itertools.islice(waiting, processes - len(running)):
                        child = _start(file, (recipe, places, rows.classes, threads), threads)
                        running[child.stdout] = begun, child
                    for pipe in wait(list(running)):
                        ended[running[pipe][0]] = _ending(running[pipe][1])
                        del running[pipe]
                yield ended.pop(number)
        finally:
            for _, child in running.values():
                with child:  # and wait for its end
                    child.kill()


def _start(file: IO[bytes], work: tuple[Any, ...], threads: int) -> subprocess.Popen[bytes]:
    """A process for one fit. It finds every module that this one would find."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM, str(os.getpid()), str(file.fileno())],
        env={
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), str(threads)),
            **dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[file.fileno()],
    )
    assert child.stdin is not None
    with suppress(BrokenPipeError), child.stdin as pipe:  # how it ended will be seen
        pickle.dump(work, pipe)
    return child


def _ending(child: subprocess.Popen[bytes]) -> Ended:
    """How a process that says something, or nothing more, ended."""
    assert child.stdout is not None
    with child.stdout as pipe:
        said = pipe.read()
    status = child.wait()
    if status:
        return Ended(status=status)
    ended: Ended = pickle.loads(said)
    return ended


# -- the rows --------------------------------------------------------------------------------------------------


@contextmanager
def _shared(rows: Rows) -> Iterator[tuple[IO[bytes], list[Place]]]:
    """The file that holds the rows, and where."""
    with room(), tempfile.TemporaryFile() as file:
        places = [_put(file, array) for array in (rows.learnt, rows.target, rows.asked) if array is not None]
        file.flush()
        yield file, places


def _put(file: IO[bytes], array: np.ndarray) -> Place:
    """Write an array in the order in which it lies in memory: sums can depend on it."""
    offset = file.seek(-(-file.tell() // PAGE) * PAGE)
    order: Literal["C", "F"] = "F" if array.flags.f_contiguous else "C"
    file.write(array.ravel(order).data)
    return Place(offset, array.shape, array.dtype.str, order)


def _taken(memory: mmap.mmap, place: Place) -> np.ndarray:
    import numpy as np

    return np.ndarray(place.shape, place.dtype, memory, place.offset, order=place.order)


def _free_memory() -> int:
    """What this machine, or the container this runs in, can still give, in bytes."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        used = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return min(free, int((CGROUP / "memory.max").read_text()) - int(used["anon"]))
    except (OSError, ValueError, KeyError):  # no cgroup, or one without a limit
        return free


# -- the other process -----------------------------------------------------------------------------------------


def main() -> None:
    """Do the work that comes on stdin, and say on stdout how it ended."""
    parent, handle = map(int, sys.argv[1:])
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C: the parent says it
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as said:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what an estimator prints goes elsewhere
        pickle.dump(_work(handle), said)
    os._exit(0)


def _work(handle: int) -> Ended:
    fitted = False
    try:
        recipe, places, classes, threads = pickle.load(sys.stdin.buffer)
        memory = mmap.mmap(handle, 0, access=mmap.ACCESS_COPY)
        learnt, target, *asked = (_taken(memory, place) for place in places)
        for matrix in (learnt, *asked):
            matrix.flags.writeable = False  # as a frame gives them
        estimator = fitting.fit(recipe.make(), learnt, target, threads)
        fitted = True
        return Ended(fitting.answers(estimator, asked[0], classes) if asked else fitting.pickled(estimator))
    except Exception as error:
        return Ended(error=_portable(error), fitted=fitted)


def _portable(error: Exception) -> Exception:
    """The error as another process can read it, with where it was raised."""
    where = "".join(traceback.format_exception(error))
    try:
        copy: Exception = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = RuntimeError(str(error) or type(error).__name__)
    copy.add_note(f"In another process:\n{where}")
    return copy
