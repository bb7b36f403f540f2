"""The operators' page as Airflow and a browser get it: where it stands, what it is made of, what it may do."""

from __future__ import annotations

import pytest
from airflow.api_fastapi.core_api.datamodels.plugins import ReactAppResponse
from airflow.plugins_manager import _get_ui_plugins
from fastapi import FastAPI
from fastapi.testclient import TestClient

from retrain.airflow.plugin import PLACES, RetrainPlugin
from retrain.airflow.ui import bundle
from retrain.airflow.ui.shell import router


@pytest.fixture
def browser() -> TestClient:
    """The page below a path of somebody else's, as Airflow mounts it."""
    pages, server = FastAPI(), FastAPI()
    pages.include_router(router)
    server.mount("/team/retrain", pages)
    return TestClient(server, base_url="http://airflow.example/team/retrain/")


def test_airflow_shows_the_page_in_its_navigation_and_as_tabs() -> None:
    ours = [app for app in _get_ui_plugins()[1] if app["name"] == "Retraining"]
    assert [app["destination"] for app in ours] == list(PLACES)
    assert len({app["url_route"] for app in ours}) == len(PLACES), "Airflow drops the second of an address"
    for app in ours:
        ReactAppResponse.model_validate(app)


@pytest.mark.parametrize(
    ("base_url", "path"), [("", ""), ("http://h:8080", ""), ("http://h:8080/", ""), ("https://h/team/a/", "/team/a")]
)
def test_the_page_is_found_below_airflows_own_path(base_url: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    (address,) = {app["bundle_url"] for app in RetrainPlugin().react_apps}
    assert address == f"{path}/retrain/static/retrain.js?v={bundle.digest('retrain.js')}"


def test_the_shell_loads_one_script_and_may_do_nothing_else(browser: TestClient) -> None:
    page = browser.get("")
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.count("<script") == 1
    assert f'<script type="module" src="{bundle.address("retrain.js")}"></script>' in page.text
    assert "style" not in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy


@pytest.mark.parametrize(("name", "kind"), bundle.TYPES.items())
def test_a_file_has_its_type_and_is_kept_as_long_as_its_address_says(name: str, kind: str, browser: TestClient) -> None:
    named = browser.get(bundle.address(name))
    assert named.content == (bundle.STATIC / name).read_bytes()
    assert named.headers["content-type"].partition(";")[0] == kind
    assert named.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in named.headers["cache-control"]
    plain = browser.get(f"static/{name}")
    assert plain.headers["cache-control"] == "private, no-cache"
    again = browser.get(f"static/{name}", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["shell.py", "../shell.py", "..%2fshell.py", "%2e%2e/app.py", "retrain.js/", "RETRAIN.JS", ".", "%00"]
)
def test_nothing_else_is_served(name: str, browser: TestClient) -> None:
    assert browser.get(f"static/{name}", follow_redirects=False).status_code in {307, 404}


def test_what_is_built_names_no_other_host_and_makes_no_html_from_text() -> None:
    script = bundle.content("retrain.js").decode("ascii")
    assert "eval(" not in script
    assert "document.write" not in script
    hosts = {part.split("/")[0] for part in script.split("https://")[1:]}
    assert hosts == set()
