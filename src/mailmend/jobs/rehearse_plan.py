"""What an operator would change -> the plan of it, made as fix and set make it, to be rehearsed and not applied."""

from __future__ import annotations

from collections.abc import Sequence

from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import Plan, Scope
from mailmend.parse import assignment


def of_remedy(here: Here, remedy: str | None, progress: Progress = silent) -> Plan:
    """The plan that `fix` would make now; without *remedy* by what is found. Raises as `fix --dry-run` does."""
    from mailmend.jobs.fix import fix

    return fix(here, Scope(), remedy=remedy, dry_run=True, approve=lambda _: False, progress=progress).plan


def of_assignments(here: Here, texts: Sequence[str]) -> Plan:
    """The plan that `set` would make of `NAME=VALUE`..., objections or not: ParseError and Refused as there."""
    from mailmend.road.setting import asked

    assignments = tuple(map(assignment.parse, texts))
    here.require_postfix()
    return asked(assignments, here.probe).plan
