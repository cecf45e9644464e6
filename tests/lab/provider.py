"""The provider: Kamailio and rtpengine from Debian under the trunk's rules; what it knows and what it saw."""

import contextlib
import ipaddress
import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.lab import plan
from tests.lab.netns import LabError, Site

_TEMPLATE: Final = Path(__file__).with_name("kamailio.cfg")
_STRING: Final = "htable.sets"
_NUMBER: Final = "htable.seti"


@dataclass(frozen=True, slots=True)
class Seen:
    """One event at the provider's edge, Unix time in seconds.

    `event` is "request" for every SIP request from outside; "stranger", "confirmed", "caller_id_replaced",
    "in_dialog_refused" and "registered" say what it decided.
    """

    at_s: float
    event: str
    source: str
    method: str = ""
    uri: str = ""
    from_uri: str = ""
    asserted: str = ""
    call_id: str = ""
    cseq: int = 0
    port: int = 0
    server: str = ""
    in_dialog: bool = False
    login: str = ""
    contact: str = ""
    caller_id: str = ""


def _key(address: str) -> str:
    """An address as Kamailio writes a source: IPv6 compressed, in lower case."""
    return str(ipaddress.ip_address(address))


def _flip(rule: str) -> str:
    """The same match for the packets of the other direction."""
    return rule.replace("iifname", "oifname").replace("daddr", "saddr").replace("dport", "sport")


class Provider:
    """Runs in namespace `provider`. Raises LabError when Kamailio does not start or refuses a command.

    `certificate`: of its TLS port, to be trusted by the box; None without Kamailio's TLS module.
    """

    def __init__(self, site: Site, runtime: Path) -> None:
        self._site, self._runtime = site, runtime
        self._log = site.logs / "kamailio.log"
        tls = any(Path("/usr/lib").glob("*/kamailio/modules/tls.so"))
        self.certificate = runtime / "provider.pem" if tls else None
        self._client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._client.bind(str(runtime / "kamailio-client.sock"))
        self._client.settimeout(5)
        self._start_rtpengine()
        self._kamailio = self._start_kamailio()

    # --- life ---------------------------------------------------------------------------------------------

    def _start_rtpengine(self) -> None:
        self._site.popen(
            "provider",
            [
                "rtpengine",
                "--foreground",
                "--log-stderr",
                "--log-level=4",
                "--table=-1",
                "--num-threads=2",
                "--delete-delay=0",
                "--timeout=600",
                "--scheduling=rr",
                "--priority=15",
                f"--interface=ext/{plan.PROVIDER_MEDIA}",
                f"--interface=ext6/{plan.PROVIDER_MEDIA6}",
                f"--interface=int/{plan.INNER_PROXY}",
                "--listen-ng=127.0.0.1:2223",
                f"--port-min={plan.MEDIA_PORT_MIN}",
                f"--port-max={plan.MEDIA_PORT_MAX}",
            ],
            log="rtpengine",
        )
        # Kamailio shuns a media relay that does not answer its first ping, so this one must be up before it
        with self._site.socket("provider") as ping:
            ping.settimeout(0.05)
            for _ in range(100):
                with contextlib.suppress(OSError):
                    ping.sendto(b"1 d7:command4:pinge", ("127.0.0.1", 2223))
                    if b"pong" in ping.recv(100):
                        return
                time.sleep(0.01)
        raise LabError(f"rtpengine did not start: see {self._site.logs}/rtpengine.log")

    def _start_kamailio(self) -> "subprocess.Popen[bytes]":
        text = _TEMPLATE.read_text()
        for name, value in {
            "RUNTIME": str(self._runtime),
            "DOMAIN": plan.PROVIDER_DOMAIN,
            "SERVER": plan.PROVIDER_SERVER,
            "SERVER2": plan.PROVIDER_SERVER2,
            "SERVER6": plan.PROVIDER_SERVER6,
            "INNER": plan.INNER_PROXY,
            "CONFIRM": plan.CONFIRM_NUMBER,
            "TRUNK": plan.TRUNK_LOGIN,
            "OVERLOADED": plan.OVERLOADED,
        }.items():
            text = text.replace(f"@{name}@", value)
        if self.certificate is not None:
            self._make_certificate(self.certificate)
            text = text.replace("#!KAMAILIO\n", "#!KAMAILIO\n#!define TLS\n", 1)
        config = self._runtime / "kamailio.cfg"
        config.write_text(text)
        child: subprocess.Popen[bytes] = self._site.popen(
            "provider",
            ["kamailio", "-f", str(config), "-DD", "-E", "-m", "48", "-M", "8", "-Y", str(self._runtime)],
            log="kamailio",
        )
        return child

    def _make_certificate(self, path: Path) -> None:
        """Self-signed, for the provider's names: whoever trusts this file trusts the provider."""
        names = f"subjectAltName=DNS:{plan.PROVIDER_DOMAIN},DNS:sip1.provider.test,IP:{plan.PROVIDER_SERVER}"
        argv = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        argv += ["-days", "30", "-subj", f"/CN={plan.PROVIDER_DOMAIN}", "-addext", names]
        self._site.run([*argv, "-keyout", str(path.with_suffix(".key")), "-out", str(path)])

    def await_ready(self, timeout_s: float = 15.0) -> None:
        """Wait until Kamailio answers its control socket, then fill its tables with the plan."""
        until = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(OSError):
                self._rpc("core.version")
                break
            if self._kamailio.poll() is not None or time.monotonic() > until:
                raise LabError(f"kamailio did not start: see {self._log}")
            time.sleep(0.05)
        for up in plan.UPLINKS:
            self.list_address(up.public)
        self.list_address(plan.MAIN_ADDRESS6)
        for number in plan.CONNECTED_NUMBERS:
            self._rpc(_NUMBER, "numbers", number, 1)
            self.route_inbound(number, plan.FREE_LOGIN)
        self._rpc(_STRING, "settings", "default_caller_id", plan.DEFAULT_CALLER_ID)
        self._rpc(_STRING, "logins", plan.FREE_LOGIN, plan.FREE_PASSWORD)
        exact = f"sip:{plan.INNER_EXACT}:{plan.SIP_PORT}"
        for name, value in vars(plan).items():
            if (
                isinstance(value, str)
                and value.startswith("44")
                and name not in ("DEFAULT_CALLER_ID", "LONDON_CALLER_ID")
            ):
                self._rpc(_STRING, "far", value, exact)
        for number in (*plan.EMERGENCY, plan.CONFIRM_NUMBER):
            self._rpc(_STRING, "far", number, exact)
        self._rpc(_STRING, "far", plan.SIPP, f"sip:{plan.INNER_SIPP}:{plan.SIP_PORT}")
        self._rpc(_STRING, "far", plan.BARESIP, f"sip:{plan.INNER_BARESIP}:{plan.SIP_PORT}")

    def _rpc(self, method: str, *parameters: str | int) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        self._client.sendto(json.dumps(request).encode(), str(self._runtime / "kamailio.sock"))
        answer = json.loads(self._client.recv(1 << 20))
        if "error" in answer:
            raise LabError(f"kamailio: {method} {parameters}: {answer['error'].get('message')}")
        return answer.get("result")

    def close(self) -> None:
        """Leave the control socket; the processes end with the site."""
        self._client.close()

    # --- the account --------------------------------------------------------------------------------------

    def list_address(self, address: str, *, confirmed: bool = False) -> None:
        """Add an address to the trunk's list, unconfirmed unless said."""
        self._rpc(_NUMBER, "ips", _key(address), int(confirmed))

    def unlist_address(self, address: str) -> None:
        """Take an address off the trunk's list: it is a stranger now."""
        if self.confirmed(address) is not None:
            self._rpc("htable.delete", "ips", _key(address))

    def confirmed(self, address: str) -> bool | None:
        """Whether a listed address is confirmed; None for one that is not listed."""
        try:
            answer = self._rpc("htable.get", "ips", _key(address))
        except LabError:
            return None
        return bool(int(answer["item"]["value"]))

    def confirm_all(self) -> None:
        """Shortcut for tests that are not about confirmation: every uplink's public address is confirmed."""
        for address in (*(up.public for up in plan.UPLINKS), plan.MAIN_ADDRESS6):
            self.list_address(address, confirmed=True)

    def route_inbound(self, number: str, to: str) -> None:
        """Calls to a connected number go to a login's contact, or to a SIP URI ("sip:4420…@address")."""
        self._rpc(_STRING, "inbound", number, to)

    def mode(
        self,
        *,
        strict_in_dialog: bool | None = None,
        silent_strangers: bool | None = None,
        overloaded: str | None = None,
    ) -> None:
        """`strict_in_dialog`: 403 to in-dialog requests from another address than the dialog began with.
        `silent_strangers`: no answer to unlisted addresses, instead of 403.
        `overloaded`: the server (an address of the plan, "" for none) that answers 503 to new calls."""
        if overloaded is not None:
            self._rpc(_STRING, "settings", "overloaded", overloaded or "none")
        for key, value in (("strict_in_dialog", strict_in_dialog), ("silent_strangers", silent_strangers)):
            if value is not None:
                self._rpc(_NUMBER, "settings", key, int(value))

    def stop(self, server: str | None = None, *, media: bool = False) -> None:
        """The provider's SIP goes silent (one server, or all); with `media`, the calls' audio as well."""
        self.start()
        match = f"ip daddr {server}" if server else "iifname eth0"
        rules = [f"{match} meta l4proto {{ tcp, udp }} th dport {{ {plan.SIP_PORT}, {plan.SIPS_PORT} }} drop"]
        if media:
            rules.append(f"iifname eth0 udp dport {plan.MEDIA_PORT_MIN}-{plan.MEDIA_PORT_MAX} drop")
        chains = [
            f"chain {hook} {{ type filter hook {hook} priority 0;\n" + "\n".join(lines) + "\n}\n"
            for hook, lines in (("input", rules), ("output", [_flip(rule) for rule in rules]))
        ]
        self._site.nft("provider", f"table inet outage {{\n{''.join(chains)}}}\n")

    def start(self) -> None:
        """End every outage."""
        self._site.nft("provider", "table inet outage\ndelete table inet outage\n")

    # --- what it saw --------------------------------------------------------------------------------------

    def seen(
        self, *, event: str | None = None, method: str | None = None, call_id: str | None = None
    ) -> list[Seen]:
        """Events in order, filtered by what is given."""
        found = []
        for line in self._log.read_text(errors="replace").splitlines():
            _, mark, text = line.partition("EVENT ")
            if not mark:
                continue
            raw = json.loads(text)
            one = Seen(
                at_s=raw["at"],
                event=raw["event"],
                source=raw.get("source", ""),
                method=raw.get("method", ""),
                uri=raw.get("uri", ""),
                from_uri=raw.get("from", ""),
                asserted=raw.get("asserted", "").replace("<null>", ""),
                call_id=raw.get("call_id", ""),
                cseq=raw.get("cseq", 0),
                port=raw.get("port", 0),
                server=raw.get("server", ""),
                in_dialog=bool(raw.get("to_tag", "").replace("<null>", "")),
                login=raw.get("login", ""),
                contact=raw.get("contact", ""),
                caller_id=raw.get("by", ""),
            )
            if event in (None, one.event) and method in (None, one.method) and call_id in (None, one.call_id):
                found.append(one)
        return found
