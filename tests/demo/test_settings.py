"""The demo's settings speak of the laboratory as its plan does."""

from pathlib import Path

from gateway import patterns, schema
from tests.demo.desk import PHONE
from tests.demo.story import SETTINGS, settings_text
from tests.lab import box, plan


def test_the_demo_and_the_plan_agree() -> None:
    """All but the two things that the demo is free to choose: its phone and its patience."""
    demo = schema.parse(settings_text(Path("/demo")), str(SETTINGS))
    planned = schema.parse(box.settings_text(), "plan")
    for one, other in zip(demo.uplinks, planned.uplinks, strict=True):
        assert one == other
    assert demo.lan == planned.lan
    assert demo.incoming == planned.incoming
    assert demo.watching.hosts == planned.watching.hosts
    assert demo.watching.stun_servers == planned.watching.stun_servers
    same = {"codecs", "caller_id_rules", "asterisk"}
    assert demo.trunk.model_dump(exclude=same) == planned.trunk.model_dump(exclude=same)


def test_the_owners_line_shows_the_london_number() -> None:
    demo = schema.parse(settings_text(Path("/demo")), str(SETTINGS))
    (line,) = patterns.parse_extensions(demo.trunk.asterisk)[0]
    assert line.caller_id == plan.LONDON_CALLER_ID
    assert [phone.name for phone in demo.phones] == [PHONE]
    phone = demo.phones[0]
    assert isinstance(phone, schema.VirtualPhone) and phone.record == "/demo/desk-{call}.wav"
