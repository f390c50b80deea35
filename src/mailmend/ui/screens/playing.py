"""The screen of the demo: chapters as they are played, the listeners as ss writes them, the proofs at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailmend.ui.terminal import (
    BAD,
    FAINT,
    GOOD,
    STRONG,
    columns,
    command,
    difference,
    heading,
    joined,
    mark,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.jobs.demo import Demo


# What became of messages stands out in its colour.
_OUTCOMES = ((r"\d+ bounced", f"{STRONG} {BAD}"), (r"\d+ sent", f"{STRONG} {GOOD}"))


def chapter(target: Console, title: str, text: str) -> None:
    """One act: its heading and what was seen, a line for each thing."""
    heading(target, title)
    seen = text.splitlines()
    for line in seen:
        shown = words(line)
        for pattern, style in _OUTCOMES:
            shown.highlight_regex(pattern, style)
        say(target, shown, indent=2, first="- " if len(seen) > 1 else "")


def ended(target: Console, story: Demo, heard: str) -> None:
    """What the story leaves: the change it made, the kludge's listeners, every proof.

    *heard* is the last word of progress; for a recording it says why it is one.
    """
    diff = story.plan.get("diff")
    if diff:
        heading(target, "What the fix changed")
        difference(target, diff)
    heading(target, "The kludge, by its listeners and mynetworks")
    _kludge(target, story.seed)
    heading(target, "Proofs")
    columns(
        target, [(mark(target, "holds" if held else "fails"), says) for says, held in story.proofs.items()]
    )
    target.print()
    told = (
        words("Every proof held.", f"{STRONG} {GOOD}")
        if story.holds
        else words("A proof failed.", f"{STRONG} {BAD}")
    )
    say(target, told)
    if story.recorded:
        say(target, heard or "This was a recorded run.")
    say(target, joined("On your own server: ", command("mailmend check")))


def _kludge(target: Console, seed: dict[str, Any]) -> None:
    """Three times `ss`, then mynetworks before and after."""
    rows: list[tuple[str | Text, ...]] = []
    for key, says in (
        ("before", "before"),
        ("reloaded", "after a mere reload"),
        ("after", "after stop and start"),
    ):
        for number, listener in enumerate(seed.get(key) or ()):
            rows.append((words(says if number == 0 else "", STRONG), _socket(listener), _users(listener)))
    columns(target, rows)
    target.print()
    networks = seed.get("mynetworks") or {}
    columns(
        target,
        [
            (
                words(f"mynetworks {when}", STRONG),
                words(str(networks.get(when) or "not known"), FAINT if when == "before" else ""),
            )
            for when in ("before", "after")
        ],
    )


def _socket(listener: dict[str, Any]) -> str:
    address = listener["address"]
    return f"[{address}]:{listener['port']}" if ":" in address else f"{address}:{listener['port']}"


def _users(listener: dict[str, Any]) -> str:
    return f'users:(("master",pid={listener["pid"]},fd={listener["fd"]}))'
