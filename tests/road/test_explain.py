"""From a delivery to who must act: told by the receiver's words, never by a guess."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailmend import catalogue
from mailmend.model import Delivery, Refusal, Relay, Reply, Severity
from mailmend.road.explain import deliveries, explain

IPV6 = Delivery(
    "bounced",
    recipient="reader@example.com",
    reply=Reply(
        550, "5.7.1", "[2001:db8:1::25] This message does not meet IPv6 sending guidelines. a1.2 - gsmtp"
    ),
    relay=Relay("gmail-smtp-in.l.google.com", "2001:db8:2::1a"),
    sender="anna@example.net",
    source_ip="2001:db8:1::25",
    queue_id="4F1A22B3C4D",
)
SPF = replace(
    IPV6,
    reply=Reply(
        550, "5.7.26", "The MAIL FROM domain [example.net] has an SPF record with a hard fail policy (-all)"
    ),
)
DMARC = replace(
    IPV6,
    reply=Reply(
        550, "5.7.26", "Unauthenticated email from example.net is not accepted due to domain's DMARC policy."
    ),
)


def explained(*deliveries: Delivery) -> tuple[Refusal, ...]:
    return explain(deliveries, catalogue.load())


def test_what_no_rule_explains_is_unknown_with_what_its_code_says() -> None:
    [told] = explained(replace(IPV6, reply=Reply(550, "5.7.1", "[2001:db8:1::25] we did not like it today")))
    assert (told.cause, told.who, told.ambiguous, told.remedies) == ("unknown", ("unknown",), (), ())
    assert told.receiver == "google"  # who refused is known, why is not
    assert "550 5.7.1 alone says: refused for good" in told.summary


def test_another_receivers_words_are_not_explained_by_googles_rules() -> None:
    [told] = explained(
        replace(
            IPV6,
            relay=Relay("mx.example.com", None),
            reply=Reply(550, None, "not meet IPv6 sending guidelines"),
        )
    )
    assert (told.cause, told.receiver) == ("unknown", None)


def test_a_refusal_by_ones_own_server_is_said_to_be_that() -> None:
    own = Delivery(
        "rejected-inbound",
        "a@example.com",
        Reply(454, "4.7.1", "Relay access denied"),
        source_ip="203.0.113.9",
    )
    [told] = explained(own)
    assert told.cause == "rejected-inbound"
    assert told.receiver is None
    assert told.ambiguous == ("relay-denied",)
    assert "this server itself refused" in told.summary
    assert told.remedies == ()


def test_a_delivery_is_no_refusal() -> None:
    [told] = explained(replace(IPV6, severity="delivered", reply=Reply(250, "2.0.0", "OK - gsmtp")))
    assert told.cause == "delivered-notice"


def test_one_reply_for_four_faults_says_so_and_who_decides() -> None:
    [told] = explained(IPV6)
    assert told.cause == "ipv6-ptr-or-auth"
    assert told.standing == "reported"
    assert set(told.ambiguous) == {"ptr-missing", "fcrdns-mismatch", "spf-fail", "dkim-fail"}
    assert {"ptr", "spf", "dkim"} <= set(told.checks)
    assert "2001:db8:1::25" in told.summary
    assert told.source == "https://support.google.com/a/answer/3726730"
    assert told.who == ("sender-dns", "own-mta")
    assert told.remedies[0] == "ipv4-for-receiver"


@pytest.mark.parametrize("forwarded", [None, False], ids=["not known", "not forwarded"])
def test_mail_of_ones_own_leaves_the_move_where_it_is(forwarded: bool | None) -> None:
    [told] = explained(replace(SPF, forwarded=forwarded))
    assert told.who == ("sender-dns", "own-mta")
    assert told.steps == catalogue.load().causes["spf-fail"].steps


def test_forwarded_mail_makes_it_the_forwarders_move() -> None:
    [told] = explained(replace(SPF, forwarded=True))
    assert told.who == ("own-mta",)
    assert told.remedies[0] == "srs"
    assert "SRS" in told.steps[0]


def test_a_strict_sender_is_told_that_nothing_of_ours_cures_it() -> None:
    [told] = explained(replace(DMARC, forwarded=True))
    assert told.cause == "dmarc-reject"
    assert told.remedies == ()
    assert "sender-domain-owner" in told.who
    assert any("nothing on this host cures it" in step for step in told.steps)
    assert "example.net" in told.summary


def test_a_cure_that_forwarding_takes_away_is_not_offered() -> None:
    said = Reply(550, "5.7.32", "This mail was refused because there is no DMARC alignment")
    mine, moved = (explained(replace(DMARC, reply=said, forwarded=each))[0] for each in (None, True))
    assert mine.cause == moved.cause == "dmarc-alignment"
    assert mine.remedies
    assert moved.remedies == ()


def test_the_temporary_twin_is_the_same_cause_deferred() -> None:
    [told] = explained(
        replace(IPV6, severity="deferred", reply=Reply(421, "4.7.25", "does not have a PTR record"))
    )
    assert (told.cause, told.delivery.severity) == ("ptr-missing", "deferred")


def test_a_bounce_and_its_log_line_are_one_refusal_with_what_either_knew() -> None:
    logged = replace(IPV6, forwarded=True, sender=None)
    bounced = replace(IPV6, relay=Relay("gmail-smtp-in.l.google.com", "2001:db8:2::1a"), forwarded=None)
    [told] = explained(logged, bounced)
    assert told.delivery.sender == "anna@example.net"
    assert told.delivery.forwarded is True
    assert told.who[0] == "own-mta"


def test_two_attempts_with_two_reasons_stay_two() -> None:
    assert [r.cause for r in explained(IPV6, SPF)] == ["ipv6-ptr-or-auth", "spf-fail"]


def test_two_recipients_of_one_message_stay_two() -> None:
    assert len(explained(IPV6, replace(IPV6, recipient="other@example.com"))) == 2


def test_two_messages_with_the_same_words_stay_two() -> None:
    assert len(explained(IPV6, replace(IPV6, queue_id="5A2B33C4D5E"))) == 2


def test_beside_refusals_neither_deliveries_nor_steps_on_the_way_are_told() -> None:
    sent = replace(IPV6, severity="delivered", queue_id="5A2B33C4D5E", reply=Reply(250, "2.0.0", "OK"))
    tried = replace(IPV6, severity="notice", recipient=None)
    assert [r.delivery for r in explained(sent, tried, IPV6)] == [IPV6]


def test_what_a_server_said_is_told_where_nothing_else_is() -> None:
    [told] = explained(replace(IPV6, severity="notice", recipient=None))
    assert told.cause == "ipv6-ptr-or-auth"


def test_a_refusal_for_now_is_not_said_to_have_been_given_up() -> None:
    [told] = explained(
        replace(IPV6, severity="deferred", reply=Reply(421, "4.7.25", "does not have a PTR record"))
    )
    assert not told.gave_up
    assert "gave up" not in told.summary


def test_what_came_back_after_days_is_explained_by_its_last_reply() -> None:
    [told] = explained(
        replace(
            IPV6, reporting_mta="mail.example.net", reply=Reply(421, "4.7.25", "does not have a PTR record")
        )
    )
    assert (told.cause, told.gave_up) == ("ptr-missing", True)
    assert told.summary.endswith("the queue tried until it gave up, and this is its last reason")


def test_a_reason_behind_message_expired_is_the_cause() -> None:
    said = "Message expired -> 421 4.7.25 The IP address sending this does not have a PTR record - gsmtp"
    [told] = explained(replace(IPV6, reply=Reply(550, "5.4.300", said)))
    assert told.cause == "ptr-missing"


def test_a_code_alone_explains_nothing() -> None:
    [told] = explained(replace(IPV6, severity="deferred", reply=Reply(421, None, "")))
    assert told.cause == "unknown"
    assert "421 alone says: not now" in told.summary


def test_a_delay_that_says_nothing_is_no_riddle() -> None:
    [told] = explained(replace(IPV6, severity="deferred", reply=Reply(None, "4.0.0", "")))
    assert told.cause == "delayed-notice"


def test_an_answering_machine_refused_nothing() -> None:
    [told] = explained(Delivery("notice", "anna@example.net", notice="auto-reply", excerpt="Out of office"))
    assert (told.cause, told.receiver, told.marks) == ("auto-reply", None, ())


def test_a_bounce_without_a_reply_is_explained_by_its_sentence() -> None:
    told = replace(
        IPV6, reply=None, excerpt="Google said: The IP address sending this does not have a PTR record"
    )
    assert [r.cause for r in explained(told)] == ["ptr-missing"]


PUT_OFF = replace(
    IPV6, severity="deferred", queue_id="4F1A22B3C4D", reply=Reply(421, "4.7.25", "no PTR record")
)


def test_what_waits_is_not_dropped_for_what_came_back_to_another() -> None:
    back = replace(
        PUT_OFF, severity="bounced", recipient="other@example.com", reply=Reply(550, "5.1.1", "no such user")
    )
    assert [r.delivery.severity for r in explained(PUT_OFF, back)] == ["deferred", "bounced"]


def test_what_came_back_in_the_end_is_not_also_told_as_put_off() -> None:
    back = replace(PUT_OFF, severity="bounced", reply=Reply(550, "5.1.1", "no such user"))
    [told] = explained(PUT_OFF, PUT_OFF, back)
    assert (told.cause, told.delivery.severity, told.gave_up) == ("no-such-user", "bounced", False)


def test_what_came_back_for_the_time_alone_came_back_for_what_it_was_put_off_for_last() -> None:
    greylisted = replace(PUT_OFF, reply=Reply(451, "4.7.1", "Greylisted, try again"))
    back = replace(PUT_OFF, severity="bounced", reply=Reply(None, None, "retry timeout exceeded"))
    [told] = explained(greylisted, PUT_OFF, back)
    assert (told.cause, told.delivery.severity, told.gave_up) == ("ptr-missing", "bounced", True)


def test_a_reason_that_nobody_knows_begins_with_who_gave_it() -> None:
    [told] = explained(replace(IPV6, reply=Reply(554, "5.7.1", "Frobnicated")))
    assert told.cause == "unknown"
    host = IPV6.relay.host if IPV6.relay and IPV6.relay.host else "the receiver"
    assert told.summary.startswith(
        f"{host} refused the mail, in words that no rule here knows; 554 5.7.1 alone says"
    )


# ---- what became of the mail ------------------------------------------------------------------


@pytest.mark.parametrize("severity", ["deferred", "bounced"])
def test_nobody_is_told_to_wait_for_what_went_back(severity: Severity) -> None:
    [told] = explained(
        Delivery(severity, "reader@example.com", Reply(550, None, "Rate limit exceeded, slow down"))
    )
    assert told.cause == "rate-limited"
    waits = [step for step in told.steps if step.startswith("Wait")]
    assert bool(waits) == (severity == "deferred")
    assert ("went back to its sender" in told.steps[0]) == (severity == "bounced")


# ---- a reply within a reply, and words without any code ----------------------------------------


def test_what_a_forwarder_quotes_of_another_is_explained_and_the_forwarder_refused() -> None:
    [told] = explained(
        Delivery(
            "bounced",
            "reader@example.com",
            Reply(
                550,
                None,
                "Invalid greeting. response=Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi",
            ),
            relay=Relay("mx1.forwardemail.net", "192.0.2.1"),
        )
    )
    assert told.receiver == "forwardemail"
    assert told.cause != "unknown"


@pytest.mark.parametrize(
    "text",
    [
        b"Please deliver the parcel to the back door.",
        b"The server responded with 503 Service Unavailable.",
        b"The connection was slow yesterday, so I wrote an e-mail to example.com.",
        b"From: anna@example.com\nSubject: Boite du destinataire archivee\n\nBoite du destinataire archivee.\n",
        b"data: unexpected EOF in the connection\n" * 50,
    ],
)
def test_a_text_without_a_code_is_mostly_no_refusal(text: bytes) -> None:
    assert deliveries(text, catalogue.load()) == ()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            b"Boite du destinataire archivee. Archived recipient. LPN007 420\n(in reply to RCPT TO command)",
            "mailbox-disabled",
        ),
        (
            b"TLS error from 'mx.example.com': Handshake failed: received fatal alert: HandshakeFailure",
            "tls-failed",
        ),
    ],
)
def test_words_that_a_rule_knows_need_no_code(text: bytes, cause: str) -> None:
    known = catalogue.load()
    [told] = explain(deliveries(text, known), known)
    assert told.cause == cause


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        (550, "5.1.1", "no-such-user"),
        (452, "4.2.2", "mailbox-full"),
        (550, "5.7.23", "spf-fail"),
        (535, None, "auth-required"),
        (550, "5.7.1", "unknown"),
        (451, "4.7.1", "unknown"),
        (550, None, "unknown"),
    ],
)
def test_a_code_that_stands_for_one_thing_is_believed_whatever_is_said(
    code: int, status: str | None, cause: str
) -> None:
    [told] = explained(replace(IPV6, relay=None, reply=Reply(code, status, "Frobnicated")))
    assert told.cause == cause
    assert ("no rule here knows its words" in told.summary) == (cause != "unknown")


def test_nobody_must_act_yet_on_what_is_put_off_in_words_that_nobody_knows() -> None:
    [later] = explained(Delivery("deferred", "reader@example.com", Reply(451, "4.7.1", "Frobnicated")))
    [never] = explained(Delivery("bounced", "reader@example.com", Reply(554, "5.7.1", "Frobnicated")))
    assert (later.cause, later.who) == ("unknown", ("nobody",))
    assert (never.cause, never.who) == ("unknown", ("unknown",))
