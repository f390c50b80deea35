"""The screen of check forwarding: by the domain forwarded to, what becomes of envelope, bounces and signatures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mailmend.ui.figures import number
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
    mark,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.facts.forward_passage import Passage
    from mailmend.facts.forwards import Forward
    from mailmend.jobs.forwards import Seen

_MOST = 12  # groups on a screen
_EXAMPLES = 3  # forwards of each; --json has all
_STANDING = {True: "holds", False: "fails", None: "unknown"}


def forwards(target: Console, seen: Seen, host: str) -> None:
    """What mail is forwarded, those alike together; then what holds for all of it, and what could not be read."""
    count = len(seen.forwards.found)
    if not count:
        say(
            target,
            joined(words(f"{host}: ", STRONG), "nothing in the configuration forwards mail elsewhere."),
        )
    else:
        domains = len(seen.passages) + seen.beyond
        said = (
            f"{number(count)} {_plural('forward', count)} to {number(domains)} {_plural('domain', domains)}"
        )
        say(target, joined(words(f"{host}: ", STRONG), said))
        groups = _alike(seen.passages)
        for group in groups[:_MOST]:
            _group(target, group)
        if (left := len(groups) - _MOST) > 0:
            say(target, f"and {number(left)} more; --json has them.")
        if seen.beyond:
            say(target, f"{number(seen.beyond)} {_plural('domain', seen.beyond)} more were not looked at.")
        _all(target, seen)
    _rest(target, seen)


def _alike(passages: Sequence[Passage]) -> list[list[Passage]]:
    """Those of one receiver whose mail leaves in the same state."""
    found: dict[tuple[object, ...], list[Passage]] = {}
    for each in passages:
        found.setdefault((each.receiver, tuple(_told(each))), []).append(each)
    return list(found.values())


def _group(target: Console, group: Sequence[Passage]) -> None:
    first, count = group[0], sum(each.count for each in group)
    others = f" and {number(len(group) - 1)} more {_plural('domain', len(group) - 1)}" if group[1:] else ""
    whose = f" ({first.receiver})" if first.receiver else ""
    heading(target, f"{first.domain}{others}{whose}: {number(count)} {_plural('forward', count)}")
    examples = [example for each in group for example in each.examples][:_EXAMPLES]
    for example in examples:
        say(target, _forward(example), indent=2, first="- ")
    if count > len(examples):
        say(target, words(f"and {number(count - len(examples))} more", FAINT), indent=2)
    target.print()
    columns(target, [(mark(target, _STANDING[held]), says) for held, says in _told(first)])


def _forward(one: Forward) -> Text:
    if one.nexthop:
        by = words(", ".join(one.by), FAINT)
        return joined(words(one.address, STRONG), f" as it is, handed on to {one.nexthop}  ", by)
    return joined(words(one.address, STRONG), f" -> {one.target}  ", words(", ".join(one.by), FAINT))


def _told(each: Passage) -> Iterator[tuple[bool | None, str]]:
    if each.loops:
        yield False, "this mail comes back to this host: it goes round until Postfix gives it up"
    if each.error:
        yield None, f"how it leaves is not known: {each.error}"
        return
    if each.rewritten is None:
        return
    if each.rewritten:
        yield True, f"the envelope is rewritten: someone@example.net leaves as {each.envelope}"
        says = {
            True: "a bounce to that address goes back to the original sender",
            False: "a bounce to that address does not come back to the original sender",
            None: "a bounce to that address: the MX of its domain does not lead here (yet)",
        }
        yield each.returns, says[each.returns]
    else:
        yield False, "the envelope stays the original sender's: SPF of his domain does not pass for this host"
    yield each.null_kept, "the null sender (bounces) leaves as it is"
    if each.own_kept is False:
        yield False, "mail of this host's own people is rewritten too"


def _all(target: Console, seen: Seen) -> None:
    heading(target, "All of it")
    rows: list[tuple[Text, str]] = []
    for setting, why in seen.doors.alters:
        rows.append((mark(target, "fails"), f"signatures break here: {setting}: {why}"))
    if seen.doors.unseen:
        programs = ", ".join(seen.doors.unseen)
        rows.append((mark(target, "unknown"), f"signatures: {programs} may change what they cover"))
    elif not seen.doors.alters and not seen.doors.error:
        rows.append((mark(target, "holds"), "signatures: nothing here changes header or body"))
    judged = {
        True: "what its author asks to be rejected (DMARC) is refused while it comes in",
        False: "what its author asks to be rejected (DMARC) is accepted here; refused later, it becomes a bounce to "
        "somebody who never wrote it",
        None: "whether what its author asks to be rejected (DMARC) is refused while it comes in is not known",
    }
    rows.append((mark(target, _STANDING[seen.doors.judged]), judged[seen.doors.judged]))
    if seen.doors.error:
        rows.append((mark(target, "unknown"), seen.doors.error))
    if any(each.receiver == "google" for each in seen.passages):
        says = "Gmail shows no second copy of what its user sent: do not test from the account forwarded to"
        rows.append((words("i", FAINT), says))
    columns(target, rows)


def _rest(target: Console, seen: Seen) -> None:
    found = seen.forwards
    target.print()
    if found.relayed:
        say(target, f"Relayed whole, to servers behind this one: {', '.join(found.relayed[:_MOST])}.")
    if found.asked:
        says = f"Not to be listed, so asked for {number(found.known)} known {_plural('recipient', found.known)} only: "
        say(target, words(f"{says}{'; '.join(found.asked)}.", WARN))
    if seen.unexplained:
        names = ", ".join(f"{name} ({number(count)})" for name, count in seen.unexplained[:_MOST])
        says = f"By the log mail was forwarded to domains that nothing found here accounts for: {names}."
        say(target, words(says, WARN))
    for where, why in found.unread[:_MOST]:
        say(target, words(f"Not read: {where}: {why}", BAD))
    if found.found:
        if any(each.rewritten is False for each in seen.passages):
            say(target, joined("Rewrite the envelope: ", command("mailmend fix --remedy srs")))
        if seen.doors.judged is False:
            say(target, joined("Refuse early: ", command("mailmend fix --remedy refuse-early")))
        say(target, joined("Whose mail is refused by it: ", command("mailmend check forwarding --senders")))
        if not seen.wrong and not seen.blind and seen.doors.judged is not False:
            say(target, words("Nothing is wrong with it.", GOOD))


def _plural(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"
