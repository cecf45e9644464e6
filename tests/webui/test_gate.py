"""Nothing is changed or shown to whom it should not be: login, token, origin, host names, headers."""

import re

import pytest

from tests.webui.conftest import EXAMPLE, PASSWORD, House, Visitor
from webui.gate import host_is_ours
from webui.sessions import IDLE_S, LONGEST_S, MOST, Sessions


def changing(visitor: Visitor) -> list[str]:
    """An address for every view that changes something."""
    found = []
    for rule in visitor.client.application.url_map.iter_rules():
        if rule.methods and "POST" in rule.methods:
            found.append(re.sub(r"<[^>]+>", "1", str(rule)))
    assert len(found) > 20
    return found


def test_every_change_is_refused_without_login_token_origin_or_name(house: House, owner: Visitor) -> None:
    stranger = house.visitor()
    stranger.get("/login")
    for address in changing(owner):
        without = owner.client.post(address, data={})
        assert without.status_code == 403, f"{address} without token: {without.status_code}"
        wrong = owner.client.post(address, data={"token": "x" * 43})
        assert wrong.status_code == 403, address
        foreign = owner.post(address, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403, address
        rebound = owner.client.post(address, data={"token": owner.token}, base_url="http://evil.example")
        assert rebound.status_code == 421, address
        if not address.startswith(("/login", "/first")):
            unknown = stranger.post(address)
            assert unknown.status_code == 302 and "/login" in unknown.location, address
    assert house.settings.read_text(), "and nothing has happened"


def test_no_page_is_shown_without_a_login(house: House, owner: Visitor) -> None:
    stranger = house.visitor()
    for rule in owner.client.application.url_map.iter_rules():
        if rule.methods and "GET" in rule.methods and not rule.arguments:
            answer = stranger.get(str(rule))
            assert answer.status_code == 302 or str(rule) in ("/login",), str(rule)


def test_a_login_leads_to_a_page_of_ours_alone(house: House) -> None:
    house.set_password()
    visitor = house.visitor()
    for wanted, led in (("/calls/", "/calls/"), ("https://evil.example/", "/"), ("//evil.example", "/")):
        visitor.get("/login")
        answer = visitor.post("/login", {"password": PASSWORD, "next": wanted})
        assert answer.status_code == 303 and answer.location == led


def test_a_login_gives_a_new_session_and_a_new_password_ends_it(house: House, owner: Visitor) -> None:
    visitor = house.visitor()
    visitor.get("/login")
    before = visitor.client.get_cookie("session")
    visitor.log_in()
    after = visitor.client.get_cookie("session")
    assert before and after and before.value != after.value
    assert after.http_only and after.same_site == "Strict"
    assert visitor.get("/").status_code == 200
    owner.get("/system/")
    assert (
        owner.post("/system/password", {"old": PASSWORD, "new": "four other small words"}).status_code == 303
    )
    assert visitor.get("/").status_code == 302, "the session was opened with the old password"
    assert visitor.log_in("four other small words").status_code == 303


def test_a_wrong_password_says_so_and_many_have_to_wait(house: House) -> None:
    house.set_password()
    visitor = house.visitor()
    visitor.get("/login")
    texts = []
    for _ in range(12):
        answer = visitor.post("/login", {"password": "wrong"})
        assert answer.status_code == 422
        texts.append(answer.text)
    assert "too many wrong passwords" in texts[-1]


def test_every_answer_has_the_headers(reader: Visitor) -> None:
    for address in ("/", "/login", "/nowhere", "/static/steadyline.css"):
        headers = reader.get(address).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"


def test_over_tls_the_cookie_is_bound_to_the_host(house: House) -> None:
    house.set_password()
    answer = house.visitor().get("/login", base_url="https://box.local")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=") and "Secure" in cookie and "Path=/" in cookie
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_without_a_password_every_page_leads_to_the_first_one(house: House) -> None:
    visitor = house.visitor()
    assert visitor.get("/").location == "/first"
    assert "I am at the box" in visitor.get("/first").text
    early = visitor.post("/first", {"password": "three small words", "again": "three small words"})
    assert early.status_code == 422 and "nobody has shown" in early.text
    assert "too short" in visitor.post("/first", {"password": "short", "again": "short"}).text


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("192.168.1.5", True),
        ("192.168.1.5:8080", True),
        ("[fe80::1]:443", True),
        ("localhost:8080", True),
        ("box.local", True),
        ("BOX.local:443", True),
        ("evil.example", False),
        ("box.local.evil.example", False),
        ("", False),
    ],
)
def test_names_of_ours(host: str, ours: bool) -> None:
    assert host_is_ours(host, lambda: ["box.local"]) is ours


def test_sessions_end_by_time_and_the_idlest_gives_way() -> None:
    sessions = Sessions()
    first = sessions.open("a", 0.0)
    assert sessions.find(first.name, IDLE_S) is first
    assert sessions.find(first.name, 2 * IDLE_S + 1) is None
    busy = sessions.open("a", 0.0)
    for hour in range(int(LONGEST_S / 3600) + 1):
        sessions.find(busy.name, hour * 3600.0)
    assert sessions.find(busy.name, LONGEST_S + 1) is None
    kept = [sessions.open("", float(n)) for n in range(MOST + 1)]
    assert sessions.find(kept[0].name, 1.0) is None and sessions.find(kept[-1].name, 1.0) is kept[-1]


def test_the_page_goes_by_the_names_in_the_settings_too(reader: Visitor) -> None:
    name = re.search(r'^name = "(.+)"', EXAMPLE.read_text(), re.MULTILINE)
    assert name and name[1] != "box"
    assert reader.client.get("/login", base_url=f"http://{name[1]}.local").status_code != 421
    assert reader.client.get("/login", base_url="http://other.local").status_code == 421
