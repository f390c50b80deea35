"""What the smtp client does for a recipient when Postfix probes it: `sendmail -bv`, read from the log.

The probe goes as far as RCPT TO and sends no message. Postfix mails its report of a probe to the envelope
sender; so the null sender is used, to which no report is sent, unless another one is asked for.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from mailmend.model import CannotLook, Delivery
from mailmend.parse import maillog
from mailmend.questions import ClientTrial, TrialResult
from mailmend.system import follow, host, listeners

if TYPE_CHECKING:
    from mailmend.system.follow import Place
    from mailmend.system.postfix import Configuration

DEADLINE = 15.0  # seconds

_PROBED = ("deliverable", "undeliverable")
_IGNORED = re.compile(r"ignoring DNS RR: ")
_ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f@-][^\s<>\x00-\x1f\x7f]{0,319}")


def trial(question: ClientTrial, configuration: Configuration, place: Place) -> TrialResult:
    """Probe *recipient* and read what came of it.

    CannotLook: Postfix does not run, does not take the probe, or logs no outcome within 15 s.
    """
    for address in (question.recipient, question.sender or "a@b"):
        if not _ADDRESS.fullmatch(address):
            raise CannotLook(f"{address!r} is not a mail address")
    _require_running(configuration)
    start = follow.mark(place)
    argv = [
        sendmail(configuration.value("sendmail_path")),
        "-C",
        str(configuration.directory),
        "-bv",
        "-f",
        question.sender or "",
    ]
    deadline = time.monotonic() + DEADLINE
    done = host.command([*argv, "--", question.recipient], timeout=DEADLINE)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise CannotLook(
            f"sendmail -bv did not accept {question.recipient}: {(reason or ['no reason given'])[0]}"
        )
    return _outcome(question, place, start, deadline)


def sendmail(sendmail_path: str) -> str:
    """Postfix's own sendmail(1): what the PATH has may be another program's (alternatives on Fedora)."""
    return sendmail_path or "sendmail"


def _require_running(configuration: Configuration) -> None:
    """A probe that nobody takes up would wait in the queue and run at the next start."""
    try:
        pid = listeners.master(configuration).pid
    except CannotLook:  # an ordinary user may probe, but not see master
        return
    if pid is None:
        raise CannotLook("Postfix does not run, so it cannot be probed", "postfix start")


def _outcome(question: ClientTrial, place: Place, start: follow.Mark, deadline: float) -> TrialResult:
    """Everything about the probe's queue file until qmgr removes it."""
    wanted = question.recipient.casefold()
    found: list[tuple[int, Delivery]] = []
    ignored: list[tuple[int, str]] = []
    ids: set[str] = set()
    for text in follow.follow(place, start, deadline - time.monotonic()):
        line = maillog.line(text)
        if line is None:
            continue
        if _IGNORED.match(line.message):
            ignored.append((line.pid, line.text))
        elif line.queue_id in ids and line.message == "removed":
            break
        elif line.queue_id and _tells_of(wanted, maillog.attempt(line)):
            ids.add(line.queue_id)
            delivery = maillog.delivery(line)
            if delivery is not None:
                found.append((line.pid, delivery))
    if not found:
        raise CannotLook(
            f"no outcome of a probe of {question.recipient} in {place} within {DEADLINE:g} s",
            "is Postfix running, and does it log there?",
        )
    clients = {pid for pid, _ in found}
    return TrialResult(
        deliveries=tuple(delivery for _, delivery in found),
        ignored=tuple(dict.fromkeys(text for pid, text in ignored if pid in clients)),
    )


def _tells_of(recipient: str, tried: maillog.Attempt | None) -> bool:
    """Whether this is a probe's outcome for *recipient* (case folded), or for what it expanded to."""
    if tried is None or tried.status not in _PROBED:
        return False
    return recipient in (tried.recipient.casefold(), (tried.original_recipient or "").casefold())
