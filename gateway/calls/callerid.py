"""Law: the far end sees a CallerID that the provider will not replace; what would be is caught before.

The rule whose pattern Asterisk would choose for the destination's digits says which; without a rule, the
trunk's default. A CallerID that is not E.164 digits, or not one of the numbers connected at the provider (if
they are listed), would be replaced without a word by the provider's own default: then ours is used, and said.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.calls.model import Dialled
from gateway.messages import TrunkPlan
from gateway.patterns import Match, Pattern, parse

_E164: Final = re.compile(r"[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True)
class Choice:
    """`caller_id` goes into From as it is; `rule` is the pattern that chose it (empty: none fitted).
    `warning` is not empty when what the settings want cannot be had; `words` tell the whole story."""

    caller_id: str
    rule: str
    warning: str
    words: str
    hidden: bool = False

    def headers(self, domain: str, assert_identity: bool) -> dict[str, str]:
        """Headers beside From. A hidden number is still asserted, for the provider alone; it is asked to
        take it out of From too (RFC 3323 §4.2 `user`, RFC 3325 §7 `id`), because a From without the
        number would be replaced by the provider's default, and that would be shown."""
        headers = {}
        if assert_identity or self.hidden:
            headers["P-Asserted-Identity"] = f"<sip:{self.caller_id}@{domain}>"
        if self.hidden:
            headers["Privacy"] = "user;id"
        return headers


def choose(dialled: Dialled, plan: TrunkPlan, hide: bool = False) -> Choice:
    """The CallerID for this destination. An emergency call is never hidden. No rule can make it fail:
    one that cannot be read is left out, and the warning says so."""
    if dialled.kind == "invalid":
        return Choice("", "", "", dialled.words)
    rules, warnings = _readable(plan)
    fitting = [rule for rule in rules if Match.FULL in rule[0].matches(dialled.digits)]
    best = min(fitting, key=lambda rule: rule[0].order, default=None)
    rule, wanted = (best[0].text, best[1]) if best else ("", plan.default_caller_id)
    caller_id = wanted
    if objection := _objection(wanted, plan):
        warnings.append(
            f"{wanted} would be replaced by the provider: {objection}."
            + (f" The default {plan.default_caller_id} is shown instead." if best else "")
        )
        caller_id = plan.default_caller_id if best else wanted
    warning = " ".join(warnings)
    hidden = hide and dialled.kind != "emergency"
    story = [dialled.words, f"The rule {rule} fits." if rule else _why_no_rule(rules, dialled.digits)]
    story += [warning] if warning else []
    story += [f"The other side sees {'no number' if hidden else caller_id}."]
    return Choice(caller_id, rule, warning, " ".join(story), hidden)


def _readable(plan: TrunkPlan) -> tuple[list[tuple[Pattern, str]], list[str]]:
    rules, warnings = [], []
    for rule in plan.caller_id_rules:
        try:
            rules.append((parse(rule.pattern), rule.caller_id))
        except ValueError as error:
            warnings.append(f"The rule {rule.pattern} was left out: {error}.")
    return rules, warnings


def _objection(caller_id: str, plan: TrunkPlan) -> str:
    if not _E164.fullmatch(caller_id):
        return "it is not in international format (7 to 15 digits, country code first)"
    if plan.caller_ids and caller_id not in plan.caller_ids:
        return "it is not one of the numbers connected there (trunk.caller_ids)"
    return ""


def _why_no_rule(rules: list[tuple[Pattern, str]], digits: str) -> str:
    """No rule fits; where one fails by its length alone, that is most likely a slip, and worth saying."""
    for pattern, _ in rules:
        size = len(pattern.sets)
        if pattern.tail or size == len(digits) or size < 4:
            continue
        if Match.FULL in pattern.matches(digits[:size]) or Match.MORE in pattern.matches(digits):
            return (
                f"No rule fits, but {pattern.text} fails by its length alone: it takes {size} digits, "
                f"and this number has {len(digits)}. The default is used."
            )
    return "No rule fits; the default is used."
