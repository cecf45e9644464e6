"""Law: what an attempt's ending means for the next one.

    nothing came, not sent, 408   next uplink on the same server, then the next server
    500 502 503 504               next server; 503 with Retry-After lets that server rest for every call
    401 403 407                   once on another uplink; taken there: this uplink's address is not confirmed
    488 606                       once more on the same way, with other codecs
    all else, or after 18x        the end: the number was reached, or nobody may reach it
    an emergency                  every uplink, fit or not, and every server, whatever was answered; each way
                                  differs from the one before in uplink and server, as far as there are two

RFC 3261 §8.1.3, §21; RFC 3263 §4.3. Redirection (3xx) is refused: no network message makes the box dial.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gateway.calls.model import Codecs, Unauthorised, Ways
from gateway.messages import Server

Policy = Literal["other_way", "other_server", "other_uplink_once", "other_codecs", "never"]
RouteKind = Literal["ordinary", "emergency"]

POLICY: Final[dict[int, Policy]] = {
    0: "other_way",
    408: "other_way",
    500: "other_server",
    502: "other_server",
    503: "other_server",
    504: "other_server",
    401: "other_uplink_once",
    403: "other_uplink_once",
    407: "other_uplink_once",
    488: "other_codecs",
    606: "other_codecs",
}
"""Codes that are not here: never."""

REASON: Final[dict[int, str]] = {
    0: "provider_silent",
    401: "not_authorised",
    402: "no_credit",
    403: "refused",
    404: "unknown_number",
    407: "not_authorised",
    408: "provider_silent",
    410: "unknown_number",
    480: "unavailable",
    482: "fault",
    483: "fault",
    484: "incomplete_number",
    486: "busy",
    487: "cancelled",
    488: "no_codec",
    503: "provider_busy",
    600: "busy",
    603: "declined",
    604: "unknown_number",
    606: "no_codec",
    607: "declined",
    608: "declined",
}

WORDS: Final[dict[str, str]] = {
    "all_down": "All Internet channels are down.",
    "provider_silent": "The provider does not answer.",
    "provider_busy": "The provider is overloaded. Try again in a minute.",
    "provider_fault": "The provider has a fault and could not put the call through.",
    "not_authorised": "The provider does not accept calls from this address.",
    "refused": "The provider refused the call: credit, destination or address.",
    "no_credit": "The provider asks for payment first.",
    "unknown_number": "There is no such number.",
    "incomplete_number": "The number is incomplete.",
    "invalid_number": "This number cannot be dialled.",
    "unavailable": "The number cannot be reached at present.",
    "busy": "The number is busy.",
    "declined": "The call was declined.",
    "cancelled": "The call was cancelled.",
    "no_answer": "Nobody answers.",
    "no_codec": "The far end and the box have no way of coding speech in common.",
    "redirected": "The provider redirected the call; that is not followed, for safety.",
    "fault": "The call could not be put through.",
    "hung_up": "The phone hung up.",
    "not_allowed": "This is not allowed at this phone.",
    "pin_wanted": "This call needs the PIN.",
    "pin_wrong": "The PIN is wrong.",
    "pin_closed": "Too many wrong PINs were given. Try again in ten minutes.",
    "country_refused": "Calls to this country are not allowed.",
    "kind_refused": "Calls to numbers of this kind are not allowed.",
    "outside_hours": "Calls are not allowed at this time of day.",
    "too_many_calls": "There are too many calls now. Try again later.",
    "minutes_used": "Today's minutes for calls are used up.",
    "too_long": "The call has reached the longest time that is allowed.",
    "help_needed_it": "The line is needed for a call for help.",
    "phone_removed": "The phone was taken out of the settings.",
    "far_hung_up": "The other side hung up.",
    "please_wait": "All Internet channels are down. The call waits for one to come back.",
    "calling_again": "The Internet channel failed. The number is being called again.",
    "lost": "The Internet channel failed, and the call could not be carried over to another.",
    "lost_all_down": "All Internet channels are down, and the call had to be ended.",
}
"""What the phone's side is told, by a key that stays the same (prompts are recorded under it)."""

SILENCE: Final = -1
"""A code of our own: nothing, not even 100, came in time."""

_MAX_TRIES: Final = 8
_LONGEST_REST_S: Final = 120.0
_SILENT_REST_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Try:
    """INVITE by this uplink to this server."""

    uplink: str
    server: Server
    codecs: Codecs = "usual"


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It is over. `code`: the last SIP code that the network gave, or 0."""

    code: int
    reason: str


def reason_of(code: int) -> str:
    """The key in WORDS for a final code."""
    if 300 <= code < 400:
        return "redirected"
    if code == SILENCE:
        return "provider_silent"
    return REASON.get(code, "provider_fault" if 500 <= code < 600 else "fault")


def place(server: Server) -> str:
    """`192.0.2.10:5060`, or `[2001:db8::1]:5060`."""
    return f"[{server.address}]:{server.port}" if ":" in server.address else f"{server.address}:{server.port}"


class Rests:
    """What all calls remember of servers: which asked for a rest, and which were silent lately."""

    def __init__(self, longest_s: float = _LONGEST_REST_S, silent_s: float = _SILENT_REST_S) -> None:
        self._longest_s = longest_s
        self._silent_s = silent_s
        self._asked: dict[Server, float] = {}
        self._silent: dict[Server, float] = {}

    def asked(self, server: Server, rest_s: float, now: float) -> None:
        """503 with Retry-After; bounded, because one odd answer must not silence a trunk for a day."""
        self._asked[server] = now + min(max(rest_s, 0.0), self._longest_s)

    def silent(self, server: Server, now: float) -> None:
        """Nothing came from it: others are asked first for a while."""
        self._silent[server] = now + self._silent_s

    def heard(self, server: Server) -> None:
        """It answers."""
        self._silent.pop(server, None)

    def resting(self, server: Server, now: float) -> bool:
        """True while the server's own Retry-After runs."""
        return self._asked.get(server, now) > now

    def order(self, servers: Iterable[Server], now: float) -> list[Server]:
        """All of them: those in service first, then the silent, then those at rest; else as given."""
        return sorted(servers, key=lambda s: (self.resting(s, now), self._silent.get(s, now) > now))


class Route:
    """The attempts of one call to reach one number."""

    def __init__(
        self,
        servers: Sequence[Server],
        ways: Ways,
        rests: Rests,
        kind: RouteKind = "ordinary",
    ) -> None:
        self.ways = ways
        self.kind = kind
        self.attempts: list[str] = []
        self._servers = tuple(servers)
        self._rests = rests
        self._restart()

    def _restart(self) -> None:
        self._current: Try | None = None
        self._order = list(self._servers)
        self._tried: set[tuple[str, Server]] = set()
        self._faulty: set[Server] = set()
        self._refused_on: dict[str, int] = {}
        self._rang = False
        self._code = 0

    def begin(self, now: float) -> Try | GiveUp:
        """The first way; also after a move has failed and the number is dialled anew."""
        self._restart()
        self._order = self._rests.order(self._servers, now)
        return self._next(now)

    def replan(self, servers: Sequence[Server]) -> None:
        """The provider has other servers: they count from the next attempt on."""
        self._servers = tuple(servers)
        self._order = list(servers)

    def serving(self, uplink: str, present: Server) -> Server | None:
        """What `uplink` talks to in place of `present`: the same while it is one of the provider's, else the
        first of its own IP version."""
        servers = [present, *self._order] if present in self._servers else self._order
        return next((s for s in servers if self.ways.reaches(uplink, s)), None)

    def again(self, now: float) -> Try | GiveUp:
        """Leave the way under trial without a verdict on it, because its uplink must be left; with the
        uplinks of today, also what failed before may be tried once more."""
        self._note("left")
        self._tried.clear()
        self._rang = False
        self._order = self._rests.order(self._servers, now)
        return self._next(now)

    def adopt(self, uplink: str, server: Server) -> None:
        """An INVITE that was sent without asking here turned out to be an attempt, and rings."""
        self._restart()
        self._current = Try(uplink, server)
        self._tried.add((uplink, server))
        self._note("180")
        self._rang = True

    def progress(self, code: int) -> list[Unauthorised]:
        """A provisional answer; from 180 on the number is reached, and no other way will be tried."""
        if self._current:
            self._rests.heard(self._current.server)
        if code < 180:
            return []
        if not self._rang:
            self._note(str(code))
        self._rang = True
        return self._authorised_here()

    def answered(self) -> list[Unauthorised]:
        """The call was taken."""
        self._note("200")
        return self._authorised_here()

    def failed(
        self, code: int, retry_after_s: float | None, now: float
    ) -> tuple[list[Unauthorised], Try | GiveUp]:
        """The end of the attempt: a final code, 0 (could not be sent) or SILENCE; and what comes next."""
        current = self._current
        if current is None:
            return [], GiveUp(max(code, 0), reason_of(code))
        self._note({0: "not sent", SILENCE: "silent"}.get(code, str(code)))
        if code > 0:
            self._code = code
            self._rests.heard(current.server)
        elif code == SILENCE:
            self._rests.silent(current.server, now)
        if code == 503 and retry_after_s is not None:
            self._rests.asked(current.server, retry_after_s, now)
        policy = POLICY.get(max(code, 0), "never")
        alarms: list[Unauthorised] = []
        if policy == "never":
            alarms = self._authorised_here()
        if policy == "other_codecs" and current.codecs == "usual" and not self._rang:
            self._current = Try(current.uplink, current.server, "fallback")
            return alarms, self._current
        worth_another = self._worth_another(policy, current, code) and not self._rang
        if not worth_another and self.kind != "emergency":
            return alarms, GiveUp(max(code, 0), reason_of(code))
        self._rang = False
        return alarms, self._next(now)

    def _worth_another(self, policy: Policy, current: Try, code: int) -> bool:
        match policy:
            case "other_way":
                return True
            case "other_server":
                self._faulty.add(current.server)
                return True
            case "other_uplink_once":
                self._refused_on[current.uplink] = code
                return len(self._refused_on) == 1
            case "other_codecs" | "never":
                return False

    def _authorised_here(self) -> list[Unauthorised]:
        alarms = [
            Unauthorised(uplink, code)
            for uplink, code in self._refused_on.items()
            if self._current and uplink != self._current.uplink
        ]
        self._refused_on.clear()
        return alarms

    def _next(self, now: float) -> Try | GiveUp:
        self._current = None
        emergency = self.kind == "emergency"
        uplinks = self.ways.every if emergency else self.ways.fit
        if not uplinks:
            return GiveUp(self._code, "all_down")
        servers = self._order
        if not emergency:
            awake = [s for s in servers if not self._rests.resting(s, now)]
            if servers and not awake:
                return GiveUp(503, "provider_busy")
            servers = awake
        for uplink, server in self._ways_to(uplinks, servers):
            barred = server in self._faulty or uplink in self._refused_on
            if (uplink, server) in self._tried or (barred and not emergency):
                continue
            if len(self._tried) >= _MAX_TRIES and not emergency:
                break
            self._tried.add((uplink, server))
            self._current = Try(uplink, server)
            return self._current
        return GiveUp(self._code, reason_of(self._code))

    def _ways_to(self, uplinks: Sequence[str], servers: Sequence[Server]) -> Iterator[tuple[str, Server]]:
        """Every uplink with every server that it reaches. Ordinary calls: the first server of each uplink,
        then the second of each. Emergencies: both change at once, for it is not known which of them failed;
        uplinks that are not fit come after all else."""
        reached = {u: [s for s in servers if self.ways.reaches(u, s)] for u in uplinks}
        fit = [u for u in uplinks if u in self.ways.fit]
        for group in (fit, [u for u in uplinks if u not in fit]):
            for rank in range(len(servers)):
                for place, uplink in enumerate(group):
                    shift = place if self.kind == "emergency" else 0
                    if rank < len(reached[uplink]):
                        yield uplink, reached[uplink][(rank + shift) % len(reached[uplink])]

    def _note(self, what: str) -> None:
        if self._current:
            self.attempts.append(f"{self._current.uplink} {place(self._current.server)}: {what}")
