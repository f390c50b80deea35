"""Input made to keep a reader busy, each as large as the caps let it be: name -> a function of its size in bytes."""
# ruff: noqa: E501 (lines stand here as they come)

from __future__ import annotations

import base64
from collections.abc import Callable

MEGABYTE = 1 << 20
HEAD = b"From: MAILER-DAEMON@example.org\nTo: a@example.net\nReturn-Path: <>\nSubject: failure notice\n"
REPORT = b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\n"

Made = Callable[[int], bytes]


def filled(unit: bytes, before: bytes = b"", after: bytes = b"") -> Made:
    """*unit* again and again between *before* and *after*."""

    def made(size: int) -> bytes:
        room = max(size - len(before) - len(after), 0)
        return before + (unit * (room // len(unit) + 1))[:room] + after

    return made


def in_body(unit: bytes, head: bytes = b"") -> Made:
    return filled(unit, HEAD + head + b"\n")


def in_html(unit: bytes) -> Made:
    return in_body(unit, b"Content-Type: text/html\n")


def in_parts(unit: bytes) -> Made:
    return in_body(unit, b"Content-Type: multipart/mixed; boundary=x\n")


def nested(depth: int) -> Made:
    parts = b"".join(
        b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in range(depth)
    )
    return filled(b"x\n", HEAD + b"Content-Type: multipart/mixed; boundary=b0\n\n" + parts)


def attached(size: int) -> bytes:
    """A file that is a message, with a file that is one in it."""
    inner = filled(b"<a@b.example.org>:\n550 no\n", HEAD + b"\n")(size // 2)
    for boundary in (b"y", b"x"):
        inner = (
            b"From: a@example.org\nTo: b@example.org\nContent-Type: multipart/mixed; boundary=" + boundary + b"\n\n--" + boundary
            + b"\nContent-Type: text/plain; name=a.eml\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(inner)
        )  # fmt: skip
    return inner


def transferred(size: int) -> bytes:
    inner = base64.encodebytes(b"<a@b.example.org>:\n550 no\n" * (size // 36))
    return HEAD + b"Content-Transfer-Encoding: base64\n\n" + inner


# A message is read up to 1 MB, its headers up to 64 KB, so these are at most as large as that.
MESSAGES: dict[str, Made] = {
    "one line": in_body(b"x"),
    "blank lines": in_body(b"\n"),
    "blanks": in_body(b" \n"),
    "64 KB lines": in_body(b"<a@b.example.org>: " * 3400 + b"\n"),
    "recipients": in_body(b"a@b.example.org\n"),
    "one recipient": in_body(b"<a@b.example.org>:\n550 5.1.1 no\n"),
    "at signs": in_body(b"@"),
    "long names": in_body(b"a" * 127 + b"@" + b"b." * 30 + b"\n"),
    "dots": in_body(b"a@" + b"b." * 500 + b"\n"),
    "labels": in_body(b"Recipient: "),
    "almost addresses": in_body(b"deliver message to @"),
    "codes": in_body(b"550 5.1.1 ", b"\n<a@b.example.org>:\n"),
    "hosts": in_body(b"host a.b.c.d.e.f.g ", b"\n<a@b.example.org>: "),
    "transcript": in_body(b">>> RCPT TO:<a@b.c>\n<<< 550 no\n"),
    "answers": in_body(b"<<< 550-a\n"),
    "16,000 encoded words": in_body(b"=?utf-8?q?a?= "),
    "encoded words in headers": filled(b"X: =?utf-8?q?a?=\n", HEAD, b"\nbody\n"),
    "words in the subject": filled(b"=?utf-8?q?a?= ", b"From: postmaster@example.org\nSubject: ", b"\n\nx"),
    "1,000 nested parts": nested(1000),
    "as nested as may be": nested(18),
    "parts": in_parts(b"--x\n\n"),
    "almost parts": in_parts(b"--xx\n"),
    "boundaries": filled(b"; boundary*1*=a", HEAD + b"Content-Type: multipart/mixed", b"\n\n--a\n"),
    "a report on many": filled(b"Final-Recipient: rfc822; a@b.c\nAction: failed\n\n", HEAD + REPORT),
    "a report of nothing": filled(b"a: b\n\n", HEAD + REPORT),
    "long diagnostics": filled(
        b"Final-Recipient: rfc822; a@b.c\nAction: failed\nDiagnostic-Code: smtp; " + b"550 5.1.1 x " * 600 + b"\n\n",
        HEAD + REPORT,
    ),
    "tags": in_html(b"<p>"),
    "half tags": in_html(b"<p "),
    "styles": in_html(b"<style>"),
    "comments": in_html(b"<!--"),
    "entities": in_html(b"&amp;"),
    "base64": transferred,
    "messages as files": attached,
    "quoted-printable": in_body(b"=41=0A", b"Content-Transfer-Encoding: quoted-printable\n"),
    "punycode": in_body(b"abc-\xff", b"Content-Type: text/plain; charset=punycode\n"),
    "ISO-2022-JP": in_body(b"\x1b$B$3$N\x1b(B", b"Content-Type: text/plain; charset=iso-2022-jp\n"),
    "no UTF-8": in_body(b"\xff"),
    "zeros": in_body(b"\0"),
    "complaints": filled(
        b"Original-Rcpt-To: a@b.c\n",
        HEAD
        + b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n",
    ),
}  # fmt: skip
# What is no message: as large as the prose that is read.
TEXTS: dict[str, Made] = {
    "replies": filled(b"x\n550 5.1.1 no such user\n"),
    "one reply": filled(b"x", b"550 5.7.1 "),
    "replies without end": filled(b"550-x\n"),
    "sentences": filled(b"<a@b.c>: host x[1.2.3.4] said: "),
    "said": filled(b"said: 550 5.7.1 x\n\n"),
    "quotes": filled(b"> > > > > > > > > > "),
    "objects": filled(b'{"a":'),
    "arrays": filled(b"["),
    "almost Exim": filled(b" ** H="),
    "almost qmail": filled(b"delivery 1: "),
    "almost sendmail": filled(b"]: 12345678: to=<a@b>,"),
    "almost OpenSMTPD": filled(b" from=<a> to=<b> relay=x stat="),
    "almost Postfix": filled(b"postfix/smtp[11]: 4F1A22B3C4D: to=<\n"),
    "an HTML page": filled(b"<td class=x>550 5.1.1 no</td>"),
    "fields": filled(b"Reporting-MTA: dns; x\n"),
    "an array, cut": filled(b'{"a":"550 no"},', b"["),
    "an object, cut": filled(b'"a":{"b":[1,2,', b"{"),
    "strings, cut": filled(b'"a","', b'{"x":['),
    "a session": filled(b"RCPT TO:<a@b.c>\n550 no\n"),
    "a session without end": filled(b"550-no\n", b"HELO x\n"),
    "almost Exim's queue": filled(b" 2d  2.3K 1vMabc-0000AB-3c <a@b.c>\n"),
    "almost qmail's queue": filled(b"22 Nov 2026 09:00:00 GMT  #1  8  <\n"),
    "almost OpenSMTPD's queue": filled(b"4711abcd12345678|inet4|mta|a|b|c|d|1|1|1|1|\n"),
    "bars": filled(b"| "),
    "colours": filled(b"\x1b[1m"),
    "Japanese": filled(b"\x1b$B$3$N\x1b(B"),
    "names of files": filled(b"a:1:Nov 22 09:00:01 "),
    "lines of one width": filled(b"x" * 80 + b"\n", b"Nov 22 09:00:01 relay postfix/smtp[1]: A: to=<\n"),
    "HTML line ends": filled(b"<br>\n"),
}
# As large as they may be, 5 MB: in time with their lines, some 50 microseconds for each.
LOGS: dict[str, Made] = {
    "Postfix": filled(
        b"Nov 22 09:00:01 relay postfix/smtp[11]: 4F1A22B3C4D: to=<a@example.com>, relay=mx[192.0.2.1]:25, delay=1, dsn=5.7.1,"
        b" status=bounced (host mx[192.0.2.1] said: 550 no (in reply to end of DATA command))\n"
    ),
    "Exim": filled(
        b"2026-11-22 10:00:00 1vMabc-0000AB-3c ** a@b.c R=x T=y H=mx.c [192.0.2.1]: SMTP error: 550 no\n"
    ),
    "sendmail": filled(b"x: 12345678: to=<a@b>," + b"<a@b>," * 1300 + b" stat=x\n"),
    "wrapped": filled(
        b"Nov 22 10:56:19 relay postfix/smtp[1]: AAAAAA: to=<a@b.c>, status=\n" + b"a\n" * 4096
    ),
    "waiting": filled(b'{"queue_id":"A","recipients":[{"address":"a@b.c","delay_reason":"550 no"}]}\n'),
    "Exim's queue": filled(b" 2d  2.3K 1vMabc-0000AB-3c <a@b.c>\n          d@e.example\n\n"),
    "journal": filled(
        b'{"SYSLOG_IDENTIFIER":"postfix/smtp","_PID":"1","MESSAGE":"4F1A22B3C4D: to=<a@b.c>, relay=mx[192.0.2.1]:25, delay=1,'
        b' dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 no)"}\n'
    ),
    "expired": filled(
        b"Nov 22 09:00:01 relay postfix/smtp[11]: 4F1A22B3C4D: to=<a@b.c>, relay=none, delay=1, dsn=4.4.1, status=deferred (x)\n"
        b"Nov 22 09:00:01 relay postfix/qmgr[1]: 4F1A22B3C4D: from=<b@c.d>, status=expired, returned to sender\n"
    ),
    "JSON": filled(b'{"email":"a@b.c","event":"bounce","reason":"550 no"}\n'),
}
