"""The screen of fix: what was found, the remedy and why this one, its cost, the difference, the proof, the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailmend.road.needed import awaited, needed
from mailmend.ui.screens.checking import findings_list
from mailmend.ui.screens.past import on_trial
from mailmend.ui.screens.proving import proof_table, sent_list
from mailmend.ui.screens.rehearsing import rehearsed
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
    say,
    verbatim,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mailmend.jobs.fix import Fixed
    from mailmend.jobs.prove import Proven
    from mailmend.model import Activation, Effect, Plan, Proposal

ACTIVATION: dict[Activation, str] = {
    "none": "nothing has to be activated",
    "map": "the new table is picked up by itself; nothing is closed",
    "reload": "postfix reload: no port closes, sessions in progress finish",
    "restart": "Postfix is stopped and started: its ports close for about half a second, open sessions are cut",
}
_STRING = 255  # bytes of a string of a TXT record (RFC 1035 3.3)
EFFECT: dict[Effect, tuple[str, str]] = {
    "cures": (GOOD, "cures the fault"),
    "contains": (WARN, "contains the fault: mail flows, the fault itself stays until it is cured"),
}


def planned(target: Console, plan: Plan) -> None:
    """Everything somebody needs to know before saying yes."""
    if plan.findings:
        say(target, words("What was measured", STRONG))
        findings_list(target, plan.findings)
    if plan.chosen:
        _remedy(target, plan.chosen, plan.reason)
        if plan.diff:
            heading(target, "What changes")
            difference(target, plan.diff)
    srs = awaited(plan)
    if srs:
        _needs(target, "The cure of forwarded mail: SRS, which rewrites its envelope. It needs first", srs)
    _records(target, plan)
    _declined(target, [offered for offered in plan.declined if offered is not srs])
    if plan.chosen:
        _not_proposed(target, plan.chosen.remedy)
    if plan.rehearsal:
        rehearsed(target, plan.rehearsal)


def _remedy(target: Console, chosen: Proposal, reason: str) -> None:
    style, effect = EFFECT[chosen.effect]
    heading(target, "The remedy")
    say(target, joined(words(chosen.remedy, f"{STRONG} {NAME}"), " ", words(effect, style)), indent=2)
    target.print()
    rows: list[tuple[str, str | Text]] = [("why", reason)]
    rows += _several("cost", chosen.cost)
    rows.append(("activation", ACTIVATION[chosen.activation]))
    rows += _several(
        "mind", [f"{o.reason}; {o.next_step}" if o.next_step else o.reason for o in chosen.objections]
    )
    pairs(target, rows)


def _several(label: str, texts: Sequence[str]) -> list[tuple[str, str | Text]]:
    """One label for all of them, a dash for each where they are several."""
    dash = "- " if len(texts) > 1 else ""
    return [(label if number == 0 else "", f"{dash}{text}") for number, text in enumerate(texts)]


def missing(target: Console, proposal: Proposal) -> None:
    """What a remedy that was asked for by its name still needs."""
    _needs(target, f"What {proposal.remedy} needs first", proposal)
    target.print()
    say(target, joined(words("Nothing was changed. ", STRONG), "Once that is there, go on:"))
    say(target, command(f"mailmend fix --remedy {proposal.remedy}"), indent=2)


def _needs(target: Console, says: str, proposal: Proposal) -> None:
    """Each with what to type or to publish, in the order in which it is to be done."""
    heading(target, says)
    for number, one in enumerate(needed(proposal), 1):
        say(target, one.reason, indent=2, first=f"{number}. ")
        if one.step:
            say(target, words(one.step, NAME), indent=5)
        for name, kind, data in one.records:
            _record(target, name, kind, data, indent=5)


def _record(target: Console, name: str, kind: str, data: str, *, indent: int) -> None:
    """As a zone file has it (RFC 1035 5.1)."""
    verbatim(target, zone_line(name, kind, data, target.width - indent), indent=indent, style=NAME)


def _records(target: Console, plan: Plan) -> None:
    """Records to publish, each on a line of its own, whole, as a zone file has it."""
    # Beside SRS, they cure what is not forwarded, and what leaves over IPv6.
    beside = awaited(plan) or (plan.chosen and plan.chosen.effect == "cures")
    for offered in plan.pending:
        if not offered.changes:
            continue
        heading(target, "DNS records to publish besides" if beside else "The cure: DNS records to publish")
        for change in offered.changes:
            name, _, kind = change.target.rpartition(" ")
            _record(target, name, kind, change.after or "", indent=2)
            if change.before is not None:
                say(target, words(f"instead of: {change.before}", FAINT), indent=4)
        target.print()
        for note in offered.cost:
            say(target, note, indent=2, first="- ")
        way_back = "" if beside else "; once they are seen it offers the way back to IPv6"
        say(target, f"mailmend status watches for them{way_back}.", indent=2)


def zone_line(name: str, kind: str, data: str, width: int) -> str:
    """The record as a zone file has it (RFC 1035 5.1): its name whole, TXT in quotes; parentheses carry a long one over
    several lines. A text is one in its strings, of which none may have more than 255 bytes (RFC 7208 3.3)."""
    room = len(data) if kind != "TXT" or len(data) <= _STRING else min(_STRING, max(width - 8, 20))
    strings = [data[at : at + room] for at in range(0, len(data), room)]
    if kind == "TXT":
        strings = [f'"{each}"' for each in strings]
    if len(strings) > 1:
        return "\n    ".join([f"{name}. IN {kind} (", *strings]) + " )"
    line = f"{name}. IN {kind} {strings[0]}"
    return line if len(line) <= width else f"{name}. (\n    IN {kind} {strings[0]} )"


def _declined(target: Console, declined: Sequence[Proposal]) -> None:
    if not declined:
        return
    heading(target, "Weighed and not taken")
    reasons: dict[str, list[str]] = {}
    for offered in declined:
        blocking = [o.reason for o in offered.objections if o.blocking]
        told = "; ".join(blocking or [f"works too: {cost}" for cost in offered.cost[:1]])
        reasons.setdefault(told, []).append(offered.remedy)
    for told, remedies in reasons.items():
        say(target, words(", ".join(remedies), STRONG), indent=2)
        say(target, told, indent=4)


def _not_proposed(target: Console, chosen: str) -> None:
    """What is known against bounces over IPv6 and does harm: beside a remedy for those, and not beside others."""
    from mailmend.road.plan import is_by_name
    from mailmend.ui.commands.knowing import not_proposed, remedies

    ways = not_proposed()
    module = remedies().get(chosen)
    if not ways or (module and is_by_name(module)):
        return
    heading(target, "Known, and not proposed")
    for way in ways:
        say(target, words(way["setting"], STRONG), indent=2)
        say(target, way["why"], indent=4)


def ended(target: Console, fixed: Fixed, sent: Proven | None, remedy: str | None = None) -> None:
    """What came of it; the way back stands on the last line. *remedy* is the one that was asked for."""
    if fixed.proof:
        heading(target, "Proof, by fresh looks")
        proof_table(target, fixed.proof)
    if sent:
        heading(target, "The message you asked for")
        sent_list(target, sent.deliveries)
    target.print()
    if fixed.state in ("kept", "trial") and fixed.record and fixed.plan.chosen:
        cure = (
            ""
            if fixed.plan.chosen.effect == "cures"
            else " It contains the fault; the cure is still to come."
        )
        say(
            target,
            joined(
                words("Proven: " if fixed.state == "trial" else "Done and proven: ", f"{STRONG} {GOOD}"),
                f"{fixed.plan.chosen.remedy}.",
                cure,
            ),
        )
        if fixed.plan.pending and not cure:
            say(target, "The DNS records that stand above are still to be published.")
        if fixed.state == "trial":
            on_trial(target, fixed.record)
        else:
            say(target, joined("To take it back: ", command(f"mailmend undo {fixed.record.id}")))
    elif fixed.state == "rolled-back":
        say(target, words("The proof failed, so the change was taken back.", f"{STRONG} {BAD}"))
        say(target, "The files are what they were, byte for byte, and Postfix runs on them.")
    elif fixed.state == "in-place":
        _all_the_same(target, fixed.plan)
        say(target, joined(fixed.reason, ". To take it back: ", command("mailmend undo")))
    elif awaited(fixed.plan):
        say(
            target, joined(words("Nothing was changed. ", STRONG), "What SRS needs stands above; then go on:")
        )
        say(target, command("mailmend fix"), indent=2)
    elif fixed.state == "nothing":
        say(target, joined(words("Nothing was changed: ", STRONG), fixed.reason))
    else:
        again = f"mailmend fix --remedy {remedy}" if remedy else "mailmend fix"
        say(
            target, joined(words("A dry run: nothing was changed. ", STRONG), "To apply it: ", command(again))
        )


def _all_the_same(target: Console, plan: Plan) -> None:
    """What is still measured though the remedy is in place; refusals count until mail was taken for a day."""
    if not plan.findings:
        return
    say(target, words("What is measured all the same", STRONG))
    findings_list(target, plan.findings)
    _records(target, plan)
    target.print()
    if any(found.check == "receiver-log" for found in plan.findings):
        told = "What was refused before the cure is shown until mail was taken for a day. Of the last hour alone: "
        say(target, joined(told, command("mailmend report --since 1h")))
