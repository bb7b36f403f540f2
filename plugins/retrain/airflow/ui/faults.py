"""What goes wrong, as the API says it: what happened, where, what to do now."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from retrain.errors import ObjectMissing, ReleaseError, RetrainError, UsageError

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def told_by(app: FastAPI) -> None:
    """Let an app say its errors so."""
    app.add_exception_handler(RetrainError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RetrainError)
    status = 409 if isinstance(error, ReleaseError) else 422 if isinstance(error, UsageError) else 503
    status = 404 if isinstance(error, ObjectMissing) else status
    return _said(status, error.what, error.where, error.do)


def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _said(error.status_code, str(error.detail), None, None)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _said(422, f"{where}: {first['msg']}", None, "see the OpenAPI description of this route.")


def _said(status: int, error: str, where: str | None, do: str | None) -> JSONResponse:
    return JSONResponse({"error": error, "where": where, "do": do}, status_code=status, headers=NO_STORE)
