"""A plan becomes what runs, proven by fresh looks, or is taken back: the one way for every command."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mailmend.jobs.candidate import validate_candidate
from mailmend.jobs.here import Here, Progress, operator, silent
from mailmend.jobs.ready import require_loaded
from mailmend.model import Activation, Expectation, FileEdit, Plan, Proof
from mailmend.questions import LogLines, Master, Now
from mailmend.road import tiers, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mailmend.system.transaction import Applied

# A process's start is known to a hundredth of a second; an activation is never quicker than that.
_BEFORE = timedelta(milliseconds=100)
TRIAL = timedelta(seconds=120)


def carry_out(
    here: Here,
    plan: Plan,
    *,
    reason: str,
    trial: timedelta | None = TRIAL,
    typed: frozenset[str] = frozenset(),
    also: Callable[[datetime, bool], tuple[Expectation, ...]] | None = None,
    progress: Progress = silent,
) -> Applied:
    """Apply *plan* (its `chosen` and `files`), activate it, prove it; what fails is put back and proven again.

    *trial*: how long a change to listeners, TLS or relaying waits for `confirm` once its proof holds; None
    keeps it at once. *typed* are the settings whose very names the operator typed (tier R is open to nothing else).
    *also* gives more to prove: it is called with the time of the change and whether the log can be read.
    Raises as `transaction.apply` does; a result whose `rolled_back` is true left the old state in force.
    """
    from mailmend.system import transaction
    from mailmend.system.history import History

    assert plan.chosen is not None  # noqa: S101  (the caller has looked)
    tiers.require(plan.files, typed)
    here.require_activation(plan.activation, plan.files)
    since = here.probe.ask(Now()).at - _BEFORE
    log = here.probe.ask(LogLines(since)).known
    expectations = (
        *plan.chosen.expectations,
        *verify.running(plan.activation, since, log=log),
        *verify.untouched_listeners(plan, here.probe),
        *(also(since, log) if also else ()),
    )
    old = verify.listeners_as_they_are(here.probe)
    running = here.probe.ask(Master()).answer

    def activate(kind: Activation) -> None:
        progress(f"activating: {kind}")
        here.activate(kind, plan.files)

    def prove() -> Proof:
        progress("proving")
        return fresh(here, expectations, "after")

    def validate(edits: tuple[FileEdit, ...]) -> None:
        # A person may have thought for long, and somebody else edited meanwhile.
        here.probe.begin("changing")
        require_loaded(here, sound=False)
        # What could not be tried on a copy is still proven on the server itself, and taken back there.
        if unseen := validate_candidate(here, edits, progress):
            progress(f"not tried on a copy: {unseen}")

    return transaction.apply(
        plan,
        validate=validate,
        activate=activate,
        prove=prove,
        prove_old=lambda: fresh(here, old, "undone"),
        history=History(here.state),
        by=operator(),
        reason=reason,
        expectations=expectations,
        pending=tuple(e for p in plan.pending for e in p.expectations),
        old=old,
        ran=running is not None and running.pid is not None,
        config_directory=here.config_directory,
        confirm_within=trial if tiers.needs_confirmation(plan.files) else None,
        guard=here.guard(),
    )


def fresh(here: Here, expectations: tuple[Expectation, ...], epoch: str) -> Proof:
    """*expectations* held against looks that are made now."""
    here.probe.begin(epoch)
    return verify.verify(expectations, here.probe)
