"""How the trunk is reached: SIP sockets on every path before they are needed, the registration on the active
one, and signs of life that keep the bindings of NAT routers open; all of it under the terms of the plan."""

from collections.abc import Callable

from gateway import messages as m
from gateway.calls.model import Ways
from gateway.calls.routing import Rests
from gateway.calls.sip import values as v

KEEP_ALIVE_S = 20.0
"""Under the 30 s that routers keep a UDP binding (RFC 4787 REQ-5 asks for more; many give less)."""
BIND_AGAIN_S = 1.0
REGISTER_AGAIN_S = 5.0


class Reach:
    """Sockets, registration and keep-alive. `clock` gives monotonic seconds."""

    def __init__(self, plan: m.TrunkPlan, engine: v.Engine, rests: Rests, clock: Callable[[], float]) -> None:
        self._plan = plan
        self._engine = engine
        self._rests = rests
        self._clock = clock
        self._paths = m.Paths(paths=(), active="", cause="")
        self._bound: dict[str, m.Path] = {}
        """By uplink, also those that are gone for now: their sockets stay."""
        self._transports: dict[str, v.Transport] = {}
        self._registered_by = ""
        self._keep_alive_at = 0.0
        self._again_at: float | None = None

    def replan(self, plan: m.TrunkPlan) -> None:
        """Other settings, perhaps other servers or another login: what is as before is left alone."""
        before, self._plan = self._plan, plan
        if terms(before) != terms(plan):
            self._engine.do(terms(plan))
        if before.registration and not plan.registration:
            self._engine.do(v.Unregister())
        if _binding(before) != _binding(plan):
            self._registered_by = ""
        self._follow()

    def paths(self, paths: m.Paths) -> frozenset[str]:
        """The uplinks have changed: bind what is new, register by the active one. Returns those that have
        another address than before."""
        self._paths = paths
        self._keep_alive_at = min(self._keep_alive_at, self._clock() + BIND_AGAIN_S)
        before = dict(self._bound)
        self._follow()
        return frozenset(n for n, path in self._bound.items() if n in before and _moved(before[n], path))

    def path(self, uplink: str) -> m.Path | None:
        """The path of an uplink that has a SIP socket."""
        return self._bound.get(uplink)

    def hop(self, uplink: str, server: m.Server | None = None) -> v.Hop:
        """Where to send by `uplink`: to `server`, or to the first in service that speaks its IP version. Only
        while a server is known."""
        ways = Ways.of(self._paths)
        order = self._rests.order(self._plan.servers, self._clock())
        chosen = server or next((s for s in order if ways.reaches(uplink, s)), order[0])
        return v.Hop(chosen.address, chosen.port, chosen.transport, self._plan.domain)

    def again(self, uplink: str) -> v.Hop | None:
        """Where to send in a dialog that stands; None: where it is sent now, for no server is known."""
        return self.hop(uplink) if self._plan.servers else None

    def _served(self, uplink: str) -> bool:
        """Some server of the provider speaks the IP version of `uplink`."""
        ways = Ways.of(self._paths)
        return any(ways.reaches(uplink, server) for server in self._plan.servers)

    def bound(self, event: v.PathBound) -> None:
        """The engine's word on a socket."""
        if event.error:
            self._bound.pop(event.uplink, None)
            self._try_again(BIND_AGAIN_S)

    def registered(self, event: v.Registered) -> None:
        """The registrar's word: silence and faults are tried again, a refusal is left to the next change."""
        if event.code in (0, 408) or event.code >= 500:
            self._registered_by = ""
            self._try_again(REGISTER_AGAIN_S)

    @property
    def due(self) -> float:
        """When `tick` is wanted, monotonic seconds."""
        return self._keep_alive_at if self._again_at is None else min(self._keep_alive_at, self._again_at)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
            self._follow()
        if now >= self._keep_alive_at:
            self._keep_alive_at = now + KEEP_ALIVE_S
            for path in self._paths.paths:
                if path.state == "fit" and path.uplink in self._bound and self._served(path.uplink):
                    self._engine.do(v.KeepAlive(path.uplink, self.hop(path.uplink), self._plan.domain))

    def _follow(self) -> None:
        transport = self._plan.servers[0].transport if self._plan.servers else "udp"
        for path in self._paths.paths:
            known = self._bound.get(path.uplink)
            if path.local_address:
                self._bound[path.uplink] = path
                if known is None or _moved(known, path) or self._transports.get(path.uplink) != transport:
                    self._transports[path.uplink] = transport
                    self._engine.do(
                        v.BindPath(path.uplink, path.local_address, path.public_address, transport)
                    )
        registration, active = self._plan.registration, self._paths.active
        if registration and self._served(active) and active in self._bound and active != self._registered_by:
            self._registered_by = active
            self._engine.do(
                v.Register(
                    active,
                    self.hop(active),
                    self._plan.domain,
                    registration.login,
                    registration.password,
                    registration.expires_s,
                )
            )

    def _try_again(self, after_s: float) -> None:
        again_at = self._clock() + after_s
        self._again_at = again_at if self._again_at is None else min(self._again_at, again_at)


def _binding(plan: m.TrunkPlan) -> tuple[object, ...]:
    """What a registration hangs on."""
    return plan.registration, plan.domain, plan.servers[:1], plan.sip_port


def terms(plan: m.TrunkPlan) -> v.Configure:
    """What the engine makes calls by."""
    return v.Configure(plan.sip_port, plan.rtp_ports, plan.codecs, plan.srtp, plan.session_expires_s)


def _moved(before: m.Path, after: m.Path) -> bool:
    return (before.local_address, before.public_address) != (after.local_address, after.public_address)
