"""check forwarding: every address that this host sends on, and in what state that mail leaves; read-only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mailmend.facts.forward_passage import Doors, Passage, doors, passages
from mailmend.facts.forwarding import envelope_rewriter
from mailmend.facts.forwards import Forwards, forwards
from mailmend.facts.senders import left
from mailmend.jobs.here import Here, Progress, silent
from mailmend.questions import RecentDeliveries


@dataclass(frozen=True, slots=True)
class Seen:
    """*passages*: the most frequent targets first; *beyond*: how many domains more were not looked at.

    *unexplained*: domains to which the log shows forwarded mail and no table does, with how much; None: no log.
    """

    forwards: Forwards
    passages: tuple[Passage, ...]
    beyond: int
    doors: Doors
    unexplained: tuple[tuple[str, int], ...] | None

    @property
    def wrong(self) -> bool:
        """Whether forwarded mail leaves in a state that receivers refuse, or comes back here."""
        return any(
            each.loops or each.rewritten is False or each.returns is False for each in self.passages
        ) or (bool(self.passages and self.doors.alters))

    @property
    def blind(self) -> bool:
        """Whether nothing is wrong and something could not be looked at."""
        failed = self.forwards.unread or self.doors.error or any(each.error for each in self.passages)
        return not self.wrong and bool(failed)


def look(here: Here, progress: Progress = silent) -> Seen:
    """Raises CannotLook where there is no Postfix, or its settings cannot be read."""
    here.require_postfix()
    progress("reading every table of forwards")
    found = forwards(here.probe)
    progress("asking how this mail leaves")
    told, beyond = passages(found.found, here.probe)
    return Seen(found, told, beyond, doors(here.probe), _unexplained(found, here))


def _unexplained(found: Forwards, here: Here) -> tuple[tuple[str, int], ...] | None:
    """orig_to= of the log: what sends on without a table that could be read (a script, a setting since removed)."""
    log = here.probe.ask(RecentDeliveries()).answer
    if log is None:
        return None
    comes_back = bool(envelope_rewriter(here.probe))
    targets = {each.target.rpartition("@")[2].lower() for each in found.found}
    logged: Counter[str] = Counter()
    for each in log.counts:
        # A notice to a rewritten address goes on to the original sender: nobody's forward.
        if comes_back and each.senders == ("",):
            continue
        if left(each) and each.forwarded and each.recipient_domain.lower() not in targets:
            logged[each.recipient_domain.lower()] += each.forwarded
    return tuple(logged.most_common())
