"""The page in a real browser, on the real daemon and calls process in the laboratory: what an owner sees."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.bench.scene import Scene
from tests.lab import plan
from tests.webui.browser import (
    CHROMIUM,
    PASSWORD,
    Served,
    chromium,
    log_in,
    look_everywhere,
    set_password,
    visitor,
)
from tests.webui.conftest import House
from tests.webui.survey import PAGES

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if os.geteuid() != 0 or not CHROMIUM.exists():
        pytest.skip("needs root and chromium")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def scene(browser: Browser) -> Iterator[Scene]:
    with Scene("page", phones=2) as scene:
        yield scene


@pytest.fixture(scope="module")
def served(scene: Scene) -> Iterator[Served]:
    served = Served(scene.box.run, scene.logs / "webui.log")
    yield served
    served.close()


@pytest.fixture(scope="module")
def password(scene: Scene, served: Served, browser: Browser) -> str:
    """The owner's first visit: this box has no button, so the password comes from a terminal on it."""
    with visitor(browser) as context:
        page = context.new_page()
        page.goto(served.address)
        expect(page).to_have_url(f"{served.address}/first")
        page.get_by_role("button", name="I am at the box").click()
        expect(page.get_by_role("alert")).to_contain_text("button")
    word = scene.logs / "word"
    word.write_text(PASSWORD + "\n")
    done = subprocess.run(
        [
            sys.executable, "-m", "gateway.ctl", "--run", str(scene.box.run),
            "password", "--presence", "--new-password-file", str(word),
        ],
        text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return PASSWORD


@pytest.fixture
def page(served: Served, browser: Browser, password: str) -> Iterator[Page]:
    """Logged in, on Home."""
    with visitor(browser) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        log_in(page, served.address, password)
        yield page
        assert not wrong, wrong


def test_home_says_that_all_is_well(page: Page) -> None:
    expect(page.locator("#verdict")).to_have_text("Your phones work. Calls use Main.")
    expect(page.get_by_text("Nothing to do.")).to_be_visible()
    expect(page.locator("#home")).to_contain_text("main carries calls")


def test_a_failover_is_seen_as_it_happens_and_the_call_goes_on(scene: Scene, page: Page) -> None:
    scene.await_up(*plan.UPLINKS)
    page.evaluate("window.sameDocument = true")
    (far,) = scene.dial()
    expect(page.locator("#home")).to_contain_text(plan.ANSWERS[-4:], timeout=5000)
    scene.lab.blackhole(plan.MAIN)
    try:
        expect(page.locator("#verdict")).to_contain_text("Backup1", timeout=10_000)
        expect(page.locator("#home")).to_contain_text("moved 1×", timeout=10_000)
        expect(page.locator("#live")).not_to_be_empty()
        assert page.evaluate("window.sameDocument"), "the page was never loaded anew"
        assert scene.now(far).answered_s and not scene.now(far).ended_s, "they still talk"
        assert [call.moves for call in scene.box.status().calls] == [1]
    finally:
        scene.heal()
        scene.hang_up()
    page.get_by_role("link", name="Calls", exact=True).click()
    page.locator("section[aria-labelledby=log] tbody tr").first.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("The call was moved and went on.")
    expect(page.locator("main")).to_contain_text("1×")


@pytest.mark.slow
def test_every_page_is_for_everybody(scene: Scene, served: Served, page: Page) -> None:
    scene.dial()
    scene.hang_up()
    scene.dial()
    found = []
    for name, address in PAGES.items():
        page.goto(served.address + address)
        found += look_everywhere(page, scene.logs / "pictures", name)
    scene.hang_up()
    page.context.clear_cookies()
    page.goto(f"{served.address}/login")
    found += look_everywhere(page, scene.logs / "pictures", "login")
    assert not found, "\n".join(found)


def change_failback(page: Page, served: Served, seconds: str) -> None:
    """Up to the moment when it is on trial."""
    page.goto(f"{served.address}/settings/in/watching")
    page.locator("summary").click() if not page.locator("#f-failback_after_s").is_visible() else None
    page.locator("#f-failback_after_s").fill(seconds)
    page.get_by_role("button", name="Show what changes").click()
    expect(page.locator("table.diff")).to_contain_text("watching.failback_after_s")
    page.get_by_role("button", name="Apply on trial").click()
    expect(page.get_by_role("heading", name="Do you want to keep this?")).to_be_visible()
    expect(page.get_by_role("timer")).to_contain_text("s")


def test_a_setting_is_tried_and_kept(scene: Scene, served: Served, page: Page) -> None:
    change_failback(page, served, "7")
    assert "failback_after_s = 1.0" in scene.box.settings.read_text(), "on trial it is not on the disk"
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("heading", name="Earlier settings")).to_be_visible()
    assert "failback_after_s = 7" in scene.box.settings.read_text()


@pytest.mark.slow
def test_a_setting_that_nobody_keeps_returns_by_itself(scene: Scene, served: Served, page: Page) -> None:
    before = scene.box.settings.read_text()
    change_failback(page, served, "8")
    expect(page.get_by_role("heading", name="Nothing is on trial")).to_be_visible(timeout=110_000)
    assert scene.box.settings.read_text() == before


def test_a_backup_makes_a_spare_box_this_one(
    scene: Scene, served: Served, page: Page, browser: Browser, tmp_path: Path
) -> None:
    page.goto(f"{served.address}/system/")
    page.locator("#ep").fill("a long passphrase")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download the backup").click()
    backup = tmp_path / coming.value.suggested_filename
    coming.value.save_as(backup)
    assert b"default_caller_id" not in backup.read_bytes(), "it is sealed"

    spare = House(tmp_path, "")
    other = Served(spare.run, tmp_path / "webui.log")
    try:
        set_password(spare.run)
        with visitor(browser) as context:
            there = context.new_page()
            log_in(there, other.address)
            there.goto(f"{other.address}/system/")
            there.locator("#bf").set_input_files(backup)
            there.locator("#ip").fill("a long passphrase")
            there.get_by_role("button", name="Try this backup").click()
            there.get_by_role("button", name="Keep it").click()
            expect(there.get_by_role("heading", name="Earlier settings")).to_be_visible()
        assert plan.DEFAULT_CALLER_ID in spare.settings.read_text()
    finally:
        other.close()
        spare.close()


def test_a_reset_heals_and_the_page_says_what_was_done(scene: Scene, served: Served, page: Page) -> None:
    starts = scene.box.starts("daemon")
    page.goto(f"{served.address}/system/")
    page.get_by_label("I want that now").check()
    page.get_by_role("button", name="Factory reset").click()
    until = time.monotonic() + 30
    while scene.box.starts("daemon") == starts and time.monotonic() < until:
        time.sleep(0.05)
    scene.box.await_ready(*plan.UPLINKS, timeout_s=40)
    page.goto(served.address)
    expect(page).to_have_url(f"{served.address}/first")
    set_password(scene.box.run)
    log_in(page, served.address)
    expect(page.locator(".note.good")).to_contain_text("restored its settings by itself")
    page.get_by_role("button", name="I have read it").click()
    expect(page.locator(".note.good")).to_have_count(0)
    expect(page.locator("#home")).to_contain_text("main")
