"""A verb -> who may ask it, and what answers it: from memory at once, or by a process of its own, line by line."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from mailmend.model import CannotLook, Refused
from mailmend.places import STATE
from mailmend.ui.encode import printable
from mailmend.ui.helper import verbs, working
from mailmend.ui.helper.acts import Acts, start
from mailmend.ui.helper.sessions import APPROVAL_LASTS, CODE_LASTS, Proposed, Sessions, Who
from mailmend.ui.show import document

TRACES, TRACE_LASTS = 2, 30.0  # at once, and seconds each
REPORT_LASTS = 120.0  # seconds; one at a time reads the log
_LOOKS, _LOOK_LASTS = (
    2,
    120.0,
)  # the same for proposals, and for what is only looked at; these wait for each other
_PASSWORDS, _PASSWORD_LASTS = 2, 30.0  # at once, and seconds each: modules of PAM sleep, and may hang
_PART = 1 << 16
_LONGEST = 32 << 20  # bytes that a process may answer


class Gone(Exception):
    """Who asked is not there any more."""


# Takes one line; raises Gone. b"" asks only whether anybody is there.
Say = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Acting:
    """*config_directory* is the instance's, None for the default one. Every verb looks at the host afresh.

    *group*: root, and who is in it, may log in with a password; None: nobody may.
    """

    sessions: Sessions = field(default_factory=Sessions)
    config_directory: str | None = None
    state: Path = STATE
    group: str | None = None
    acts: Acts = field(init=False)
    _traces: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(TRACES))
    _proposals: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_LOOKS))
    _looks: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_LOOKS))
    _reports: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))

    _passwords: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_PASSWORDS))

    def __post_init__(self) -> None:
        object.__setattr__(self, "acts", Acts(self.state))

    def act(self, verb: verbs.Any_, say: Say, *, root: bool) -> None:
        """Every line of the answer to *verb*, asked for by a process of root or (not *root*) of the page's user.

        Raises Refused for what needs root, a session or a code and has none; Gone where nobody listens any more:
        what only looks is ended then, a change goes on.
        """
        if verb.asks_root and not root:
            raise Refused("only root is shown a code", "run mailmend web --code as root")
        match verb:
            case verbs.Propose():
                self._propose(verb, say)
            case verbs.Apply():
                self._apply(verb, say)
            case verbs.Confirm():
                who = self.sessions.require(verb.grant)
                job = working.Confirm(str(who), self.config_directory, str(self.state), verb.change)
                self._told(self.acts.begin(job, "confirm"), say)
            case verbs.Follow():
                self.sessions.require(verb.grant)
                journal = self.acts.under_way()
                if journal is None:
                    raise Refused("nothing is under way", "status tells how the last one ended")
                self._told(journal, say)
            case verbs.Look():
                self._look(verb, say)
            case verbs.Trace():
                self._trace(verb, say)
            case verbs.Report():
                self._report(verb, say)
            case verbs.LoginByPassword():
                say(_line({"done": document("session", {"grant": self._login_as(verb, say)})}))
            case _:
                say(_line({"done": self._at_once(verb)}))

    def _at_once(self, verb: verbs.Any_) -> Mapping[str, Any]:
        known = self.sessions
        match verb:
            case verbs.LoginCode():
                return document("code", {"code": known.login_code(), "lasts": CODE_LASTS})
            case verbs.ApprovalCode():
                code = known.approval_code(verb.session, verb.digest)
                return document("code", {"code": code, "lasts": APPROVAL_LASTS})
            case verbs.Waiting():
                return document("waiting", {"waiting": [_waits(*each) for each in known.waiting()]})
            case verbs.Login():
                return document("session", {"grant": self._login(verb)})
            case verbs.Logout():
                known.end(verb.grant)
            case verbs.Require():
                known.require(verb.grant)
            case verbs.Keep():
                known.keep(verb.grant)
            case verbs.StepUp():
                known.step_up(verb.grant, verb.digest, verb.code)
            case verbs.Status():
                known.require(verb.grant)
                return self.acts.status()
            case _:
                raise NotImplementedError(type(verb).__name__)
        return document("session", {"grant": None if isinstance(verb, verbs.Logout) else verb.grant})

    def _login(self, verb: verbs.Login) -> str:
        try:
            grant = self.sessions.login(verb.code, verb.source)
        except Refused:
            _note(f"no session for {verb.source}")
            raise
        _note(f"a session for {self.sessions.require(grant)}")
        return grant

    def _login_as(self, verb: verbs.LoginByPassword, say: Say) -> str:
        group = self.group
        if group is None:
            raise Refused(
                "nobody logs in with a password here",
                "mailmend web --code, as root on the host, shows a code",
            )

        def accepts() -> str | None:
            job = working.Password(
                f"{verb.user} at {verb.source}",
                self.config_directory,
                str(self.state),
                verb.user,
                verb.password,
                verb.source,
                group,
            )
            try:
                with _one_of(self._passwords, 0.0):
                    told = json.loads(_answered(job, _PASSWORD_LASTS, say))
            except CannotLook as gap:
                _note(f"no session for {verb.user} at {verb.source}: PAM: {gap.reason}")
                raise Refused(
                    "that password could not be checked", "mailmend web --code shows a code to root"
                ) from None
            if "done" in told:
                return str(told["done"]["user"])
            # Why is root's business: whoever guesses is told the same whatever was wrong.
            _note(f"no session for {verb.user} at {verb.source}: {printable(told['error']['reason'])}")
            return None

        grant = self.sessions.login_as(verb.user, verb.source, accepts)
        _note(f"a session for {self.sessions.require(grant)}")
        return grant

    def _propose(self, verb: verbs.Propose, say: Say) -> None:
        who = self.sessions.require(verb.grant)
        job = working.Propose(str(who), self.config_directory, str(self.state), verb.proposal)
        with _one_of(self._proposals, _LOOK_LASTS):
            last = _answered(job, _LOOK_LASTS, say)
        if (told := json.loads(last).get("done")) is not None and told["digest"] is not None:
            no = told["not_from_a_page"]
            self.sessions.remember(
                verb.grant,
                Proposed(
                    verb.proposal,
                    told["digest"],
                    told["step_up"],
                    told["since"],
                    Refused(no["reason"], no["next_step"]) if no else None,
                ),
            )
        say(last)

    def _apply(self, verb: verbs.Apply, say: Say) -> None:
        self.sessions.require(verb.grant)
        self.acts.require_none()  # else the approval would be used up for nothing
        who, proposed = self.sessions.take(verb.grant, verb.digest)
        job = working.Act(
            str(who),
            self.config_directory,
            str(self.state),
            proposed.proposal,
            proposed.digest,
            proposed.step_up,
            datetime.fromisoformat(proposed.since) if proposed.since else None,
        )
        _note(f"{who}: {_what(proposed.proposal)} {verb.digest}")
        self._told(self.acts.begin(job, _what(proposed.proposal)), say)

    def _told(self, journal: Path, say: Say) -> None:
        ended = False
        for line in self.acts.lines(journal):
            say(line)
            ended = ended or line.startswith((b'{"done"', b'{"error"'))
        if not ended:
            raise CannotLook(
                "the change was interrupted: its process ended in the middle",
                "what it had begun is taken back; status tells when",
            )

    def _look(self, verb: verbs.Look, say: Say) -> None:
        who = self.sessions.require(verb.grant)
        job = working.Look(str(who), self.config_directory, str(self.state), verb.of, verb.change)
        with _one_of(self._looks, _LOOK_LASTS):
            say(_answered(job, _LOOK_LASTS, say))

    def _trace(self, verb: verbs.Trace, say: Say) -> None:
        who = self.sessions.require(verb.grant)
        job = working.Trace(str(who), self.config_directory, str(self.state), verb.what)
        with _one_of(self._traces, 0.0):
            say(_answered(job, TRACE_LASTS, say))

    def _report(self, verb: verbs.Report, say: Say) -> None:
        who = self.sessions.require(verb.grant)
        job = working.Report(str(who), self.config_directory, str(self.state), verb.days)
        with _one_of(self._reports, _LOOK_LASTS):
            say(_answered(job, REPORT_LASTS, say))


def _note(says: str) -> None:
    """For root's journal: who was there, and what was asked for; no code and no grant."""
    sys.stderr.write(f"mailmend helper: {says}\n")
    sys.stderr.flush()


def _what(proposal: verbs.AnyProposal) -> str:
    return str(type(proposal).__struct_config__.tag)


def _waits(who: Who, proposed: Proposed) -> Mapping[str, Any]:
    return {
        "session": who.id,
        "source": who.source,
        "digest": proposed.digest,
        "since": proposed.since,
        "proposal": msgspec.to_builtins(proposed.proposal),
    }


@contextmanager
def _one_of(few: threading.Semaphore, seconds: float) -> Iterator[None]:
    """Refused where all of them are taken for *seconds*."""
    if not few.acquire(timeout=seconds) if seconds else not few.acquire(blocking=False):
        raise Refused("too many are asked for at once", "try again when one has ended")
    try:
        yield
    finally:
        few.release()


def _answered(job: working.AnyLook, seconds: float, say: Say) -> bytes:
    """The last line of a process at *job*, every other told as it comes. It is ended with this function.

    Raises CannotLook where that takes more than *seconds*, or the process ends without a word.
    """
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        try:
            process = start(job, write)
        except OSError as failure:
            raise CannotLook(f"nothing can be started: {failure.strerror or failure}") from None
        finally:
            os.close(write)
        try:
            return _last_line(read, time.monotonic() + seconds, say)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with all that it had started to look
            process.wait()
    finally:
        os.close(read)


def _last_line(fd: int, end: float, say: Say) -> bytes:
    rest, last, size = bytearray(), b"", 0
    while (left := end - time.monotonic()) > 0:
        if not select.select([fd], [], [], min(left, 0.5))[0]:
            say(b"")
            continue
        part = os.read(fd, _PART)
        size += len(part)
        if size > _LONGEST:
            raise CannotLook("the answer is too long for a page", "ask for it on a terminal")
        rest += part
        if b"\n" in part:
            *whole, rest = rest.split(b"\n")
            for line in whole:
                if last:
                    say(last)
                last = bytes(line) + b"\n"
        if not part:
            if not last.startswith((b'{"done"', b'{"error"')):
                break
            return last
    else:
        raise CannotLook("it takes more time than a page is given", "ask for it on a terminal")
    raise CannotLook("the process that looked ended in the middle", "journalctl -u mailmend-helper has more")


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=True).encode("ascii") + b"\n"
