"""What an operator would change -> the plan of it, made as fix and set make it, to be rehearsed and not applied."""

from __future__ import annotations

from collections.abc import Sequence

from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import ACTIVATIONS, Activation, CannotLook, Change, Plan, Proposal, Refused, Scope
from mailmend.parse import assignment, mastercf
from mailmend.parse.assignment import Assignment
from mailmend.questions import File, Setting
from mailmend.road.edits import compose, config_directory, difference, digest


def of_remedy(here: Here, remedy: str | None, progress: Progress = silent) -> Plan:
    """The plan that `fix` would make now; without *remedy* by what is found. Raises as `fix --dry-run` does."""
    from mailmend.jobs.fix import fix

    return fix(here, Scope(), remedy=remedy, dry_run=True, approve=lambda _: False, progress=progress).plan


def of_assignments(here: Here, texts: Sequence[str]) -> Plan:
    """`NAME=VALUE`... as they are typed -> the plan of them. ParseError and Refused as `parse.assignment` has it."""
    here.require_postfix()
    master = _master(here)
    changes = tuple(_change(assignment.parse(text), here, master) for text in texts)
    files = compose(changes, here.probe)
    chosen = Proposal("set", "contains", changes)
    reason = f"the operator's own choice: {' '.join(texts)}" if files else "it is so already"
    return Plan(chosen, (), files, difference(files), digest("set", changes, files), reason=reason)


def _master(here: Here) -> mastercf.MasterCf:
    path = f"{config_directory(here.probe)}/master.cf"
    seen = here.probe.ask(File(path))
    if seen.answer is None or not seen.answer.exists:
        raise CannotLook(f"{path} cannot be read: {seen.error or 'it is not there'}")
    return mastercf.parse(seen.answer.text)


def _change(wanted: Assignment, here: Here, master: mastercf.MasterCf) -> Change:
    from mailmend import settings

    service = wanted.service or ""
    if service and wanted.kind != "service" and master.service_text(service) is None:
        raise Refused(f"master.cf has no service {service}", "postconf -M lists them")
    if wanted.kind == "setting":
        seen = here.probe.ask(Setting(wanted.name))
        if seen.answer is None:
            raise CannotLook(f"{wanted.name} cannot be read: {seen.error}")
        before = seen.answer.written
    elif wanted.kind == "override":
        before = master.override(service, wanted.name)
    elif wanted.kind == "field":
        before = master.column(service, wanted.name)
    else:
        before = master.service_text(service)
    # A process reads main.cf when it starts: what is read by master(8) alone needs more than a reload.
    activation: Activation = (
        settings.load().of(wanted.name).activation if wanted.kind == "setting" else "reload"
    )
    least = max(activation, "reload", key=ACTIVATIONS.index)
    return Change(wanted.kind, wanted.target, before, wanted.value, least)
