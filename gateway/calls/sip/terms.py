"""Law: a leg keeps the account, the sockets and the terms that it began with, whatever is configured later.

Other terms mean other accounts: those of today for legs to come, and former ones until their legs are over.
"""

import contextlib
from collections.abc import Callable, Iterable

import pjsua2 as pj

from gateway.calls.sip import values
from gateway.calls.sip.options import EngineOptions
from gateway.calls.sip.paths import IDLE_S, Account, OnIncoming, Paths, Sockets

TIDY_S = 1.0


class Terms:
    """`now`: the accounts for legs to come. Used on the engine's thread only."""

    def __init__(
        self,
        endpoint: pj.Endpoint,
        options: EngineOptions,
        post: Callable[[values.Event], None],
        on_incoming: OnIncoming,
    ) -> None:
        self.now = Paths(Sockets(endpoint, options.ca_file), options, post, on_incoming)
        self._options = options
        self._transport: values.Transport | None = None
        self._former: list[tuple[Paths, float]] = []
        self._tidy_at = 0.0

    def change(self, options: EngineOptions, now: float) -> None:
        """Legs to come are under these."""
        self._options = options
        self._former.append((self.now, now))
        self.now = self.now.successor(options)

    def bind(self, command: values.BindPath, now: float) -> None:
        """Open the socket of an uplink, for legs of today and of before. Another transport means other terms:
        legs that are up keep theirs. Raises pj.Error for today's."""
        if self._transport not in (None, command.transport):
            self.change(self._options, now)
        self._transport = command.transport
        for former, _ in self._former:
            with contextlib.suppress(pj.Error):  # what they cannot have, their calls move away from
                former.follow(command)
        self.now.bind(command)

    def of(self, account: Account) -> Paths:
        """Where this account belongs."""
        return next((paths for paths, _ in self._former if paths.owns(account)), self.now)

    def tidy(self, used: Iterable[Account], now: float) -> None:
        """Close former accounts that no leg has any more, once what they asked has been answered, and sockets
        that nobody uses. To be called often; it looks once in TIDY_S."""
        if now < self._tidy_at:
            return
        self._tidy_at = now + TIDY_S
        busy = [self.of(account) for account in used]
        kept = []
        for paths, since_s in self._former:
            if any(paths is one for one in busy):
                since_s = now
            if now - since_s > IDLE_S:
                paths.close()
            else:
                kept.append((paths, since_s))
        self._former = kept
        self.now.sockets.tidy(self.now.numbers.union(*(paths.numbers for paths, _ in kept)), now)

    def close(self) -> None:
        """Drop all accounts; sockets close with the library."""
        for paths in (self.now, *(former for former, _ in self._former)):
            paths.close()
        self._former = []
