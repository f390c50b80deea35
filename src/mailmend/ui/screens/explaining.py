"""The screen of explain: the sentence that matters, the evidence, the steps, and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from mailmend.road.group import alike, grouped
from mailmend.ui.encode import printable
from mailmend.ui.screens.checking import findings_list
from mailmend.ui.terminal import (
    BAD,
    FAINT,
    GOOD,
    STRONG,
    WARN,
    columns,
    command,
    heading,
    joined,
    numbered,
    pairs,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.model import Cause, Finding, Refusal
    from mailmend.road.group import Group

# Whose move it is (taxonomy: who), as one says it to a person.
WHO = {
    "sender-dns": "whoever runs the DNS of your sending address and domain",
    "own-mta": "you, on your own mail server",
    "sender-domain-owner": "the owner of the domain in From:",
    "receiver-admin": "the receiver's postmaster",
    "recipient": "the recipient",
    "content": "the author of the message",
    "list-operator": "the operator of the mailing list",
    "sender-volume": "whoever decides how much is sent",
    "nobody": "nobody, it passes by itself",
    "unknown": "not known yet",
}
NOBODY_CAN = "nobody else can do anything about it"
# The same in a table's cell.
WHO_IN_SHORT = {
    "sender-dns": "your DNS",
    "own-mta": "you",
    "sender-domain-owner": "From:'s owner",
    "receiver-admin": "their postmaster",
    "recipient": "the recipient",
    "content": "the author",
    "list-operator": "the list",
    "sender-volume": "who sends",
    "nobody": "nobody",
    "unknown": "-",
}
SEVERITY = {"bounced": BAD, "rejected-inbound": BAD, "deferred": WARN, "delivered": GOOD, "notice": FAINT}
_QUOTED = 2000  # characters of a reply, as many as Postfix logs
_NAMED = 3  # recipients named before the rest are counted
_IN_FULL = 3  # kinds of refusals that a person reads to the end
_EXAMPLES = 20  # kinds that are shown with an example


def explained(
    target: Console, refusals: Sequence[Refusal], findings: Sequence[Finding] | None, again: str
) -> None:
    """Refusals of one kind are told once; *again* is how the input is named for the next command.

    Few kinds are each explained in full; of many, counts first, then one example of each kind.
    """
    kinds = alike(refusals)
    if len(kinds) <= _IN_FULL:
        for number, group in enumerate(kinds):
            if number:
                _rule(target)
            _group(target, group)
    else:
        _many(target, grouped(refusals), len(refusals))
    if findings is not None:
        heading(target, "What the checks say")
        findings_list(target, findings)
    _next(target, refusals, findings is not None, again)


def _rule(target: Console) -> None:
    target.print()
    target.print(words("─" * min(target.width, 60), FAINT))


def _many(target: Console, groups: Sequence[Group], total: int) -> None:
    """The table of what was refused how often, then an example of each with its first step."""
    causes = len({group.cause for group in groups if group.cause != "unknown"})
    say(target, words(f"{total} refusals of {causes} causes", STRONG))
    target.print()
    rows = [
        (str(len(group.refusals)).rjust(6), group.cause, group.receiver or "-", _first_who(group))
        for group in groups
    ]
    columns(target, rows, head=("count".rjust(6), "cause", "receiver", "who must act"))
    for group in groups[:_EXAMPLES]:
        _rule(target)
        _example(target, group)
    if len(groups) > _EXAMPLES:
        _rule(target)
        left = groups[_EXAMPLES:]
        count = sum(len(group.refusals) for group in left)
        say(target, f"{count} more in {len(left)} kinds that are rarer; --json has them all.")


def _example(target: Console, group: Group) -> None:
    first = group.refusals[0]
    say(target, words(_headline(first), STRONG), first=f"{len(group.refusals)} x  ")
    for one in group.examples:
        say(target, _attempt(one), indent=2)
        if one.delivery.reply:
            say(target, marked(one), indent=2, first=words("wrote: ", FAINT))
    if first.steps:
        numbered(target, first.steps[:1])


def nothing(target: Console, names: Sequence[str]) -> None:
    """There is no refusal in what was given; that is an answer too."""
    say(target, f"No refusal found in {', '.join(names)}.")
    say(
        target,
        "Give the whole bounce with its headers, the log lines with status=bounced or status=deferred, or the"
        " reply that begins with a code such as 550.",
    )


def _group(target: Console, group: Sequence[Refusal]) -> None:
    first = group[0]
    say(target, words(_headline(first), STRONG))
    target.print()
    for one in group[:_NAMED]:
        say(target, _attempt(one), indent=2)
    if len(group) > _NAMED:
        say(target, f"and {len(group) - _NAMED} more like these", indent=2)
    if first.delivery.reply:
        heading(target, wrote(first))
        say(target, marked(first), indent=2)
    target.print()
    pairs(
        target,
        [
            ("who must act", _who(first)),
            ("cause", _cause(first)),
            ("decided by", ", ".join(first.checks)),
            ("source", first.source or ""),
        ],
    )
    if first.steps:
        heading(target, "What to do")
        numbered(target, first.steps)


def wrote(one: Refusal) -> str:
    """What its reply is headed by: whose words they are."""
    own = one.delivery.severity == "rejected-inbound"
    return "What this server wrote" if own else "What the receiver wrote"


def _who(one: Refusal) -> str:
    # What passes by itself was put off; a mailbox that is not there will not come by waiting.
    over = one.delivery.severity != "deferred"
    return "; ".join(NOBODY_CAN if who == "nobody" and over else WHO.get(who, who) for who in one.who)


def _first_who(group: Group) -> str:
    who = group.refusals[0].who[:1]
    return WHO_IN_SHORT.get(who[0], who[0]) if who else ""


def _attempt(one: Refusal) -> Text:
    """`someone@gmail.com  bounced  from 2001:db8::1 at gmail-smtp-in.l.google.com [2001:db8::1a]`."""
    told = one.delivery
    parts: list[str | Text] = [words(told.recipient or "a recipient", STRONG)]
    if told.original_recipient and told.original_recipient != told.recipient:
        parts.append(f" (for {told.original_recipient})")
    parts += [" ", words(told.severity, SEVERITY[told.severity])]
    if told.source_ip:
        parts.append(f", sent from {told.source_ip}")
    if told.relay and (told.relay.host or told.relay.ip):
        host = told.relay.host or ""
        parts.append(f", by {host}{f' [{told.relay.ip}]' if told.relay.ip else ''}")
    return joined(*parts)


def marked(one: Refusal) -> Text:
    """The reply in the receiver's words, with its codes, the words that decided standing out."""
    reply = one.delivery.reply
    if reply is None:
        return Text()
    codes = " ".join(str(code) for code in (reply.code, reply.status) if code is not None)
    whole = reply.text if len(reply.text) <= _QUOTED else f"{reply.text[:_QUOTED]} …"
    text = words(f"{codes} {whole}".strip())
    plain = text.plain.casefold()
    for phrase in one.marks:
        wanted = printable(phrase).casefold()
        start = plain.find(wanted) if wanted else -1
        # Casefolding may change lengths; then the place would be wrong, and none is marked.
        if start >= 0 and len(plain) == len(text.plain):
            text.stylize(f"{STRONG} {WARN}", start, start + len(wanted))
    return text


def _cause(one: Refusal) -> str:
    if not one.ambiguous:
        return one.cause
    if one.standing == "measured":
        return f"{one.cause}, and {', '.join(one.ambiguous)}"
    return f"{one.cause}: one reply for {', '.join(one.ambiguous)}"


def _headline(one: Refusal) -> str:
    """The sentence that matters; it begins as a sentence does, unless with a host's name."""
    told = one.summary or _plain_summary(one)
    return told if "." in told.partition(" ")[0] else f"{told[:1].upper()}{told[1:]}"


def _plain_summary(one: Refusal) -> str:
    who = one.receiver or "The receiver"
    return f"{who}: {one.cause}" if one.cause != "unknown" else f"{who} refused, and no rule here knows why."


def _next(target: Console, refusals: Sequence[Refusal], checked: bool, again: str) -> None:
    from mailmend.ui.commands.knowing import way_to

    rows: list[tuple[str | Text, str | Text]] = []
    if not checked and any(one.checks for one in refusals):
        rows.append(
            (command(f"mailmend explain --check {again}".rstrip()), "lets the checks decide, on this server")
        )
    if way := way_to([name for one in refusals for name in one.remedies]):
        rows.append((command(way), "shows the remedy and its cost, and asks before it changes anything"))
    causes = dict.fromkeys(one.cause for one in refusals if one.cause != "unknown")
    if causes:
        rows.append((command(f"mailmend explain --cause {next(iter(causes))}"), "tells the whole of it"))
    if rows:
        heading(target, "Go on with")
        columns(target, rows)


def page(target: Console, cause: Cause) -> None:
    """A cause's page: rendered on a terminal, its Markdown when piped."""
    from mailmend.ui.commands.knowing import applied

    say(target, words(cause.title, STRONG))
    target.print()
    pairs(
        target,
        [
            ("cause", cause.id),
            ("who must act", "; ".join(WHO.get(who, who) for who in cause.who)),
            ("decided by", ", ".join(cause.checks)),
            (
                "remedies",
                ", ".join(r if r in applied() else f"{r} (by hand, see below)" for r in cause.remedies),
            ),
        ],
    )
    if cause.steps:
        heading(target, "What to do")
        numbered(target, cause.steps)
    if target.is_terminal:
        from mailmend.ui import markdown

        markdown.page(target, cause.page)
    else:
        target.print(Text(f"\n{cause.page.strip()}"))
    if cause.sources:
        heading(target, "Sources")
        for source in cause.sources:
            say(target, source, indent=2)
