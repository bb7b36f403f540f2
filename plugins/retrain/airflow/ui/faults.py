"""What goes wrong, as the app says it: what happened, where, what to do now; and whoever has to log in is led there."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from airflow.configuration import conf
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from retrain.errors import ObjectMissing, ReleaseError, RetrainError, UsageError

LOGIN = "/api/v2/auth/login"
"""Airflow's own way to the login page of whatever auth manager there is; it comes back only to addresses of its own."""

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def told_by(app: FastAPI) -> None:
    """Let an app say its errors so."""
    app.add_exception_handler(RetrainError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RetrainError)
    return _said(_status(request, error), error.what, error.where, error.do)


def _status(request: Request, error: RetrainError) -> int:
    """Whose fault it is: what was asked for, what stands in the ledger, or the store."""
    if request.method == "GET" and isinstance(error, ReleaseError | UsageError | ObjectMissing):
        return 404  # who only looks has asked for what is not there
    if isinstance(error, ReleaseError):
        return 409
    return 422 if isinstance(error, UsageError) else 503


def _http(request: Request, error: Exception) -> Response:
    """A browser without a session goes to Airflow's login and comes back; everybody else is told the status."""
    assert isinstance(error, HTTPException)
    if error.status_code == 401 and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        below = urlsplit(str(conf.get("api", "base_url", fallback="") or "")).path.rstrip("/")
        return RedirectResponse(f"{below}{LOGIN}?{urlencode({'next': here})}", 302, {"Cache-Control": "no-store"})
    return _said(error.status_code, str(error.detail), None, None)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _said(422, f"{where}: {first['msg']}", None, "see the OpenAPI description of this route.")


def _said(status: int, error: str, where: str | None, do: str | None) -> JSONResponse:
    return JSONResponse({"error": error, "where": where, "do": do}, status_code=status, headers=NO_STORE)
