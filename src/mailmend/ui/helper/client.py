"""Asking the helper: what the console's process may do that needs root, as typed calls.

    helper = connect()
    grant = helper.begin_session(code, "192.0.2.7")
    shown = helper.propose(grant, verbs.Set((verbs.Assign("inet_protocols", "ipv4"),)))
    if shown["step_up"]:
        helper.step_up(grant, shown["digest"], code_that_root_was_shown_for_it)
    done = helper.apply(grant, shown["digest"], on_line)

Every call is a connection of its own, blocks, and may be made from any thread. All raise Refused for what is not done
(`next_step` says what to do), CannotLook where there is no helper or it does not answer, ParseError for an argument
that is outside of the list.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mailmend.model import CannotLook, MailmendError, ParseError, Refused
from mailmend.places import HELPER
from mailmend.ui.helper import counted, verbs
from mailmend.ui.looks import Of

if TYPE_CHECKING:
    from mailmend.jobs.report import Told

_KINDS: dict[str, type[MailmendError]] = {
    "parse": ParseError,
    "cannot-look": CannotLook,
    "refused": Refused,
}
_LONGEST = 64 << 20  # bytes of an answer
_QUICK = 10.0  # seconds for what needs no look at the host
_PATIENT = 300.0  # and for what does: so long the helper may be silent


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was said while a change was made. *at* is RFC 3339, *says* a sentence in plain words.

    *kind* `step`: what is done now; `finding`: what was measured, *shape* as in `fix/1`; `proof`: what was looked at
    afresh, *shape* as in `fix/1`. *shape* is None for a step.
    """

    kind: Literal["step", "finding", "proof"]
    at: str
    says: str
    shape: dict[str, Any] | None = None


OnLine = Callable[[Line], None]


def _unheard(_: Line) -> None:
    """For nobody."""


@dataclass(frozen=True, slots=True)
class Helper:
    """The helper that is asked at the Unix socket *path*."""

    path: Path

    # ---- sessions

    def begin_session(self, code: str, source: str) -> str:
        """The grant of a new session for a login code; *source*: the address it was typed at, or `unix`.

        A code for a change begins no session. Refused where the code is none, was used, is too old, or *source* has
        typed too many wrong ones (then the reason says how long to wait).
        """
        grant: str = self._ask(verbs.Login(code, source), _QUICK)["grant"]
        return grant

    def begin_session_as(self, user: str, password: str, source: str) -> str:
        """The grant of a new session for the account *user* of that host, by its *password*; *source* as above.

        It takes seconds where the password is wrong. Refused, with one reason for all of it, where PAM does not let
        that account in, or it is neither root nor of the group that the helper was given.
        """
        grant: str = self._ask(verbs.LoginByPassword(user, password, source), _PATIENT)["grant"]
        return grant

    def require_session(self, grant: str) -> None:
        """Refused where the session is over: 15 minutes without `keep_session`, or 12 hours."""
        self._ask(verbs.Require(grant), _QUICK)

    def keep_session(self, grant: str) -> None:
        """A person is there. Refused where the session is over."""
        self._ask(verbs.Keep(grant), _QUICK)

    def end_session(self, grant: str) -> None:
        """Log out: nothing more is done for *grant*, and what it had proposed is forgotten."""
        self._ask(verbs.Logout(grant), _QUICK)

    # ---- changes

    def propose(self, grant: str, proposal: verbs.AnyProposal) -> dict[str, Any]:
        """What *proposal* would do; nothing is changed, and the helper remembers it by its digest for ten minutes.

        {"schema": "mailmend.proposal/1", "what": "fix"|"set"|"undo"|"hold-on"|"hold-off"|"activate",
         "digest": str|None,      None: there is nothing to do, and `document` says why
         "diff": str,             the unified difference, "" where no file changes
         "activation": "none"|"map"|"reload"|"restart",
         "step_up": bool,         `apply` asks for a code first (`mailmend web --code`, as root on the host)
         "not_from_a_page": None | {"reason", "next_step"},   `apply` refuses it, whatever code comes
         "document": {...}}       fix/1, set/1, hold/1 or apply/1 as `--dry-run --json` has them; for an undo
                                  {"record", "files"}

        The newest proposal of a session that asks for a code is the one that `mailmend web --code` shows; codes and
        approvals for an older one are over then.
        """
        return self._ask(verbs.Propose(grant, proposal), _PATIENT)

    def propose_fix(
        self, grant: str, *, remedy: str | None = None, receiver: str | None = None
    ) -> dict[str, Any]:
        """The narrowest remedy for what was measured, or *remedy*; for *receiver*, or whom the log shows."""
        return self.propose(grant, verbs.Fix(remedy, receiver))

    def propose_set(self, grant: str, settings: dict[str, str | None]) -> dict[str, Any]:
        """Settings by the names that `mailmend set` takes; None takes one out, so that its default applies."""
        return self.propose(grant, verbs.Set(tuple(verbs.Assign(*pair) for pair in settings.items())))

    def propose_undo(self, grant: str, change: str) -> dict[str, Any]:
        """The entry *change* of the history, taken back. Refused for what was begun on a terminal."""
        return self.propose(grant, verbs.Undo(change))

    def propose_hold(
        self,
        grant: str,
        on: bool,
        *,
        causes: tuple[str, ...] = (),
        hours: int | None = None,
        limit: int = 1000,
    ) -> dict[str, Any]:
        """Refused mail waits from now on, or (not *on*) no longer."""
        return self.propose(grant, verbs.HoldOn(causes, hours, limit) if on else verbs.HoldOff())

    def propose_activation(self, grant: str) -> dict[str, Any]:
        """What is saved comes to the running server, whoever saved it. It always asks for a code."""
        return self.propose(grant, verbs.Activate())

    def step_up(self, grant: str, digest: str, code: str) -> None:
        """*code* approves *digest* for one `apply` of this session within minutes.

        Refused for a code that is for another plan, another session or a login, was used, or is too old; and for a
        digest that is not the newest which asks for a code.
        """
        self._ask(verbs.StepUp(grant, digest, code), _QUICK)

    def apply(self, grant: str, digest: str, on_line: OnLine = _unheard) -> dict[str, Any]:
        """Do what was proposed by *digest*, each line told to *on_line* as it comes; its document at the end.

        The document is what the command's `--json` has: fix/1, set/1, undo/1, hold/1, apply/1; a change that failed
        its proof has `state` `rolled-back` in it, one that waits for `confirm` `trial`.
        Refused, with nothing done: not proposed in this session, the host has changed since, a code is missing,
        another change is under way. Where this connection is lost the change goes on: `status` and `follow` tell.
        """
        return self._ask(verbs.Apply(grant, digest), _PATIENT, on_line)

    def confirm(self, grant: str, change: str) -> dict[str, Any]:
        """The change on trial stays: confirm/1. Refused for what was begun on a terminal."""
        return self._ask(verbs.Confirm(grant, change), _PATIENT)

    def undo(self, grant: str, digest: str, on_line: OnLine = _unheard) -> dict[str, Any]:
        """`apply` of what `propose_undo` showed."""
        return self.apply(grant, digest, on_line)

    def hold(self, grant: str, digest: str, on_line: OnLine = _unheard) -> dict[str, Any]:
        """`apply` of what `propose_hold` showed."""
        return self.apply(grant, digest, on_line)

    # ---- what goes on

    def status(self, grant: str) -> dict[str, Any]:
        """Where a page stands that lost its connection, or was loaded anew.

        {"schema": "mailmend.acts/1", "under_way": ACT|None, "last": [ACT, ...]}      the newest first, five at most
        ACT = {"id", "what" (as proposed, or "confirm"), "digest", "by": "console:SESSION@SOURCE", "began": RFC 3339,
               "lines": [{"kind", "at", "says", "shape"}, ...],
               "ended": None | "done" | "refused" | "interrupted",
               "document": {...}|None,                    of a done one, as `apply` returns it
               "error": None | {"kind", "reason", "next_step"},
               "change": None | {"id", "state", "note"}}  the history's entry as it is now

        `interrupted`: its process died. What it had begun is taken back by the guard outside of it; `change` tells.
        """
        return self._ask(verbs.Status(grant), _QUICK)

    def follow(self, grant: str, on_line: OnLine = _unheard) -> dict[str, Any]:
        """All lines of what is under way, from its first to its last, and its document: `apply` for a late-comer."""
        return self._ask(verbs.Follow(grant), _PATIENT, on_line)

    def look(self, grant: str, of: Of, change: str | None = None) -> dict[str, Any]:
        """status/1, check/1, history/1 as root sees them; `entry`: history/1 with the entry *change* alone.

        Two at once; others wait for these. Raises as the command does.
        """
        return self._ask(verbs.Look(grant, of, change), _PATIENT)

    def trace(self, grant: str, what: str) -> dict[str, Any]:
        """trace/1 of a queue id, a Message-ID or an address. Two at once, half a minute each; else Refused."""
        return self._ask(verbs.Trace(grant, what), _PATIENT)

    def report(self, grant: str, days: int, on_line: OnLine = _unheard) -> Told:
        """What the last *days* (1 to `verbs.REPORTED`) of the log come to, as root reads it; its steps to *on_line*.

        From the delivery store where that knows as much. Of a log, two minutes' reading: else CannotLook.
        """
        return counted.read(self._ask(verbs.Report(grant, days), _PATIENT, on_line))

    # ---- for root on a terminal

    def login_code(self) -> str:
        """A code that begins one session. Refused for who is not root, as the next two."""
        code: str = self._ask(verbs.LoginCode(), _QUICK)["code"]
        return code

    def waiting(self) -> list[dict[str, Any]]:
        """What waits for a code, the newest first: {"session", "source", "digest", "since", "proposal": {...}}."""
        found: list[dict[str, Any]] = self._ask(verbs.Waiting(), _QUICK)["waiting"]
        return found

    def approval_code(self, session: str, digest: str) -> str:
        """A code for `step_up` with *digest* in *session*. Refused where that does not wait any more."""
        code: str = self._ask(verbs.ApprovalCode(session, digest), _QUICK)["code"]
        return code

    def _ask(self, verb: verbs.Any_, seconds: float, on_line: OnLine = _unheard) -> dict[str, Any]:
        request = verbs.encode(verb)
        verbs.decode(request[:-1])  # msgspec looks at bounds only there
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(seconds)
                connection.connect(str(self.path))
                # Refused before it was read, the answer is there all the same.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(request)
                with connection.makefile("rb") as lines:
                    while line := lines.readline(_LONGEST):
                        if (answer := _read(json.loads(line), on_line)) is not None:
                            return answer
        except (OSError, ValueError, KeyError, msgspec.ValidationError) as failure:
            raise CannotLook(
                f"the helper does not answer at {self.path}: {failure}", "systemctl status mailmend-helper"
            ) from None
        raise CannotLook(
            "the helper ended before its answer", "mailmend status, on the host, says where things stand"
        )


def connect(path: Path = HELPER) -> Helper:
    """The helper that listens at *path*. CannotLook where none does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_QUICK)
            connection.connect(str(path))
    except OSError as failure:
        raise CannotLook(
            f"no helper answers at {path}: {failure.strerror or failure}", "systemctl status mailmend-helper"
        ) from None
    return Helper(path)


def _read(told: Any, on_line: OnLine) -> dict[str, Any] | None:
    """The answer, once it is there; raises the error that was told, ValueError where it is no line of ours."""
    if not isinstance(told, dict):
        raise ValueError("it speaks otherwise")
    if "done" in told:
        answer: dict[str, Any] = told["done"]
        return answer
    if "error" in told:
        error = told["error"]
        raise _KINDS.get(error["kind"], MailmendError)(error["reason"], error["next_step"])
    on_line(msgspec.convert(told, Line))
    return None
