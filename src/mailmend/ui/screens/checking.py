"""The screens of looking: check by check what is wrong, unknown or fine, worst first; status side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mailmend.ui.terminal import (
    BAD,
    FAINT,
    STRONG,
    columns,
    command,
    heading,
    joined,
    mark,
    prose,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.model import Cause, Finding, Standing

# What a finding's standing is to the person who reads it.
STANDS: dict[Standing, str] = {
    "measured": "problem",
    "reported": "problem",
    "unknown": "unknown",
    "cleared": "fine",
}
_FORWARDED = "forwarded-not-rewritten"
_FIRST_STEPS = 2  # of each cause; its page has them all
WORST_FIRST = ("problem", "unknown", "fine")


def verdict(findings: Sequence[Finding]) -> str:
    """`2 problems, 1 could not be looked at, 9 fine`."""
    counts = {name: sum(STANDS[f.standing] == name for f in findings) for name in WORST_FIRST}
    told = []
    if counts["problem"]:
        told.append(f"{counts['problem']} problem{'s' if counts['problem'] > 1 else ''}")
    if counts["unknown"]:
        told.append(f"{counts['unknown']} could not be looked at")
    if counts["fine"]:
        told.append(f"{counts['fine']} fine")
    return ", ".join(told) or "nothing was looked at"


def findings_list(target: Console, findings: Sequence[Finding], *, indent: int = 2) -> None:
    """Grouped by check, the worst first; what is fine is one paragraph a check."""
    groups: dict[str, list[Finding]] = {}
    for found in findings:
        groups.setdefault(found.check or "reported", []).append(found)
    rows: list[tuple[str | Text, ...]] = []
    for name, group in sorted(
        groups.items(), key=lambda item: (min(map(_badness, item[1])), *_weight(item[0]))
    ):
        label = name
        for found in sorted(group, key=_badness):
            standing = STANDS[found.standing]
            if standing != "fine":
                style = STRONG if standing == "problem" else ""
                rows.append((mark(target, standing), words(label, style), _sentence(found)))
                label = ""
        fine = [f.summary or f.subject for f in group if STANDS[f.standing] == "fine"]
        if fine:
            rows.append((mark(target, "fine"), words(label, FAINT), words("; ".join(fine))))
    columns(target, rows, indent=indent)


def _badness(found: Finding) -> int:
    return WORST_FIRST.index(STANDS[found.standing])


def _weight(check: str) -> tuple[bool, str]:
    """Real refusals, counted from the log, come before what may cause them."""
    return check != "receiver-log", check


def _sentence(found: Finding) -> Text:
    text = found.summary or f"{found.subject}: {found.cause}"
    if STANDS[found.standing] != "problem":
        return words(text)
    return joined(text, words(f"  ({found.cause})", FAINT))


def checked(target: Console, findings: Sequence[Finding], causes: Mapping[str, Cause], host: str) -> None:
    """The verdict first, then what it rests on, then what to do next."""
    problems = [f for f in findings if STANDS[f.standing] == "problem"]
    say(
        target,
        joined(
            words(f"{host}: ", STRONG), words(verdict(findings), f"{STRONG} {BAD}" if problems else STRONG)
        ),
    )
    target.print()
    findings_list(target, findings)
    problems.sort(key=lambda f: _weight(f.check or ""))
    pages = [causes[cause] for cause in dict.fromkeys(f.cause for f in problems) if cause in causes]
    # Then what receivers refuse is strangers' mail: no record of ours can speak for its envelope.
    forwarded = any(f.cause == _FORWARDED for f in problems)
    refused = {f.cause for f in problems if f.check == "receiver-log"}
    if pages:
        heading(target, "What to do")
    for number, cause in enumerate(pages, 1):
        say(
            target,
            joined(words(cause.title, STRONG), words(f"  ({cause.id})", FAINT)),
            indent=2,
            first=f"{number}. ",
        )
        steps = cause.forwarded_steps if forwarded and cause.id in refused else ()
        for step in (steps or cause.steps)[:_FIRST_STEPS]:
            say(target, prose(target, step), indent=5)
    from mailmend.ui.commands.knowing import way_to

    rows: list[tuple[str | Text, str | Text]] = []
    if way := way_to([name for cause in pages for name in cause.remedies]):
        rows.append((command(way), "shows the remedy and its cost, and asks before it changes anything"))
    if any(cause.id in ("saved-not-loaded", "loaded-not-restarted") for cause in pages):
        rows.append((command("mailmend apply"), "brings the running server to what is saved"))
    if forwarded:
        rows.append(
            (command("mailmend check forwarding"), "every forward, and in what state its mail leaves")
        )
    if pages:
        rows.append((command(f"mailmend explain --cause {pages[0].id}"), "tells the whole of it"))
    if rows:
        heading(target, "Go on with")
        columns(target, rows)
