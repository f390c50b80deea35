"""One request carried out in a process of its own: it is read from stdin, and what happens is written line by line.

The process that carries out a change has a session of its own (setsid(2)) and belongs to nobody: neither the end of
the page nor that of the helper ends it, and the transaction's guard, which may end it, ends nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from mailmend.jobs.here import Here, acting_for, here, require_root
from mailmend.model import CannotLook, Finding, MailmendError, ParseError, Proof, Refused
from mailmend.system.probe import now
from mailmend.ui import looks, show
from mailmend.ui.encode import printable
from mailmend.ui.helper import counted, proposals, verbs
from mailmend.ui.helper.allowed import require_ours
from mailmend.ui.helper.seeing import Agreed
from mailmend.ui.show import Shape

_MEMORY = 1 << 30  # bytes for what only looks; a change is stopped by nothing
_PROCESSOR = 120  # seconds, for the same
KINDS: tuple[tuple[type[MailmendError], str], ...] = (
    (ParseError, "parse"),
    (CannotLook, "cannot-look"),
    (Refused, "refused"),
)


class Job(Struct, forbid_unknown_fields=True, frozen=True, tag_field="do"):
    """*by* as the history names it; *config_directory* and *state* as everywhere."""

    by: str
    config_directory: str | None
    state: str


class Password(Job, frozen=True, tag="password"):
    """Whether PAM lets *user* in, typed at *source*, and whether that is root or one of *group*."""

    user: verbs.Account
    password: verbs.Password
    source: verbs.Source
    group: str

    def __repr__(self) -> str:
        """Without the password."""
        return f"Password({self.user!r}, from {self.source})"


class Propose(Job, frozen=True, tag="propose"):
    """A dry run of *proposal*."""

    proposal: verbs.AnyProposal


class Act(Job, frozen=True, tag="act"):
    """*proposal*, as it was seen by *digest*."""

    proposal: verbs.AnyProposal
    digest: str
    approved: bool
    since: datetime | None = None


class Confirm(Job, frozen=True, tag="confirm"):
    change: str


class Look(Job, frozen=True, tag="look"):
    of: looks.Of
    change: str | None


class Trace(Job, frozen=True, tag="trace"):
    what: Annotated[str, Meta(max_length=1000)]


class Report(Job, frozen=True, tag="report"):
    days: int


AnyLook = Propose | Look | Trace | Report | Password
AnyJob = AnyLook | Act | Confirm


def work() -> int:
    """The job on stdin, to its end. 0 where it was done, 1 where it was not: what stands in the last line."""
    require_root("the console's helper")
    job = msgspec.json.decode(sys.stdin.buffer.read(1 << 20), type=AnyJob)
    out = _Out(_taken_from_stdout())
    if isinstance(job, AnyLook):
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR, _PROCESSOR))
    told = _ended(job, out)
    out.write(told)
    return 0 if "done" in told else 1


def failed(error: BaseException) -> Mapping[str, Any]:
    """The line that tells *error*; a bug is told where root looks, too: the journal."""
    if isinstance(error, MailmendError):
        kind = next((kind for cls, kind in KINDS if isinstance(error, cls)), "bug")
        return {"error": {"kind": kind, "reason": error.reason, "next_step": error.next_step}}
    sys.stderr.write(f"mailmend helper: {printable(repr(error))}\n")
    reason = f"a bug in mailmend: {type(error).__name__}"
    return {"error": {"kind": "bug", "reason": reason, "next_step": "journalctl -u mailmend-helper has more"}}


def _ended(job: AnyJob, out: _Out) -> Mapping[str, Any]:
    try:
        with acting_for(job.by):
            return {"done": _done(job, here(job.config_directory, Path(job.state)), out)}
    except MemoryError:
        return failed(CannotLook("this is more than a page is given memory for", "ask for it on a terminal"))
    except Exception as error:
        return failed(error)


def _done(job: AnyJob, host: Here, out: _Out) -> Shape:
    match job:
        case Act():
            agreed = Agreed(job.proposal, job.digest, job.approved, job.since)
            return proposals.carry_out(agreed, host, out)
        case Confirm():
            return _confirm(job.change, host)
        case _:
            return _looked(job, host, out)


def _looked(job: AnyLook, host: Here, out: _Out) -> Shape:
    match job:
        case Password():
            from mailmend.ui.helper import accounts

            return {"user": accounts.require(job.user, job.password, job.source, job.group)}
        case Propose():
            return proposals.shape(job.proposal, proposals.look(job.proposal, host, progress=out.step))
        case Look():
            told = looks.look(job.of, host, job.change, out.step)
            if job.of in ("status", "unloaded"):
                from mailmend.jobs import unloaded

                unloaded.note(host)
            return told
        case Trace():
            from mailmend.jobs.trace import trace
            from mailmend.ui.show import traces

            return traces.trace(trace(job.what, host))
        case Report():
            return counted.document(counted.count(host, job.days, out.step))


def _confirm(change: str, host: Here) -> Shape:
    from mailmend.jobs.confirm import confirm
    from mailmend.system.history import History

    record = History(host.state).get(change)
    require_ours(record)
    if record.state == "intent":
        # Others edited it meanwhile: somebody has to look at the files.
        raise Refused(f"{record.id} was interrupted", f"mailmend confirm {record.id}")
    return show.document("confirm", {"record": show.record(confirm(host, change))})


class _Out:
    """The lines, each whole in one write(2), to whoever reads them, or nobody."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, told: Mapping[str, Any]) -> None:
        line = memoryview(json.dumps(told, ensure_ascii=True).encode("ascii") + b"\n")
        with suppress(OSError):  # nobody reads it any more, or the disk is full: the change goes on
            while line:
                line = line[os.write(self._fd, line) :]

    def step(self, says: str) -> None:
        self._line("step", says, None)

    def finding(self, seen: Finding) -> None:
        self._line("finding", seen.summary, show.finding(seen))

    def proof(self, held: Proof) -> None:
        failing = next((j for j in held.judgements if j.verdict not in ("holds", "pending")), None)
        says = f"{failing.expectation.says}: not so ({failing.says})" if failing else "the proof holds"
        self._line("proof", says, show.proof(held))

    def _line(self, kind: str, says: str, shape: Shape | None) -> None:
        self.write({"kind": kind, "at": show.moment(now()), "says": says, "shape": shape})


def _taken_from_stdout() -> int:
    """Where the lines go, inherited by no process that is started: what outlives this one does not hold it open."""
    fd = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    os.close(null)
    return fd
