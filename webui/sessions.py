"""Who is logged in. In memory alone: a restart of the page, a reset or a new password ends every session."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

IDLE_S = 12 * 3600.0
LONGEST_S = 7 * 86400.0
MOST = 500
"""Sessions kept, those before a login included; the one that was idle for longest gives way."""


@dataclass(slots=True)
class Session:
    """`name`: the cookie; `token`: must come with every change (CSRF); `access`: the password that it was
    opened with (status.SettingsStatus; empty: nobody is logged in); `kept`: small things between pages."""

    name: str
    token: str
    access: str
    opened_s: float
    used_s: float
    kept: dict[str, str] = field(default_factory=dict)


class Sessions:
    """All of them. `now`: monotonic seconds. Safe from any thread."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, name: str, now: float) -> Session | None:
        """The session of this cookie, when it still counts."""
        with self._lock:
            session = self._sessions.get(name)
            if session is None:
                return None
            if now - session.used_s > IDLE_S or now - session.opened_s > LONGEST_S:
                del self._sessions[name]
                return None
            session.used_s = now
            self._sessions.move_to_end(name)
            return session

    def open(self, access: str, now: float, instead_of: Session | None = None) -> Session:
        """A new one, under a new name; the one before the login ends (session fixation)."""
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), access, now, now)
        with self._lock:
            if instead_of is not None:
                self._sessions.pop(instead_of.name, None)
            while len(self._sessions) >= MOST:
                self._sessions.popitem(last=False)
            self._sessions[session.name] = session
        return session

    def close(self, session: Session) -> None:
        """Log out."""
        with self._lock:
            self._sessions.pop(session.name, None)
