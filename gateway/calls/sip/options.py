"""What the SIP engine is started with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What cannot change while the engine runs. `codecs` in order of preference; ports are UDP; `ca_file`
    holds the authorities that a TLS server's certificate may come from."""

    max_calls: int = 128
    sip_port: int = 5060
    rtp_ports: tuple[int, int] = (10_000, 10_999)
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    srtp: str = "off"
    session_expires_s: int = 1800
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    log_level: int = 2
