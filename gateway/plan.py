"""Settings + resolved servers -> the plan that the calls process works by. Pure."""

from collections.abc import Sequence
from ipaddress import ip_network

from gateway import patterns
from gateway.messages import (
    CallerIdRule,
    CallingPlan,
    CallSource,
    DiallingPlan,
    HelpPlan,
    IncomingRule,
    PhonePlan,
    Registration,
    Server,
    TrunkPlan,
)
from gateway.schema import Calling, Settings, Trunk


def trunk_plan(settings: Settings, servers: Sequence[Server], recordings: str) -> TrunkPlan:
    """The whole plan. `servers` in the order of RFC 2782; `recordings`: the directory for confirmation calls.

    Without `trunk.networks` the servers themselves are all that the provider is known to be. Both kinds of
    CallerID rules come out as one list; an empty `caller_ids` lets any number be shown.
    """
    trunk, registration = settings.trunk, settings.incoming.registration
    networks = [str(network) for network in trunk.networks]
    networks += [str(ip_network(server.address)) for server in servers]
    return TrunkPlan(
        domain=trunk.server,
        servers=tuple(servers),
        login=trunk.login,
        country=settings.appliance.country,
        default_caller_id=trunk.default_caller_id,
        caller_ids=tuple(dict.fromkeys([trunk.default_caller_id, *trunk.caller_ids]))
        if trunk.caller_ids
        else (),
        caller_id_rules=caller_id_rules(trunk),
        confirm_number=trunk.confirm_number,
        assert_identity=trunk.assert_identity,
        codecs=trunk.codecs,
        srtp=trunk.srtp,
        session_expires_s=trunk.session_expires_s,
        provider_networks=tuple(dict.fromkeys(networks)),
        registration=Registration(
            login=registration.login,
            password=registration.password,
            expires_s=registration.expires_s,
        )
        if registration
        else None,
        # The rule for any number counts only where there is none for the number itself.
        incoming=tuple(
            IncomingRule(
                number=r.number, phones=r.phones, when_busy=r.when_busy, ring=r.ring, ring_s=r.ring_s
            )
            for r in sorted(settings.incoming.rules, key=lambda rule: not rule.number)
        ),
        phones=tuple(
            PhonePlan(
                name=p.name,
                kind=p.kind,
                label=p.label,
                extension=p.extension,
                hotline=p.hotline,
                hotline_after_s=p.hotline_after_s,
                may_refuse=p.do_not_disturb,
                may_call=p.may_call,
                play=p.play if p.kind == "virtual" else "",
                record=p.record if p.kind == "virtual" else "",
                auto_answer=p.kind == "virtual" and p.auto_answer,
                usb=p.usb if p.kind == "usb" else "any",
                keys=p.keys if p.kind == "usb" else "all",
                port=p.port if p.kind == "analog" else 0,
                country=p.country if p.kind == "analog" else "",
                ring_hz=p.ring_hz if p.kind == "analog" else 0,
            )
            for p in settings.phones
        ),
        dialling=DiallingPlan(
            first_digit_s=settings.dialling.first_digit_s,
            next_digit_s=settings.dialling.next_digit_s,
            stutter_on_backup=settings.dialling.stutter_on_backup,
            forward_outside=settings.dialling.forward_outside,
            codes=tuple((code, name) for name, code in settings.dialling.codes if code),
            language=settings.appliance.language,
            devices=settings.lan.devices,
        ),
        calling=calling_plan(settings.calling),
        help=HelpPlan(numbers=settings.emergency.extra_numbers, address=settings.emergency.address),
        sources=tuple(
            CallSource(name=source.name, networks=tuple(str(network) for network in source.networks))
            for source in settings.incoming.sources
        ),
        time_zone=settings.appliance.time_zone,
        sip_port=settings.ports.sip,
        rtp_ports=(settings.ports.rtp_first, settings.ports.rtp_last),
        recordings=recordings,
    )


def calling_plan(calling: Calling) -> CallingPlan:
    """What may be dialled."""
    return CallingPlan(
        countries=calling.countries,
        all_countries=calling.all_countries,
        types=calling.types,
        parallel_calls=calling.parallel_calls,
        calls_per_hour=calling.calls_per_hour,
        minutes_per_day=calling.minutes_per_day,
        longest_call_min=calling.longest_call_min,
        hours=calling.hours,
        pin=calling.pin,
    )


def caller_id_rules(trunk: Trunk) -> tuple[CallerIdRule, ...]:
    """The rules of the section and those in the words of extensions.conf, as one list."""
    lines, _ = patterns.parse_extensions(trunk.asterisk)
    return (
        *(CallerIdRule(pattern=r.pattern, caller_id=r.caller_id) for r in trunk.caller_id_rules),
        *(CallerIdRule(pattern=line.pattern.text, caller_id=line.caller_id) for line in lines),
    )
