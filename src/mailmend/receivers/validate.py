"""Every rule explains its own examples and nothing else explains them as well; whoever does not, is told."""

from __future__ import annotations

from collections.abc import Sequence

from mailmend.parse import reply
from mailmend.receivers.files import distinct, whole
from mailmend.receivers.matching import TRIED_LAST, Book, agreeing, candidates
from mailmend.receivers.rules import Receiver, Rule, RuleError, squeeze

_TOLD = 40  # faults that somebody reads at once


def validate(receivers: Sequence[Receiver]) -> None:
    """Every example is explained by its own rule and by no other equally well. Raises RuleError with every fault.

    A receiver's examples are held against its own rules, software's and everybody's; those of software and of
    everybody against all that is tried on every reply.
    """
    _one_owner(receivers)
    for receiver in receivers:
        whole(receiver)
        distinct(receiver)
        if receiver.scope == TRIED_LAST and (strong := [rule.id for rule in receiver.rules if not rule.weak]):
            raise RuleError(f"receivers/{receiver.file}: rule {strong[0]}: what the standard says is weak")
    book = Book(receivers)
    faults = [
        fault
        for receiver in receivers
        for rule in receiver.rules
        for example in rule.examples
        if (fault := _fault(example, rule, receiver, book))
    ]
    if faults:
        more = f"\nand {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        raise RuleError("\n".join(faults[:_TOLD]) + more)


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


def _fault(example: str, rule: Rule, receiver: Receiver, book: Book) -> str | None:
    place = f"receivers: {receiver.id}: rule {rule.id}: the example {example[:60]!r}"
    said = reply.parse(example)
    if said is None:
        return f"{place} is no reply"
    words = squeeze(said.text)
    asked = receiver if receiver.scope == "receiver" else None
    found = agreeing(candidates(book, book.index.within(words), asked, False), asked, said, words)
    names = [
        m.rule.id if m.rule.receiver == receiver.id else f"{m.rule.receiver}: {m.rule.id}" for m in found
    ]
    if not found:
        return f"{place} is not matched"
    if len(found) > 1:
        return f"{place} is matched equally well by {' and '.join(names)}"
    if found[0].rule is not rule:
        return f"{place} is matched by {names[0]}"
    return None
