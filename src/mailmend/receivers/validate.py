"""Every rule explains its own examples and nothing else explains them as well; whoever does not, is told."""

from __future__ import annotations

from collections.abc import Sequence

from mailmend.parse import reply
from mailmend.receivers.files import distinct, whole
from mailmend.receivers.matching import best
from mailmend.receivers.rules import Receiver, Rule, RuleError, squeeze


def validate(receivers: Sequence[Receiver]) -> None:
    """Every example is explained by its own rule and by no other equally well. Raises RuleError.

    A receiver's examples are held against its own rules, software's and everybody's; those of software and of
    everybody against all that is tried on every reply.
    """
    _one_owner(receivers)
    for receiver in receivers:
        whole(receiver)
        distinct(receiver)
    everywhere = [(r, rule) for r in receivers if r.scope != "receiver" for rule in r.rules]
    for receiver in receivers:
        own = [(receiver, rule) for rule in receiver.rules] if receiver.scope == "receiver" else []
        for rule in receiver.rules:
            for example in rule.examples:
                _validate(example, rule, receiver, own + everywhere)


def _one_owner(receivers: Sequence[Receiver]) -> None:
    """A host, a token, a domain belongs to one receiver."""
    owners: dict[tuple[str, str], Receiver] = {}
    for receiver in receivers:
        marks = {
            "id": (receiver.id,),
            "host": receiver.hosts,
            "domain": receiver.domains,
            "token": tuple(phrase.squeezed for phrase in receiver.tokens),
            "hint": tuple(phrase.squeezed for phrase in receiver.hints),
        }
        for what, names in marks.items():
            for name in names:
                if (before := owners.setdefault((what, name), receiver)) is not receiver:
                    raise RuleError(
                        f"receivers/{receiver.file}: the {what} {name} is in receivers/{before.file}, too"
                    )


def _validate(example: str, rule: Rule, receiver: Receiver, tried: list[tuple[Receiver, Rule]]) -> None:
    place = f"receivers: {receiver.id}: rule {rule.id}: the example {example[:60]!r}"
    said = reply.parse(example)
    asked = receiver if receiver.scope == "receiver" else None
    found = best(tried, asked, said, squeeze(said.text)) if said else []
    names = [
        m.rule.id if m.rule.receiver == receiver.id else f"{m.rule.receiver}: {m.rule.id}" for m in found
    ]
    if not found:
        raise RuleError(f"{place} is not matched")
    if len(found) > 1:
        raise RuleError(f"{place} is matched equally well by {' and '.join(names)}")
    if found[0].rule is not rule:
        raise RuleError(f"{place} is matched by {names[0]}")
