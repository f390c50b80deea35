"""What an operator types is read as postconf(1) reads it, and nothing hides in it."""

from __future__ import annotations

import pytest

from mailmend.model import MailmendError, ParseError, Refused
from mailmend.parse.assignment import Assignment, parse, removal


@pytest.mark.parametrize(
    "text",
    [
        "inet_protocols",
        "=ipv4",
        "inet protocols=ipv4",
        "$x=1",
        "smtp/unix/inet protocols=1",
        "smtp/inet/service=x",
        "smtp/inet/type=unix",
        "smtp/inet=",
        "smtp/inet/chroot=",
        "smtp/nothing/chroot=y",
        "#x=1",
    ],
)
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


@pytest.mark.parametrize("byte", [*range(0x20), 0x7F])
@pytest.mark.parametrize(
    "text", ["myhostname=a{}b", "myhostname={}a", "myhostname=a{}", "my{}hostname=a", "smtp/unix/a=b{}"]
)
def test_any_control_byte_is_refused_wherever_it_stands(byte: int, text: str) -> None:
    with pytest.raises(Refused, match=rf"byte \\x{byte:02x} "):
        parse(text.format(chr(byte)))


@pytest.mark.parametrize(
    ("text", "kind", "service", "name", "value"),
    [
        ("inet_protocols=ipv4", "setting", None, "inet_protocols", "ipv4"),
        ("inet_protocols = ipv4, ipv6 ", "setting", None, "inet_protocols", "ipv4, ipv6"),
        ("relayhost=", "setting", None, "relayhost", ""),
        ("smtpd_banner=$myhostname a=b", "setting", None, "smtpd_banner", "$myhostname a=b"),
        ("2bounce_notice_recipient=x", "setting", None, "2bounce_notice_recipient", "x"),
        ("scalemail-backend_time_limit=1s", "setting", None, "scalemail-backend_time_limit", "1s"),
        ("smtp/unix/inet_protocols=ipv4", "override", "smtp/unix", "inet_protocols", "ipv4"),
        ("smtp/unix/inet_protocols=", "override", "smtp/unix", "inet_protocols", ""),
        ("smtp/inet/command=smtpd -v", "field", "smtp/inet", "command", "smtpd -v"),
        ("smtp/inet/maxproc=5", "field", "smtp/inet", "process_limit", "5"),
        ("smtp/inet/unpriv=n", "field", "smtp/inet", "unprivileged", "n"),
        ("[::1]:587/inet/wakeup=-", "field", "[::1]:587/inet", "wakeup", "-"),
        ("a/unix=a unix - - n - - smtp", "service", "a/unix", "", "a unix - - n - - smtp"),
        ("postlog/unix-dgram/chroot=n", "field", "postlog/unix-dgram", "chroot", "n"),
    ],
)
def test_every_way_to_say_it(text: str, kind: str, service: str | None, name: str, value: str) -> None:
    found = parse(text)
    assert (found.kind, found.service, found.name, found.value) == (kind, service, name, value)


def test_taking_out() -> None:
    assert removal("relayhost") == Assignment("setting", "relayhost", None, "relayhost", None)
    assert removal("smtp/unix/inet_protocols").value is None
    assert removal("smtps/inet").kind == "service"
    for text in ("smtp/inet/chroot", "relay host", "relayhost=x", "a\nb"):
        with pytest.raises(MailmendError):
            removal(text)
