"""Plans of the kernel, made by Hypothesis: any mixture of uplinks, families and admissions."""

from ipaddress import ip_address, ip_network

from hypothesis import strategies as st

from gateway.uplinks.model import KernelPlan, UplinkPath

PROVIDERS = tuple(ip_network(n) for n in ("192.0.2.0/28", "198.51.100.7/32", "2001:db8:f::/64"))


@st.composite
def paths(draw: st.DrawFn, index: int, version: int) -> UplinkPath:
    """One uplink's path; a device or address may be another one's in the next plan, but not in the same."""
    site = draw(st.integers(0, 3)) * 8 + index
    text = f"203.0.113.{site + 1}" if version == 4 else f"2001:db8:a::{site + 1:x}"
    gateway = draw(st.sampled_from(["203.0.113.254" if version == 4 else "fe80::1", None]))
    return UplinkPath(
        index=index,
        name=f"u{index}",
        device="",
        address=ip_address(text),
        prefix=ip_network("203.0.113.0/24" if version == 4 else "2001:db8:a::/64"),
        gateway=ip_address(gateway) if gateway else None,
        admitted=draw(st.booleans()),
    )


@st.composite
def plans(draw: st.DrawFn) -> KernelPlan:
    """A plan with up to four uplinks on devices w1..w5 in any order."""
    indexes = draw(st.lists(st.integers(1, 4), unique=True, max_size=4))
    devices = draw(st.permutations(["w1", "w2", "w3", "w4", "w5"]))
    chosen = []
    for index in indexes:
        for version in draw(st.sampled_from([(4,), (6,), (4, 6)])):
            path = draw(paths(index, version))
            chosen.append(
                UplinkPath(
                    path.index,
                    path.name,
                    devices[index],
                    path.address,
                    path.prefix,
                    path.gateway,
                    path.admitted,
                )
            )
    return KernelPlan(
        paths=tuple(chosen),
        providers=tuple(draw(st.lists(st.sampled_from(PROVIDERS), unique=True))),
        trunk=draw(st.sampled_from([None, 1, 2, 3, 4])),
        internet=tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4]), unique=True))),
        lan=tuple(draw(st.lists(st.sampled_from(["lan0", "lan1"]), unique=True))),
    )
