"""The screen of set: what each setting means, what it is now and would be, what it costs, the proof, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.screens.fixing import ACTIVATION
from mailmend.ui.screens.past import on_trial
from mailmend.ui.screens.proving import proof_table
from mailmend.ui.terminal import (
    BAD,
    FAINT,
    GOOD,
    NAME,
    STRONG,
    WARN,
    command,
    difference,
    heading,
    joined,
    pairs,
    prose,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.jobs.set import Done
    from mailmend.road.about import Subject
    from mailmend.settings import Tier

TIER: dict[Tier, str] = {"R": BAD, "C": WARN, "M": WARN, "unlisted": WARN}


def planned(target: Console, done: Done) -> None:
    """Everything somebody needs to know before saying yes."""
    for number, subject in enumerate(done.subjects):
        if number:
            target.print()
        _subject(target, subject)
    chosen = done.plan.chosen
    if chosen is None or not done.plan.diff:
        return
    heading(target, "What changes")
    difference(target, done.plan.diff)
    target.print()
    rows = [("activation", ACTIVATION[done.plan.activation])]
    if done.confirms:
        rows.append(
            (
                "concerns",
                f"{done.confirms}: taken back by itself unless confirmed (--confirm does it at once)",
            )
        )
    pairs(target, rows)
    told = [o for o in chosen.objections if not _said_above(o.reason, done)]
    if told:
        heading(target, "Mind")
    for objection in told:
        say(target, objection.reason, indent=2, first=words("- ", WARN))
        if objection.next_step:
            say(target, words(objection.next_step, FAINT), indent=4)


def _said_above(reason: str, done: Done) -> bool:
    """Overrides and tiers stand with their setting already."""
    return any(
        reason.startswith((f"what {s.target} can do", f"{s.target} is equal to root")) for s in done.subjects
    ) or any(f"{service} has its own -o" in reason for s in done.subjects for service, _ in s.overridden)


def _subject(target: Console, one: Subject) -> None:
    say(target, words(one.target, f"{STRONG} {NAME}"))
    if one.meaning:
        say(target, prose(target, one.meaning), indent=2)
    rows: list[tuple[str, str | Text]] = []
    if one.manual:
        rows.append(("postconf(5)", one.manual))
    elif not one.meaning:
        rows.append(
            ("meaning", "not known here: no manual page of postconf(5) is installed, or it has nothing on it")
        )
    if one.kind in ("setting", "override"):
        rows.append(("default", _shown(one.default, "not known")))
        rows.append(("now", joined(_shown(one.effective, "not known"), words(f"   ({one.set_by})", FAINT))))
    else:
        rows.append(("now", _shown(one.written, "not there")))
    if one.already:
        rows.append(("wanted", words("the same: nothing is to be done", GOOD)))
    else:
        rows.append(("wanted", words(_wanted(one), STRONG)))
    rows += [("but", words(f"{service} has its own: {value}", WARN)) for service, value in one.overridden]
    if one.tier in TIER and one.why and not one.already:
        root = "equal to root: " if one.tier == "R" else ""
        rows.append(("danger", words(root + one.why, TIER[one.tier])))
    pairs(target, rows)


def _wanted(one: Subject) -> str:
    if one.wanted is None:
        left = f", which leaves {one.would_be}" if one.would_be else ""
        return f"taken out{left}"
    text = one.wanted or "(empty)"
    made = one.would_be
    return f"{text}   (that is {made})" if made and made.split() != one.wanted.split() else text


def _shown(text: str | None, unknown: str) -> str:
    return unknown if text is None else text or "(empty)"


def ended(target: Console, done: Done) -> None:
    """What came of it; the way back stands on the last line."""
    if done.proof and done.state != "in-place":
        heading(target, "Proof, by fresh looks")
        proof_table(target, done.proof)
        target.print()
    names = ", ".join(s.target for s in done.subjects)
    if done.state == "in-place":
        for one in done.subjects:
            value = "not set" if one.wanted is None else one.wanted or "(empty)"
            say(target, joined(words(one.target, STRONG), " is so already: ", value))
        say(target, "Nothing was changed.")
    elif done.state == "planned":
        target.print()
        say(target, words("A dry run: nothing was changed.", STRONG))
    elif done.state == "rolled-back":
        say(target, words("The proof failed, so the change was taken back.", f"{STRONG} {BAD}"))
        say(target, f"{done.reason}. The files are what they were, byte for byte, and Postfix runs on them.")
    elif done.record is not None:
        proven = "Proven: " if done.state == "trial" else "Done and proven: "
        say(target, joined(words(proven, f"{STRONG} {GOOD}"), f"{names}."))
        if done.state == "trial":
            on_trial(target, done.record)
        else:
            say(target, joined("To take it back: ", command(f"mailmend undo {done.record.id}")))
