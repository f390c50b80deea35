"""What a log says of forwarded mail: whose it was, how it arrived, what became of it; and what was not forwarded."""

from __future__ import annotations

import pytest

from mailmend.parse.forwards import Forwarded, Forwards, original

AT = "2026-11-23T03:05:56+00:00 relay "
GMAIL = "relay=gmail-smtp-in.l.google.com[198.51.100.27]:25, delay=0.1, delays=0/0/0/0.1"
SENT = f"{GMAIL}, dsn=2.0.0, status=sent (250 2.0.0 OK - gsmtp)"
REFUSED = f"{GMAIL}, dsn=5.7.26, status=bounced (host gmail-smtp-in.l.google.com[198.51.100.27] said: 550 5.7.26 no)"
LATER = f"{GMAIL}, dsn=4.7.28, status=deferred (host gmail-smtp-in.l.google.com[198.51.100.27] said: 421 4.7.28 no)"


def came(queue_id: str, sender: str) -> list[str]:
    return [
        f"postfix/smtpd[2]: {queue_id}: client=mail.sender.example[203.0.113.25]",
        f"postfix/qmgr[3]: {queue_id}: from=<{sender}>, size=900, nrcpt=1 (queue active)",
    ]


def left(queue_id: str, ending: str, to: str = "someone@gmail.com", original: str = "u@example.org") -> str:
    moved = f", orig_to=<{original}>" if original else ""
    return f"postfix/smtp[4]: {queue_id}: to=<{to}>{moved}, {ending}"


def gone(queue_id: str) -> str:
    return f"postfix/qmgr[3]: {queue_id}: removed"


def told(*lines: str | list[str]) -> list[Forwarded]:
    flat = [line for each in lines for line in ([each] if isinstance(each, str) else each)]
    forwards = Forwards()
    forwards.read([(AT + line).encode() for line in flat])
    return [*forwards.take(), *forwards.end()]


# ---- what was not forwarded ---------------------------------------------------------------


def test_mail_that_a_user_sends_is_not_forwarded() -> None:
    sent = [came("AAAAA1", "anna@example.org"), left("AAAAA1", SENT, original=""), gone("AAAAA1")]
    assert told(*sent) == []


def test_an_address_that_was_only_completed_is_not_forwarded() -> None:
    line = left("AAAAA1", SENT, to="root@relay.example.org", original="root")
    assert told(came("AAAAA1", "cron@example.org"), line, gone("AAAAA1")) == []


def test_mail_for_a_mailbox_is_not_forwarded() -> None:
    local = (
        "postfix/local[4]: AAAAA1: to=<root@relay.example.org>, orig_to=<u@example.org>, relay=local, delay=0.1, "
        "delays=0/0/0/0.1, dsn=2.0.0, status=sent (delivered to mailbox)"
    )
    assert told(came("AAAAA1", "alice@shop.example"), local, gone("AAAAA1")) == []


def test_the_bounce_of_a_forward_is_not_forwarded_itself() -> None:
    bounce = left("BBBBB2", SENT, to="alice@shop.example", original="")
    found = told(came("AAAAA1", "alice@shop.example"), left("AAAAA1", REFUSED), came("BBBBB2", ""), bounce)
    assert [(each.sender, each.status) for each in found] == [("alice@shop.example", "bounced")]


def test_the_bounce_that_comes_back_to_a_rewritten_sender_is_not_forwarded_either() -> None:
    line = left(
        "BBBBB2", SENT, to="alice@shop.example", original="SRS0=x=JL=shop.example=alice@srs.example.org"
    )
    assert told(came("BBBBB2", ""), line, gone("BBBBB2")) == []


def test_what_a_program_asks_about_an_address_is_no_mail() -> None:
    asked = left("AAAAA1", SENT.replace("status=sent", "status=deliverable"))
    assert told(came("AAAAA1", "alice@shop.example"), asked, gone("AAAAA1")) == []


# ---- what was ------------------------------------------------------------------------------


def test_a_forward_is_told_with_sender_and_outcome() -> None:
    (one,) = told(came("AAAAA1", "alice@shop.example"), left("AAAAA1", REFUSED), gone("AAAAA1"))
    assert (one.sender, one.recipient, one.status, one.dsn) == (
        "alice@shop.example",
        "someone@gmail.com",
        "bounced",
        "5.7.26",
    )
    assert (one.relay, one.ip, one.moved) == ("gmail-smtp-in.l.google.com", "198.51.100.27", True)
    assert (one.verified, one.signed, one.author) == (None, None, None)


def test_what_is_tried_again_is_counted_once_as_it_ended() -> None:
    tries = [left("AAAAA1", LATER), left("AAAAA1", LATER), left("AAAAA1", SENT)]
    assert [each.status for each in told(came("AAAAA1", "a@shop.example"), *tries, gone("AAAAA1"))] == [
        "sent"
    ]


def test_what_still_waits_is_told_at_the_end_of_the_log() -> None:
    assert [each.status for each in told(came("AAAAA1", "a@shop.example"), left("AAAAA1", LATER))] == [
        "deferred"
    ]


def test_each_recipient_counts() -> None:
    both = [left("AAAAA1", SENT), left("AAAAA1", REFUSED, to="other@gmail.com", original="v@example.org")]
    assert len(told(came("AAAAA1", "a@shop.example"), *both, gone("AAAAA1"))) == 2


def test_a_queue_id_that_is_used_again_is_another_message() -> None:
    first = [came("AAAAA1", "a@shop.example"), left("AAAAA1", SENT), gone("AAAAA1")]
    second = [came("AAAAA1", "b@bank.example"), left("AAAAA1", REFUSED), gone("AAAAA1")]
    found = told(*first, *second)
    assert [(each.sender, each.status) for each in found] == [
        ("a@shop.example", "sent"),
        ("b@bank.example", "bounced"),
    ]


def test_where_the_log_begins_too_late_the_sender_is_not_known() -> None:
    (one,) = told(left("AAAAA1", SENT), gone("AAAAA1"))
    assert one.sender is None


def test_the_null_sender_is_no_unknown_one() -> None:
    (one,) = told(came("AAAAA1", ""), left("AAAAA1", SENT), gone("AAAAA1"))
    assert one.sender == ""


def test_how_it_arrived_is_told_with_it() -> None:
    verifier = [
        'opendkim[9]: AAAAA1: signature=x domain=shop.example selector=s result="no signature error"',
        'opendkim[9]: AAAAA1: signature=y domain=list.example selector=s result="signature verification failed"',
        "opendmarc[9]: AAAAA1: shop.example pass",
    ]
    (one,) = told(came("AAAAA1", "b@list.example"), verifier, left("AAAAA1", SENT), gone("AAAAA1"))
    assert (one.verified, one.signed, one.author) == (("shop.example",), True, "shop.example")


def test_without_a_line_for_each_signature_the_one_that_counted_is_told() -> None:
    verifier = [
        "opendkim[9]: AAAAA1: DKIM verification successful",
        "opendkim[9]: AAAAA1: s=s d=shop.example a=x SSL ",
    ]
    bad = ["opendkim[9]: BBBBB2: s=s d=shop.example a=x SSL ", "opendkim[9]: BBBBB2: bad signature data"]
    found = told(
        came("AAAAA1", "a@shop.example"), verifier, left("AAAAA1", SENT), gone("AAAAA1"),
        came("BBBBB2", "a@shop.example"), bad, left("BBBBB2", REFUSED), gone("BBBBB2"),
        came("CCCCC3", "a@shop.example"), left("CCCCC3", REFUSED), gone("CCCCC3"),
    )  # fmt: skip
    # opendkim logs every signature, so mail of which it says nothing has none.
    assert [(each.verified, each.signed) for each in found] == [
        (("shop.example",), True),
        ((), True),
        ((), False),
    ]


def test_a_signer_that_never_verified_says_nothing_of_mail_that_it_does_not_name() -> None:
    signs = "opendkim[9]: BBBBB2: DKIM-Signature field added (s=s1, d=example.org)"
    found = told(came("AAAAA1", "a@shop.example"), signs, left("AAAAA1", SENT), gone("AAAAA1"))
    assert [(each.verified, each.signed) for each in found] == [(None, None)]


def test_what_sieve_redirects_is_not_called_unsigned_because_nobody_verified_it_again() -> None:
    verified = [
        "opendkim[9]: BBBBB2: DKIM verification successful",
        "opendkim[9]: BBBBB2: s=s d=x.example a=x SSL ",
    ]
    handed = "postfix/pickup[3]: AAAAA1: uid=5000 from=<alice@shop.example>"
    (one,) = told(
        verified,
        handed,
        came("AAAAA1", "alice@shop.example"),
        left("AAAAA1", SENT, original=""),
        gone("AAAAA1"),
    )
    assert (one.handed, one.verified, one.signed) == (True, None, None)


@pytest.mark.parametrize(
    ("author", "verified"),
    [("shop.example", None), ("esp.example", ("esp.example",))],
    ids=["other", "author"],
)
def test_a_signature_that_nobody_told_the_result_of_may_hold(
    author: str, verified: tuple[str, ...] | None
) -> None:
    """Without LogResults opendkim names the first of several that held, and of the others only that they are there."""
    verifier = [
        "opendkim[9]: AAAAA1: message has signatures from esp.example, shop.example",
        "opendkim[9]: AAAAA1: DKIM verification successful",
        "opendkim[9]: AAAAA1: s=k2 d=esp.example a=rsa-sha256 SSL ",
        f"opendmarc[9]: AAAAA1: {author} pass",
    ]
    (one,) = told(came("AAAAA1", "b@esp.example"), verifier, left("AAAAA1", SENT), gone("AAAAA1"))
    assert (one.verified, one.signed) == (verified, True)


def test_both_of_two_signatures_in_one_line_are_told() -> None:
    results = (
        'opendkim[9]: AAAAA1: signature=a domain=esp.example selector=k result="no signature error"; '
        'signature=b domain=shop.example selector=k result="no signature error"'
    )
    verifier = ["opendkim[9]: AAAAA1: message has signatures from esp.example, shop.example", results]
    verifier += ["opendmarc[9]: AAAAA1: shop.example pass"]
    (one,) = told(came("AAAAA1", "b@esp.example"), verifier, left("AAAAA1", SENT), gone("AAAAA1"))
    assert one.verified == ("esp.example", "shop.example")


def test_none_of_several_holds_where_it_says_that_the_data_are_bad() -> None:
    verifier = [
        "opendkim[9]: AAAAA1: message has signatures from esp.example, shop.example",
        "opendkim[9]: AAAAA1: s=k2 d=shop.example a=rsa-sha256 SSL ",
        "opendkim[9]: AAAAA1: bad signature data",
    ]
    (one,) = told(came("AAAAA1", "b@esp.example"), verifier, left("AAAAA1", SENT), gone("AAAAA1"))
    assert (one.verified, one.signed) == ((), True)


def test_a_key_that_could_not_be_asked_for_is_not_called_no_signature() -> None:
    late = (
        "opendkim[9]: BBBBB2: key retrieval failed (s=k2, d=shop.example): 'k2._domainkey.shop.example' "
        "unexpected reply class/type (-1/-1)"
    )
    found = told(
        came("AAAAA1", "a@x.example"), list(SIGNED), left("AAAAA1", SENT), gone("AAAAA1"),
        came("BBBBB2", "a@shop.example"), late, left("BBBBB2", SENT), gone("BBBBB2"),
    )  # fmt: skip
    assert (found[1].verified, found[1].signed) == (None, True)


# ---- mail with two queue ids ---------------------------------------------------------------

AGAIN = (
    "relay=127.0.0.1[127.0.0.1]:10029, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent "
    "(250 2.0.0 Ok: queued as BBBBB2)"
)
ROUND = "postfix/srs/smtpd[5]: BBBBB2: client=localhost[127.0.0.1], orig_queue_id=AAAAA1, orig_client=x[203.0.113.25]"
SIGNED = (
    "opendkim[9]: AAAAA1: DKIM verification successful",
    "opendkim[9]: AAAAA1: s=s d=shop.example a=x SSL ",
)


@pytest.mark.parametrize("late", [False, True])
def test_what_went_round_to_be_rewritten_is_counted_once_with_its_first_sender(late: bool) -> None:
    """The two processes log side by side: either line may come first."""
    out = "postfix/srs/smtp[4]: AAAAA1: to=<someone@gmail.com>, orig_to=<u@example.org>, " + AGAIN
    second = [
        "postfix/qmgr[3]: BBBBB2: from=<SRS0=x=JL=shop.example=alice@srs.example.org>, size=1, nrcpt=1 (queue active)",
        left("BBBBB2", SENT, original=""),
        gone("BBBBB2"),
    ]
    ends = [*second, out, gone("AAAAA1")] if late else [out, gone("AAAAA1"), *second]
    (one,) = told(came("AAAAA1", "alice@shop.example"), list(SIGNED), ROUND, ends)
    assert (one.sender, one.verified, one.status) == ("alice@shop.example", ("shop.example",), "sent")


@pytest.mark.parametrize("late", [False, True])
def test_what_a_filter_gave_back_was_forwarded_if_it_was_before(late: bool) -> None:
    out = "postfix/smtp[4]: AAAAA1: to=<someone@gmail.com>, orig_to=<u@example.org>, " + AGAIN
    second = [
        "postfix/qmgr[3]: BBBBB2: from=<alice@shop.example>, size=1, nrcpt=1 (queue active)",
        left("BBBBB2", REFUSED, original=""),
        gone("BBBBB2"),
    ]
    ends = [*second, out, gone("AAAAA1")] if late else [out, gone("AAAAA1"), *second]
    found = told(came("AAAAA1", "alice@shop.example"), ROUND.replace("srs/", ""), ends)
    assert [(each.sender, each.status, each.moved) for each in found] == [
        ("alice@shop.example", "bounced", True)
    ]


def test_what_a_filter_on_another_host_gave_back_is_counted_once_as_it_ended() -> None:
    out = "postfix/smtp[4]: AAAAA1: to=<someone@gmail.com>, orig_to=<u@example.org>, " + AGAIN.replace(
        "127.0.0.1", "10.0.0.9"
    )
    second = [
        "postfix/qmgr[3]: BBBBB2: from=<alice@shop.example>, size=1, nrcpt=1 (queue active)",
        left("BBBBB2", REFUSED, original=""),
        gone("BBBBB2"),
    ]
    back = ROUND.replace("srs/", "").replace("127.0.0.1", "10.0.0.9")
    found = told(came("AAAAA1", "alice@shop.example"), back, [out, gone("AAAAA1"), *second])
    assert [(each.sender, each.status) for each in found] == [("alice@shop.example", "bounced")]


def test_what_a_filter_gave_back_of_a_users_own_mail_was_not() -> None:
    out = "postfix/smtp[4]: AAAAA1: to=<someone@gmail.com>, " + AGAIN
    second = [
        "postfix/qmgr[3]: BBBBB2: from=<anna@example.org>, size=1, nrcpt=1 (queue active)",
        left("BBBBB2", SENT, original=""),
        gone("BBBBB2"),
    ]
    assert (
        told(came("AAAAA1", "anna@example.org"), ROUND.replace("srs/", ""), out, gone("AAAAA1"), second) == []
    )


def test_a_dotforward_is_a_message_of_its_own() -> None:
    local = (
        "postfix/local[4]: AAAAA1: to=<dot@relay.example.org>, relay=local, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, "
        "status=sent (forwarded as BBBBB2)"
    )
    second = [
        "postfix/qmgr[3]: BBBBB2: from=<alice@shop.example>, size=1, nrcpt=1 (queue active)",
        local,
        left("BBBBB2", REFUSED, original=""),
        gone("BBBBB2"),
    ]
    (one,) = told(came("AAAAA1", "alice@shop.example"), second, gone("AAAAA1"))
    assert (one.sender, one.status, one.moved) == ("alice@shop.example", "bounced", True)


def test_what_a_program_here_hands_over_is_told_as_that() -> None:
    handed = "postfix/pickup[2]: AAAAA1: uid=1000 from=<alice@shop.example>"
    (one,) = told(
        handed, came("AAAAA1", "alice@shop.example")[1], left("AAAAA1", SENT, original=""), gone("AAAAA1")
    )
    assert (one.sender, one.moved, one.handed) == ("alice@shop.example", False, True)


def test_a_stranger_cannot_say_that_his_mail_was_queued_here() -> None:
    """Only what this host's own loopback answered names the next queue id."""
    lie = SENT.replace("OK - gsmtp", "Ok: queued as BBBBB2")
    own = [came("BBBBB2", "anna@example.org"), left("BBBBB2", SENT, original="")]
    found = told(own[0], came("AAAAA1", "x@evil.example"), left("AAAAA1", lie), own[1], gone("BBBBB2"))
    assert [each.sender for each in found] == ["x@evil.example"]


@pytest.mark.parametrize(
    "line",
    [
        "dovecot: imap: user=<x/qmgr[3]: AAAAA1: from=<victim@bank.example>, size=1, nrcpt=1 (queue active)",
        "postfix/smtpd[2]: x/qmgr[3]: AAAAA1: from=<victim@bank.example>, size=1, nrcpt=1 (queue active)",
        "other[2]: AAAAA1: from=<victim@bank.example>, size=1, nrcpt=1 (queue active)",
    ],
)
def test_what_a_stranger_makes_look_like_the_queue_manager_names_no_sender(line: str) -> None:
    (one,) = told(line, left("AAAAA1", SENT), gone("AAAAA1"))
    assert one.sender is None


@pytest.mark.parametrize("head", ["Nov 23 03:05:56 relay ", "2026-11-23T03:05:56.748084+00:00 relay "])
@pytest.mark.parametrize("tag", ["postfix/qmgr", "postfix-out/qmgr", "postfix/relay/qmgr"])
def test_the_queue_manager_is_known_whatever_writes_its_lines(head: str, tag: str) -> None:
    forwards = Forwards()
    lines = [f'{head}{tag}[3]: AAAAA1: from=<"a b"@shop.example>, size=1, nrcpt=1 (queue active)']
    lines += [f"{head}{left('AAAAA1', SENT)}", f"{head}{tag}[3]: AAAAA1: removed"]
    lines += [f"{head}{tag}[3]: BBBBB2: from=<b@shop.example>, size=1, nrcpt=1 (queue active)"]
    lines += [f"{head}{left('BBBBB2', SENT)}", f"{head}{tag}[3]: BBBBB2: removed"]
    forwards.read([line.encode() for line in lines])
    assert [each.sender for each in forwards.take()] == ['"a b"@shop.example', "b@shop.example"]


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("alice@shop.example", ""),
        ("", ""),
        ("SRS0=abcd=JL=Shop.example=alice@srs.example.org", "shop.example"),
        ("srs0+abcd=JL=shop.example=alice@srs.example.org", "shop.example"),
        ("SRS1=WXYZ=hop.example==abcd=JL=shop.example=alice@srs.example.org", "shop.example"),
        ("srs0nonsense@shop.example", ""),
    ],
)
def test_whose_address_was_rewritten(address: str, domain: str) -> None:
    assert original(address) == domain
