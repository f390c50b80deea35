"""Whatever bytes come, every reader answers or refuses with a reason; none of them fails."""
# ruff: noqa: E501 (words stand here as they come)

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mailmend.model import Delivery, ParseError
from mailmend.parse import (
    bounce,
    dsn,
    html,
    logged,
    mailq,
    mbox,
    message,
    paste,
    prose,
    returned,
    trace,
    transcript,
    words,
)
from parse import test_logged, test_trace

SAMPLE = (Path(__file__).parent.parent / "samples" / "forward-refused.eml").read_text()
EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Words that mean something to one reader or another, in any order, with anything between them.
MEANING = (
    "\n|\n\n|: |--|--4F1A22B3C4D.1764/relay.example.org|From: |To: |Subject: |Return-Path: <>|MAILER-DAEMON@example.org"
    "|Content-Type: |multipart/report; boundary=|message/delivery-status|message/rfc822|text/html|charset=utf-7|boundary*0*="
    "|Content-Transfer-Encoding: base64|=?utf-8?b?|=?iso-2022-jp?q?|?=|=\n|Final-Recipient: rfc822;|Action: failed|Status: 5.1.1"
    "|Diagnostic-Code: smtp; 550 |<a@example.com>:|(generated from |550-|550 5.7.1 |said: |<<< |>>> RCPT TO:|... while talking to "
    "|failure notice|to=<|status=bounced (|relay=mx[192.0.2.1]:25, |stat=Deferred: |delivery 1: failure: |** |1vMabc-0000AB-3c "
    '|{"event":"bounce","email":"|"}|[|]|\\ud800|\x1b$B|\ud7ff|é|&#x110000;|<p |> |From a Sun Nov 22 09:00:01 2026\n|\r|\0'
)
TOKENS = some.sampled_from(MEANING.split("|"))
TEXT = some.lists(TOKENS | some.text(max_size=8), max_size=40).map("".join)
SCRAMBLED = some.tuples(
    some.sampled_from([SAMPLE, test_logged.EXIM, test_logged.QMAIL, test_logged.SENDMAIL, str(test_trace.SERVICES)]),
    some.integers(0, 4000), some.integers(0, 400), TEXT,
).map(lambda made: made[0][: made[1]] + made[3] + made[0][made[1] + made[2] :])  # fmt: skip


def sound(found: tuple[Delivery, ...]) -> None:
    """What every Delivery promises, whoever made it."""
    for delivery in found:
        assert isinstance(delivery, Delivery)
        said = delivery.reply
        assert said is None or said.code is None or 200 <= said.code <= 599
        assert said is None or "\n" not in said.text
        assert delivery.recipient is None or delivery.recipient.strip() == delivery.recipient != ""


def answered(data: bytes) -> None:
    try:
        sound(paste.deliveries(data))
    except ParseError as refused:
        assert "\n" not in str(refused)


@EXAMPLES
@given(some.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    answered(data)


@EXAMPLES
@given(TEXT)
def test_any_words(text: str) -> None:
    answered(text.encode("utf-8", "surrogatepass"))


@EXAMPLES
@given(SCRAMBLED)
def test_anything_scrambled(text: str) -> None:
    answered(text.encode("utf-8", "surrogatepass"))


@EXAMPLES
@given(TEXT | SCRAMBLED)
def test_each_reader_by_itself(text: str) -> None:
    for reader in (bounce.parse, dsn.report, returned.deliveries, logged.deliveries, mailq.deliveries, trace.deliveries,
                   prose.deliveries):  # fmt: skip
        try:
            sound(reader(text))
        except ParseError as refused:
            assert refused.reason
    transcript.read(text)
    html.text(text)
    words.unworded(text)
    words.parameter(text, "boundary")
    message.fields(text)


@EXAMPLES
@given(some.binary(max_size=600), some.sampled_from(["base64", "quoted-printable", "7bit", "x-unknown"]),
       some.sampled_from(["utf-8", "iso-2022-jp", "utf-7", "punycode", "hz-gb-2312", "utf-16", "none-such", None]))  # fmt: skip
def test_any_encoding(data: bytes, encoding: str, charset: str | None) -> None:
    assert isinstance(words.decoded(words.untransferred(data, encoding), charset), str)


@EXAMPLES
@given(
    some.lists(
        some.sampled_from([b"From a Sun Nov 22 09:00:01 2026\n", b"To: a\n", b"\n", b"x\n", b"x"]),
        max_size=30,
    )
)
def test_a_mailbox_loses_nothing_but_its_postmarks(lines: list[bytes]) -> None:
    kept = b"".join(data for data, _ in mbox.messages(lines, 1 << 20))
    assert kept.replace(b"From a Sun Nov 22 09:00:01 2026\n", b"") == b"".join(lines).replace(
        b"From a Sun Nov 22 09:00:01 2026\n", b""
    )
