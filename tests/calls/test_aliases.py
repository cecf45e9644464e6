"""The owner calls an uplink by another name; calls and engine do not notice."""

from hypothesis import given
from hypothesis import strategies as st

from gateway import messages as m
from gateway.calls.aliases import Aliases
from gateway.status import CallView


def paths(**devices: str) -> m.Paths:
    """Names and their devices; the first carries the calls."""
    return m.Paths(
        paths=tuple(
            m.Path(
                uplink=name, device=device, local_address="192.0.2.1", public_address="192.0.2.1", state="fit"
            )
            for name, device in devices.items()
        ),
        active=next(iter(devices), ""),
        cause="test",
    )


def call(uplink: str) -> CallView:
    return CallView(
        call=1,
        phone="desk",
        direction="out",
        state="up",
        remote="",
        caller_id="",
        uplink=uplink,
        started_at=0,
    )


def keys(found: m.Paths) -> dict[str, str]:
    return {path.uplink: path.device for path in found.paths}


def test_renamed_uplink_keeps_its_key_and_is_told_by_its_new_name() -> None:
    aliases = Aliases()
    aliases.inward(paths(main="wan0", backup="wan1"))
    found = aliases.inward(paths(fibre="wan0", backup="wan1"))
    assert (keys(found), found.active) == ({"main": "wan0", "backup": "wan1"}, "main")
    told = aliases.outward(m.CallsNow(calls=(call("main"), call("backup")), phones=()))
    assert [one.uplink for one in told.calls] == ["fibre", "backup"]
    moved = aliases.outward(
        m.CallMoved(call=1, from_uplink="main", to_uplink="backup", how="reinvite", took_ms=1)
    )
    assert (moved.from_uplink, moved.to_uplink) == ("fibre", "backup")
    assert aliases.key("fibre") == "main"


def test_name_is_free_for_another_uplink_and_the_old_one_stays_what_it_is() -> None:
    aliases = Aliases()
    aliases.inward(paths(main="wan0"))
    aliases.inward(paths(fibre="wan0"))
    found = aliases.inward(paths(fibre="wan0", main="wan5"))
    assert len(keys(found)) == 2 and keys(found)["main"] == "wan0"
    assert aliases.name(aliases.key("main")) == "main"
    assert aliases.name(aliases.key("fibre")) == "fibre"


def test_uplink_that_was_away_for_a_while_is_known_again() -> None:
    aliases = Aliases()
    aliases.inward(paths(main="wan0", backup="wan1"))
    aliases.inward(paths())
    assert keys(aliases.inward(paths(fibre="wan0", backup="wan1"))) == {"main": "wan0", "backup": "wan1"}


worlds = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["w0", "w1", "w2", "w3"]), max_size=4
).filter(lambda world: len(set(world.values())) == len(world))


@given(st.lists(worlds, max_size=12))
def test_whatever_is_renamed_two_uplinks_never_share_a_key(changes: list[dict[str, str]]) -> None:
    aliases = Aliases()
    for world in changes:
        found = aliases.inward(paths(**world))
        assert len({path.uplink for path in found.paths}) == len(world)
        assert [aliases.name(path.uplink) for path in found.paths] == list(world)
        assert [aliases.key(name) for name in world] == [path.uplink for path in found.paths]
