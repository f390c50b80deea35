"""Before anything is changed: Postfix runs, and it runs what is saved."""

from __future__ import annotations

from mailmend.jobs.here import Here
from mailmend.model import Refused
from mailmend.questions import Master


def require_running(here: Here) -> None:
    """An activation would start what somebody may have stopped on purpose."""
    running = here.probe.ask(Master())
    if running.answer is None or running.answer.pid is None:
        raise Refused(running.error or "Postfix is not running", "start it first: nothing was changed")


def require_loaded(here: Here, *, sound: bool = True) -> None:
    """An activation would also bring somebody else's unloaded edit to life, and be blamed for it.

    *sound*: what is saved has to be able to run besides; else it may be what is about to be put right.
    """
    from mailmend.jobs.unloaded import unloaded
    from mailmend.jobs.validate import validate

    if sound:
        validate(here.probe)
    for finding in unloaded(here):
        if finding.standing == "measured":
            raise Refused(finding.summary, "mailmend apply brings what is saved to the running Postfix first")
