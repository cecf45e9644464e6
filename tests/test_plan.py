"""The plan says to the calls process what the settings say to the owner."""

from pathlib import Path

from gateway import schema, wire
from gateway.messages import (
    CallerIdRule,
    CallingPlan,
    Envelope,
    IncomingRule,
    PhonePlan,
    Registration,
    Server,
)
from gateway.plan import trunk_plan

EXAMPLE = (Path(__file__).parent / "example.toml").read_text()
SERVERS = (
    Server(address="192.0.2.10", port=5060, transport="udp"),
    Server(address="2001:db8:f::10", port=5060, transport="udp"),
)


def test_the_example() -> None:
    plan = trunk_plan(schema.parse(EXAMPLE, "x"), SERVERS, "/rec")
    assert plan.domain == "sip.provider.test" and plan.servers == SERVERS and plan.recordings == "/rec"
    assert plan.caller_id_rules == (CallerIdRule(pattern="_4420XXXXXXX", caller_id="442012345678"),)
    assert plan.caller_ids == ("443069990100", "442012345678")
    assert plan.provider_networks == ("192.0.2.10/32", "2001:db8:f::10/128")
    assert plan.registration == Registration(login="free1001", password="free-secret")
    assert plan.incoming == (IncomingRule(number="", phones=("desk",)),)
    assert plan.phones == (PhonePlan(name="desk", kind="virtual"),)
    assert (plan.sip_port, plan.rtp_ports) == (5060, (10_000, 10_999))
    assert wire.decode(wire.encode(Envelope(body=plan))).body == plan


def test_rules_of_both_kinds_and_networks_of_the_owner() -> None:
    text = EXAMPLE.replace('login = "trunk4444"', 'networks = ["192.0.2.0/28"]').replace(
        'caller_ids = ["442012345678"]\n', ""
    )
    text += '[[trunk.caller_id_rules]]\npattern = "_1."\ncaller_id = "12025550100"\n'
    plan = trunk_plan(schema.parse(text, "x"), (), "/rec")
    assert [r.pattern for r in plan.caller_id_rules] == ["_1.", "_4420XXXXXXX"]
    assert plan.provider_networks == ("192.0.2.0/28",)
    assert plan.caller_ids == (), "nothing is said about which numbers are connected"


def test_without_a_login_to_register() -> None:
    text = (
        EXAMPLE.replace("[incoming.registration]", "")
        .replace('login = "free1001"', "")
        .replace('password = "free-secret"', "")
    )
    assert trunk_plan(schema.parse(text, "x"), SERVERS, "/rec").registration is None


def test_a_usb_phone_says_which_device_and_which_keys() -> None:
    text = EXAMPLE + '[[phones]]\nname = "till"\nkind = "usb"\nusb = "0b0e:0412"\nkeys = "hook"\n'
    assert trunk_plan(schema.parse(text, "x"), SERVERS, "/rec").phones == (
        PhonePlan(name="desk", kind="virtual"),
        PhonePlan(name="till", kind="usb", usb="0b0e:0412", keys="hook"),
    )


def test_what_the_rules_say_of_calls() -> None:
    text = EXAMPLE + (
        '[calling]\ncountries = ["IE"]\nparallel_calls = 3\nhours = ["mon-fri 07:00-20:00"]\npin = "2468"\n'
        '[emergency]\naddress = "1 High Street"\nextra_numbers = ["5555"]\n'
        '[[incoming.sources]]\nname = "branch"\nnetworks = ["198.51.100.7/32"]\n'
    )
    plan = trunk_plan(schema.parse(text, "x"), SERVERS, "/rec")
    assert (plan.calling.countries, plan.calling.parallel_calls, plan.calling.pin) == (("IE",), 3, "2468")
    assert plan.calling.hours == ("mon-fri 07:00-20:00",)
    assert (plan.help.address, plan.help.numbers) == ("1 High Street", ("5555",))
    assert [(source.name, source.networks) for source in plan.sources] == [("branch", ("198.51.100.7/32",))]
    plain = schema.parse(EXAMPLE, "x").calling
    for name in CallingPlan.__struct_fields__:
        assert getattr(CallingPlan(), name) == getattr(plain, name), (
            "without a plan the rules are those of a new box"
        )
