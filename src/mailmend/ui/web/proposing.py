"""A wish -> what it would change, shown; the same by its digest -> begun, and followed by whoever looks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse, Response

from mailmend.model import CannotLook, MailmendError, Refused
from mailmend.ui.show import Shape

if TYPE_CHECKING:
    from mailmend.ui.helper.client import Helper, Line
    from mailmend.ui.helper.verbs import AnyProposal
    from mailmend.ui.web.endpoint import Asked

_MOST = 40
_BEGINS = 20.0  # seconds until the first word of a change, at most
_COMMANDS = {
    "fix": "mailmend fix",
    "undo": "mailmend undo",
    "hold-on": "mailmend hold on",
    "hold-off": "mailmend hold off",
    "activate": "mailmend apply",
}


@dataclass(slots=True)
class Shown:
    """The proposals that were shown, by session and digest: the helper has the same, and its word counts."""

    _kept: OrderedDict[tuple[str, str], Shape] = field(default_factory=OrderedDict)

    def keep(self, grant: str, shown: Shape) -> None:
        self._kept[grant, shown["digest"]] = shown
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def find(self, grant: str, digest: str) -> Shape:
        """Refused where it was not shown in this session, or too long ago."""
        shown = self._kept.get((grant, digest))
        if shown is None:
            raise Refused("this was not proposed in this session, or too long ago", "look at it again")
        return shown


def in_a_terminal(proposal: AnyProposal) -> str:
    """The command that does the same, for where a page may not."""
    import shlex

    from mailmend.ui.helper import verbs

    match proposal:
        case verbs.Set():
            words = [a.name if a.value is None else f"{a.name}={a.value}" for a in proposal.assignments]
            return shlex.join(["mailmend", "set", *words])
        case verbs.Fix() if proposal.remedy:
            return shlex.join(["mailmend", "fix", "--remedy", proposal.remedy])
        case verbs.Undo():
            return shlex.join(["mailmend", "undo", proposal.change])
    return _COMMANDS[str(type(proposal).__struct_config__.tag)]


async def propose(asked: Asked[Any], proposal: AnyProposal) -> Response:
    """To the page that shows what *proposal* would change; nothing is changed.

    Raises Refused, with the command to use, where the console only reads, and as `Helper.propose`.
    """
    helper = asked.console.asks
    if helper is None:
        raise Refused("this console only reads", f"as root, in a terminal: {in_a_terminal(proposal)}")
    shown = await asked.console.run(helper.propose, asked.person.grant, proposal)
    shown["command"] = in_a_terminal(proposal)
    if shown["digest"] is None:
        return asked.page("proposal.html", shown=shown)
    asked.console.shown.keep(asked.person.grant, shown)
    return RedirectResponse(f"/proposal/{shown['digest']}", 303)


def begin(helper: Helper, grant: str, digest: str) -> None:
    """What was proposed by *digest* is under way when this returns. Raises what refused it before it began."""
    told = threading.Event()
    lines: list[Line] = []
    failures: list[MailmendError] = []

    def heard(line: Line) -> None:
        lines.append(line)
        told.set()

    def work() -> None:
        try:
            helper.apply(grant, digest, heard)
        except MailmendError as failure:
            failures.append(failure)
        except Exception as failure:
            failures.append(
                CannotLook(f"it is not known whether it began: {failure}", "mailmend status tells")
            )
            raise
        finally:
            told.set()

    threading.Thread(target=work, daemon=True, name="apply").start()
    if not told.wait(_BEGINS):
        raise CannotLook(
            "it is not known whether it began: no word came yet", "Changes tells what is under way"
        )
    if failures and not lines:
        raise failures[0]
