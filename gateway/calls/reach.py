"""How the trunk is reached: SIP sockets on every path before they are needed, the registration on the active
one, and signs of life that keep the bindings of NAT routers open."""

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
        self._registered_by = ""
        self._keep_alive_at = 0.0
        self._again_at: float | None = None

    def replan(self, plan: m.TrunkPlan) -> None:
        """Other servers or another login."""
        self._plan = plan
        self._registered_by = ""
        self._follow()

    def paths(self, paths: m.Paths) -> None:
        """The uplinks have changed: bind what is new, register by the active one."""
        self._paths = paths
        self._keep_alive_at = min(self._keep_alive_at, self._clock() + BIND_AGAIN_S)
        self._follow()

    def path(self, uplink: str) -> m.Path | None:
        """The path of an uplink that has a SIP socket."""
        return self._bound.get(uplink)

    def hop(self, uplink: str, server: m.Server | None = None) -> v.Hop:
        """Where to send by `uplink`: to `server`, or to the first in service that speaks its IP version."""
        ways = Ways.of(self._paths)
        order = self._rests.order(self._plan.servers, self._clock())
        chosen = server or next((s for s in order if ways.reaches(uplink, s)), order[0])
        return v.Hop(chosen.address, chosen.port, chosen.transport, self._plan.domain)

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
            same = known and (known.local_address, known.public_address) == (
                path.local_address,
                path.public_address,
            )
            if path.local_address:
                self._bound[path.uplink] = path
                if not same:
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
