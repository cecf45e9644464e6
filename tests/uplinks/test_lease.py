"""The DHCP client's table: scripts of what a server does, and the law under any of them."""

from ipaddress import IPv4Address, IPv4Interface
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gateway.uplinks.dhcpwords import Kind, Reply
from gateway.uplinks.lease import Action, Client, LinkDown, LinkUp, Tell
from gateway.uplinks.model import LeaseSeen

SERVER, GATEWAY = IPv4Address("100.64.8.1"), IPv4Address("100.64.8.1")
HERE, THERE = IPv4Interface("100.64.8.10/24"), IPv4Interface("100.64.8.11/24")


class Script:
    """A client and the clock that it lives by."""

    def __init__(self, remembered: IPv4Address | None = None) -> None:
        self.client = Client("w1", Random(1), remembered)
        self.now = 1000.0
        self.last: Tell | None = None

    def up(self) -> list[Action]:
        return self._keep(self.client.receive(LinkUp(), self.now))

    def down(self) -> list[Action]:
        return self._keep(self.client.receive(LinkDown(), self.now))

    def says(
        self, kind: Kind, address: IPv4Interface | None = HERE, lease_s: int | None = 100
    ) -> list[Action]:
        assert self.last is not None
        reply = Reply(kind, self.last.query.transaction, address, SERVER, GATEWAY, (SERVER,), lease_s)
        return self._keep(self.client.receive(reply, self.now))

    def wait(self) -> list[Action]:
        """Until something is due."""
        assert self.client.due is not None
        self.now = max(self.now, self.client.due)
        return self._keep(self.client.receive(None, self.now))

    def bound(self, lease_s: int | None = 100) -> "Script":
        self.up()
        self.says("offer")
        assert self.says("ack", lease_s=lease_s) == [LeaseSeen("w1", HERE, GATEWAY, (SERVER,))]
        return self

    def _keep(self, actions: list[Action]) -> list[Action]:
        for action in actions:
            if isinstance(action, Tell):
                self.last = action
        return actions


def test_an_address_is_found() -> None:
    script = Script()
    (tell,) = script.up()
    assert isinstance(tell, Tell) and tell.query.kind == "discover"
    (tell,) = script.says("offer")
    assert isinstance(tell, Tell)
    assert (tell.query.kind, tell.query.wanted, tell.query.server) == ("request", HERE.ip, SERVER)
    assert script.says("ack") == [LeaseSeen("w1", HERE, GATEWAY, (SERVER,))]
    assert script.client.due == 1050.0


def test_silence_is_asked_again_ever_more_slowly() -> None:
    script = Script()
    script.up()
    times = []
    for _ in range(8):
        before = script.now
        script.wait()
        times.append(script.now - before)
    assert times[0] < 1.3 and times[-1] > 20


def test_a_lease_is_renewed_with_its_server_and_nothing_is_told() -> None:
    script = Script().bound()
    (tell,) = script.wait()
    assert isinstance(tell, Tell) and (tell.to, tell.query.current) == (SERVER, HERE.ip)
    assert script.says("ack") == []
    assert script.client.due == script.now + 50


def test_a_silent_server_leads_to_any_server_and_then_to_the_loss() -> None:
    script = Script().bound()
    asked = []
    while script.client.state != "selecting":
        actions = script.wait()
        asked += [a.to for a in actions if isinstance(a, Tell)]
    assert LeaseSeen("w1", None, None) in actions
    assert script.now == 1100.0
    assert SERVER in asked and asked[-2] is None


def test_another_address_at_renewal_is_told() -> None:
    script = Script().bound()
    script.wait()
    assert script.says("ack", THERE) == [LeaseSeen("w1", THERE, GATEWAY, (SERVER,))]


def test_a_nak_takes_the_address_at_once() -> None:
    script = Script().bound()
    script.wait()
    actions = script.says("nak", None)
    assert actions[0] == LeaseSeen("w1", None, None)
    assert script.client.state == "selecting"


def test_a_lost_link_keeps_the_lease_and_asks_for_it_again() -> None:
    script = Script().bound()
    assert script.down() == []
    script.now += 10
    (tell,) = script.up()
    assert isinstance(tell, Tell) and (tell.query.kind, tell.query.wanted) == ("request", HERE.ip)
    assert script.says("ack") == []
    script.down()
    script.up()
    assert script.says("nak", None)[0] == LeaseSeen("w1", None, None)


def test_a_lease_ends_though_the_link_is_down() -> None:
    script = Script().bound()
    script.down()
    assert script.wait() == [LeaseSeen("w1", None, None)]
    assert script.client.due is None


def test_an_address_of_an_earlier_run_is_asked_for_and_then_let_go() -> None:
    script = Script(HERE.ip)
    (tell,) = script.up()
    assert isinstance(tell, Tell) and tell.query.wanted == HERE.ip
    while script.client.state == "rebooting":
        script.wait()
    assert script.last is not None and script.last.query.kind == "discover"


def test_an_endless_lease_needs_no_clock() -> None:
    assert Script().bound(lease_s=None).client.due is None


def test_replies_to_other_questions_are_nothing() -> None:
    script = Script()
    script.up()
    reply = Reply("ack", 1, HERE, SERVER)
    assert script.client.receive(reply, script.now) == []
    assert script.says("ack") == []
    assert script.says("offer", None) == []


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["up", "down", "offer", "ack", "nak", "wait"]),
        st.sampled_from([HERE, THERE]),
        st.sampled_from([2, 30, 3600, None]),
    ),
    max_size=60,
)


@given(EVENTS)
def test_an_address_is_ours_from_an_ack_until_its_end_and_never_else(
    events: list[tuple[str, IPv4Interface, int | None]],
) -> None:
    script = Script()
    told: object = None
    end = float("inf")
    for word, address, lease_s in events:
        actions: list[Action] = []
        match word:
            case "up":
                actions = script.up()
            case "down":
                actions = script.down()
            case "wait" if script.client.due is not None:
                before = script.now
                actions = script.wait()
                assert script.now >= before
            case "offer" | "ack" | "nak" if script.last is not None:
                state = script.client.state
                actions = script.says(
                    "offer" if word == "offer" else "ack" if word == "ack" else "nak",
                    None if word == "nak" else address,
                    lease_s,
                )
                if script.client.state == "bound" and state != "bound":
                    end = script.now + (lease_s or float("inf"))
        for action in actions:
            if isinstance(action, LeaseSeen):
                if action.address is not None:
                    assert word == "ack"
                else:
                    assert word in ("nak", "wait")
                told = action.address
        assert told is None or script.now < end
        assert script.client.due is None or script.client.due >= script.now or word == "down"


@given(st.integers(1, 100_000))
def test_no_lease_is_ever_asked_about_more_than_once_a_second(lease_s: int) -> None:
    script = Script().bound(lease_s)
    asked = 0
    start = script.now
    while script.client.state in ("bound", "renewing", "rebinding"):
        asked += sum(isinstance(a, Tell) for a in script.wait())
    assert asked <= script.now - start + 3
