"""Sound settings as hypothesis draws them, written in many ways, for tests of what rewrites texts."""

from typing import Any

from hypothesis import strategies as st

from gateway import tomltext

NUMBERS = ("442037691880", "442012345678", "493012345678", "12025550100")
_comment = st.sampled_from(["", "", "", "  # why", "\t#x = 1 [no] \"quote'"])
_passwords = st.text(
    st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\x7f"), min_size=1, max_size=9
).filter(lambda text: text == text.strip())  # blanks around a value do not count
_free_line = st.sampled_from(["", "", "", "# a comment", "  # [not.a.header]", "#", "\t"])


@st.composite
def v1_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Sound settings of schema 1."""
    uplinks = []
    for number in range(draw(st.integers(1, 3))):
        uplink: dict[str, Any] = {"name": f"line{number}", "device": f"eth{number}"}
        if draw(st.booleans()):
            uplink["dhcp"] = True
        else:
            uplink["addresses"] = [f"203.0.113.{4 * number + 2}/30"]
            uplink["gateways"] = [f"203.0.113.{4 * number + 1}"]
        if draw(st.booleans()):
            uplink["metered"] = draw(st.booleans())
        uplinks.append(uplink)
    trunk: dict[str, Any] = {"server": "sip.example.com", "default_caller_id": NUMBERS[0]}
    if draw(st.booleans()):
        trunk["login"] = "4444"
    if draw(st.booleans()):
        trunk["codecs"] = draw(st.lists(st.sampled_from(["PCMA", "PCMU", "G722"]), min_size=1, max_size=3))
    if draw(st.booleans()):
        patterns = draw(st.lists(st.sampled_from(["_44.", "_4420XXXXXXXX", "_49[12]X.", "441"]), unique=True))
        trunk["caller_id_rules"] = [
            {"pattern": p, "caller_id": draw(st.sampled_from(NUMBERS))} for p in patterns
        ]
    if draw(st.booleans()):
        password = draw(_passwords)
        if password:
            trunk["registration"] = {"login": "100200", "password": password}
    phones = [
        {"name": f"phone{n}", "kind": "virtual"} | ({"auto_answer": True} if draw(st.booleans()) else {})
        for n in range(draw(st.integers(1, 3)))
    ]
    names = [phone["name"] for phone in phones]
    called = draw(st.lists(st.sampled_from(["", *NUMBERS]), unique=True, max_size=3))
    incoming = []
    for called_number in called:
        rule: dict[str, Any] = {"phones": draw(st.lists(st.sampled_from(names), min_size=1, unique=True))}
        incoming.append({"number": called_number, **rule} if called_number else rule)
    document: dict[str, Any] = {"appliance": {"country": "GB"}, "uplinks": uplinks, "trunk": trunk}
    document |= {"phones": phones} | ({"incoming": incoming} if incoming else {})
    if draw(st.booleans()):
        document["ports"] = {"sip": draw(st.integers(1, 9999))}
    return document


@st.composite
def v1_texts(draw: st.DrawFn) -> str:
    """Files of schema 1."""
    document = draw(v1_documents())
    if draw(st.booleans()):
        document = {"schema": 1, **document}
    return draw(written(document))


@st.composite
def v2_texts(draw: st.DrawFn) -> str:
    """Files of schema 2."""
    document = draw(v1_documents())
    incoming: dict[str, Any] = {}
    if "incoming" in document:
        incoming["rules"] = document.pop("incoming")
    if "registration" in document["trunk"]:
        incoming["registration"] = document["trunk"].pop("registration")
    if incoming:
        document["incoming"] = incoming
    if draw(st.booleans()):
        document["calling"] = {"pin": "27182", "countries": ["IE"]}
    if draw(st.booleans()):
        document["lan"] = {"devices": ["lan0"]}
    return draw(written({"schema": 2, **document}))


@st.composite
def written(draw: st.DrawFn, document: dict[str, Any]) -> str:
    """The document as TOML, each section in a way of its own, with comments between."""
    first: list[str] = []
    rest: list[str] = []
    for key, value in document.items():
        if not isinstance(value, dict | list):
            first.append(f"{key} = {tomltext.value(value)}{draw(_comment)}")
            continue
        how = draw(st.sampled_from(["sections", "sections", "sections", "inline", "dotted"]))
        if how == "inline":
            first.append(f"{key} = {tomltext.value(value)}{draw(_comment)}")
        elif how == "dotted" and isinstance(value, dict):
            for name, inner in value.items():
                first.append(f"{key}.{name} = {tomltext.value(inner)}{draw(_comment)}")
        else:
            rest += _sections(draw, key, value)
    lines = [*first, draw(_free_line), *rest]
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


def _sections(draw: st.DrawFn, path: str, value: Any) -> list[str]:
    lines: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        header = f"[[{path}]]" if isinstance(value, list) else f"[{path}]"
        below = {name: inner for name, inner in item.items() if _is_section(inner) and draw(st.booleans())}
        lines += [draw(_free_line), header + draw(_comment)]
        for name, inner in item.items():
            if name not in below:
                indent = draw(st.sampled_from(["", "", "  "]))
                lines += [f"{indent}{name} = {_value(draw, inner)}{draw(_comment)}", draw(_free_line)]
        for name, inner in below.items():
            lines += _sections(draw, f"{path}.{name}", inner)
    return lines


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _value(draw: st.DrawFn, value: Any) -> str:
    if isinstance(value, list) and value and draw(st.booleans()):
        end = draw(st.sampled_from(["", ","]))
        inner = ",  # one\n    ".join(tomltext.value(item) for item in value)
        return f"[\n    {inner}{end}\n]"
    return tomltext.value(value)
