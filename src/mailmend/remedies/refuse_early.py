"""Mail that its author's domain wants rejected (DMARC p=reject) is refused while it comes in, not once forwarded.

What is accepted and refused by the next receiver becomes a bounce to somebody who never wrote it. opendmarc judges,
and Postfix refuses by what it says (header_checks(5), milter_header_checks), with a temporary code: where DNS did not
answer, opendmarc says "fail" too (measured with 1.4.2), and who tries again is let in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailmend.facts.case import Case, written
from mailmend.facts.settings import value
from mailmend.model import CannotLook, Change, Effect, Expectation, Objection, Probe, Proposal
from mailmend.parse.listing import words
from mailmend.questions import File, MapTypes
from mailmend.remedies import tag_early

ID = "refuse-early"
HEALS = ("dmarc-reject",)
EFFECT: Effect = "contains"
BY_NAME = True
TABLE = "refused_early"
PARAMETER = "milter_header_checks"
REPLY = "4.7.1 Neither SPF nor DKIM stands for the author, whose domain asks to reject such mail (DMARC)"


def propose(case: Case, probe: Probe) -> Proposal:
    """One table more for what milters say; nothing where it is there.

    What could not be looked at stops this remedy, and no other that is weighed beside it.
    """
    try:
        return _proposal(probe)
    except CannotLook as gap:
        objection = Objection(f"what judges mail here could not be looked up: {gap.reason}", gap.next_step)
        return Proposal(ID, EFFECT, (), objections=(objection,))


def _proposal(probe: Probe) -> Proposal:
    name = value(probe, "myhostname").lower()
    table = f"regexp:{value(probe, 'config_directory')}/{TABLE}"
    said = f"Authentication-Results: {name}; dmarc={{}} (p={{}} dis=none) header.from=sender.example"
    return Proposal(
        ID,
        EFFECT,
        tuple(_changes(name, table, probe)),
        (
            Expectation("saved", "answers", f"{table} {said.format('pass', 'reject')}", "", "what passes is taken"),
            Expectation("saved", "answers", f"{table} {said.format('fail', 'none')}", "", "p=none refuses nothing"),
            Expectation(
                "saved", "answers", f"{table} {said.format('fail', 'reject')}", f"REJECT {REPLY}",
                "what fails and asks for it is refused",
            ),
        ),
        (
            "mail of p=reject domains that neither SPF nor DKIM stands for is answered 451 4.7.1: mailing lists that "
            "break signatures of such authors too",
            "a server that tries again is let in once DNS answers; others keep trying for days, and then tell their "
            "sender themselves",
            "domains that only try such a policy out (t=y, pct below 100) are refused like those that mean it: "
            "opendmarc does not say which they are",
        ),
        tuple(_objections(probe)),
    )  # fmt: skip


def text(name: str) -> str:
    """The regexp_table(5) for what opendmarc says under *name*; what strangers write is not looked at there."""
    return (
        "# What opendmarc found unauthenticated and its author wants rejected, written by mailmend.\n"
        # Behind the name may stand the queue id (opendmarc.conf(5), AuthservIDWithJobID).
        f"/^Authentication-Results: {re.escape(name)}(\\/[^ ;]+)?; dmarc=fail \\(p=reject / REJECT {REPLY}\n"
    )


def _changes(name: str, table: str, probe: Probe) -> Iterator[Change]:
    path = table.partition(":")[2]
    seen = probe.ask(File(path)).answer
    before = seen.text if seen and seen.exists else None
    if before != text(name):
        yield Change("file", path, before, text(name), "reload")
    there = written(probe, PARAMETER)
    if table not in words(there or ""):
        joined = f"{table}, {there.strip()}" if there and there.strip() else table
        yield Change("setting", PARAMETER, there, joined, "reload")


def _objections(probe: Probe) -> Iterator[Objection]:
    types = probe.ask(MapTypes()).answer
    if types is not None and "regexp" not in types:
        yield Objection("this Postfix has no regexp tables", "postconf -m")
    missing = tuple(tag_early.objections_to(probe))
    yield from missing
    if not missing and not tag_early.in_place(probe):
        yield Objection(
            "nothing is tagged yet, so nobody has seen what would be refused",
            "mailmend fix --remedy tag-early, and look for a week at what it calls fail",
        )
