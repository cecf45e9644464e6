"""Sockets, registration and terms follow plan and paths; what is as before is left alone."""

from dataclasses import dataclass, field

import msgspec
import pytest

from gateway import messages as m
from gateway.calls.reach import Reach, terms
from gateway.calls.routing import Rests
from gateway.calls.sip import values as v

SERVER = m.Server(address="192.0.2.10", port=5060, transport="udp")
PLAN = m.TrunkPlan(
    domain="sip.provider.test",
    servers=(SERVER,),
    login="trunk4444",
    country="GB",
    default_caller_id="443069990100",
    caller_ids=(),
    caller_id_rules=(),
    confirm_number="8888",
    assert_identity=False,
    codecs=("PCMA",),
    srtp="off",
    session_expires_s=1800,
    provider_networks=(),
    registration=m.Registration(login="free1001", password="secret"),
    incoming=(),
    phones=(),
    sip_port=5060,
    rtp_ports=(10_000, 10_999),
    recordings="",
)


@dataclass
class Engine:
    commands: list[v.Command] = field(default_factory=list)

    def do(self, command: v.Command) -> None:
        self.commands.append(command)

    def take(self) -> list[v.Command]:
        taken, self.commands = self.commands, []
        return taken


def path(uplink: str, local: str, public: str = "") -> m.Path:
    return m.Path(
        uplink=uplink,
        device=f"wan-{uplink}",
        local_address=local,
        public_address=public or local,
        state="fit",
    )


MAIN, BACKUP = path("main", "203.0.113.2"), path("backup", "192.168.20.2", "198.51.100.20")


def paths(*all: m.Path) -> m.Paths:
    return m.Paths(paths=all, active=all[0].uplink if all else "", cause="test")


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def reach(engine: Engine) -> Reach:
    reach = Reach(PLAN, engine, Rests(), lambda: 1000.0)
    reach.paths(paths(MAIN, BACKUP))
    engine.take()
    return reach


def other(**changes: object) -> m.TrunkPlan:
    return msgspec.structs.replace(PLAN, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"default_caller_id": "443069990199"},
        {"caller_id_rules": (m.CallerIdRule(pattern="_44X.", caller_id="443069990100"),)},
        {"provider_networks": ("192.0.2.0/28",)},
        {"phones": (m.PhonePlan(name="desk", kind="virtual"),)},
    ],
)
def test_what_does_not_concern_the_engine_is_not_told_to_it(
    reach: Reach, engine: Engine, changes: dict[str, object]
) -> None:
    reach.replan(other(**changes))
    assert engine.take() == []


@pytest.mark.parametrize(
    "changes",
    [{"codecs": ("PCMU",)}, {"srtp": "require"}, {"session_expires_s": 900}, {"rtp_ports": (20_000, 20_999)}],
)
def test_terms_are_told_and_nothing_else(reach: Reach, engine: Engine, changes: dict[str, object]) -> None:
    reach.replan(other(**changes))
    assert engine.take() == [terms(other(**changes))]


def test_another_port_takes_the_registration_along(reach: Reach, engine: Engine) -> None:
    reach.replan(other(sip_port=5070))
    assert [type(c) for c in engine.take()] == [v.Configure, v.Register]


def test_registration_is_given_up_changed_and_taken_up_again(reach: Reach, engine: Engine) -> None:
    reach.replan(other(registration=None))
    assert engine.take() == [v.Unregister()]
    reach.paths(paths(BACKUP, MAIN))
    assert engine.take() == []
    reach.replan(other(registration=m.Registration(login="free1002", password="secret")))
    assert [(c.uplink, c.login) for c in engine.take() if isinstance(c, v.Register)] == [
        ("backup", "free1002")
    ]


def test_another_transport_binds_every_uplink_anew(reach: Reach, engine: Engine) -> None:
    tls = m.Server(address="192.0.2.10", port=5061, transport="tls")
    reach.replan(other(servers=(tls,)))
    bound = [(c.uplink, c.transport) for c in engine.take() if isinstance(c, v.BindPath)]
    assert bound == [("main", "tls"), ("backup", "tls")]


def test_no_server_for_a_moment_is_no_reason_to_fall(reach: Reach, engine: Engine) -> None:
    reach.replan(other(servers=()))
    reach.tick(2000.0)
    assert reach.again("main") is None
    assert not [c for c in engine.take() if not isinstance(c, v.BindPath)]
    reach.replan(PLAN)
    assert reach.again("main") == v.Hop("192.0.2.10", 5060, "udp", "sip.provider.test")


def test_uplinks_with_another_address_are_named(reach: Reach, engine: Engine) -> None:
    assert reach.paths(paths(MAIN, BACKUP)) == frozenset()
    assert reach.paths(paths(path("main", "203.0.113.6"), BACKUP)) == {"main"}
    assert reach.paths(paths(BACKUP)) == frozenset()
    assert reach.paths(paths(path("main", "203.0.113.9"), BACKUP)) == {"main"}, "it came back elsewhere"
    assert reach.paths(paths(path("main", "203.0.113.9", "198.51.100.1"), BACKUP)) == {"main"}
    assert [c.uplink for c in engine.take() if isinstance(c, v.BindPath)] == ["main"] * 3
