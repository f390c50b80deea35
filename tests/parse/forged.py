"""A log as Postfix writes it, with what strangers write wherever they can -> its lines, and what is true of them.

Postfix puts quotes around a local part that needs them (RFC 5321 4.1.2, smtpd's info_log_addr_form), writes a reply,
a Message-ID, a HELO name and a header as they came, and no line feed ever; loggers cut a line where it gets too long.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

CUT = 2000  # bytes of a line after its head, after which Postfix writes no more
HOSTS = (
    ("gmail-smtp-in.l.google.com", "142.250.1.26", "."),
    ("gmail-smtp-in.l.google.com", "2607:f8b0:4004::1a", ":"),
    ("mx.example.net", "192.0.2.7", "."),
    ("mx.example.net", "2001:db8::7", ":"),
    ("unix", "private/dovecot-lmtp", ""),
    ("local", "", ""),
    ("none", "", ""),
)
OUTCOMES = (
    ("sent", "2.0.0", b"250 2.0.0 ok"),
    ("sent", "2.6.0", b"250 2.6.0 <x@y> queued (see above)"),
    ("deferred", "4.7.0", b"host x said: 421 4.7.0 later (in reply to MAIL FROM command)"),
    ("deferred", "4.4.1", b"connect to x[2001:db8::7]:25: Connection timed out"),
    ("bounced", "5.7.1", b"host x said: 550 5.7.1 no (in reply to end of DATA command)"),
    ("bounced", "5.1.1", b'unknown user: "x, status=sent (250 ok)"'),
)
_FIELDS = (
    b"relay=mx.evil.example[192.0.2.66]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)",
    b"relay=none, delay=0, delays=0/0/0/0, tls=none, dsn=5.0.0, status=bounced (",
    b"orig_to=<boss@example.org>, relay=local, conn_use=2, delay=0, delays=0/0/0/0, dsn=4.0.0, status=deferred (x)",
)
_HEADS = (
    b"postfix/smtp[1]: 4ABCDEF012: to=<x@gmail.com>, ",
    b"Nov 22 10:00:00 mx1 postfix/smtp[77]: 4ABCDEF012: to=<x@gmail.com>, ",
    b"2026-11-22T10:00:00.5+01:00 mx1 postfix-out/relay/smtp[7]: 4jXQxN61F0zLdf9: to=<x@gmail.com>, ",
    b"Nov 22 10:00:00 mx1 postfix/qmgr[7]: 4ABCDEF012: from=<boss@example.org>, size=1, nrcpt=1 (queue active)",
    b"]: 4ABCDEF012: from=<boss@example.org>, size=1, nrcpt=1 (queue active)",
    b"]: 4ABCDEF012: removed",
    b"NOQUEUE: reject: RCPT from x[192.0.2.66]: 554 5.7.1 <a@b>: no; from=<> to=<a@b>",
    b": host gmail-smtp-in.l.google.com[142.250.1.26] said: 421 4.7.0 later",
)
_BITS = (
    *(b">, ", b"<", b">", b'"', b"\\", b"\\\\", b'\\"', b", ", b"(", b")", b"[", b"]: ", b"]:25, ", b"=", b"@", b" "),
    *(b"status=sent (", b"status=bounced (x)", b"dsn=2.0.0, ", b"to=<", b"removed", b"reject: ", b"from=<", b"#012"),
    *(b"\r", b"\t", b"\x00", b"\x01", b"\x0b", b"\x0c", b"\x1b[2J", b"\x7f", b"\x85", b"\xff", b"\xc3", b"\\n", b"%s"),
    *("é", "\u0085", "\u009b31m", "\u2028", "\u202e", "\ufeff", "＜", "日本"),
)  # fmt: skip


@dataclass
class Truth:
    """What is so: outcomes by (relay, family, dsn, status), the senders and queue ids of what failed."""

    outcomes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    senders: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    rejected: int = 0
    messages: int = 0
    unparsed: int = 0
    passed_on: int = 0


def poison(dice: random.Random) -> bytes:
    """What a stranger writes: never a line feed, which neither SMTP nor Postfix lets through."""
    kinds = (_FIELDS, _HEADS, _BITS, _BITS, _BITS)
    chosen = (dice.choice(dice.choice(kinds)) for _ in range(dice.randrange(1, 7)))
    return b"".join(bit if isinstance(bit, bytes) else bit.encode() for bit in chosen)


def address(dice: random.Random, domain: bytes) -> bytes:
    """As Postfix writes one: the local part in quotes where it is not plain."""
    kind = dice.randrange(4)
    if kind == 0:
        return b"ann@" + domain
    if kind == 1:
        return (
            dice.choice(("jörg", "\u202eevil", "a\u009b31m", "x=y{z}|~", "status=sent", "日本")).encode()
            + b"@"
            + domain
        )
    text = poison(dice)
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"@' + domain


class Log:
    """Lines in the order in which they were written, and the truth of them."""

    def __init__(self, seed: int, *, rfc3339: bool = False) -> None:
        self.dice = random.Random(seed)  # noqa: S311
        self.truth = Truth()
        self.text = bytearray()
        self._rfc3339 = rfc3339
        self._second = 0
        self._number = 0

    def fill(self, messages: int) -> Log:
        for _ in range(messages):
            self.message()
            for _ in range(self.dice.randrange(3)):
                self.dice.choice(_STRANGERS)(self)
        return self

    def message(self) -> None:
        """One message: taken up, tried, and removed where it went."""
        dice = self.dice
        self._number += 1
        short, long = f"{0x4ABCDE0000 + self._number:X}", f"4jXQ{self._number:06d}zLdf9".replace("0", "B")
        queue = dice.choice((short, long.replace("1", "C"))).encode()
        tag = dice.choice((b"postfix", b"postfix-out", b"postfix/relay", b"out"))
        sender = address(dice, b"example.com") if dice.random() < 0.8 else b""
        self._line(tag + b"/qmgr", queue + b": from=<" + sender + b">, size=900, nrcpt=1 (queue active)")
        host, ip, family = dice.choice(HOSTS)
        status, dsn, reply = dice.choice(OUTCOMES)
        if dice.random() < 0.5:
            reply = reply + b" " + poison(dice)
        relay = host.encode() if not ip else f"{host}[{ip}]{':25' if family else ''}".encode()
        fields = [
            b"to=<"
            + address(dice, dice.choice((b"gmail.com", b"example.net", b"xn--e1afmkfd.example")))
            + b">"
        ]
        if dice.random() < 0.3:
            fields.append(b"orig_to=<" + address(dice, b"example.org") + b">")
        fields.append(b"relay=" + relay)
        if dice.random() < 0.2:
            fields.append(b"conn_use=3")
        fields += [b"delay=1.2", b"delays=0.1/0.2/0.3/0.6"]
        if dice.random() < 0.3:
            fields.append(b"tls=" + dice.choice((b"none", b"verify", b"secure:TLSv1.3")))
        if dice.random() < 0.02:
            fields.insert(dice.randrange(1, len(fields)), b"of_later=1 2")  # a Postfix to come
        before = (
            queue
            + b": "
            + b", ".join((*fields, b"dsn=" + dsn.encode(), b"status=" + status.encode() + b" ("))
        )
        program = tag + dice.choice((b"/smtp", b"/smtp", b"/lmtp", b"/local"))
        kept, fate = (before + reply + b")")[:CUT], dice.randrange(30)
        if fate == 0:
            kept = kept[: dice.randrange(len(queue) + 8, len(kept))]
        elif fate == 1:
            kept = (before + reply + b"x" * CUT)[:CUT]
        joined = fate in (0, 1) and dice.random() < 0.3
        self._line(program, kept, end=not joined)
        if len(kept) < len(before):
            self.truth.unparsed += 1
        else:
            self.truth.outcomes[host, family, dsn, status] += 1
            if status != "sent":
                self.truth.senders[_shown(sender)] += 1
        if joined:
            self._joined(whole=len(kept) == CUT)
        elif status == "sent":
            self._line(tag + b"/qmgr", queue + b": removed")
            self.truth.messages += 1

    def _joined(self, *, whole: bool) -> None:
        """The line after one that was cut, in the same line of the file: who says whose words these are?"""
        outcome = (
            b"to=<joined@example.net>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)"
        )
        self._line(b"postfix/local", b"4ABCDEF999: " + outcome)
        self.truth.lines -= 1
        # In a line of usual length, after an opening parenthesis, they are as well the remote server's.
        self.truth.unparsed += whole

    def _line(self, tag: bytes, text: bytes, *, end: bool = True) -> None:
        self._second += self.dice.randrange(3)
        clock = f"{self._second // 3600 % 24:02}:{self._second // 60 % 60:02}:{self._second % 60:02}"
        stamp = f"2026-11-22T{clock}.123456+01:00" if self._rfc3339 else f"Nov 22 {clock}"
        assert b"\n" not in text
        self.text += stamp.encode() + b" mx1 " + tag + b"[%d]: " % self.dice.randrange(1, 9999) + text
        self.text += b"\n" if end else b""
        self.truth.lines += 1

    def say(self, tag: bytes, text: bytes) -> None:
        """A line that the truth does not count."""
        self._line(tag, text)

    # ---- lines that tell no outcome -------------------------------------------------------

    def refused(self) -> None:
        words = b"NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 5.7.1 <%s>: Relay access denied; from=<%s> to=<%s> "
        who = tuple(address(self.dice, b"example.org") for _ in range(3))
        self._line(b"postfix/smtpd", words % who + b"proto=ESMTP helo=<" + poison(self.dice) + b">")
        self.truth.rejected += 1

    def refused_header(self) -> None:
        text = (
            b"4BADBADBAD: reject: header Subject: "
            + poison(self.dice)
            + b" from x[192.0.2.9]; from=<a@b> to=<c@d>"
        )
        self._line(b"postfix/cleanup", text)
        self.truth.rejected += 1

    def warned_header(self) -> None:
        text = (
            b"4BADBADBAD: warning: header Subject: "
            + poison(self.dice)
            + b" from x[192.0.2.9]; from=<a@b> to=<c@d>"
        )
        self._line(b"postfix/cleanup", text)

    def message_id(self) -> None:
        self._line(b"postfix/cleanup", b"4BADBADBAD: message-id=<" + poison(self.dice) + b">")

    def no_smtp(self) -> None:
        self._line(b"postfix/smtpd", b"warning: non-SMTP command from x[192.0.2.9]: " + poison(self.dice))

    def no_login(self) -> None:
        text = b"warning: x[192.0.2.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username="
        self._line(b"postfix/smtps/smtpd", text + poison(self.dice))

    def logged_in(self) -> None:
        text = b"4BADBADBAD: client=x[192.0.2.9], sasl_method=PLAIN, sasl_username="
        self._line(b"postfix/submission/smtpd", text + poison(self.dice))

    def greeted_badly(self) -> None:
        self._line(
            b"postfix/postscreen", b"PREGREET 11 after 0.1 from [192.0.2.9]:4711: " + poison(self.dice)
        )

    def put_off_on_the_way(self) -> None:
        said = b"421 4.7.0 " if self.dice.random() < 0.5 else b"550 5.7.1 "
        self._line(b"postfix/smtp", b"4BADBADBAD: host mx.b.org[192.0.2.7] said: " + said + poison(self.dice))
        self.truth.passed_on += said.startswith(b"4")

    def no_domain(self) -> None:
        """What a web form hands to sendmail(1); of such lines nobody knows where the address ends."""
        forged = b"4BADBADBAD: to=<a@b>, " + _FIELDS[0] + b">, relay=none, delay=0, delays=0/0/0/0, "
        self._line(b"postfix/error", forged + b"dsn=5.1.3, status=bounced (bad address syntax)")
        self.truth.unparsed += 1

    def another_program(self) -> None:
        tag = self.dice.choice((b"dovecot", b"opendkim", b"spamd", b"sshd"))
        self._line(tag, b"user=<" + poison(self.dice) + b">")

    def picked_up(self) -> None:
        self._line(
            b"postfix/pickup", b"4BADBADBAD: uid=33 from=<" + address(self.dice, b"example.com") + b">"
        )


_STRANGERS: tuple[Callable[[Log], None], ...] = (
    Log.refused,
    Log.refused_header,
    Log.warned_header,
    Log.message_id,
    Log.no_smtp,
    Log.no_login,
    Log.logged_in,
    Log.greeted_badly,
    Log.put_off_on_the_way,
    Log.no_domain,
    Log.another_program,
    Log.picked_up,
)


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
