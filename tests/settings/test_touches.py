"""What becomes of the live calls is said before it happens, and the room then does what was said."""

import re

import pytest

from gateway import schema
from gateway.settings.touches import touches
from gateway.status import CallView, UplinkState, UplinkStatus
from tests.stories.test_uplinks import story
from tests.uplinks.test_changes import BACKUP1, BACKUP2, MAIN, OTHER, TAIL, quiet_world, text

PHONES = '[[phones]]\nname = "desk"\nkind = "virtual"\n[[phones]]\nname = "shop"\nkind = "virtual"\n'


def call(number: int = 3, phone: str = "desk", uplink: str = "main") -> CallView:
    return CallView(
        call=number,
        phone=phone,
        direction="out",
        state="up",
        remote="+44 20 7946 0001",
        caller_id="443069990100",
        uplink=uplink,
        started_at=0.0,
    )


def status(name: str, state: UplinkState, *, carries: bool = False) -> UplinkStatus:
    return UplinkStatus(
        name=name,
        role="backup",
        device="",
        state=state,
        sentence="",
        carries_trunk=carries,
    )


BEFORE = text(MAIN, BACKUP1, BACKUP2, tail=TAIL + PHONES)
FROM = "Call 3 (desk to +44 20 7946 0001) "


@pytest.mark.parametrize(
    ("after", "fate"),
    [
        (BEFORE.replace("443069990100", "443069990101"), "is left alone."),
        (text(MAIN, BACKUP1, OTHER, tail=TAIL + PHONES), "is left alone."),
        (text(BACKUP1, MAIN, BACKUP2, tail=TAIL + PHONES), "is left alone."),
        (BEFORE.replace("192.168.20.2/24", "192.168.20.9/24"), "is left alone."),
        (BEFORE.replace('gateways = ["203.0.113.1"]\n', ""), "is left alone."),
        (text(BACKUP1, BACKUP2, tail=TAIL + PHONES), "will move from main to backup1."),
        (
            text(MAIN + "enabled = false\n", BACKUP1, BACKUP2, tail=TAIL + PHONES),
            "will move from main to backup1.",
        ),
        (BEFORE.replace("203.0.113.2/30", "203.0.113.5/29"), "will move from main to backup1."),
        (BEFORE.replace('device = "wan0"', 'device = "wan9"'), "will move from main to backup1."),
        (text(BACKUP2, tail=TAIL + PHONES), "will move from main to backup2."),
        (text(OTHER, tail=TAIL + PHONES), "will end: no other channel than main can carry it now."),
        (
            text(MAIN.replace("203.0.113.2/30", "203.0.113.5/29"), tail=TAIL + PHONES),
            "stays on main and takes its new address, if the provider lets it; else it ends.",
        ),
        (BEFORE.replace('"main"', '"fibre"'), "stays where it is; main is called fibre from then on."),
        (
            BEFORE.replace('"desk"', '"hall"'),
            "will end: desk is taken out of the settings.",
        ),
        (BEFORE + "[ports]\nsip = 5070\n", "keeps its ports; the new ones count for the calls to come."),
        (
            BEFORE.replace('server = "192.0.2.10"', 'server = "192.0.2.12"'),
            "goes on by the provider's server that it has; the new one counts for the calls to come.",
        ),
        (
            BEFORE.replace("[trunk]", '[trunk]\ncodecs = ["PCMU"]'),
            "goes on as it was agreed; the new codecs and keys count for the calls to come.",
        ),
    ],
)
def test_fate_of_a_call(after: str, fate: str) -> None:
    parsed = schema.parse(BEFORE, "before"), schema.parse(after, "after")
    assert touches(*parsed, [call()]) == (FROM + fate,)


def test_a_call_goes_where_calls_go() -> None:
    before, after = schema.parse(BEFORE, ""), schema.parse(text(BACKUP1, BACKUP2, tail=TAIL + PHONES), "")
    uplinks = [status("main", "up"), status("backup1", "up"), status("backup2", "up", carries=True)]
    assert touches(before, after, [call()], uplinks) == (FROM + "will move from main to backup2.",)
    uplinks = [status("main", "up", carries=True), status("backup1", "no_carrier"), status("backup2", "up")]
    assert touches(before, after, [call()], uplinks) == (FROM + "will move from main to backup2.",)
    uplinks = [status("main", "up", carries=True), status("backup1", "down"), status("backup2", "down")]
    assert "will end" in touches(before, after, [call()], uplinks)[0]


def test_many_calls_that_nothing_happens_to_are_counted() -> None:
    before, after = schema.parse(BEFORE, ""), schema.parse(text(MAIN, BACKUP2, tail=TAIL + PHONES), "")
    calls = [call(n) for n in range(1, 6)] + [call(6, uplink="backup1")]
    assert touches(before, after, calls) == (
        "Call 6 (desk to +44 20 7946 0001) will move from backup1 to main.",
        "5 other live calls are left alone.",
    )
    assert touches(before, after, []) == touches(None, after, calls) == ()
    assert all("without settings" in sentence for sentence in touches(before, None, calls))


CHANGES = [
    text(MAIN + "enabled = false\n", BACKUP1, BACKUP2),
    text(BACKUP1, BACKUP2),
    text(BACKUP2, BACKUP1),
    text(BACKUP2, OTHER),
    text(MAIN.replace("203.0.113.2/30", "203.0.113.5/29"), BACKUP1, BACKUP2),
    text(MAIN, BACKUP2),
    text(BACKUP2, MAIN, OTHER),
    text(MAIN.replace('"main"', '"fibre"'), BACKUP1),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
@story
async def test_room_does_what_was_said(number: int) -> None:
    world = await quiet_world()
    after = world.parsed(CHANGES[number])
    (said,) = touches(world.settings, after, [call()], world.watch.now().uplinks)
    left = []

    def obey() -> None:
        paths = world.watch.paths()
        if any(p.uplink == "main" and p.state == "leave" for p in paths.paths):
            left.append(paths.active)
            world.calls(**{paths.active: 1})

    world.after(0.1, obey)
    await world.change(CHANGES[number], seconds=3)
    found = re.search(r"will move from main to (\w+)\.", said)
    assert left == ([found[1]] if found else [])
