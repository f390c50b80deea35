"""Log lines of other mail servers tell the same story: who refused whom, and with which words."""
# ruff: noqa: E501 (log lines stand here as they come)

from __future__ import annotations

import textwrap

import pytest

from mailmend.model import Relay
from mailmend.parse import logged, paste

EXIM = """\
2026-11-22 10:00:01 1vMabc-000000012Ab-3cDe <= anna@example.net H=client.example.net [192.0.2.9] P=esmtps S=1234
2026-11-22 10:00:02 1vMabc-000000012Ab-3cDe ** reader@example.com <box@example.org> R=dnslookup T=remote_smtp \
H=mx.example.com [2001:db8::25] X=TLS1.3:ECDHE_SECP256R1:256 CV=yes: SMTP error from remote mail server after end of \
data: 550-5.7.26 unauthenticated\\n550 5.7.26 mail
2026-11-22 10:00:03 1vMabc-0000AB-3c == other@example.com R=dnslookup T=remote_smtp defer (-44) \
H=mx.example.com [192.0.2.25]: SMTP error from remote mail server after RCPT TO:<other@example.com>: 451 4.7.1 later
2026-11-22 10:00:04 1vMabc-0000AB-3c => fine@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.25] C="250 ok"
2026-11-22 10:00:05 H=(spam) [203.0.113.9]:4711 F=<x@example.net> rejected RCPT <a@example.org>: relay not permitted
"""
QMAIL = """\
@400000006740a1b2c3d4e5f6 info msg 4711: bytes 1234 from <anna@example.net> qp 77 uid 89
@400000006740a1b2c3d4e5f6 starting delivery 17: msg 4711 to remote reader@example.com
@400000006740a1b2c3d4e5f6 delivery 17: failure: 192.0.2.25_does_not_like_recipient./Remote_host_said:_550_no_such_user/\
Giving_up_on_192.0.2.25./
@400000006740a1b2c3d4e5f6 delivery 18: deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/
"""
SENDMAIL = """\
Nov 22 10:00:01 relay sm-mta[711]: 5AM9x1Yk000712: from=<anna@example.net>, size=100, relay=localhost [127.0.0.1]
Nov 22 10:00:02 relay sm-mta[713]: 5AM9x1Yk000712: to=<reader@example.com>,<other@example.com>, delay=00:00:02, \
mailer=esmtp, relay=mx.example.com. [192.0.2.25], dsn=5.1.1, stat=User unknown
Nov 22 10:00:02 relay sm-mta[713]: 5AM9x1Yk000713: to=<late@example.com>, mailer=esmtp, relay=mx.example.com. \
[IPv6:2001:db8::25], dsn=4.7.0, stat=Deferred: 421 4.7.0 slow down
Nov 22 10:00:02 relay sm-mta[713]: 5AM9x1Yk000714: ruleset=check_rcpt, arg1=<a@example.org>, \
relay=client.example.net [203.0.113.9], reject=550 5.7.1 <a@example.org>... Relaying denied
"""
OPENSMTPD = (
    "Nov 22 10:00:02 relay smtpd[7]: 9c1b mta delivery evpid=9c1b2 from=<anna@example.net> to=<reader@example.com> rcpt=<->"
    ' source="192.0.2.1" relay="192.0.2.25 (mx.example.com)" delay=1s result="PermFail" stat="550 5.1.1 no such user"\n'
)


def test_lines_without_a_delivery_tell_none() -> None:
    assert logged.deliveries("2026-11-22 10:00:00 Start queue run: pid=1 ** == =>\n") == ()
    assert logged.deliveries("2026-11-22 10:00:06 1vMabc-0000AB-3c Completed\n") == ()
    assert logged.deliveries("Nov 22 10:00:00 relay app[1]: stat=ok to=everybody, reject=no\n") == ()
    assert logged.deliveries("end msg 4711\nstatus: local 0/10 remote 0/20 delivery \n") == ()


def test_exim() -> None:
    refused, later, fine, own = paste.deliveries(EXIM.encode())
    assert (refused.severity, refused.recipient, refused.original_recipient, refused.forwarded, refused.sender) == (
        "bounced", "reader@example.com", "box@example.org", True, "anna@example.net")  # fmt: skip
    assert refused.relay == Relay("mx.example.com", "2001:db8::25")
    assert refused.reply is not None
    assert (refused.reply.code, refused.reply.status, refused.reply.text) == (
        550,
        "5.7.26",
        "unauthenticated mail",
    )
    assert (later.severity, fine.severity) == ("deferred", "delivered")
    assert (own.severity, own.recipient, own.source_ip) == (
        "rejected-inbound",
        "a@example.org",
        "203.0.113.9",
    )


def test_qmail_says_to_whom_in_another_line() -> None:
    refused, later = paste.deliveries(QMAIL.encode())
    assert (refused.recipient, refused.sender, refused.relay) == (
        "reader@example.com", "anna@example.net", Relay(None, "192.0.2.25"))  # fmt: skip
    assert refused.reply is not None
    assert (refused.reply.code, refused.reply.text) == (550, "no such user")
    assert (later.severity, later.recipient) == ("deferred", None)
    assert later.reply is not None
    assert (later.reply.status, later.reply.text) == ("4.4.3", "CNAME lookup failed temporarily.")


def test_sendmail() -> None:
    first, second, later, own = paste.deliveries(SENDMAIL.encode())
    assert [d.recipient for d in (first, second)] == ["reader@example.com", "other@example.com"]
    assert (first.severity, first.sender, first.relay) == (
        "bounced", "anna@example.net", Relay("mx.example.com", "192.0.2.25"))  # fmt: skip
    assert first.reply is not None
    assert (first.reply.status, first.reply.text) == ("5.1.1", "User unknown")
    assert later.reply is not None
    assert (later.severity, later.reply.code, later.relay) == (
        "deferred",
        421,
        Relay("mx.example.com", "2001:db8::25"),
    )
    assert (own.severity, own.recipient, own.source_ip) == (
        "rejected-inbound",
        "a@example.org",
        "203.0.113.9",
    )


def test_opensmtpd() -> None:
    [found] = paste.deliveries(OPENSMTPD.encode())
    assert (found.severity, found.recipient, found.relay) == (
        "bounced", "reader@example.com", Relay("mx.example.com", "192.0.2.25"))  # fmt: skip


@pytest.mark.parametrize("log", [EXIM, SENDMAIL], ids=["Exim", "sendmail"])
def test_a_terminal_wrapped_the_lines(log: str) -> None:
    wrapped = "\n".join(textwrap.fill(line, 78, break_on_hyphens=False) for line in log.splitlines())
    assert [(d.recipient, d.reply) for d in paste.deliveries(wrapped.encode())] == [
        (d.recipient, d.reply) for d in paste.deliveries(log.encode())
    ]
