"""One real message to an address that the operator named, followed through the log to its end."""

from __future__ import annotations

import secrets
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr

from mailmend.model import CannotLook, Delivery, ParseError
from mailmend.parse import maillog
from mailmend.system import follow, host

TIMEOUT = 30.0


def send_and_follow(
    to: str, where: follow.Place, program: str, config_directory: str | None = None
) -> tuple[Delivery, ...]:
    """Hand one message for *to* to sendmail(1), *program*; return what the log says became of it within 30 s.

    Each message has its own Message-ID: Gmail drops duplicates. ParseError for what is no address,
    CannotLook where Postfix does not take it or the log says nothing in time.
    """
    if parseaddr(to)[1] != to or "@" not in to or any(ch.isspace() for ch in to):
        raise ParseError(f"{to!r} is no mail address", "give one as user@domain")
    message_id = make_msgid(f"mailmend-{secrets.token_hex(4)}")
    start = follow.mark(where)
    options = ["-C", config_directory] if config_directory else []
    sent = host.command([program, *options, "-i", "--", to], stdin=_message(to, message_id))
    if sent.returncode:
        raise CannotLook(f"sendmail did not take the message: {sent.stderr.strip()[:200]}")
    queue_id: str | None = None
    out: list[Delivery] = []
    for text in follow.follow(where, start, TIMEOUT):
        line = maillog.line(text)
        if line is None:
            continue
        if queue_id is None and line.service.endswith("cleanup") and message_id in line.message:
            queue_id = line.queue_id
        elif queue_id is not None and line.queue_id == queue_id:
            delivery = maillog.delivery(line)
            if delivery is not None:
                out.append(delivery)
            if (out and line.message == "removed") or (out and out[-1].severity == "deferred"):
                return tuple(out)
    if not out:
        raise CannotLook("the log says nothing of the message yet", "look again with mailmend status")
    return tuple(out)


def _message(to: str, message_id: str) -> str:
    message = EmailMessage()
    message["To"] = to
    message["Subject"] = "A test of this mail server's way to you"
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = message_id
    message.set_content(
        "Sent by the operator of this mail server to see one message on its way.\n"
        "It proves the path of this message only: forwarded mail has other senders.\n"
    )
    return message.as_string()
