"""The same facts and acts through an Airflow, for whoever cannot reach the store: a laptop, a chat bot, a pager.

Speaks the JSON API below ``/retrain/api/v1`` with the caller's own rights; Airflow checks them and the ledger keeps
their name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from retrain.errors import AirflowUnreachable, ReleaseError, RetrainError, UsageError
from retrain.ledger.acts import Act, ActName, Done
from retrain.ledger.page import LedgerPage
from retrain.rollout.looks import TrialStory
from retrain.status import Fleet, PipelineStatus

URL, TOKEN, USER, PASSWORD = (f"RETRAIN_AIRFLOW{part}" for part in ("", "_TOKEN", "_USER", "_PASSWORD"))
SECONDS = 30.0
UNKNOWN = " Whether it was done is not known: look at `retrain ledger` first."
LOGIN = (
    f"set {TOKEN}, or {USER} and {PASSWORD}, to those of somebody who may read the Dag, and start runs of it to steer."
)


class Airflow:
    """The pipelines behind an Airflow.

    :param url: its address, as it stands in the browser's.
    :param environ: who asks: ``RETRAIN_AIRFLOW_TOKEN``, or ``…_USER`` and ``…_PASSWORD``.
    """

    def __init__(self, url: str, environ: Mapping[str, str] = os.environ) -> None:
        if not url.startswith(("https://", "http://")):
            raise UsageError(f"'{url}' is not the address of an Airflow.", do="write it as https://airflow.example.com")
        if httpx.URL(url).userinfo:
            raise UsageError("The address of an Airflow has a name or a password in it.", do=LOGIN)
        self.url, self.environ = url.rstrip("/"), environ
        self._client = httpx.Client(base_url=self.url, timeout=SECONDS)

    def fleet(self) -> Fleet:
        """Every pipeline that the caller may see, worst first."""
        return Fleet.model_validate(self._get("/pipelines"))

    def status(self, pipeline: str) -> PipelineStatus:
        """How one stands."""
        found = self._get(f"/pipelines/{quote(pipeline, safe='')}")
        return PipelineStatus.model_validate({name: value for name, value in found.items() if name != "standing"})

    def trial(self, pipeline: str) -> TrialStory | None:
        """The challenger that is tried there, or was last."""
        found = self._get(f"/pipelines/{quote(pipeline, safe='')}/trial")
        return None if found is None else TrialStory.model_validate(found)

    def ledger(self, pipeline: str, before: int | None = None) -> LedgerPage:
        """What was decided, newest first."""
        asked = {"before": before} if before is not None else {}
        return LedgerPage.model_validate(self._get(f"/pipelines/{quote(pipeline, safe='')}/ledger", asked))

    def decide(self, pipeline: str, act: ActName, *, version: int | None = None, reason: str) -> Done:
        """Decide something on the pipeline as it stands now.

        To roll back to no version in particular drops the one that is being released, if there is one.

        :raises ReleaseError: it is not possible now, or somebody was first.
        """
        offered = self._offered(pipeline)
        if act == "rollback" and version is None and offered["abort"].possible:
            act = "abort"
        body = {"version": version, "reason": reason, "head": _possible(offered[act], pipeline, self.url).head}
        path = f"/pipelines/{quote(pipeline, safe='')}/acts/{act}"
        return Done.model_validate(self._ask("POST", self._path(path), json=body))

    def retrain(self, pipeline: str, form: Mapping[str, Any]) -> str:
        """Start a run, with the values of its trigger form; its id.

        :raises ReleaseError: it is not possible now.
        """
        call = _possible(self._offered(pipeline)["retrain"], pipeline, self.url).call
        assert call is not None
        body = {**call.body, "conf": {name: value for name, value in form.items() if value is not None}}
        return str(self._ask(call.method, f"{self.url}{call.path}", json=body)["dag_run_id"])

    def _offered(self, pipeline: str) -> dict[ActName, Act]:
        found = map(Act.model_validate, self._get(f"/pipelines/{quote(pipeline, safe='')}/acts"))
        return {one.act: one for one in found}

    def _get(self, path: str, asked: Mapping[str, Any] | None = None) -> Any:
        return self._ask("GET", self._path(path), params=asked)

    def _path(self, path: str) -> str:
        return f"{self.url}/retrain/api/v1{path}"

    def _ask(self, method: str, address: str, **given: Any) -> Any:
        try:
            answer = self._client.request(method, address, headers=self._who(), **given)
        except httpx.HTTPError as error:
            raise AirflowUnreachable(
                f"Airflow does not answer: {type(error).__name__}: {error}.",
                where=self.url,
                do="see that the address is right and its API server is up." + ("" if method == "GET" else UNKNOWN),
            ) from error
        if not answer.is_success:
            raise _refused(answer, method, address)
        try:
            return answer.json()
        except ValueError:
            raise AirflowUnreachable(
                "What answers there is no Airflow with retrain in it: it said something that is not JSON.",
                where=address,
                do="see that the address is Airflow's own, and airflow-retrain is installed in its API server.",
            ) from None

    def _who(self) -> dict[str, str]:
        if TOKEN not in self.environ and USER in self.environ:
            self.environ = {**self.environ, TOKEN: self._logged_in()}
        if TOKEN not in self.environ:
            raise UsageError("Airflow has to know who asks.", where=self.url, do=LOGIN)
        return {"Authorization": f"Bearer {self.environ[TOKEN]}"}

    def _logged_in(self) -> str:
        body = {"username": self.environ[USER], "password": self.environ.get(PASSWORD, "")}
        answer = self._client.post("/auth/token", json=body)
        if not answer.is_success:
            raise UsageError(f"Airflow refuses '{self.environ[USER]}'.", where=self.url, do=LOGIN)
        return str(answer.json()["access_token"])


def _possible(act: Act, pipeline: str, url: str) -> Act:
    if not act.possible:
        raise ReleaseError(f"'{pipeline}': {act.why_not}", where=url, do=f"look at `retrain status {pipeline}`.")
    return act


def _refused(answer: httpx.Response, method: str, address: str) -> RetrainError:
    """What Airflow, or the store behind it, has against it."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    what = str(said.get("error") or said.get("detail") or f"Airflow answered {answer.status_code}.")
    where, do = str(said.get("where") or address), said.get("do")
    if answer.status_code == 409:
        return ReleaseError(what, where=where, do=do)
    if answer.status_code in {401, 403}:
        return UsageError(what, where=where, do=do or LOGIN)
    if answer.status_code in {404, 422}:
        return UsageError(what, where=where, do=do)
    return AirflowUnreachable(what, where=where, do=f"{do or 'try again later.'}{'' if method == 'GET' else UNKNOWN}")
