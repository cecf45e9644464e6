"""Law: a handset that is put down leaves nothing behind: no tone, no sound, no call that nobody knows of.

    state    what it is                                  lifted, or off the hook   put down
    gone     no hardware                                 nothing                   nothing
    idle     on the hook                                 dial                      nothing
    ringing  on the hook; a call waits, or a held one    talking                   nothing
             calls its user back
    dial     dial tone, or digits come in                nothing                   idle; a held call rings
    pin      the digits of a PIN come in                 nothing                   as dial
    placing  a call of ours, not answered yet            nothing                   ended, or handed over
    talking  a call that is up; one may be held, or      nothing                   ended, or handed over;
             wait                                                                  what waits or is held rings
    menu     talking, and R was pressed: one key         nothing                   as talking
    three    both calls hear each other and us           nothing                   ended, or handed over
    told     the call is over: words, busy tone          nothing                   as dial
    howling  off the hook for too long: warning          nothing                   as dial
    parked   and silence after it                        nothing                   as dial

A call is held beside the one that is heard, or waits beside it, never both. A flash (R) holds, and comes
back; with two calls it joins them, or opens a menu of one key (0 refuse, 1 end and take, 2 swap, 3 join,
4 connect). Who puts the handset down with two calls, one of them inside the house, connects them. A call for
help is dialled as soon as its digits are there, also under busy tone, and no flash ends it.
"""

from typing import Final

from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.keys import Keys
from gateway.phones.parties import Options, Party, State, Timer

__all__ = ["Action", "Event", "Line", "Options", "State"]

Action = c.LineAction | h.Action
Event = h.Event | c.CallEvent

HOWL_S: Final = 60.0
RECALL_S: Final = 45.0
MENU_S: Final = 3.0


class Line(Keys):
    """One phone's line: give it every event of its hardware and of its calls."""

    _last_s = 0.0
    """An event that is stamped earlier than the last one came late; time does not go back for it."""

    def receive(self, event: Event | None, now: float) -> list[Action]:
        """What is to be done about `event` (None: time has passed)."""
        now = self._last_s = max(now, self._last_s)
        if event is not None:
            self._take(event, now)
        while self.due is not None and self.due <= now:
            timer = min(self._timers, key=self._timers.__getitem__)
            del self._timers[timer]
            self._expire(timer, now)
        return self.ear.drain()

    def _take(self, event: Event, now: float) -> None:
        if self.state == "gone" and not isinstance(event, h.Plugged | c.Offered | c.PickedUp):
            return
        match event:
            case h.OffHook():
                self._lifted(now)
            case h.OnHook():
                self._laid_down(now)
            case h.Flash():
                self._flashed(now)
            case h.DigitBegan():
                self._digit_began(event, now)
            case h.Digit(key):
                self._digit(key, event.source, now)
            case h.Mute(on):
                if self.ear.open:
                    self._timers.pop("unmute", None)
                    self.ear.mute(not self.ear.muted if on is None else on)
            case h.Redial():
                self._dial_all(self.memory.last_dialled, now, "nothing_to_redial")
            case h.Plugged():
                if self.state == "gone":
                    self.state = "idle"
            case h.Unplugged():
                self._gone()
            case c.Refuse() if self.waiting:
                self.ear.emit(c.Drop(self.waiting.call))
                self.waiting = None
                self._offer_over()
            case c.Refuse() if self.held and self.state == "ringing":
                self.ear.emit(c.Drop(self.held.call))
                self.held = None
                self._stop_ringing()
            case c.DialAll(digits):
                if self.state == "idle":
                    self.ear.listen(True)
                    self.state = "dial"
                self._dial_all(digits, now, "incomplete_number")
            case c.HoldKey(on):
                self._hold_key(on)
            case c.Offered():
                self._offered(event)
            case c.PickedUp():
                self._picked_up(event, now)
            case c.Spoken() if self._dial_after and self.state == "told":
                self.ear.hush()
                self._dial(now)
            case c.Spoken():
                self.ear.spoken()
            case c.Became():
                self._became(event)
            case c.Over():
                self._over(event, now)
            case c.Ringback(call, on) if self.active and call == self.active.call:
                self.ear.play("ringback") if on else self.ear.hush(words=False)
            case c.Sound(call) if self.active and call == self.active.call:
                self.active.sound = True
                self.ear.hush(words=False)
            case c.Answered(call) if self.active and call == self.active.call:
                self._answered(self.active)
            case c.Told(call, reason) if self.active and call == self.active.call:
                self.ear.speak(c.Speak((reason,)))
            case _:
                pass

    # --- the hook ---------------------------------------------------------------------------------

    def _lifted(self, now: float) -> None:
        if self.state == "idle":
            self.ear.listen(True)
            self._dial(now)
        elif self.state == "ringing":
            self._calm()
            self.ear.emit(h.StopRing())
            self.ear.listen(True)
            if self.waiting:
                self._take_waiting()
            else:
                self._take_back()

    def _laid_down(self, now: float) -> None:
        if not self.ear.open:
            return
        self._calm()
        self.ear.hush()
        active, held = self.active, self.held
        self.active = None
        if self.state == "three":
            self.ear.emit(c.Mix(False))
        if active and held and (active.inside or (held.inside and active.up)):
            self._connect(active, held)
            self.held = None
        elif self.state == "three" and active and held:
            self.ear.emit(c.Drop(active.call), c.Drop(held.call))
            self.held = None
        elif active:
            self.ear.emit(c.Drop(active.call))
        self._no_waiting = False
        self.ear.listen(False)
        self.ear.emit(h.Reverse(False))
        self.state = "idle"
        if self.waiting:
            self.state = "ringing"
            self._ring(self.waiting, "inside" if self.waiting.inside else "outside")
        elif self.held:
            self.state = "ringing"
            self._timers["recall"] = now + RECALL_S
            self._ring(self.held, "recall")

    def _flashed(self, now: float) -> None:
        match self.state:
            case "dial" | "pin" | "told" | "howling" | "parked":
                self._calm()
                self.ear.hush()
                if self.waiting:
                    self._take_waiting()
                elif self.held:
                    self._take_back()
                else:
                    self._dial(now)
            case "placing" if self.active and not self.active.emergency:
                self.ear.hush()
                self.ear.emit(c.Drop(self.active.call))
                self.active = None
                if self.held:
                    self._take_back()
                else:
                    self._dial(now)
            case "talking" if self.active and not self.active.emergency:
                if self.waiting or self.held:
                    if self.options.flash == "menu":
                        self.state = "menu"
                        self._timers["menu"] = now + MENU_S
                    elif self.waiting:
                        self._swap()
                    else:
                        self._join()
                elif self.active.up:
                    self._set_aside()
                    self._dial(now)
            case "menu":
                self._choose("2", now)
            case "three" if self.active:
                self.ear.emit(c.Mix(False), c.Drop(self.active.call))
                self.active = None
                self._take_back(joined=True)
            case _:
                pass

    # --- calls ------------------------------------------------------------------------------------

    def _offered(self, offered: c.Offered) -> None:
        party = Party(offered.call, offered.caller, offered.inside)
        if offered.caller.number and not offered.inside:
            self.memory.last_caller = offered.caller.number
        if self.state == "idle" and not self.memory.dnd:
            self.state, self.waiting = "ringing", party
            self._ring(party, "inside" if party.inside else "outside")
        elif self.free:
            self.waiting = party
            self.ear.play("waiting")
            self.ear.emit(h.ShowCaller(party.caller))
        else:
            self.ear.emit(c.Drop(party.call, 486))

    def _picked_up(self, event: c.PickedUp, now: float) -> None:
        if self.state not in ("dial", "told") or self.active:
            if event.call:
                self.ear.emit(c.Drop(event.call, 480))
        elif event.call:
            self._calm()
            self.ear.hush()
            self.active = Party(event.call, event.caller, event.inside)
            self.state = "talking"
            self.ear.emit(c.Take(event.call))
        else:
            self._fail("nothing_rings", now)

    def _answered(self, active: Party) -> None:
        active.up = True
        if self.state == "placing":
            self.state = "talking"
            self.ear.hush(words=False)
        if active.ours and not active.inside:
            self.ear.emit(h.Reverse(True))

    def _became(self, event: c.Became) -> None:
        for party in self._parties():
            if party.call == event.call:
                party.call, party.caller, party.inside = event.new, event.caller, event.inside
                party.ours = False
        if self.state == "ringing" and self.waiting and self.waiting.call == event.new:
            self.ear.emit(h.StopRing())
            self._ring(self.waiting, "inside" if event.inside else "outside")

    def _over(self, over: c.Over, now: float) -> None:
        if self.waiting and over.call == self.waiting.call:
            self.waiting = None
            self._offer_over()
        elif self.held and over.call == self.held.call:
            self.held = None
            self._held_over()
        elif self.active and over.call == self.active.call:
            self._active_over(over, now)

    def _offer_over(self) -> None:
        if self.state == "ringing":
            self._stop_ringing()
        elif self.state in ("talking", "menu"):
            self.ear.hush(words=False)
            self.state = "talking"
            self._timers.pop("menu", None)

    def _held_over(self) -> None:
        if self.state == "ringing":
            self._stop_ringing()
        elif self.state == "three":
            self.ear.emit(c.Mix(False))
            self.state = "talking"
        elif self.state == "menu":
            self._timers.pop("menu", None)
            self.state = "talking"

    def _active_over(self, over: c.Over, now: float) -> None:
        self.active = None
        self.ear.emit(h.Reverse(False))
        if self.state == "three":
            self.ear.emit(c.Mix(False))
            self._take_back(joined=True)
        elif over.reason in ("pin_wanted", "pin_wrong") and self.state == "placing":
            self.state, self._keyed = "pin", ""
            self._timers = {"digits": now + self.options.first_digit_s}
            self.ear.speak(c.Speak((over.reason,)))
        else:
            self._fail(over.reason, now)

    def _stop_ringing(self) -> None:
        self._timers.pop("recall", None)
        self.state = "idle"
        self.ear.emit(h.StopRing())

    def _gone(self) -> None:
        if self.state == "ringing":
            self.ear.emit(h.StopRing())
        if self.state == "three":
            self.ear.emit(c.Mix(False))
        for party in self._parties():
            self.ear.emit(c.Drop(party.call, 480))
        self.active = self.held = self.waiting = None
        self._calm()
        self.ear.listen(False)
        self.state = "gone"

    # --- time -------------------------------------------------------------------------------------

    def _expire(self, timer: Timer, now: float) -> None:
        match timer:
            case "digits" if self.state == "pin":
                self._pin_given(now)
            case "digits" if self._keyed:
                self._judge(self.plan.end(self._keyed), now)
            case "digits" | "told" if self.held:
                self._calm()
                self.ear.hush()
                self._take_back()
            case "digits" | "told":
                self.state = "howling"
                self._keyed = ""
                self._timers = {"howl": now + HOWL_S}
                self.ear.speak(c.Speak(("hang_up",)), "howler")
            case "howl":
                self.state = "parked"
                self.ear.hush()
            case "hotline":
                self._dial_all(self.options.hotline, now, "incomplete_number")
            case "menu":
                self.state = "talking"
            case "recall" if self.held:
                self.ear.emit(c.Drop(self.held.call))
                self.held = None
                self._stop_ringing()
            case "unmute":
                self.ear.deafen(self.ear.muted)
            case "noise" if self.state == "dial":
                self.ear.play("second" if self.held else "stutter" if self.notice else "dial")
            case _:
                pass
