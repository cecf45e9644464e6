"""The first set-up in a real browser: from a box that knows nothing to a call that outlives its line."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.lab import plan
from tests.lab.box import Box, own_address
from tests.lab.lab import Lab
from tests.webui.browser import CHROMIUM, Served, chromium, faults, log_in, set_password, visitor

pytestmark = pytest.mark.root


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    if os.geteuid() != 0 or not CHROMIUM.exists():
        pytest.skip("needs root and chromium")
    (tmp_path / "logs").mkdir()
    with Lab(tmp_path / "logs") as lab, Box(lab, "") as box:
        box.settings.unlink()
        box.start()
        box.await_status(lambda s: s.settings.origin == "none", "the box waits to be set up", 30)
        yield box


def add_line(page: Page, up: plan.Uplink) -> None:
    """As its provider's letter says."""
    form = page.locator("form[action$='/lines/add']")
    if not form.is_visible():
        page.get_by_text("Add a line").click()
    form.locator("#f-name").fill(up.name)
    form.locator("#f-device").fill(up.device)
    form.locator("#f-addresses").fill(f"{own_address(up)}/{up.prefix_length}")
    form.locator("#f-gateways").fill(up.router)
    form.locator("#f-resolvers").fill(up.resolver)
    if up.nat:
        form.locator("#f-public_address").fill(up.public)
    form.get_by_role("button", name="Add this line").click()
    expect(page.locator("ol.items")).to_contain_text(up.name)


def heading(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title, timeout=15_000)
    assert not (found := faults(page)), "\n".join(found)


def test_a_box_is_set_up_from_nothing_and_its_call_outlives_a_cable(box: Box, tmp_path: Path) -> None:
    state = tmp_path / "web"
    state.mkdir()
    set_password(box.run)
    served = Served(box.run, tmp_path / "webui.log", state)
    try:
        with chromium() as browser, visitor(browser) as context:
            page = context.new_page()
            log_in(page, served.address)
            heading(page, "The box")  # a box that has nothing leads here by itself
            page.locator("#f-country").fill("GB")
            page.get_by_role("button", name="Keep and go on").click()

            heading(page, "Internet lines")
            expect(page.locator("main")).to_contain_text(f"{plan.MAIN.device} ")
            page.locator("#f-name").fill("main")
            page.locator("#f-device").fill("wan0")
            page.locator("#f-addresses").fill("203.0.113.999/30")
            page.get_by_role("button", name="Add this line").click()
            expect(page.locator("main")).to_contain_text("203.0.113.999")
            expect(page.locator(".wrong").first).to_be_visible()
            for up in (plan.MAIN, plan.BACKUP1):
                add_line(page, up)

        # Another day, another browser, and the page's own process was started anew.
        served.close()
        served = Served(box.run, tmp_path / "webui2.log", state)
        with chromium() as browser, visitor(browser) as context:
            page = context.new_page()
            log_in(page, served.address)
            heading(page, "Internet lines")
            expect(page.locator("ol.items")).to_contain_text("backup1")
            page.get_by_role("button", name="These are all my lines").click()

            heading(page, "The trunk")
            expect(page.locator("main")).to_contain_text("This login cannot register any more.")
            page.locator("#f-server").fill(plan.PROVIDER_DOMAIN)
            page.locator("#f-login").fill(plan.TRUNK_LOGIN)
            page.locator("#f-networks").fill(plan.PROVIDER_PREFIX)
            page.get_by_role("button", name="Keep and go on").click()

            heading(page, "Your numbers")
            page.locator("#f-default_caller_id").fill("020 7946 0000")
            page.get_by_role("button", name="Put it in force").click()
            expect(page.locator("#f-default_caller_id-problem")).to_contain_text("international")
            page.locator("#f-default_caller_id").fill(plan.DEFAULT_CALLER_ID)
            page.get_by_role("button", name="Put it in force").click()
            page.get_by_role("button", name="Keep it and go on").click()

            heading(page, "Confirm the addresses")
            expect(page.locator("#confirmations")).to_contain_text(plan.BACKUP1.public)
            main, backup = page.locator("li.confirm").nth(0), page.locator("li.confirm").nth(1)
            box.lab.provider.unlist_address(plan.BACKUP1.public)
            main.get_by_role("button", name="Call 8888").click()
            expect(main).to_contain_text("main is confirmed", timeout=60_000)
            page.locator("li.confirm").nth(1).get_by_role("button", name="Call 8888").click()
            expect(backup).to_contain_text("backup1 is not confirmed", timeout=60_000)
            expect(backup).to_contain_text("Add 198.51.100.20 to the trunk's addresses")
            box.lab.provider.list_address(plan.BACKUP1.public)
            page.locator("li.confirm").nth(1).get_by_role("button", name="Call 8888").click()
            expect(backup).to_contain_text("backup1 is confirmed", timeout=60_000)
            length = main.locator("audio").evaluate(
                "async a => { a.load(); await new Promise((done, no) => {"
                "a.onloadedmetadata = done; a.onerror = () => no(new Error('mute')); }); return a.duration; }"
            )
            assert length > 1, "what 8888 said is heard in the browser"
            main.get_by_role("button", name="It said: confirmed").click()
            expect(page.locator("li.confirm").nth(0).locator("[aria-pressed=true]")).to_have_count(1)
            page.get_by_role("button", name="Go on").click()

            heading(page, "Phones")
            page.goto(f"{served.address}/settings/add/phones?kind=virtual")
            page.locator("#f-name").fill("desk")
            page.get_by_role("button", name="Show what changes").click()
            page.get_by_role("button", name="Apply on trial").click()
            page.get_by_role("button", name="Keep it").click()
            box.await_status(lambda s: bool(s.phones), "the phone is there")
            page.goto(f"{served.address}/setup/phones")
            expect(page.locator("#phones-now")).to_contain_text("on the hook")
            page.get_by_role("button", name="Go on").click()

            heading(page, "A test call")
            page.locator("#digits").fill(f"+{plan.ANSWERS}")
            page.get_by_role("button", name="Call", exact=True).click()
            expect(page.locator("#call-now")).to_contain_text("main", timeout=15_000)
            box.await_status(lambda s: any(c.state == "up" for c in s.calls), "they talk")
            page.get_by_role("button", name="Go on").click()

            heading(page, "Pull the cable")
            expect(page.locator("#cable-now")).to_contain_text("Pull the cable of main now.")
            box.lab.cut_carrier(plan.MAIN)
            expect(page.locator("#cable-now")).to_contain_text("The call goes on by backup1.", timeout=15_000)
            box.lab.restore_carrier(plan.MAIN)
            page.get_by_role("button", name="Go on").click()

            heading(page, "Keep it safe")
            page.get_by_role("button", name="Finish").click()
            expect(page.locator("#verdict")).to_contain_text("Your phones work")
    finally:
        served.close()
