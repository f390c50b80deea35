"""What mailmend did by itself, as a line of Postfix's own log, where whoever looks after the mail reads (syslog(3))."""

from __future__ import annotations

import syslog


def announce(line: str) -> None:
    """*line*, its control characters left out, as a warning of the mail facility."""
    syslog.openlog("mailmend", syslog.LOG_PID, syslog.LOG_MAIL)
    try:
        syslog.syslog(syslog.LOG_WARNING, "".join(letter for letter in line if letter.isprintable()))
    finally:
        syslog.closelog()
