"""One SIP socket and one account per uplink, bound before it is needed (law 9).

A call belongs to an account for ever, and pjsua takes socket, Contact and RTP address from the account at the
moment of a request. So an account is *pointed* at the path that the request is for, and pointed home again.
Other terms (ports, SRTP, session timers) mean other accounts: calls that are up keep those that they have.
"""

import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address

import pjsua2 as pj

from gateway.calls.sip import values
from gateway.calls.sip.options import EngineOptions

OnIncoming = Callable[["Account", str, int, str], None]
LOGIN = ""
"""The key of the free login's account: no uplink has this name."""

_TRANSPORTS = {
    ("udp", 4): pj.PJSIP_TRANSPORT_UDP,
    ("udp", 6): pj.PJSIP_TRANSPORT_UDP6,
    ("tcp", 4): pj.PJSIP_TRANSPORT_TCP,
    ("tcp", 6): pj.PJSIP_TRANSPORT_TCP6,
    ("tls", 4): pj.PJSIP_TRANSPORT_TLS,
    ("tls", 6): pj.PJSIP_TRANSPORT_TLS6,
}
_SRTP = {
    "off": pj.PJMEDIA_SRTP_DISABLED,
    "offer": pj.PJMEDIA_SRTP_OPTIONAL,
    "require": pj.PJMEDIA_SRTP_MANDATORY,
}


class Account(pj.Account):
    """An account of one uplink, or of the free login."""

    def __init__(self, uplink: str, post: Callable[[values.Event], None], on_incoming: OnIncoming) -> None:
        super().__init__()
        self.uplink = uplink
        self._post = post
        self._on_incoming = on_incoming

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        self._on_incoming(self, self.uplink, prm.callId, str(prm.rdata.srcAddress))

    def onIncomingSubscribe(self, prm: pj.OnIncomingSubscribeParam) -> None:
        prm.code = 603  # nobody may watch what the phones do

    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        expires_s = int(prm.expiration) if prm.code // 100 == 2 else 0
        self._post(values.Registered(self.uplink, int(prm.code), str(prm.reason), max(0, expires_s)))

    def onSendRequest(self, prm: pj.OnSendRequestParam) -> None:
        tsx = prm.e.body.tsxState.tsx
        observed = ""
        if prm.e.body.tsxState.type == pj.PJSIP_EVENT_RX_MSG:
            observed = _received(prm.e.body.tsxState.src.rdata.wholeMsg)
        self._post(values.KeptAlive(self.uplink, int(tsx.statusCode), observed))


_Socket = tuple[str, str, values.Transport, int]
IDLE_S = 40.0
"""Longer than any request waits for its answer (RFC 3261 §17.1.2.2, timer F)."""


class Sockets:
    """All SIP sockets, by address, public address, transport and port. One that was replaced stays for a
    while: what comes in late by it still finds its dialog."""

    def __init__(self, endpoint: pj.Endpoint, ca_file: str) -> None:
        self._endpoint = endpoint
        self._ca_file = ca_file
        self._open: dict[_Socket, int] = {}
        self._idle_since_s: dict[_Socket, float] = {}

    def open(self, command: values.BindPath, port: int) -> int:
        """pjsua's number of the socket, which is opened where there is none. Raises pj.Error."""
        key = command.local, command.public, command.transport, port
        if key not in self._open:
            if command.transport != "udp":
                self._close_like(key)
            config = pj.TransportConfig()
            config.port = port
            config.boundAddress = command.local
            config.publicAddress = command.public if command.public != command.local else ""
            config.tlsConfig.CaListFile = self._ca_file
            config.tlsConfig.verifyServer = True
            # Another public address means another socket on the same port; the newest hears what comes in.
            share = pj.SockOpt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            config.sockOptParams.sockOpts.append(share)
            kind = _TRANSPORTS[command.transport, ip_address(command.local).version]
            self._open[key] = self._endpoint.transportCreate(kind, config)
            del share  # pjsua2 keeps a pointer into it until here
        return self._open[key]

    def tidy(self, used: Collection[int], now: float) -> None:
        """Let go of what no account has used for IDLE_S: pjsua has room for 32."""
        for key, number in list(self._open.items()):
            if number in used or number == 0:  # pjsua makes no account while number 0 is free
                self._idle_since_s.pop(key, None)
            elif now - self._idle_since_s.setdefault(key, now) > IDLE_S:
                self._endpoint.transportClose(self._open.pop(key))
                del self._idle_since_s[key]

    def _close_like(self, key: _Socket) -> None:
        """Two cannot listen on one TCP port; connections that are up stay."""
        for other in [k for k in self._open if (k[0], k[2:]) == (key[0], key[2:])]:
            self._endpoint.transportClose(self._open.pop(other))


class Paths:
    """Accounts by uplink, under one set of terms. Used on the engine's thread only."""

    def __init__(
        self,
        sockets: Sockets,
        options: EngineOptions,
        post: Callable[[values.Event], None],
        on_incoming: OnIncoming,
    ) -> None:
        self.sockets = sockets
        self._options = options
        self._post = post
        self._on_incoming = on_incoming
        self._bound: dict[str, values.BindPath] = {}
        self._numbers: dict[str, int] = {}
        self._accounts: dict[str, Account] = {}
        self._configs: dict[str, pj.AccountConfig] = {}

    def bind(self, command: values.BindPath) -> None:
        """Open the socket of an uplink, or reuse the one that is open. Raises pj.Error."""
        number = self.sockets.open(command, self._options.sip_port)
        if (self._bound.get(command.uplink), self._numbers.get(command.uplink)) == (command, number):
            return
        self._bound[command.uplink], self._numbers[command.uplink] = command, number
        if command.uplink in self._accounts:
            self._point(self._accounts[command.uplink], command.uplink, None)
            return
        account = Account(command.uplink, self._post, self._on_incoming)
        account.create(self._config(command.uplink, f"sip:{command.uplink}@{_host(command.local)}"))
        self._accounts[command.uplink] = account

    def follow(self, command: values.BindPath) -> None:
        """The same for accounts whose terms are not those of today: they keep their transport. Raises
        pj.Error."""
        known = next(iter(self._bound.values()), command)
        self.bind(replace(command, transport=known.transport))

    def successor(self, options: EngineOptions) -> "Paths":
        """The same uplinks under other terms, for calls to come; the free login goes along. What cannot be
        bound is told."""
        new = Paths(self.sockets, options, self._post, self._on_incoming)
        for command in self._bound.values():
            try:
                new.bind(command)
            except pj.Error as error:
                self._post(
                    values.PathBound(command.uplink, command.local, f"{error.reason} ({error.status})")
                )
        if LOGIN in self._accounts:
            new._accounts[LOGIN] = self._accounts.pop(LOGIN)
            new._configs[LOGIN] = self._configs.pop(LOGIN)
        return new

    @property
    def numbers(self) -> frozenset[int]:
        """pjsua's numbers of the sockets in use."""
        return frozenset(self._numbers.values())

    def owns(self, account: Account) -> bool:
        """Whether the account is one of these."""
        return any(known is account for known in self._accounts.values())

    def alike(self, uplink: str, other: str) -> bool:
        """Whether both have sockets of one IP version: a dialog can turn from one to the other."""
        paths = [self._bound[name].local for name in (uplink, other) if name in self._bound]
        return len(paths) == 2 and len({ip_address(local).version for local in paths}) == 1

    def account(self, uplink: str) -> Account:
        """Raises pj.Error (not found) when the uplink has no socket."""
        if uplink not in self._accounts:
            raise pj.Error(70006, "no socket", f"no SIP socket on {uplink} yet", "paths.py", 0)
        return self._accounts[uplink]

    def account_at(self, arrived_at: str) -> Account | None:
        """The account of the socket with this local address."""
        host = arrived_at.rsplit(":", 1)[0].strip("[]")
        for uplink, bound in self._bound.items():
            if bound.local == host:
                return self._accounts.get(uplink)
        return None

    @contextmanager
    def pointed(self, account: Account, uplink: str, hop: values.Hop | None) -> Iterator[None]:
        """While this lasts, requests of `account` use the socket, addresses and server given."""
        self.account(uplink)
        self._point(account, uplink, hop)
        try:
            yield
        finally:
            if account.uplink != uplink:
                self._point(account, account.uplink, None)

    def register(self, command: values.Register) -> None:
        """Create or move the registration of the free login."""
        self.account(command.uplink)
        identity = f"sip:{command.login}@{command.domain}"
        if LOGIN in self._configs and self._configs[LOGIN].idUri != identity:
            self.unregister()
        account = self._accounts.get(LOGIN)
        config = self._configs.get(LOGIN) or self._config(command.uplink, identity, LOGIN)
        config.regConfig.registrarUri = f"sip:{command.domain}"
        config.regConfig.timeoutSec = command.expires_s
        config.regConfig.retryIntervalSec = 15
        config.regConfig.firstRetryIntervalSec = 2
        config.sipConfig.authCreds.clear()
        config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", command.login, 0, command.password))
        self._aim(config, command.uplink, command.hop)
        if account is None:
            account = Account(command.uplink, self._post, self._on_incoming)
            account.create(config)
            self._accounts[LOGIN] = account
        else:
            account.uplink = command.uplink
            account.modify(config)

    def unregister(self) -> None:
        """Drop the free login; the registrar is told."""
        self._configs.pop(LOGIN, None)
        if account := self._accounts.pop(LOGIN, None):
            account.shutdown()

    def keep_alive(self, command: values.KeepAlive) -> None:
        """OPTIONS out of the uplink's own SIP socket."""
        account = self.account(command.uplink)
        parameters = pj.SendRequestParam()
        parameters.method = "OPTIONS"
        parameters.txOption.targetUri = f"sip:{command.domain}"
        self._point(account, command.uplink, command.hop)
        account.sendRequest(parameters)

    def close(self) -> None:
        """Drop all accounts; sockets close with the library."""
        for account in self._accounts.values():
            account.shutdown()
        self._accounts.clear()
        self._configs.clear()

    def _point(self, account: Account, uplink: str, hop: values.Hop | None) -> None:
        key = next(name for name, known in self._accounts.items() if known is account)
        config = self._configs[key]
        if self._aim(config, uplink, hop):
            account.modify(config)

    def _aim(self, config: pj.AccountConfig, uplink: str, hop: values.Hop | None) -> bool:
        """Write path and server into an account's configuration; True when something changed."""
        bound, number = self._bound[uplink], self._numbers[uplink]
        route = ""
        if hop is not None:
            pj.gwNamesMean(hop.address)
            host = hop.name if hop.transport == "tls" and hop.name else _host(hop.address)
            transport = "" if hop.transport == "udp" else f";transport={hop.transport}"
            route = f"sip:{host}:{hop.port}{transport};lr;hide"
        public = bound.public if bound.public != bound.local else ""
        media_config = config.mediaConfig
        media = media_config.transportConfig
        before = (config.sipConfig.transportId, media.boundAddress, media.publicAddress)
        proxies = list(config.sipConfig.proxies)
        if before == (number, bound.local, public) and (hop is None or proxies == [route]):
            return False
        config.sipConfig.transportId = number
        media.boundAddress, media.publicAddress = bound.local, public
        # An account lives on when its uplink takes the other IP version.
        six = ip_address(bound.local).version == 6
        config.sipConfig.ipv6Use = media_config.ipv6Use = (
            pj.PJSUA_IPV6_ENABLED_USE_IPV6_ONLY if six else pj.PJSUA_IPV6_DISABLED
        )
        if hop is not None:
            config.sipConfig.proxies.clear()
            config.sipConfig.proxies.append(route)
        return True

    def _config(self, uplink: str, identity: str, key: str | None = None) -> pj.AccountConfig:
        config = pj.AccountConfig()
        config.idUri = identity
        config.regConfig.registrarUri = ""
        config.regConfig.disableRegOnModify = False
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL
        config.callConfig.timerSessExpiresSec = self._options.session_expires_s
        config.callConfig.prackUse = pj.PJSUA_100REL_OPTIONAL
        first, last = self._options.rtp_ports
        config.mediaConfig.transportConfig.port = first
        config.mediaConfig.transportConfig.portRange = last - first
        config.mediaConfig.transportConfig.qosType = pj.PJ_QOS_TYPE_VOICE
        config.mediaConfig.srtpUse = _SRTP[self._options.srtp]
        config.mediaConfig.srtpSecureSignaling = 0
        nat = config.natConfig
        nat.viaRewriteUse = nat.contactRewriteUse = nat.sdpNatRewriteUse = nat.sipOutboundUse = 0
        nat.iceEnabled = False
        self._configs[uplink if key is None else key] = config
        self._aim(config, uplink, None)
        return config


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _received(message: str) -> str:
    """The `received` parameter of the topmost Via, else its host (RFC 3261 §18.2.1)."""
    for line in message.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("via", "v"):
            parameters = value.split(",")[0].split(";")
            for parameter in parameters[1:]:
                key, _, text = parameter.partition("=")
                if key.strip().lower() == "received":
                    return text.strip()
            sent_by = parameters[0].split()[-1] if parameters[0].split() else ""
            return sent_by.rsplit(":", 1)[0].strip("[]")
    return ""
