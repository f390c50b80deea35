"""The screen of a rehearsal: the ways of mail without and with the change, the listeners, what is not known by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.terminal import (
    BAD,
    FAINT,
    GOOD,
    STRONG,
    WARN,
    columns,
    heading,
    joined,
    mark,
    say,
    verbatim,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.rehearsal import Fate, Passage, Rehearsal

# Of a reply the beginning is enough here; --json has all of it.
_LONGEST = 160
_STYLE = {"better": GOOD, "same": FAINT, "worse": BAD}
_FAMILY = {"ipv4": "IPv4", "ipv6": "IPv6", None: ""}


def rehearsed(target: Console, held: Rehearsal) -> None:
    """All of it; what fails comes last, where it is read."""
    heading(target, "Rehearsed on a copy of this host, in a private network")
    for passage in held.passages:
        _passage(target, passage)
    _listeners(target, held)
    if held.complaints:
        heading(target, "Only with the change, the log says")
        for line in held.complaints:
            verbatim(target, line, indent=2, style=WARN)
    heading(target, "Not known by this rehearsal")
    for each in held.left_out:
        say(target, joined(words(each.what, STRONG), f": {each.why}"), indent=2, first="- ")
    target.print()
    if held.holds:
        say(
            target, words("The rehearsal holds: with the change no way of mail is worse.", f"{STRONG} {GOOD}")
        )
        return
    say(target, words("The rehearsal fails:", f"{STRONG} {BAD}"))
    for failure in held.failures:
        say(target, failure, indent=2, first=joined(mark(target, "fails"), " "))


def _passage(target: Console, passage: Passage) -> None:
    sign = {"better": "holds", "worse": "fails"}.get(passage.verdict)
    lead = mark(target, sign) if sign else words("=", FAINT)
    title = joined(words(passage.says, STRONG), words(f" ({passage.recipient})", FAINT))
    say(target, title, indent=2, first=joined(lead, " "))
    rows: list[tuple[str | Text, str | Text]] = []
    for label, fates in (("as it is", passage.before), ("changed", passage.after)):
        style = _STYLE[passage.verdict] if label == "changed" else ""
        rows.append((words(label, FAINT), words(told(fates), style)))
    columns(target, rows, indent=6)
    for fate in passage.after:
        if not fate.through:
            text = fate.text if len(fate.text) <= _LONGEST else f"{fate.text[:_LONGEST]} ..."
            say(target, words(text, FAINT), indent=6)
            break


def told(fates: tuple[Fate, ...]) -> str:
    """`3 bounced over IPv6, 4 sent over IPv4`."""
    if not fates:
        return "not tried: Postfix did not come so far"
    parts = []
    for fate in fates:
        way = f" over {_FAMILY[fate.family]}" if fate.family else ""
        parts.append(f"{fate.count} {fate.status}{way}")
    return ", ".join(parts)


def _listeners(target: Console, held: Rehearsal) -> None:
    heading(target, "Listeners")
    before, after = held.listeners
    rows: list[tuple[str | Text, str | Text]] = []
    for socket in dict.fromkeys((*before, *after)):
        if socket in before and socket in after:
            rows.append((socket, words("stays", FAINT)))
        else:
            rows.append(
                (socket, words("opens", GOOD) if socket in after else words("closes", f"{STRONG} {WARN}"))
            )
    columns(target, rows or [("none", "")])
