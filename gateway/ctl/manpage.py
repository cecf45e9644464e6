"""The manual page as troff (man macros, groff_man(7)), made from the parser. Pure."""

from gateway import VERSION
from gateway.ctl.parser import EXIT_CODES, RUN_DIRECTORY
from gateway.ctl.tree import Option, Verb

_ABOUT = """\
gatewayctl asks the daemon of a Steadyline box over its control socket, as the web pages do. Members of the
group steadyline may use it.

A change of the settings is looked at first: its differences and the live calls that it touches are shown, and
after a yes it is put in force on trial. gatewayctl then reaches for the box anew, and keeps the change when
it gets through; in an SSH session it asks for a key press, which shows that the session still works. When
nobody keeps it, the old settings return by themselves.

Secrets are never taken from the command line and never shown: they are asked for, or read from the first line
of a file. The word (kept) in the settings stands for a secret that stays as it is.

With --json, standard output holds one JSON value, also when the answer is a refusal."""
_FILES = {
    RUN_DIRECTORY + "/ctl.sock": "The control socket of the daemon.",
    "/etc/steadyline/settings.toml": "The settings in force. Change them with gatewayctl, not by hand.",
}
_ENVIRONMENT = {
    "VISUAL, EDITOR": "The editor of gatewayctl settings edit.",
    "SSH_CONNECTION": "Set by sshd(8): a change is kept only after a key press, unless --yes was given.",
}
_EXAMPLES = {
    "See how things are": "gatewayctl status",
    "Change two values": "gatewayctl settings set uplinks.backup.metered=true trunk.login=4444",
    "Try a whole file from another machine": "ssh box gatewayctl settings try - --yes <settings.toml",
    "Make the sheet that turns a spare box into this one": "gatewayctl backup sheet sheet.html",
    "Go back to revision 12": "gatewayctl settings rollback 12",
}


def page(tree: Verb, date: str) -> str:
    """The whole page; `date` for its foot."""
    out = [f'.TH GATEWAYCTL 8 "{date}" "Steadyline {VERSION}" "Steadyline"', ".nh", ".ad l"]
    out += [".SH NAME", "gatewayctl \\- ask the gateway, or tell it what to do"]
    out += [".SH SYNOPSIS", ".B gatewayctl", "[\\fI\\,options\\/\\fP] \\fI\\,VERB\\/\\fP ..."]
    out += [".SH DESCRIPTION"]
    for number, paragraph in enumerate(_ABOUT.split("\n\n")):
        out += [".PP"] * (number > 0) + [_text(paragraph)]
    out += [".SH OPTIONS", *_options(tree.options)]
    out += [".SH VERBS"]
    for verb in (leaf for leaf in tree.all() if leaf.path and (leaf.alone or not leaf.verbs)):
        out += [".TP", _synopsis(verb), _sentence(verb.help)]
        options = [option for option in verb.options if option.flags[0] not in ("-h", "--json")]
        helps = [word for word in verb.words if word.help]
        if options or helps:
            out += [".RS"]
            for word in helps:
                out += [".TP", f"\\fI\\,{_text(word.name)}\\/\\fP", _sentence(word.help)]
            out += [*_options(options), ".RE"]
    out += [".SH EXIT STATUS"]
    for code, what in EXIT_CODES.items():
        out += [".TP", f"\\fB{code}\\fP", _sentence(what)]
    for title, entries in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT)):
        out += [f".SH {title}"]
        for name, what in entries.items():
            out += [".TP", f"\\fB{_text(name)}\\fP", _text(what)]
    out += [".SH EXAMPLES"]
    for what, words in _EXAMPLES.items():
        out += [".TP", _text(what), f"\\fB{_text(words)}\\fP"]
    out += [".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1)"]
    return "\n".join(out) + "\n"


def _synopsis(verb: Verb) -> str:
    parts = [f"\\fB{' '.join(verb.path)}\\fP"]
    for word in verb.words:
        shown = f"\\fI\\,{_text(word.name)}\\/\\fP" + ("..." if word.many else "")
        parts.append(f"[{shown}]" if word.optional else shown)
    if any("--json" in option.flags for option in verb.options):
        parts.append("[\\fB\\-\\-json\\fP]")
    return " ".join(parts)


def _options(options: "tuple[Option, ...] | list[Option]") -> list[str]:
    out: list[str] = []
    for option in options:
        flags = ", ".join(f"\\fB{_text(flag)}\\fP" for flag in option.flags)
        value = f" \\fI\\,{_text(option.value)}\\/\\fP" if option.value else ""
        out += [".TP", flags + value, _sentence(option.help)]
    return out


def _sentence(help: str) -> str:
    return _text(help[:1].upper() + help[1:].rstrip(".") + ".")


def _text(text: str) -> str:
    """Text for troff: nothing in it is an order to it."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    escaped = escaped.replace("^", "\\(ha").replace("~", "\\(ti")
    return "\\&" + escaped if escaped.startswith(".") else escaped
