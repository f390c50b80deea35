"""validate: nothing is activated before what is saved was seen to be able to run."""

from __future__ import annotations

from mailmend.facts.obstacles import obstacles, unbindable
from mailmend.jobs.candidate import validate_candidate
from mailmend.model import Probe, Refused

__all__ = ["require_bindable", "validate", "validate_candidate"]

_SHOWN = 3


def validate(probe: Probe) -> None:
    """Raise Refused, in one line, where `postfix check` or looks of our own find what would stop Postfix or mail.

    CannotLook where that cannot be told.
    """
    from mailmend.system import activation

    activation.validate(probe)
    _require(obstacles(probe))


def require_bindable(probe: Probe) -> None:
    """The same for nothing but the sockets that master would end of: what going back must not be tried with."""
    _require(unbindable(probe))


def _require(found: tuple[str, ...]) -> None:
    if found:
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise Refused(
            f"what is saved would not run: {'; '.join(found[:_SHOWN])}{more}",
            "correct it, then run it again: nothing was activated",
        )
