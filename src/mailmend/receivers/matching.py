"""A delivery -> the receiver that refused it, and the rule of that receiver which explains its words.

Precedence is a score, never the order in a file: a token before phrases, phrases before a status, then the
number of letters that agreed. Two causes with the same score are no decision, so there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mailmend.model import Delivery, Reply
from mailmend.parse import reply
from mailmend.receivers.rules import Phrase, Receiver, Rule, RuleError, load, squeeze

# Does a token agree, do phrases, does the code or the status, and how many letters.
Score = tuple[bool, bool, bool, int]


@dataclass(frozen=True, slots=True)
class Match:
    """The rule that explains a reply, and the words of the reply that decided."""

    receiver: Receiver
    rule: Rule
    marks: tuple[str, ...]
    score: Score


def of(delivery: Delivery, receivers: Sequence[Receiver]) -> Receiver | None:
    """Who refused: by the relay's name, then by tokens in the text, then, weakly, by the recipient's domain.

    A known host that is nobody's rules out everything but a token: a relayhost may quote the receiver.
    """
    host = delivery.relay.host if delivery.relay else None
    if host and (named := next((r for r in receivers if owns(r, host)), None)):
        return named
    words = squeeze(delivery.reply.text) if delivery.reply else ""
    by_token = next((r for r in receivers if _first(r.tokens, words)), None)
    if by_token or host:
        return by_token
    by_hint = next((r for r in receivers if _first(r.hints, words)), None)
    domain = (delivery.recipient or "").rpartition("@")[2].lower()
    return by_hint or next((r for r in receivers if domain and domain in r.domains), None)


def owns(receiver: Receiver, host: str) -> bool:
    """Whether *host* is one of the receiver's, compared label by label."""
    return f".{host.lower().rstrip('.')}".endswith(receiver.hosts)


@cache
def of_host(host: str) -> str | None:
    """The id of the receiver that *host* belongs to; None for a host of nobody that we know."""
    return next((receiver.id for receiver in load() if owns(receiver, host)), None)


def match(delivery: Delivery, receivers: Sequence[Receiver]) -> Match | None:
    """What the receiver's words mean; None where no rule agrees, or two causes agree equally well."""
    receiver = of(delivery, receivers)
    if receiver is None or delivery.reply is None:
        return None
    found = _best(delivery.reply, receiver)
    return found[0] if len({m.rule.cause for m in found}) == 1 else None


def _best(said: Reply, receiver: Receiver) -> list[Match]:
    """The matches of the highest score, by the id of their rules: more than one is a tie."""
    words = squeeze(said.text)
    matches = [m for rule in receiver.rules if (m := _match(rule, receiver, said, words))]
    top = max((m.score for m in matches), default=None)
    return sorted((m for m in matches if m.score == top), key=lambda m: m.rule.id)


def _match(rule: Rule, receiver: Receiver, said: Reply, words: str) -> Match | None:
    token, one = _first(rule.token, words), _first(rule.any, words)
    if (
        (rule.token and not token)
        or (rule.any and not one)
        or (rule.code and rule.code != said.code)
        or (rule.status and not _agrees(rule.status, said.status))
        or any(phrase.squeezed not in words for phrase in rule.all)
        or any(phrase.squeezed in words for phrase in rule.none)
    ):
        return None
    marks = [phrase for phrase in (token, one, *rule.all) if phrase]
    score = (bool(token), bool(one or rule.all), bool(rule.code or rule.status))
    return Match(receiver, rule, tuple(m.words for m in marks), (*score, sum(len(m.squeezed) for m in marks)))


def _first(phrases: Sequence[Phrase], words: str) -> Phrase | None:
    """The longest of *phrases* that *words* contain."""
    return max((p for p in phrases if p.squeezed in words), key=lambda p: len(p.squeezed), default=None)


def _agrees(wanted: str, status: str | None) -> bool:
    return bool(status) and (status == wanted or (wanted[0] == "*" and str(status)[1:] == wanted[1:]))


def validate(receivers: Sequence[Receiver]) -> None:
    """Every example is explained by its own rule and by no other equally well. Raises RuleError."""
    for receiver in receivers:
        for rule in receiver.rules:
            for example in rule.examples:
                _validate(example, rule, receiver)


def _validate(example: str, rule: Rule, receiver: Receiver) -> None:
    place = f"receivers: {receiver.id}: rule {rule.id}: the example {example[:60]!r}"
    said = reply.parse(example)
    found = _best(said, receiver) if said else []
    if not found:
        raise RuleError(f"{place} is not matched")
    if len(found) > 1:
        raise RuleError(f"{place} is matched equally well by {' and '.join(m.rule.id for m in found)}")
    if found[0].rule is not rule:
        raise RuleError(f"{place} is matched by {found[0].rule.id}")
