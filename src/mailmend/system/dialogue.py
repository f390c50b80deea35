"""What an SMTP server says up to RCPT TO, to a client of this host and to a stranger (RFC 5321, RFC 3207).

Never DATA: no message is sent. A stranger is told of by XCLIENT, which only a server of our own takes.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass

HELO = "client.example"
# Documentation addresses (RFC 5737, RFC 3849): nobody has them.
STRANGERS = {"stranger": "192.0.2.77", "stranger over IPv6": "IPV6:2001:db8::77"}
SIZE = 50_000  # bytes, an ordinary message
IN_TIME = "in time"
_LINE_CAP, _LINES_CAP = 4096, 200
_GLANCE = 0.1  # seconds between two looks at how much patience is left


@dataclass(frozen=True, slots=True)
class Said:
    """A reply; *code* 0 where none came, and *text* says why."""

    code: int
    text: str

    @property
    def taken(self) -> bool:
        return 200 <= self.code < 400

    def __str__(self) -> str:
        return f"{self.code} {self.text}" if self.code else self.text


@dataclass(frozen=True, slots=True)
class Talk:
    """One client's conversation. *recipients*: address -> the replies to it, one for each sender tried
    until it was taken.

    *offered* are the keywords of EHLO before and after STARTTLS; *tls* the handshake, None where it was not offered.
    """

    greeting: Said
    offered: tuple[str, ...] = ()
    secured: tuple[str, ...] = ()
    tls: Said | None = None
    stranger: Said | None = None
    recipients: tuple[tuple[str, tuple[Said, ...]], ...] = ()


class _Ended(Exception):
    """The server closed, or said nothing in time."""


@dataclass(slots=True)
class Patience:
    """Until when an answer is waited for (CLOCK_MONOTONIC); whoever sees that none will come cuts it short."""

    until: float

    @property
    def left(self) -> float:
        return max(0.0, self.until - time.monotonic())

    def cut(self, seconds: float) -> None:
        self.until = min(self.until, time.monotonic() + seconds)


class _Line:
    """One connection, for as long as *patience* lasts."""

    def __init__(self, host: str, port: int, patience: Patience) -> None:
        self._patience = patience
        self._sock: socket.socket = socket.create_connection((host, port), max(0.05, patience.left))
        self._rest = b""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.sendall(b"QUIT\r\n")
        self._sock.close()

    def secure(self) -> None:
        """Whatever certificate and protocol: only that a session comes about counts."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._sock.settimeout(max(0.05, self._patience.left))
        self._sock = context.wrap_socket(self._sock)

    def say(self, text: str) -> Said:
        verb = text.partition(" ")[0]
        try:
            self._sock.settimeout(max(0.05, self._patience.left))
            self._sock.sendall(text.encode("ascii", "replace") + b"\r\n")
        except OSError as failure:
            raise _Ended(f"the connection ended at {verb}: {failure.strerror or failure}") from None
        return self.hear(verb)

    def hear(self, after: str) -> Said:
        """A whole reply, its lines joined by newlines."""
        lines: list[str] = []
        while len(lines) < _LINES_CAP:
            while b"\n" not in self._rest:
                self._sock.settimeout(_GLANCE)
                try:
                    part = self._sock.recv(_LINE_CAP)
                except TimeoutError:
                    if self._patience.left:
                        continue
                    raise _Ended(f"no answer to {after} {IN_TIME}") from None
                except OSError as failure:
                    raise _Ended(f"the connection ended at {after}: {failure.strerror or failure}") from None
                if not part:
                    raise _Ended(f"the server hung up at {after}")
                self._rest += part
            line, _, self._rest = self._rest.partition(b"\n")
            text = line.decode("ascii", "replace").rstrip("\r")
            lines.append(text[4:])
            if text[3:4] != "-":
                return Said(int(text[:3]) if text[:3].isdigit() else 0, "\n".join(lines))
        raise _Ended(f"no end of the answer to {after}")


def talk(
    host: str,
    port: int,
    recipients: tuple[str, ...],
    *,
    sender: str,
    stranger: str | None = None,
    wrapped: bool = False,
    patience: Patience,
) -> Talk:
    """Greeting, EHLO, STARTTLS where it is offered (a stranger only where it is asked for), MAIL and RCPT.

    *wrapped*: TLS from the first byte. Nothing is raised: what fails is what was said.
    """
    found: dict[str, object] = {"greeting": Said(0, "it does not accept connections")}
    answers: dict[str, list[Said]] = {}
    try:
        line = _Line(host, port, patience)
    except OSError as failure:
        return Talk(Said(0, f"it does not accept connections: {failure.strerror or failure}"))
    try:
        if wrapped:
            found["tls"] = _secure(line)
        found["greeting"] = line.hear("connecting")
        offered = found["offered"] = _offered(line.say(f"EHLO {HELO}"))
        if "STARTTLS" in offered and stranger is None:
            found["secured"] = _starttls(line, found)
        if stranger is not None:
            told = found["stranger"] = line.say(
                f"XCLIENT NAME={HELO} REVERSE_NAME={HELO} ADDR={STRANGERS[stranger]}"
            )
            if not told.taken:  # without IPv6 there are no strangers of that family
                return Talk(**found)  # type: ignore[arg-type]
            offered = _offered(line.say(f"EHLO {HELO}"))
        for from_ in ("", sender):
            _envelope(line, from_, recipients, answers, found, starttls="STARTTLS" in offered)
    except _Ended as end:
        if "offered" not in found:
            found["greeting"] = Said(0, str(end))
        for recipient in recipients:
            answers.setdefault(recipient, []).append(Said(0, str(end)))
    except (OSError, ssl.SSLError) as failure:
        found["tls"] = Said(0, f"no TLS session: {failure}")
    finally:
        line.close()
    return Talk(**found, recipients=tuple((r, tuple(a)) for r, a in answers.items()))  # type: ignore[arg-type]


def _secure(line: _Line) -> Said:
    line.secure()
    return Said(220, "TLS")


def _starttls(line: _Line, found: dict[str, object]) -> tuple[str, ...]:
    said = line.say("STARTTLS")
    found["tls"] = said
    if said.code != 220:
        return ()
    line.secure()
    return _offered(line.say(f"EHLO {HELO}"))


def _offered(said: Said) -> tuple[str, ...]:
    """The keywords of an EHLO reply; none where it was not accepted."""
    return tuple(said.text.splitlines()[1:]) if said.taken else ()


def _envelope(
    line: _Line,
    sender: str,
    recipients: tuple[str, ...],
    answers: dict[str, list[Said]],
    found: dict[str, object],
    *,
    starttls: bool,
) -> None:
    said = line.say(f"MAIL FROM:<{sender}> SIZE={SIZE}")
    if starttls and "STARTTLS" in said.text and "tls" not in found:
        _starttls(line, found)
        said = line.say(f"MAIL FROM:<{sender}> SIZE={SIZE}")
    for recipient in recipients:
        if any(each.taken for each in answers.get(recipient, ())):
            continue
        # A refused sender is a refused recipient.
        answers.setdefault(recipient, []).append(line.say(f"RCPT TO:<{recipient}>") if said.taken else said)
    if said.taken:
        line.say("RSET")
