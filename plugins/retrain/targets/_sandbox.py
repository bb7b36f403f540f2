"""A gateway process of its own, serving one model and seen by nobody else.

It is the ordinary gateway on an ordinary store: a temporary folder that holds a copy of the model's files and a
ledger with one entry, the model's promotion. So what is rehearsed is what will happen: the ledger is read, the files
are fetched and verified, the model is loaded and asked. Its prediction log stays in that folder and goes with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import retrain
from retrain.artifacts import Candidate
from retrain.data.frames import scratch
from retrain.errors import GatewayError, ModelError, ObjectMissing
from retrain.ledger import Ledger
from retrain.ledger.release import Release, Served
from retrain.site import Site
from retrain.spec import Spec
from retrain.store.local import LocalStore

START_SECONDS = 30.0
LOAD_SECONDS = 60.0
ANSWER_SECONDS = 10.0
LOOK_SECONDS = 0.02


class Sandbox:
    """A running gateway.

    :param url: where it answers.
    """

    def __init__(self, pipeline: str, process: subprocess.Popen[bytes], url: str, output: Path) -> None:
        import httpx

        self.pipeline = pipeline
        self.url = url
        self._process = process
        self._output = output
        self._http = httpx.Client(base_url=url, timeout=ANSWER_SECONDS, trust_env=False)

    def load(self) -> float:
        """Wait until the model answers; return how many seconds that took.

        :raises ModelError: it cannot be loaded, takes too long, or takes the gateway with it.
        """
        began = time.monotonic()
        while (took := time.monotonic() - began) < LOAD_SECONDS:
            health = self._health()
            if health.get("status") in {"ok", "degraded"}:
                return took
            if problems := health.get("without_champion", {}).get(self.pipeline):
                raise ModelError(" ".join(problems))
            time.sleep(LOOK_SECONDS)
        raise ModelError(f"The model is not loaded after {LOAD_SECONDS:.0f} s.")

    def ask(self, rows: list[dict[str, Any]]) -> list[Any] | str:
        """The gateway's answers to some rows, or what went wrong, in one line.

        :raises ModelError: the gateway process died of it.
        """
        import httpx
        import orjson

        try:
            response = self._http.post(
                f"/pipelines/{self.pipeline}/invocations",
                content=orjson.dumps({"dataframe_records": rows}),
                headers={"Content-Type": "application/json"},
            )
            body = response.json()
        except httpx.TimeoutException:
            return f"no answer within {ANSWER_SECONDS:g} s"
        except (httpx.HTTPError, ValueError) as error:
            self._require_alive()
            return f"{type(error).__name__}: {error}"
        if response.status_code != 200:
            return str(body.get("error", body))
        return list(body["predictions"])

    def _health(self) -> dict[str, Any]:
        import httpx

        try:
            return dict(self._http.get("/health").json())
        except (httpx.HTTPError, ValueError):
            self._require_alive()
            return {}

    def _require_alive(self) -> None:
        """Tell a gateway that died from one that is slow."""
        try:
            status = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise ModelError(f"The gateway process {how}. {_tail(self._output)}".strip())


@contextmanager
def sandbox(spec: Spec, candidate: Candidate, site: Site) -> Iterator[Sandbox]:
    """Start a gateway that serves one candidate; it is killed at the end, or when this process is.

    :raises GatewayError: it cannot be started here; the model is not to blame.
    :raises StoreError: the model's files cannot be read now.
    """
    with scratch() as folder:
        _stage(spec, candidate, site, folder)
        output = folder / "output.txt"
        printed = folder / "printed.txt"  # a file, not a pipe: a model that prints would fill it and hang
        with output.open("wb") as stream, printed.open("wb") as out:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "retrain.serving",
                    spec.name,
                    "--port",
                    "0",
                    "--die-with",
                    f"{os.getpid()}",
                ],
                env=_environment(spec, site, folder),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=stream,
            )
        try:
            yield Sandbox(spec.name, process, _address(process, printed, output), output)
        finally:
            process.kill()
            process.wait()


def _stage(spec: Spec, candidate: Candidate, site: Site, folder: Path) -> None:
    """Make the store of the sandbox: the model's files, and a ledger in which the candidate is the champion."""
    store = LocalStore(folder / "store")
    for name in candidate.model.files:
        path = f"{candidate.model.path}/{name}"
        try:
            store.upload(path, site.store.fetch(path))
        except ObjectMissing:
            continue  # the gateway will say that it cannot load such a model
    served = Served(version=candidate.version, model=candidate.model)
    release = Release(state="promoted", champion=served, reason="rehearsal")
    Ledger(store, spec.name).append(release, actor="rehearsal")


def _environment(spec: Spec, site: Site, folder: Path) -> dict[str, str]:
    """The environment of this process, with everything the gateway writes put into ``folder``.

    A model that is slower than a challenger may be fails here, too.
    """
    patience = os.environ.get("RETRAIN_GATEWAY_CHALLENGER_PATIENCE")
    path = [str(Path(retrain.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        **site.settings.environment(),
        "RETRAIN_HOME": str(folder / "home"),
        "RETRAIN_STORE": str(folder / "store"),
        "RETRAIN_PIPELINES": str(spec.folder.parent),
        "RETRAIN_GATEWAY_CHAMPION_PATIENCE": patience or "2",
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
    }


def _address(process: subprocess.Popen[bytes], printed: Path, output: Path) -> str:
    """Read where the gateway listens from its first line."""
    until = time.monotonic() + START_SECONDS
    while "\n" not in (line := printed.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > until:
            break
        time.sleep(LOOK_SECONDS)
    line = line.partition("\n")[0]
    if not line.startswith("listening on "):
        raise GatewayError(
            f"The gateway for the rehearsal did not start within {START_SECONDS:.0f} s. {_tail(output)}".strip(),
            do="run `python -m retrain.serving` on this machine and see what it says; then run the task again.",
        )
    return line.removeprefix("listening on ").strip()


def _tail(output: Path) -> str:
    """The last words of the gateway."""
    lines = output.read_text(errors="replace").splitlines()
    return "It said: " + " | ".join(lines[-3:]) if lines else ""
