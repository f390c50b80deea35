"""The screen of hold: what is held and until when, what the change is, and what became of the mail that was held."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mailmend.ui.screens.proving import proof_table
from mailmend.ui.terminal import (
    BAD,
    FAINT,
    GOOD,
    STRONG,
    WARN,
    columns,
    command,
    difference,
    heading,
    joined,
    pairs,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.jobs.hold import Attempted, Hold, Switched
    from mailmend.model import Delivery, Plan

_SHOWN = 20
_STYLES = {"delivered": GOOD, "bounced": BAD, "deferred": WARN, "waiting": FAINT}
_SAYS = {
    "delivered": "delivered",
    "bounced": "bounced",
    "deferred": "still deferred",
    "waiting": "not tried yet",
}


def held(target: Console, seen: Hold) -> None:
    """`mailmend hold` alone."""
    if seen.bounds is None:
        say(target, "Nothing is held, and nothing was held before.")
    elif not seen.in_force:
        say(target, joined(words("Nothing is held now. ", STRONG), seen.ended))
    else:
        in_force(target, seen)
    if seen.waiting:
        _waiting(target, seen)
    for error in seen.errors:
        say(target, words(f"could not look: {error}", WARN))


def in_force(target: Console, seen: Hold) -> None:
    """A hold with its bounds, and how to end it; status shows it too."""
    bounds = seen.bounds
    if bounds is None:
        return
    heading(target, "Refused mail is held")
    rows: list[tuple[str, str | Text]] = [
        ("for", ", ".join(bounds.causes)),
        ("since", f"{bounds.since:%Y-%m-%d %H:%M}"),
        ("until", f"{bounds.until:%Y-%m-%d %H:%M}, by itself"),
        ("messages", f"{seen.messages} of {bounds.limit}"),
        ("attempts", f"{'not known' if seen.attempts is None else seen.attempts} of {bounds.attempts}"),
    ]
    pairs(target, rows)
    say(target, joined("Once it is cured: ", command("mailmend hold off")), indent=2)


def offered(target: Console, seen: Hold) -> None:
    """After a cure was proven: the mail that waits for it."""
    target.print()
    say(
        target,
        joined(f"{_count(seen.messages)} for this. To have them delivered: ", command("mailmend hold off")),
    )


def _count(messages: int) -> str:
    return "1 message was held" if messages == 1 else f"{messages} messages were held"


def planned(target: Console, plan: Plan) -> None:
    """Everything somebody needs to know before saying yes."""
    if plan.chosen is None:
        return
    heading(target, "Refused mail stays queued")
    rows: list[tuple[str, str | Text]] = []
    for number, cost in enumerate(plan.chosen.cost):
        rows.append(("cost" if number == 0 else "", f"- {cost}"))
    rows.append(("activation", "postfix reload: no port closes, sessions in progress finish"))
    rows += [("mind", o.reason) for o in plan.chosen.objections]
    pairs(target, rows)
    heading(target, "What changes")
    shown, left = _shortened(plan.diff)
    difference(target, shown)
    say(target, words(f"{left} more lines of the table are derived from what receivers say", FAINT), indent=2)


def _shortened(diff: str) -> tuple[str, int]:
    """*diff* without the lines of the table below its head, and how many those are."""
    kept: list[str] = []
    left, in_table = 0, False
    for line in diff.splitlines(keepends=True):
        if line.startswith("--- "):
            in_table = False
        elif line.startswith("+if /"):
            in_table = True
        if in_table:
            left += 1
        else:
            kept.append(line)
    return "".join(kept), left


def switched(target: Console, done: Switched) -> None:
    """How `on` or `off` ended."""
    if done.state == "planned" and done.plan:
        planned(target, done.plan)
        say(target, words("A dry run: nothing was changed.", STRONG))
        return
    if done.state == "rolled-back":
        say(target, words("The proof failed, so the change was taken back.", f"{STRONG} {BAD}"))
        say(target, done.reason, indent=2)
        return
    if done.proof:
        proof_table(target, done.proof)
        target.print()
    if done.state == "on":
        in_force(target, done.hold)
        return
    if done.proof:
        say(target, words("The hold has ended; the filter is what it was before.", STRONG))
    else:
        say(target, joined(words("No hold is in force. ", STRONG), done.reason))
    if done.attempted:
        _attempted(target, done)
    elif not done.hold.waiting:
        say(target, "No message waited because of it.")


def _attempted(target: Console, done: Switched) -> None:
    heading(target, "What became of the mail that was held")
    counts = Counter(one.outcome for one in done.attempted)
    say(target, ", ".join(f"{number} {_SAYS[outcome]}" for outcome, number in counts.most_common()), indent=2)
    columns(target, [_row(one) for one in done.attempted[:_SHOWN]])
    _more(target, len(done.attempted))


def _row(one: Attempted) -> tuple[str, str, Text, str]:
    said = f"{one.cause}: " if one.cause else ""
    text = one.delivery.reply.text if one.delivery.reply and one.outcome != "delivered" else ""
    return (
        one.delivery.queue_id or "",
        one.delivery.recipient or "",
        words(_SAYS[one.outcome], _STYLES[one.outcome]),
        f"{said}{text}"[:200],
    )


def _waiting(target: Console, seen: Hold) -> None:
    heading(target, "Held now" if seen.in_force else "Held before, and still waiting")
    columns(target, [_waits(one) for one in seen.waiting[:_SHOWN]])
    _more(target, len(seen.waiting))
    if not seen.in_force:
        say(target, joined("To have them delivered now: ", command("mailmend hold off")), indent=2)


def _waits(one: Delivery) -> tuple[str, str, str]:
    return one.queue_id or "", one.recipient or "", (one.reply.text if one.reply else "")[:120]


def _more(target: Console, number: int) -> None:
    if number > _SHOWN:
        say(target, words(f"and {number - _SHOWN} more: --json has all", FAINT), indent=2)
