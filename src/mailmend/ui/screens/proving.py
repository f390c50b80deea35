"""The screens of proof: each expectation held against a fresh look, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    mark,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.jobs.apply import Applied
    from mailmend.jobs.prove import Proven
    from mailmend.jobs.undo import Undone
    from mailmend.model import Delivery, Proof, Record

# The layers of a proof, in the order in which a change takes hold.
LAYERS = ("saved", "running", "client", "delivery", "dns")
DONE = {"none": "nothing had to be done", "map": "a table was renewed", "reload": "reloaded",
        "restart": "stopped and started"}  # fmt: skip


def proof_table(target: Console, proof: Proof) -> None:
    """✓ ✗ … ? with what must hold and what was seen."""
    rows: list[tuple[str | Text, ...]] = []
    last = ""
    for judged in sorted(proof.judgements, key=lambda j: LAYERS.index(j.expectation.layer)):
        layer = judged.expectation.layer
        seen = words(f"  {judged.says}", FAINT) if judged.says else ""
        rows.append(
            (
                mark(target, judged.verdict),
                layer if layer != last else "",
                joined(judged.expectation.says, seen),
            )
        )
        last = layer
    columns(target, rows)


def sent_list(target: Console, deliveries: Sequence[Delivery]) -> None:
    """What became of the message; nothing yet is said as that."""
    if not deliveries:
        say(target, "no outcome was logged in time; the log will tell", indent=2)
    for one in deliveries:
        fine = one.severity == "delivered"
        relay = one.relay.host or one.relay.ip if one.relay else None
        told: list[str | Text] = [words(one.severity, GOOD if fine else BAD), f" to {one.recipient}"]
        if relay:
            told.append(f" by {relay}")
        if one.reply:
            told.append(f": {one.reply.text}")
        sign = joined(mark(target, "fine" if fine else "problem"), " ")
        say(target, joined(*told), indent=2, first=sign)


def proven(target: Console, result: Proven) -> None:
    record = result.record
    holds = result.proof.holds
    what = (
        f"{record.remedy or record.id}, changed {record.at:%Y-%m-%d %H:%M}"
        if record
        else "the running server"
    )
    told = "holds" if holds else "does not hold"
    say(target, joined(words(f"{what}: ", STRONG), words(told, f"{STRONG} {GOOD if holds else BAD}")))
    if record is None:
        say(target, "mailmend has changed nothing here yet.")
    target.print()
    proof_table(target, result.proof)
    if result.deliveries:
        heading(target, "The message sent")
        sent_list(target, result.deliveries)
        say(target, "It proves the way of this message only: a forward has another sender.", indent=2)
    if record:
        target.print()
        say(target, joined("To take it back: ", command(f"mailmend undo {record.id}")))


def applied(target: Console, result: Applied) -> None:
    say(target, words(f"Postfix: {DONE[result.activation]}", STRONG))
    if result.findings:
        heading(target, "What was found before")
        findings_list(target, result.findings)
    if result.proof:
        heading(target, "Proof, by fresh looks")
        proof_table(target, result.proof)
    elif not result.findings:
        say(target, "What runs is what is saved.")


def undone(target: Console, result: Undone) -> None:
    record = result.record
    name = f"{record.id}{f' ({record.remedy})' if record.remedy and record.remedy not in record.id else ''}"
    if result.already:
        say(target, f"{name} was taken back before; nothing was changed.")
        return
    if not record.files:
        say(target, words(f"{name} is no longer watched.", STRONG))
        return
    same = "byte for byte what they were before it" if result.identical else "without what it changed"
    say(target, joined(words(f"{name} is taken back. ", STRONG), f"The files are {same}."))
    if result.says:
        say(target, words(f"{result.says}.", WARN))
    if result.proof:
        heading(target, "Proof, by fresh looks")
        proof_table(target, result.proof)


def confirmed(target: Console, record: Record) -> None:
    say(target, joined(words("Kept: ", f"{STRONG} {GOOD}"), record.id))
    say(target, joined("To take it back: ", command(f"mailmend undo {record.id}")))
