"""A verb -> the same job that the command line runs, and its document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import singledispatchmethod
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.jobs.here import Here, Progress, acting_for, here
from mailmend.model import FileEdit, Plan, Refused, Scope
from mailmend.parse import assignment
from mailmend.places import STATE
from mailmend.ui import show
from mailmend.ui.helper import verbs
from mailmend.ui.helper.allowed import needs_step_up, require_ours, require_plain_names
from mailmend.ui.helper.sessions import Sessions
from mailmend.ui.show import Shape, document, holds, traces

if TYPE_CHECKING:
    from mailmend.jobs.fix import Fixed
    from mailmend.jobs.set import Done

BY = "console"


@dataclass(frozen=True, slots=True)
class Acting:
    """*config_directory* is the instance's, None for the default one. Every verb looks at the host afresh."""

    sessions: Sessions = field(default_factory=Sessions)
    config_directory: str | None = None
    state: Path = STATE

    def act(self, verb: verbs.Any_, progress: Progress, *, root: bool) -> Shape:
        """The document of *verb*, asked for by a process of root or (not *root*) of the page's user.

        Raises Refused for what needs root, a session or a code and has none; else what the job raises.
        """
        if verb.asks_root:
            if not root:
                raise Refused("only root is shown a code", "run mailmend web --code as root")
        elif not isinstance(verb, (verbs.Login, verbs.Logout)):
            self.sessions.require(verb.grant)  # type: ignore[union-attr]  # all others have one
        with acting_for(BY):
            return self._do(verb, progress)

    def _here(self) -> Here:
        return here(self.config_directory, self.state)

    @singledispatchmethod
    def _do(self, verb: verbs.Any_, progress: Progress) -> Shape:
        raise NotImplementedError(type(verb).__name__)

    @_do.register
    def _(self, _verb: verbs.NewCode, _progress: Progress) -> Shape:
        return document("code", {"code": self.sessions.new_code()})

    @_do.register
    def _(self, verb: verbs.Login, _progress: Progress) -> Shape:
        return document("session", {"grant": self.sessions.login(verb.code, verb.source)})

    @_do.register
    def _(self, verb: verbs.Logout, _progress: Progress) -> Shape:
        self.sessions.end(verb.grant)
        return document("session", {"grant": None})

    @_do.register
    def _(self, verb: verbs.Keep, _progress: Progress) -> Shape:
        self.sessions.keep(verb.grant)
        return document("session", {"grant": verb.grant})

    @_do.register
    def _(self, verb: verbs.ProposeFix, progress: Progress) -> Shape:
        return self._proposed(self._fix(verb, None, progress))

    @_do.register
    def _(self, verb: verbs.ProposeSet, progress: Progress) -> Shape:
        return self._proposed(self._set(verb, None, progress))

    @_do.register
    def _(self, verb: verbs.Apply, progress: Progress) -> Shape:
        def approve(plan: Plan) -> bool:
            if plan.digest != verb.digest:
                raise Refused("this is not what was shown: the host has changed since", "look at it again")
            self.sessions.require(verb.grant)  # planning took its time
            if needs_step_up(plan.files, self._here().probe):
                self.sessions.step_up(verb.code, verb.grant)
            return True

        if isinstance(verb.proposal, verbs.ProposeFix):
            return show.fixed(self._fix(verb.proposal, approve, progress))
        return show.was_set(self._set(verb.proposal, approve, progress))

    @_do.register
    def _(self, verb: verbs.Activate, progress: Progress) -> Shape:
        from mailmend.jobs.apply import apply

        # What somebody saved may be anything: it is not looked into, so it always asks for a code.
        self.sessions.step_up(verb.code, verb.grant)
        return show.applied(apply(self._here(), progress=progress))

    @_do.register
    def _(self, verb: verbs.Confirm, _progress: Progress) -> Shape:
        from mailmend.jobs.confirm import confirm
        from mailmend.system.history import History

        record = History(self.state).get(verb.change)
        require_ours(record, BY)
        if record.state == "intent":
            # Others edited it meanwhile: somebody has to look at the files.
            raise Refused(f"{record.id} was interrupted", f"mailmend confirm {record.id}")
        return document("confirm", {"record": show.record(confirm(self._here(), verb.change))})

    @_do.register
    def _(self, verb: verbs.Undo, progress: Progress) -> Shape:
        from mailmend.jobs.undo import undo
        from mailmend.system.history import History

        require_ours(History(self.state).get(verb.change), BY)
        here = self._here()

        def approve(files: tuple[FileEdit, ...]) -> None:
            # What would really be written, which others' edits since are part of.
            if needs_step_up(files, here.probe):
                self.sessions.step_up(verb.code, verb.grant)

        return show.undone(undo(here, verb.change, approve=approve, progress=progress))

    @_do.register
    def _(self, verb: verbs.HoldOn, progress: Progress) -> Shape:
        from mailmend.jobs.hold import on

        def approve(plan: Plan) -> bool:
            if needs_step_up(plan.files, self._here().probe):
                raise Refused("this host's hold is not begun from a page", "mailmend hold on")
            return True

        length = timedelta(hours=verb.hours) if verb.hours else None
        return holds.switched(
            on(
                self._here(),
                causes=verb.causes,
                length=length,
                limit=verb.limit,
                approve=approve,
                progress=progress,
            )
        )

    @_do.register
    def _(self, _verb: verbs.HoldOff, progress: Progress) -> Shape:
        from mailmend.jobs.hold import look, off

        here = self._here()
        begun = look(here, queue=False).record
        if begun is not None:
            require_ours(begun, BY)
        return holds.switched(off(here, progress=progress))

    @_do.register
    def _(self, verb: verbs.Trace, _progress: Progress) -> Shape:
        from mailmend.jobs.trace import trace

        return traces.trace(trace(verb.what, self._here()))

    def _fix(
        self, verb: verbs.ProposeFix, approve: Callable[[Plan], bool] | None, progress: Progress
    ) -> Fixed:
        """Without *approve* a dry run."""
        from mailmend.jobs.fix import fix

        return fix(
            self._here(),
            Scope(receiver=verb.receiver),
            remedy=verb.remedy,
            dry_run=approve is None,
            approve=approve or _nothing,
            progress=progress,
        )

    def _set(
        self, verb: verbs.ProposeSet, approve: Callable[[Plan], bool] | None, progress: Progress
    ) -> Done:
        from mailmend.jobs.set import set_

        wanted = tuple(
            assignment.removal(a.name) if a.value is None else assignment.parse(f"{a.name}={a.value}")
            for a in verb.assignments
        )
        require_plain_names(wanted)

        def agreed(done: Done) -> bool:
            return approve is not None and approve(done.plan)

        return set_(self._here(), wanted, dry_run=approve is None, approve=agreed, progress=progress)

    def _proposed(self, done: Fixed | Done) -> Shape:
        """A dry run's document, with what applying it from a page would ask for."""
        told = show.was_set(done) if hasattr(done, "subjects") else show.fixed(done)  # type: ignore[arg-type]
        refused = None
        step_up = False
        try:
            step_up = needs_step_up(done.plan.files, self._here().probe)
        except Refused as error:
            refused = {"reason": error.reason, "next_step": error.next_step}
        return {**told, "step_up": step_up, "not_from_a_page": refused}


def _nothing(_plan: Plan) -> bool:
    return False
