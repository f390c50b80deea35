"""mailmend explain: files in, refusals out; what is wrong with a file is said with its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailmend.jobs.explain import explain
from mailmend.model import ParseError

SAMPLES = Path(__file__).parent.parent / "samples"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
BOUNCE = (SAMPLES / "forward-refused.eml").read_bytes()
LOG = (
    b"Nov 22 09:00:01 relay postfix/smtp[11]: 4F1A22B3C4D: to=<reader@example.com>, orig_to=<box@example.org>,"
    b" relay=gmail-smtp-in.l.google.com[2001:db8:2::1a]:25, delay=1, delays=0/0/0/1, dsn=5.7.1, status=bounced"
    b" (host gmail-smtp-in.l.google.com[2001:db8:2::1a] said: 550-5.7.1 [2001:db8:1::25] Our system has detected that"
    b" this 550-5.7.1 message does not meet IPv6 sending guidelines 550 5.7.1 a1si2wmz.3 - gsmtp"
    b" (in reply to end of DATA command))\n"
)


def test_a_letter_that_quotes_a_bounce_has_no_refusal() -> None:
    assert explain([("letter", (SAMPLES / "letter-that-quotes-a-bounce.eml").read_bytes())]) == ()


def test_no_source_has_no_refusal() -> None:
    assert explain([]) == ()


@pytest.mark.parametrize(("name", "told"), [("bounce.eml", "bounce.eml: "), ("-", "standard input: ")])
def test_what_cannot_be_read_is_said_with_its_name(name: str, told: str) -> None:
    with pytest.raises(ParseError, match=f"{told}the input is empty"):
        explain([(name, b"")])


def test_one_bounce_with_two_recipients_has_two_causes() -> None:
    assert [(r.delivery.recipient, r.cause, r.receiver) for r in explain([("b", BOUNCE)])] == [
        ("reader@example.com", "ipv6-ptr-or-auth", "google"),
        ("other@example.com", "dmarc-reject", "google"),
    ]


def test_a_bounce_and_the_log_it_belongs_to_are_explained_together() -> None:
    told = explain([("mail.log", LOG), ("bounce.eml", BOUNCE)])
    assert [r.cause for r in told] == ["ipv6-ptr-or-auth", "dmarc-reject"]


@pytest.mark.skipif(not CORPUS.exists(), reason=f"no corpus at {CORPUS}")
def test_every_bounce_of_the_corpus_is_answered() -> None:
    """729 bounces of all makes: none is a bug, whatever it says."""
    for row in map(json.loads, (CORPUS / "dsn.jsonl").read_text().splitlines()):
        for refusal in explain([(row["file"], (CORPUS / row["file"]).read_bytes())]):
            assert refusal.summary
            assert refusal.who


def test_it_is_told_how_far_a_long_log_is() -> None:
    seen: list[tuple[int, int]] = []
    many = b"".join(LOG.replace(b"4F1A22B3C4D", f"4F1A{n:07X}".encode()) for n in range(600))
    told = explain([("mail.log", many)], lambda done, total: seen.append((done, total)))
    assert len(told) == 600
    assert seen[0] == (0, 600)
    assert seen == sorted(set(seen))
