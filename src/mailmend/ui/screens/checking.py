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
    numbered,
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
    """One line of sense for each finding, grouped by check, the worst check first."""
    groups: dict[str, list[Finding]] = {}
    for found in findings:
        groups.setdefault(found.check or "reported", []).append(found)

    def badness(found: Finding) -> int:
        return WORST_FIRST.index(STANDS[found.standing])

    rows: list[tuple[str | Text, ...]] = []
    for name, group in sorted(groups.items(), key=lambda item: min(map(badness, item[1]))):
        for number, found in enumerate(sorted(group, key=badness)):
            standing = STANDS[found.standing]
            style = {"problem": STRONG, "unknown": "", "fine": FAINT}[standing]
            label = words(name if number == 0 else "", style)
            rows.append((mark(target, standing), label, _sentence(found)))
    columns(target, rows, indent=indent)


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
    pages = [causes[cause] for cause in dict.fromkeys(f.cause for f in problems) if cause in causes]
    for cause in pages:
        if cause.steps:
            heading(target, f"{cause.title} ({cause.id})")
            numbered(target, cause.steps)
    from mailmend.ui.commands.knowing import applied

    rows: list[tuple[str | Text, str | Text]] = []
    if any(applied().intersection(cause.remedies) for cause in pages):
        rows.append(
            (command("mailmend fix"), "shows the remedy and its cost, and asks before it changes anything")
        )
    if any(cause.id in ("saved-not-loaded", "loaded-not-restarted") for cause in pages):
        rows.append((command("mailmend apply"), "brings the running server to what is saved"))
    if pages:
        rows.append((command(f"mailmend explain --cause {pages[0].id}"), "tells the whole of it"))
    if rows:
        heading(target, "Go on with")
        columns(target, rows)
