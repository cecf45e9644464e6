"""What router advertisements come to."""

import math
from ipaddress import ip_address, ip_interface

from gateway.uplinks.announced import DEPRECATED, PERMANENT, TEMPORARY, TENTATIVE, Way, router
from gateway.uplinks.model import RouterSeen

NOTHING = RouterSeen("wan0", None, None)
FORMED = ip_interface("2001:db8:a::5eff:fe10:0/64")
OTHER = ip_interface("2001:db8:a::1:2/64")
LOCAL = ip_interface("fe80::5eff:fe10:0/64")
ONE = Way("wan0", ip_address("fe80::1"), 1024, math.inf)
TWO = Way("wan0", ip_address("fe80::2"), 512, 100.0)


def test_the_better_router_and_a_formed_address_make_a_way() -> None:
    assert router("wan0", [ONE, TWO], {FORMED: 0, LOCAL: 0}, NOTHING, 50.0) == RouterSeen(
        "wan0", FORMED, TWO.gateway
    )


def test_what_is_in_use_stays_while_it_is_good() -> None:
    before = RouterSeen("wan0", FORMED, ONE.gateway)
    assert router("wan0", [ONE, TWO], {FORMED: 0, OTHER: 0}, before, 50.0) == before
    assert router("wan0", [ONE, TWO], {OTHER: 0}, before, 50.0) == RouterSeen("wan0", OTHER, ONE.gateway)


def test_a_lifetime_that_has_run_out_leaves_nothing() -> None:
    before = RouterSeen("wan0", FORMED, TWO.gateway)
    assert router("wan0", [TWO], {FORMED: 0}, before, 99.9) == before
    assert router("wan0", [TWO], {FORMED: 0}, before, 100.0) == NOTHING
    assert router("wan0", [ONE], {}, before, 50.0) == NOTHING
    assert router("wan0", [Way("wan1", ONE.gateway, 1, math.inf)], {FORMED: 0}, before, 50.0) == NOTHING


def test_addresses_set_by_hand_for_privacy_or_out_of_force_do_not_count() -> None:
    for flags in (PERMANENT, TEMPORARY, DEPRECATED, TENTATIVE):
        assert router("wan0", [ONE], {FORMED: flags}, NOTHING, 0.0) == NOTHING
