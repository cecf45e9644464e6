"""Who is at the box, and who knows the password: access.py's tables, their answers, and what the disk
remembers.

The keeper's loop lends this its turn; it is a loop's part, and has none of its own.
"""

from collections.abc import Callable
from itertools import count
from typing import Protocol, TypeVar

from gateway.changes import AskPresence, SetPassword
from gateway.errors import RefusedError
from gateway.messages import Done, Refused
from gateway.settings import access
from gateway.settings.access import Presence, Throttle
from gateway.settings.books import Passwords, Reply, World

OPEN_S = 600.0

Result = TypeVar("Result")


class Disk(Protocol):
    """Calls `act` off the loop."""

    async def __call__(self, act: Callable[..., Result], *arguments: object) -> Result: ...


class Doorman:
    """`access` names the password in force (empty: none is set); `clock`: the loop's; `disk`: has a door that
    blocks do something."""

    def __init__(self, passwords: Passwords, world: World, clock: Callable[[], float], disk: Disk) -> None:
        self._passwords, self._world, self._clock, self._disk = passwords, world, clock, disk
        self._presence = Presence()
        self._waiting: dict[int, Reply] = {}
        self._tickets = count(1)
        self._throttle = Throttle(passwords.wrong(), clock())
        self._open_until = clock()
        self.access = passwords.access()

    @property
    def due(self) -> float | None:
        """When `turn` is needed at the latest."""
        return self._presence.due

    @property
    def waits_for(self) -> str:
        """What a tap would approve now."""
        return self._presence.why

    def turn(self) -> None:
        """Send away who has waited in vain."""
        self._settle(self._presence.receive(None, self._clock()))

    def ask(self, verb: AskPresence, role: str, reply: Reply) -> None:
        """Somebody wants to show that he is at the box; answered when that is known."""
        now, ticket = self._clock(), next(self._tickets)
        if role != "ctl" and not self._world.has_button() and now >= self._open_until:
            reply(
                Refused(
                    what="this box has no button that works",
                    where="button",
                    remedy="Do it in a terminal on it instead; for the password: gatewayctl password",
                )
            )
            return
        self._waiting[ticket] = reply
        self._settle(self._presence.receive(access.Asked(ticket, verb.why), now))
        if ticket in self._waiting and role == "ctl" and not self._world.has_button():
            self.tapped()  # on a box without a button, whoever has a shell on it is as good as there
        elif ticket in self._waiting and now < self._open_until:
            self.tapped()

    def tapped(self) -> None:
        """The button was tapped."""
        self._settle(self._presence.receive(access.Tapped(self._world.token()), self._clock()))

    def open(self) -> None:
        """The button was held for it: for a while whoever asks is taken to be at the box."""
        self._open_until = self._clock() + OPEN_S

    async def forget(self) -> None:
        """The button was held for it: the password is no more, and a new one can be set. Raises DoorError."""
        await self._disk(self._passwords.forget)
        self.access = await self._disk(self._passwords.access)
        await self._forget_wrong_ones()
        self.open()

    def _settle(self, actions: list[access.Grant | access.Deny]) -> None:
        for action in actions:
            reply = self._waiting.pop(action.ticket)
            match action:
                case access.Grant(_, proof):
                    reply(Done(text="Somebody is at the box.", data={"proof": proof}))
                case access.Deny(_, what, remedy):
                    reply(Refused(what=what, where="button", remedy=remedy))

    def spend(self, proof: str) -> None:
        """Raises RefusedError unless `proof` is good; it is so once."""
        if not self._presence.spend(proof, self._clock()):
            raise RefusedError(
                "nobody has shown that he is at the box, or that was more than ten minutes ago",
                where="button",
                remedy="Ask again, and tap the button of the box within a minute",
            )

    async def check(self, password: str) -> None:
        """Raises RefusedError unless this is the password; a wrong one counts, on the disk too."""
        wait_s = self._throttle.wait_s(self._clock())
        if wait_s:
            raise RefusedError(
                "too many wrong passwords", where="password", remedy=f"Try again in {wait_s:.0f} s"
            )
        if not self.access:
            raise RefusedError("no password is set yet", where="password", remedy="Set one first")
        # A guess is written down before it is judged: cutting the power does not give another one.
        self._throttle.guessed(False, self._clock())
        await self._disk(self._passwords.note_wrong, self._throttle.wrong)
        if not await self._disk(self._passwords.check, password):
            raise RefusedError("that is not the password", where="password", remedy="Try again")
        await self._forget_wrong_ones()

    async def set(self, verb: SetPassword) -> Done:
        """Set the password. Raises RefusedError, DoorError."""
        if not 8 <= len(verb.password) <= 200:
            raise RefusedError(
                f"a password of {len(verb.password)} characters", where="password", remedy="Give 8 to 200"
            )
        if verb.old:
            await self.check(verb.old)
        else:
            self.spend(verb.proof)
        await self._disk(self._passwords.set, verb.password)
        self.access = await self._disk(self._passwords.access)
        await self._forget_wrong_ones()
        return Done(text="The password is set.", data={"access": self.access})

    async def _forget_wrong_ones(self) -> None:
        self._throttle.guessed(True, self._clock())
        await self._disk(self._passwords.note_wrong, 0)
