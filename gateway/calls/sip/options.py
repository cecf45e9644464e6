"""What the SIP engine is started with."""

from dataclasses import dataclass, replace

from gateway.calls.sip.values import Configure


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a Configure names may change while the engine runs, for legs to come; the rest may not. `codecs`
    in order of preference; ports are UDP; `ca_file` holds the authorities that a TLS server's certificate may
    come from."""

    max_calls: int = 128
    sip_port: int = 5060
    rtp_ports: tuple[int, int] = (10_000, 10_999)
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    srtp: str = "off"
    session_expires_s: int = 1800
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    log_level: int = 2

    @property
    def wideband(self) -> bool:
        """Whether the bridge mixes at 16 kHz: that is fixed at the start."""
        return any(name.lower() in ("g722", "opus") for name in self.codecs[:1])

    def under(self, terms: Configure) -> "EngineOptions":
        """The same engine under other terms."""
        return replace(
            self,
            sip_port=terms.sip_port,
            rtp_ports=terms.rtp_ports,
            codecs=terms.codecs,
            srtp=terms.srtp,
            session_expires_s=terms.session_expires_s,
        )
