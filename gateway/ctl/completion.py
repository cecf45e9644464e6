"""Shell completion, made from the parser: what may follow each verb. Names that only the daemon knows are
asked for when they are needed, by `gatewayctl names KIND`, which says nothing when it cannot know. Pure.
"""

from collections.abc import Iterator

from gateway.ctl.tree import Option, Verb, Word


def script(tree: Verb, shell: str) -> str:
    """The completion of `shell` (bash, zsh, fish), to be put where that looks for it."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](tree)


def _values(tree: Verb) -> Iterator[Option]:
    """Every option that takes a value, by its flags once."""
    seen: set[tuple[str, ...]] = set()
    for verb in tree.all():
        for option in verb.options:
            if option.value and option.flags not in seen:
                seen.add(option.flags)
                yield option


def _ask(kind: str) -> str:
    return f"$(gatewayctl names {kind} 2>/dev/null)"


# --- bash -------------------------------------------------------------------------------------------------


def _bash(tree: Verb) -> str:
    out = ["# bash completion of gatewayctl; made from its parser", "_gatewayctl() {"]
    out += [
        "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= words= files= n=0 i"
    ]
    out += ["  COMPREPLY=()", '  case "$before" in']
    for option in _values(tree):
        out += [f"    {'|'.join(option.flags)}) {_bash_offer(option.kind, option.choices)}; return ;;"]
    out += ["  esac"]
    # The verbs on the line so far; n counts the other words after them.
    out += ["  for ((i = 1; i < COMP_CWORD; i++)); do", '    case "${COMP_WORDS[i-1]}" in']
    out += [f"      {'|'.join(flag for o in _values(tree) for flag in o.flags)}) continue ;;", "    esac"]
    out += ['    case "$path ${COMP_WORDS[i]}" in']
    paths = [" " + " ".join(verb.path) for verb in tree.all() if verb.path]
    out += [f'      {"|".join(_quoted(path) for path in paths)}) path="$path ${{COMP_WORDS[i]}}" ;;']
    out += ['      *" "-*) ;;', "      *) n=$((n + 1)) ;;", "    esac", "  done"]
    out += ['  case "$path" in']
    for verb in tree.all():
        words = [v.path[-1] for v in verb.verbs] + [flag for o in verb.options for flag in o.flags]
        out += [
            f"    {_quoted(' ' + ' '.join(verb.path) if verb.path else '')})",
            f"      words={_quoted(' '.join(words))}",
        ]
        if verb.words:
            out += ["      case $n in"]
            for number, word in enumerate(verb.words):
                place = "*" if word.many else str(number)
                out += [f"        {place}) {_bash_word(word)} ;;"]
            out += ["      esac"]
        out += ["      ;;"]
    out += ["  esac", "  [[ $word == -* ]] && files=", '  COMPREPLY=($(compgen -W "$words" -- "$word"))']
    out += ['  [ -z "$files" ] || { compopt -o filenames; COMPREPLY+=($(compgen -f -- "$word")); }', "}"]
    out += ["complete -F _gatewayctl gatewayctl", ""]
    return "\n".join(out)


def _bash_offer(kind: str, choices: tuple[str, ...]) -> str:
    if kind == "file":
        return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$word"))'
    words = " ".join([*choices, *([_ask(kind)] if kind else [])])
    return f'COMPREPLY=($(compgen -W "{words}" -- "$word"))'


def _bash_word(word: Word) -> str:
    if word.kind == "file":
        return "files=yes"
    words = " ".join([*word.choices, *([_ask(word.kind)] if word.kind else [])])
    return f'words+=" {words}"' if words else ":"


# --- zsh --------------------------------------------------------------------------------------------------


def _zsh(tree: Verb) -> str:
    out = ["#compdef gatewayctl", "# made from its parser"]
    for verb in sorted(tree.all(), key=lambda v: v.path):
        out += ["", f"{_function(verb)}() {{", "  local line state", "  _arguments -C \\"]
        specs = [spec for option in verb.options for spec in _zsh_options(option)]
        specs += [_zsh_word(word) for word in verb.words]
        if verb.verbs:
            specs += ["'1: :->verb'", "'*:: :->rest'"]
        out += [f"    {spec} \\" for spec in specs[:-1]] + [f"    {specs[-1]}"]
        if verb.verbs:
            out += ["  case $state in", "    verb)", "      local -a verbs=("]
            out += [f"        {_quoted(v.path[-1] + ':' + v.help.replace(':', ' -'))}" for v in verb.verbs]
            out += ["      )", "      _describe verb verbs ;;", "    rest)", "      case $line[1] in"]
            out += [f"        {v.path[-1]}) {_function(v)} ;;" for v in verb.verbs]
            out += ["      esac ;;", "  esac"]
        out += ["}"]
    out += ["", '_gatewayctl "$@"', ""]
    return "\n".join(out)


def _function(verb: Verb) -> str:
    return "_".join(["_gatewayctl", *verb.path])


def _zsh_options(option: Option) -> Iterator[str]:
    help = option.help.replace("[", "(").replace("]", ")").replace(":", " -")
    for flag in option.flags:
        value = f":{option.value}:{_zsh_action(option.kind, option.choices)}" if option.value else ""
        yield _quoted(f"{flag}[{help}]{value}")


def _zsh_word(word: Word) -> str:
    place = "*" if word.many else ":" if word.optional else ""
    return _quoted(f"{place}:{word.name.replace(':', ' ')}:{_zsh_action(word.kind, word.choices)}")


def _zsh_action(kind: str, choices: tuple[str, ...]) -> str:
    if kind == "file":
        return "_files"
    words = " ".join([*choices, *([f'${{(f)"{_ask(kind)}"}}'] if kind else [])])
    return f"({words})" if kind == "" and words else f"compadd -- {words}" if words else " "


# --- fish -------------------------------------------------------------------------------------------------


def _fish(tree: Verb) -> str:
    out = ["# fish completion of gatewayctl; made from its parser", "complete -c gatewayctl -f"]
    for verb in tree.all():
        when = _fish_when(verb, tree)
        for below in verb.verbs:
            none = " ".join(v.path[-1] for v in verb.verbs)
            here = f"{when}; and not __fish_seen_subcommand_from {none}" if when else _fish_none(tree)
            out += [f"complete -c gatewayctl -n {_quoted(here)} -a {below.path[-1]} -d {_quoted(below.help)}"]
        for option in verb.options:
            out += [_fish_option(option, when)]
        for word in verb.words:
            if word.kind == "file":
                out += [f"complete -c gatewayctl -n {_quoted(when)} -F"]
            elif word.kind or word.choices:
                words = " ".join(
                    [*word.choices, *([f"(gatewayctl names {word.kind} 2>/dev/null)"] if word.kind else [])]
                )
                out += [f"complete -c gatewayctl -n {_quoted(when)} -a {_quoted(words)}"]
    return "\n".join(out) + "\n"


def _fish_when(verb: Verb, tree: Verb) -> str:
    """Every word of the path stands on the line."""
    return "; and ".join(f"__fish_seen_subcommand_from {word}" for word in verb.path)


def _fish_none(tree: Verb) -> str:
    return f"not __fish_seen_subcommand_from {' '.join(v.path[-1] for v in tree.verbs)}"


def _fish_option(option: Option, when: str) -> str:
    words = ["complete -c gatewayctl"]
    if when:
        words += [f"-n {_quoted(when)}"]
    for flag in option.flags:
        words += [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"]
    if option.value:
        given = " ".join(
            [
                *option.choices,
                *(
                    [f"(gatewayctl names {option.kind} 2>/dev/null)"]
                    if option.kind not in ("", "file")
                    else []
                ),
            ]
        )
        words += ["-r -F" if option.kind == "file" else f"-x -a {_quoted(given)}" if given else "-x"]
    return " ".join([*words, f"-d {_quoted(option.help)}"])


def _quoted(text: str) -> str:
    """For all three shells; fish alone reads backslashes between single quotes, and there are none."""
    return "'" + text.replace("'", "'\\''") + "'"
