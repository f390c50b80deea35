"""A steady stream of SMTP sessions into this host, as a patient sender has it; run inside the relay.

    python stream.py OUTCOMES STOP

Until the file STOP is there, every message is offered until it is taken. A line of JSON in OUTCOMES for each end
of an attempt: trace, time, and `taken` (250 after the end of the data), `cut`, `closed` (no connection), or the reply.
"""

from __future__ import annotations

import json
import smtplib
import sys
import threading
import time
from pathlib import Path

SENDERS = 3
PAUSE = 0.25  # seconds between two sessions of a sender
MESSAGE = (
    "From: <alice@sender.example>\r\nTo: <else@example.org>\r\n"
    "Message-ID: <{0}@sender.example>\r\nX-Trace: {0}\r\n\r\n{1}\r\n"
)
BODY = "A line of a message of some length.\r\n" * 40


def outcome(session: smtplib.SMTP, trace: str) -> str:
    """One message into an open session."""
    for command in ("MAIL FROM:<alice@sender.example>", "RCPT TO:<else@example.org>", "DATA"):
        code, _ = session.docmd(command)
        if code not in (250, 354):
            session.rset()
            return str(code)
    session.send(MESSAGE.format(trace, BODY) + ".\r\n")
    code, _ = session.getreply()
    return "taken" if code == 250 else str(code)


def stream(sender: int, stop: Path, tell: object) -> None:
    number = 0
    while not stop.exists():
        number += 1
        waiting = [f"s{sender}-{number}-{part}" for part in range(1 + number % 3)]
        while waiting:
            told = "closed"
            try:
                with smtplib.SMTP(
                    "127.0.0.1", 25, local_hostname="mail.sender.example", timeout=30
                ) as session:
                    session.ehlo()
                    told = "cut"
                    while waiting:
                        told = "cut"
                        told = outcome(session, waiting[0])
                        tell(waiting[0], told)  # type: ignore[operator]
                        if told == "taken":
                            waiting.pop(0)
                        else:
                            break
            except (OSError, smtplib.SMTPException):
                if told in ("closed", "cut"):
                    tell(waiting[0], told)  # type: ignore[operator]
            if waiting:
                time.sleep(0.02)
        time.sleep(PAUSE)


def main() -> None:
    path, stop = Path(sys.argv[1]), Path(sys.argv[2])
    lock = threading.Lock()
    with path.open("w", buffering=1) as file:

        def tell(trace: str, told: str) -> None:
            with lock:
                file.write(json.dumps({"trace": trace, "at": time.time(), "told": told}) + "\n")

        threads = [threading.Thread(target=stream, args=(n, stop, tell)) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        file.write(json.dumps({"trace": "", "at": time.time(), "told": "ended"}) + "\n")


if __name__ == "__main__":
    main()
