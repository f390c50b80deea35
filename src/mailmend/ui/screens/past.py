"""The screens of history: every change in a line, and one change whole."""

from __future__ import annotations

from collections.abc import Sequence
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

    from mailmend.model import Record

STATE = {"kept": GOOD, "trial": WARN, "undone": FAINT, "rolled-back": BAD, "intent": WARN}
SAYS = {
    "kept": "in force",
    "trial": "on trial",
    "undone": "taken back",
    "rolled-back": "failed, and taken back",
    "intent": "interrupted",
}


def history(target: Console, records: Sequence[Record]) -> None:
    """Newest first; an empty history says so."""
    if not records:
        say(target, "mailmend has changed nothing here.")
        return
    columns(
        target,
        [
            (
                words(r.id, STRONG),
                _standing(r),
                f"{r.at:%Y-%m-%d %H:%M}",
                f"by {r.by}",
            )
            for r in records
        ],
        head=("change", "state", "when", ""),
        indent=0,
    )
    heading(target, "Why")
    pairs(target, [(r.id, _why(r)) for r in records])
    for waiting in [r for r in records if r.state == "trial"]:
        on_trial(target, waiting)
    if any(r.state in ("kept", "intent") and r.undoes is None for r in records):
        target.print()
        say(target, joined("To see one whole: ", command("mailmend history ID")))
        say(target, joined("To take one back: ", command("mailmend undo ID")))


def _why(record: Record) -> str:
    """What an undo took back is named once."""
    if record.undoes is None or record.undoes in record.reason:
        return record.reason
    return f"{record.reason}, takes back {record.undoes}"


def change(target: Console, record: Record, since: str | None) -> None:
    """Who, when and why, the difference, what others did *since*, the proof, and what may be done about it now."""
    say(target, joined(words(record.id, STRONG), "  ", _standing(record)))
    rows: list[tuple[str, str]] = [
        ("when", f"{record.at:%Y-%m-%d %H:%M:%S %z}"),
        ("by", record.by),
        ("why", record.reason),
        ("activation", record.activation),
    ]
    if record.undoes:
        rows.append(("takes back", record.undoes))
    if record.note:
        rows.append(("taken back because", record.note))
    pairs(target, rows)
    if record.diff:
        heading(target, "Difference")
        difference(target, record.diff)
    if since:
        heading(target, "Changed by others since")
        difference(target, since)
    if record.proof:
        heading(target, "Proof, as it was then")
        proof_table(target, record.proof)
    if record.state == "trial":
        on_trial(target, record)
    elif record.state in ("kept", "intent") and record.undoes is None:
        target.print()
        say(target, joined("To take it back: ", command(f"mailmend undo {record.id}")))
        if record.state == "intent":
            say(target, joined("To keep what is there: ", command(f"mailmend confirm {record.id}")))


def _standing(record: Record) -> Text:
    """An undo that was kept is not "in force": what it took back is what counts."""
    said = "done" if record.undoes and record.state == "kept" else SAYS[record.state]
    if record.state == "rolled-back" and record.proof is not None and record.proof.holds:
        said = "not confirmed, taken back"
    return words(said, STATE[record.state])


def on_trial(target: Console, record: Record) -> None:
    """The deadline, and both ways on: the last line that is read before it is over."""
    target.print()
    until = f"{record.confirm_by.at:%H:%M:%S}" if record.confirm_by else "its time is over"
    say(target, words(f"{record.id} is on trial: it is taken back at {until}, unless you confirm it.", WARN))
    say(target, joined("To take it back now: ", command("mailmend undo")))
    say(target, joined("To keep it: ", command("mailmend confirm")))
