"""The operators' page in a real browser, in a real Airflow: on-call stories, themes and widths, no serious axe finding.

Each story begins at Airflow's own first page, as somebody begins who was called at night. Clicks are counted.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from retrain.demo.waiting import looks

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

WIDTHS = {"wide": (1440, 900), "narrow": (390, 844)}
THEMES = ("light", "dark")
MOST_CLICKS = 3
SERIOUS = {"serious", "critical"}
PICTURES = os.environ.get("RETRAIN_PICTURES")
"""A folder to keep a picture of each view in, for whoever wants to look at them."""


@pytest.fixture(scope="module")
def place(open_place: Any) -> Any:
    """Version 1 and 2 served, one run's data was bad, version 3 is in its canary."""
    found = open_place()
    first = found.trigger()
    assert found.finish(first)[0] == "success"
    second = _challenger(found, seed=1)
    found.serve(160)
    assert found.finish(second)[0] == "success"
    _bad_rows(found)
    third = found.trigger()
    assert found.finish(third)[1]["validate"] == "failed"
    _challenger(found, seed=3)
    found.serve(12)
    return found


def _challenger(place: Any, seed: int) -> str:
    """A run that trains another model, as far as its canary."""
    place.new_data(seed)
    run_id: str = place.trigger()
    _wait_for(place, run_id, "shadow")
    place.serve(40)
    _wait_for(place, run_id, "canary")
    return run_id


def _wait_for(place: Any, run_id: str, stage: str) -> None:
    for _ in looks(180, pause=0.3):
        if place.states(run_id).get(stage) == "deferred":
            return
    raise AssertionError(f"{stage} is not waiting: {place.states(run_id)}")


def _bad_rows(place: Any) -> None:
    """Some rows that break an expectation, and whose visitor has a hostile name."""
    place.new_data(2)
    file = place.settings.data / "visits" / "visits.parquet"
    frame = pd.read_parquet(file)
    frame.loc[frame.index[-40:], "pages"] = -5
    frame.loc[frame.index[-40:], "visitor"] = "![x](http://evil.invalid/x.png)<img src=x onerror=alert(1)>"
    frame.to_parquet(file, index=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium here: `sh scripts/browser.sh` installs Debian's")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])


Opened = Callable[..., Page]


@pytest.fixture
def opened(place: Any, browser: Browser) -> Iterator[Opened]:
    """Opens a page as somebody of a role, who is logged in."""
    contexts = []

    def open_(path: str = "/", *, role: str = "admin", width: str = "wide", theme: str = "light") -> Page:
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        context = browser.new_context(base_url=place.airflow.url, viewport=size, color_scheme=theme)
        contexts.append(context)
        url = place.airflow.url
        context.add_cookies([{"name": "_token", "value": place.airflow.api.token(role), "url": url}])
        context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        page = context.new_page()
        page.asked = []  # type: ignore[attr-defined]
        page.on("request", lambda request: page.asked.append(request.url))  # type: ignore[attr-defined]
        page.on("dialog", lambda dialog: pytest.fail(f"something was run: {dialog.message}"))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()


class Hand:
    """Clicks, and counts them."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks, self.began = page, 0, time.monotonic()

    def click(self, what: Locator) -> None:
        what.first.click()
        self.clicks += 1

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def to_the_page(self) -> None:
        self.click(self.page.get_by_role("link", name="Retraining"))

    def to_visits(self) -> None:
        self.to_the_page()
        self.click(self.page.get_by_role("link", name="visits", exact=True))


@pytest.fixture
def hand(opened: Opened, request: pytest.FixtureRequest) -> Iterator[Hand]:
    """Somebody at Airflow's first page, three clicks from every answer."""
    found = Hand(opened())
    yield found
    assert found.clicks <= MOST_CLICKS
    if PICTURES:
        with Path(PICTURES, "stories.txt").open("a") as file:
            file.write(f"{request.node.name}: {found.clicks} clicks, {found.seconds:.1f} s\n")


# -- what somebody on call asks ----------------------------------------------------------------------------------


def test_who_serves_since_when_and_is_it_well(hand: Hand) -> None:
    hand.to_the_page()
    row = hand.page.get_by_role("row").filter(has_text="visits")
    expect(row).to_contain_text("version 2")
    expect(row).to_contain_text("FAILED")


def test_which_rows_were_bad_and_their_hostile_names_are_text(hand: Hand) -> None:
    hand.to_visits()
    hand.click(hand.page.get_by_role("link", name="Data", exact=True))
    expect(hand.page.get_by_text("-5").first).to_be_visible()
    expect(hand.page.get_by_text("evil.invalid").first).to_be_visible()
    assert not [url for url in hand.page.asked if "evil" in url]  # type: ignore[attr-defined]


def test_how_far_the_canary_is_and_what_decides_it_also_while_one_looks(place: Any, hand: Hand) -> None:
    hand.to_visits()
    hand.click(hand.page.get_by_role("link", name="Trial", exact=True))
    expect(hand.page.get_by_text("What is open")).to_be_visible()
    expect(hand.page.get_by_text("version 3").first).to_be_visible()
    before = hand.page.locator("dt:has-text('Requests') + dd").inner_text()
    place.serve(4, seed=9)
    expect(hand.page.locator("dt:has-text('Requests') + dd")).not_to_have_text(before, timeout=30_000)


def test_what_served_at_a_time_is_told(hand: Hand) -> None:
    hand.to_visits()
    expect(hand.page.get_by_text("What served when")).to_be_visible()


def test_why_a_version_was_blessed_is_one_click_from_its_pipeline(hand: Hand) -> None:
    hand.to_visits()
    hand.click(hand.page.get_by_role("region", name="Versions").get_by_role("link", name="version 2"))
    expect(hand.page.get_by_text("change", exact=True).first).to_be_visible()


def test_a_run_that_came_to_nothing_looks_like_it(hand: Hand) -> None:
    hand.to_visits()
    runs = hand.page.get_by_role("region", name="Last runs")
    expect(runs).to_contain_text("bad data")


def test_the_tabs_of_dag_and_run_show_the_pipeline_and_the_version(place: Any, opened: Opened) -> None:
    page = opened("/dags/visits")
    page.get_by_role("link", name="Retraining").last.click()
    expect(page.get_by_text("What served when")).to_be_visible()


# -- what somebody on call does ------------------------------------------------------------------------------------


def test_somebody_who_may_only_look_is_told_so(opened: Opened) -> None:
    page = opened("/retrain/#/pipelines/visits", role="viewer")
    expect(page.get_by_role("group", name="What can be done")).to_contain_text("Not possible now")
    page.get_by_text("Not possible now").click()
    expect(page.get_by_text("right to start runs").first).to_be_visible()


def test_without_a_session_one_logs_in_and_comes_back(place: Any, browser: Browser) -> None:
    page = browser.new_context(base_url=place.airflow.url).new_page()
    page.goto("/retrain/")
    expect(page.get_by_label("Username")).to_be_visible(timeout=30_000)
    page.get_by_label("Username").fill("viewer")
    page.get_by_label("Password").first.fill(place.airflow.api.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("row").filter(has_text="visits")).to_be_visible(timeout=30_000)
    page.context.close()


ACTS = [
    ("Pause the release", None, "light", "wide"),
    ("Resume the release", None, "dark", "narrow"),
    ("Veto a version", 1, "light", "narrow"),
    ("Bless a version", 1, "dark", "wide"),
    ("Abort the release", None, "dark", "narrow"),
]


@pytest.mark.parametrize(("title", "version", "theme", "width"), ACTS)
def test_an_act_says_what_it_will_do_wants_a_reason_and_is_in_the_ledger_with_the_name(
    place: Any, opened: Opened, title: str, version: int | None, theme: str, width: str
) -> None:
    """One after the other, on the canary that is under way."""
    before = place.ledger.head
    page = opened("/retrain/#/pipelines/visits", theme=theme, width=width)
    page.get_by_role("button", name=title).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"act-{title.split()[0].lower()}-{theme}-{width}.png")
    submit = dialog.get_by_role("button", name=title)
    expect(submit).to_be_disabled()
    dialog.get_by_role("textbox").fill(f"tried: {title}")
    if version is not None:
        dialog.get_by_role("combobox").select_option(str(version))
    submit.click()
    expect(dialog).to_be_hidden(timeout=20_000)
    mine = [entry for entry in place.ledger.entries()[before:] if entry.actor == "airflow:admin"]
    assert [entry.body.reason for entry in mine] == [f"tried: {title}"]
    assert all(entry.by == "human" for entry in mine)


def test_a_retraining_is_started_from_the_page_as_airflow_starts_it(place: Any, opened: Opened) -> None:
    page = opened("/retrain/#/pipelines/visits")
    page.get_by_role("button", name="Retrain now").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("the feed was mended")
    dialog.get_by_role("button", name="Retrain now").click()
    expect(dialog).to_be_hidden(timeout=20_000)
    runs = place.airflow.api.call("GET", "/dags/visits/dagRuns", params={"order_by": "-run_after"})["dag_runs"]
    asked = [run for run in runs if run["conf"].get("reason") == "the feed was mended"]
    assert [(run["triggering_user_name"], run["conf"]["force"]) for run in asked] == [("admin", True)]
    place.airflow.api.call("DELETE", f"/dags/visits/dagRuns/{asked[0]['dag_run_id']}")


def test_from_the_red_badge_to_the_rollback(place: Any, hand: Hand) -> None:
    """The last story: it ends the canary that the others look at."""
    hand.to_visits()
    hand.click(hand.page.get_by_role("button", name="Roll back"))
    dialog = hand.page.get_by_role("dialog")
    expect(dialog).to_contain_text("within a second")
    dialog.get_by_role("textbox").fill("wrong since the price feed changed")
    if dialog.get_by_role("radio").count():
        dialog.get_by_role("radio").first.check()
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog).to_be_hidden()
    release = place.ledger.release()
    entry = place.ledger.entries()[place.ledger.release_number() - 1]
    assert (release.champion.version, entry.actor) == (1, "airflow:admin")
    assert "price feed" in release.reason
    assert hand.seconds < 20


# -- how it looks --------------------------------------------------------------------------------------------------

VIEWS = {
    "fleet": "",
    "pipeline": "/pipelines/visits",
    "version": "/pipelines/visits/versions/2",
    "data": "/pipelines/visits/data",
    "trial": "/pipelines/visits/trial",
    "ledger": "/pipelines/visits/ledger",
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_whole_and_can_be_used_by_everybody(opened: Opened, view: str, theme: str, width: str) -> None:
    page = opened(f"/retrain/#{VIEWS[view]}", theme=theme, width=width)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{view}-{theme}-{width}.png", full_page=True)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{view} is {overflow} pixels wider than the window"
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in SERIOUS]
    assert not found, [(one["id"], one["nodes"][0]["html"]) for one in found]
