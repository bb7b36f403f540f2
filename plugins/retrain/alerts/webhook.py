"""A webhook: the event as JSON, by POST."""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from typing_extensions import override

from retrain.alerts.base import Sender
from retrain.errors import AlertError
from retrain.spec.alert import Problem
from retrain.spec.durations import Duration

if TYPE_CHECKING:
    from httpx import Client

    from retrain.alerts.events import Event

PAUSE = 1.0
"""Seconds before the second try; each further pause is twice as long."""

MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which another try can help."""


class Webhook(Sender):
    """A POST of the event as JSON: `kind`, `on`, `pipeline`, `run`, `version`, `headline`, `do`, `at`.

    The address is often the secret, so that no message and no log holds more of it than its host. After a lost answer
    the event is sent again: whoever listens may hear of the same `run` and `kind` twice.
    """

    url: str = Field(
        repr=False,
        description="An http or https address, or $NAME: read from that environment variable when it is sent.",
    )
    timeout: Duration = Field(timedelta(seconds=5), description="How long one try may wait for the network.")
    tries: int = Field(3, ge=1, le=5, description="How often it is tried while the other side may come back.")

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        if url.startswith("$") or _host(url):
            return url
        raise _mistake("an http or https address such as https://example.org/hook, or $NAME")

    @override
    def send(self, event: Event) -> None:
        import httpx

        logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs the whole address
        url = self._resolved()
        problem: str | None = None
        with httpx.Client(timeout=self.timeout.total_seconds()) as client:
            for number in range(self.tries):
                if number:
                    time.sleep(PAUSE * 2 ** (number - 1))
                problem, again = _post(client, url, event.as_json())
                if not again:
                    break
        if problem is not None:
            raise AlertError(
                f"The webhook at {_host(url)} was not told of '{event.kind}' of '{event.pipeline}': {problem}.",
                where=f"run {event.run}",
                do="see that it is up and its address is right; this event is not sent again.",
            )

    @override
    def problem(self) -> Problem | None:
        if not self.url.startswith("$") or _host(os.environ.get(self.url[1:], "")):
            return None
        return Problem("url", f"{self.url} is not set to an http or https address here.", "set it where runs end.")

    def _resolved(self) -> str:
        url = os.environ.get(self.url[1:], "") if self.url.startswith("$") else self.url
        if not _host(url):
            raise AlertError(
                f"The webhook's address is to be read from {self.url}, which holds no http or https address.",
                do="set this environment variable where runs end: in Airflow's workers, or before `retrain run`.",
            )
        return url


def _post(client: Client, url: str, body: dict[str, Any]) -> tuple[str | None, bool]:
    """Try once: what went wrong, if anything did, and whether another try can help."""
    import httpx

    try:
        status = client.post(url, json=body).status_code
    except httpx.TransportError as error:
        return f"{type(error).__name__}: no answer", True
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__, False
    return (None, False) if 200 <= status < 300 else (f"it answered {status}", status in MAY_PASS)


def _host(url: str) -> str:
    """The host of an http address; empty if it is none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def _mistake(expected: str) -> ValidationError:
    """A mistake that does not show the address, which may be a secret."""
    error = {"type": "value_error", "loc": (), "input": "(not shown)", "ctx": {"error": ValueError(expected)}}
    return ValidationError.from_exception_data("url", [error])  # type: ignore[list-item]
