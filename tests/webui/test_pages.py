"""Each page shows what the daemon says, works without JavaScript, and changes what its form says, no more."""

import gzip
import hashlib
import html
import io
import re
from pathlib import Path

import pytest

from gateway.schema import parse
from tests.webui.conftest import House, Visitor
from webui import forms

STEPS = ("box", "lines", "trunk", "numbers", "addresses", "phones", "call", "cable", "sheet")
PAGES = (
    *("/", "/calls/", "/lines/", "/phones/", "/trunk/", "/timeline/", "/system/", "/settings/", "/expert/"),
    "/lines/main",
    *(f"/setup/{name}" for name in STEPS),
)
STATIC = Path(forms.__file__).parent / "static"


@pytest.mark.parametrize("address", PAGES)
def test_pages_open_and_hold_nothing_inline(reader: Visitor, address: str) -> None:
    answer = reader.get(address)
    assert answer.status_code == 200
    assert not re.search(r"<script>|<style| style=| on\w+=", answer.text), "the policy would refuse it"
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text), "nothing comes from elsewhere"
    assert "gatewayctl" in answer.text, "its twin"


def test_what_is_vendored_is_what_was_released() -> None:
    sums = (STATIC / "vendor" / "SHA256SUMS").read_text().splitlines()
    assert len(sums) == 2
    for line in sums:
        digest, name = line.split()
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


def test_what_a_browser_has_to_fetch_is_little() -> None:
    sizes = {
        path.name: len(gzip.compress(path.read_bytes()))
        for path in STATIC.rglob("*")
        if path.suffix in (".js", ".css", ".svg")
    }
    assert len(sizes) > 4 and sum(sizes.values()) <= 60 * 1024, sizes


def test_a_line_is_used_by_its_button(owner: Visitor) -> None:
    owner.get("/lines/")
    answer = owner.post("/lines/backup1/use")
    assert answer.status_code == 303
    shown = owner.get("/lines/").text
    assert re.search(r'role="status"><p>[^<]*backup1', shown), "what the daemon said"


def test_a_setting_is_changed_on_trial_and_kept(house: House, owner: Visitor) -> None:
    before = house.settings.read_text()
    shown = owner.get("/settings/in/watching").text
    form = filled(shown) | {"failback_after_s": "45"}
    assert owner.post("/settings/in/watching", form).location.endswith("/settings/review")
    review = owner.get("/settings/review").text
    assert "watching.failback_after_s" in review and "45" in review
    assert house.settings.read_text() == before, "nothing is in force yet"
    assert owner.post("/settings/apply").location.endswith("/settings/trial")
    trial = owner.get("/settings/trial").text
    name = re.search(r'name="trial" value="([^"]+)"', trial)
    assert name and house.settings.read_text() == before, "on trial it is not on the disk"
    assert owner.post("/settings/trial/keep", {"trial": name[1]}).status_code == 303
    after = house.settings.read_text()
    assert parse(after, "x").watching.failback_after_s == 45.0
    assert set(before.splitlines()) <= set(after.splitlines()) | {"[watching]"}, "all else stays as it was"
    assert "the page" in owner.get("/settings/history").text


def test_a_change_that_is_dropped_returns(house: House, owner: Visitor) -> None:
    before = house.settings.read_text()
    form = filled(owner.get("/settings/in/watching").text) | {"failback_after_s": "46"}
    owner.post("/settings/in/watching", form)
    owner.post("/settings/apply")
    name = re.search(r'name="trial" value="([^"]+)"', owner.get("/settings/trial").text)
    assert name
    owner.post("/settings/trial/drop", {"trial": name[1]})
    assert "Nothing is on trial" in owner.get("/settings/trial").text
    assert house.settings.read_text() == before


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("watching", "failback_after_s", "soon", "is no number"),
        ("uplinks.main", "gateways", "203.0.113.999", "203.0.113.999"),
        ("trunk", "default_caller_id", "020 7946 0000", "international"),
    ],
)
def test_a_fault_is_shown_at_its_field_and_nothing_is_kept(
    house: House, owner: Visitor, section: str, key: str, value: str, said: str
) -> None:
    form = filled(owner.get(f"/settings/in/{section}").text) | {key: value}
    answer = owner.post(f"/settings/in/{section}", form)
    assert answer.status_code == 422 and said in answer.text
    assert f'value="{value}"' in answer.text or f">{value}" in answer.text, "what was typed is still there"
    assert owner.get("/settings/review").status_code == 302, "there is no draft"


def test_a_form_that_changes_nothing_changes_nothing(house: House, owner: Visitor) -> None:
    for item in forms.sections():
        page = owner.get(f"/settings/in/{item.path}")
        assert page.status_code == 200, item.path
        if "novalidate" in page.text:
            answer = owner.post(f"/settings/in/{item.path}", filled(page.text))
            assert answer.location.endswith("/settings/"), item.path


def test_items_are_added_moved_and_removed(owner: Visitor) -> None:
    form = filled(owner.get("/settings/add/phones?kind=virtual").text) | {"name": "lobby", "kind": "virtual"}
    assert owner.post("/settings/add/phones", form).location.endswith("/settings/review")
    assert "lobby" in owner.get("/settings/in/phones").text
    owner.post("/settings/move/uplinks.backup1", {"way": "up"})
    items = owner.get("/settings/in/uplinks").text
    assert items.index("backup1") < items.index(">main<")
    owner.post("/settings/remove/phones.lobby")
    assert "lobby" not in owner.get("/settings/in/phones").text


def test_secrets_do_not_come_out(house: House, owner: Visitor) -> None:
    secret = "Zx9-very-secret"
    form = filled(owner.get("/settings/in/incoming.registration").text)
    owner.post("/settings/in/incoming.registration", form | {"login": "123457", "password": secret})
    owner.post("/settings/apply")
    name = re.search(r'name="trial" value="([^"]+)"', owner.get("/settings/trial").text)
    assert name
    owner.post("/settings/trial/keep", {"trial": name[1]})
    assert secret in house.settings.read_text()
    for address in (*PAGES, "/settings/in/incoming.registration", "/settings/history", "/settings/trial"):
        assert secret not in owner.get(address).text
    assert secret.encode() not in owner.get("/system/support.tar.gz").data


def test_a_backup_comes_down_and_goes_up(owner: Visitor) -> None:
    owner.get("/system/")
    backup = owner.post("/system/backup", {"passphrase": "a long passphrase"}).data
    assert backup.startswith(b"age-encryption.org/")
    owner.get("/system/")
    wrong = {"file": (io.BytesIO(backup), "b.age"), "passphrase": "another passphrase"}
    assert owner.post("/system/restore", wrong, content_type="multipart/form-data").status_code == 422
    owner.get("/system/")
    right = {"file": (io.BytesIO(backup), "b.age"), "passphrase": "a long passphrase"}
    answer = owner.post("/system/restore", right, content_type="multipart/form-data")
    assert answer.status_code == 422 and "nothing is changed" in answer.text, "it was read, and is in force"


def test_the_daemon_is_away_for_a_moment(house: House, owner: Visitor) -> None:
    house.close()
    answer = owner.get("/")
    assert answer.status_code == 503 and "does not answer for a moment" in answer.text


def test_the_timeline_as_csv_holds_no_formula(owner: Visitor) -> None:
    text = owner.get("/timeline/events.csv").text
    assert text.startswith("time (UTC),kind,line,call,text")


def filled(page: str) -> dict[str, object]:
    """The form of a section as a browser would send it back unchanged."""
    form = page[page.index("novalidate") :].partition("</form>")[0]
    sent: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = attribute(tag, "name"), attribute(tag, "value")
        if "checkbox" in tag and " checked" not in tag:
            continue
        if name and name != "token":
            sent.setdefault(name, []).append(html.unescape(value))
    for tag, body in re.findall(r"(<textarea[^>]*>)(.*?)</textarea>", form, re.DOTALL):
        sent[attribute(tag, "name")] = [html.unescape(body)]
    for tag, body in re.findall(r"(<select[^>]*>)(.*?)</select>", form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        sent[attribute(tag, "name")] = [html.unescape(chosen[1]) if chosen else ""]
    return {name: values if len(values) > 1 else values[0] for name, values in sent.items()}


def attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1] if found else ""
