"""What the box says in words: lists of prompts, which are recorded one by one (image/prompts)."""


def digits(text: str) -> tuple[str, ...]:
    """Digit by digit; a dot is `point`, a colon `colon`, letters (of IPv6) stand for themselves."""
    names = {".": "point", ":": "colon", "*": "star", "#": "hash"}
    return tuple(names.get(sign, sign) for sign in text.lower() if sign.isalnum() or sign in names)


def box_state(addresses: tuple[str, ...], place: int | None) -> tuple[str, ...]:
    """For `***`: the addresses of the page; by which channel calls leave (`place` in the owner's order)."""
    words: list[str] = []
    for address in addresses:
        words += ["address_is", *digits(address)]
    if not addresses:
        words.append("no_address")
    if place is None:
        words.append("all_down")
    else:
        words.append("calls_by_main" if place == 0 else "calls_by_backup")
    return tuple(words)
