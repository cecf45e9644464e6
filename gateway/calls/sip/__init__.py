"""The door to pjsua2: commands in, events out. No pj object and no pj exception leaves this package."""

from gateway.calls.sip.engine import Engine
from gateway.calls.sip.options import EngineOptions

__all__ = ["Engine", "EngineOptions"]
