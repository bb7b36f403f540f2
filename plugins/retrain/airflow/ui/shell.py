"""The operators' page on its own: a shell that loads one script, and the files it is made of.

The shell knows nothing: all that is shown comes from the routes, which ask who one is and what one may see. Its content
policy allows our script and our routes, and no HTML made from text.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response
from fastapi.responses import HTMLResponse

from retrain.airflow.ui import bundle

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
FOR_EVER = "private, max-age=31536000, immutable"
SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Retraining</title>
<script type="module" src="{script}"></script>
</head>
<body>
<div id="retrain-page"></div>
<noscript>This page needs JavaScript. The command line says the same: retrain status.</noscript>
</body>
</html>
"""

router = APIRouter()


@router.get("/", include_in_schema=False)
def shell() -> HTMLResponse:
    """The page, for those to whom Airflow shows no plugins, and for links."""
    html = SHELL.format(script=bundle.address(bundle.SCRIPT))
    return HTMLResponse(html, headers={**HEADERS, "Cache-Control": "no-store"})


@router.get("/static/{name}", include_in_schema=False)
def static(name: str, v: str = "", if_none_match: Annotated[str, Header()] = "") -> Response:
    """One of the files that the page is made of."""
    if name not in bundle.TYPES:
        raise HTTPException(404, "there is no such file")
    digest = bundle.digest(name)
    tag = f'"{digest}"'
    kept = {**HEADERS, "ETag": tag, "Cache-Control": FOR_EVER if v == digest else "private, no-cache"}
    if tag in if_none_match:
        return Response(status_code=304, headers=kept)
    return Response(bundle.content(name), media_type=bundle.TYPES[name], headers=kept)
