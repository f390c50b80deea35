"""Checks run side by side; what they measured decides what a receiver's reply meant, or leaves it alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from mailmend.model import CannotLook, Cause, Delivery, Finding, Probe, Refusal, Relay, Reply, Scope
from mailmend.road.check import check, concerned, merge
from worlds import world

SIX, FOUR = "2001:db8:1::10", "192.0.2.10"


def module(causes: tuple[str, ...], look: Any) -> ModuleType:
    made = ModuleType("made")
    made.CAUSES = causes  # type: ignore[attr-defined]
    made.check = look  # type: ignore[attr-defined]
    return made


def saying(*findings: Finding) -> Any:
    def look(probe: Probe, scope: Scope) -> Iterator[Finding]:
        yield from findings

    return look


def test_findings_come_in_the_order_of_the_checks_whoever_is_first() -> None:
    second_done = threading.Event()

    def slow(probe: Probe, scope: Scope) -> Iterator[Finding]:
        assert second_done.wait(5)  # only side by side can this end
        yield Finding("a", "one", "measured", "one")

    def quick(probe: Probe, scope: Scope) -> Iterator[Finding]:
        second_done.set()
        yield Finding("b", "two", "measured", "two")

    modules = {"slow": module(("a",), slow), "quick": module(("b",), quick)}
    found = check(world.made().probe(), Scope(), modules)
    assert [(f.check, f.subject) for f in found] == [("slow", "one"), ("quick", "two")]


def test_a_check_that_cannot_look_is_unknown_and_the_others_go_on() -> None:
    def blind(probe: Probe, scope: Scope) -> Iterator[Finding]:
        raise CannotLook("permission denied")
        yield

    modules = {
        "blind": module(("a",), blind),
        "b": module(("b",), saying(Finding("b", "x", "measured", "x"))),
    }
    found = check(world.made().probe(), Scope(), modules)
    assert [(f.check, f.standing) for f in found] == [("blind", "unknown"), ("b", "measured")]
    assert "permission denied" in found[0].summary


def test_a_bug_is_not_hidden() -> None:
    def broken(probe: Probe, scope: Scope) -> Iterator[Finding]:
        raise KeyError("bug")
        yield

    with pytest.raises(KeyError):
        check(world.made().probe(), Scope(), {"broken": module(("a",), broken)})


def test_only_the_checks_that_can_decide_are_run() -> None:
    modules = {
        "ptr": module(("ptr-missing", "fcrdns-mismatch"), None),
        "tls": module(("tls-off",), None),
        "forwarding": module(("forwarded-not-rewritten",), None),
    }
    assert list(concerned(modules, ["ptr-missing"])) == ["ptr"]
    assert list(concerned(modules, ["spf-fail"])) == ["forwarding"]
    assert list(concerned(modules, ["tls"])) == ["tls"]
    assert list(concerned(modules, None)) == ["ptr", "tls", "forwarding"]
    assert not concerned(modules, [])


# ---- merge --------------------------------------------------------------------------------

CAUSES = {
    name: Cause(name, name, ("sender-dns",), "either", (f"mend {name}",), (), ("dns-records",), (), "")
    for name in (
        "ipv6-ptr-or-auth",
        "ptr-missing",
        "fcrdns-mismatch",
        "spf-fail",
        "dkim-fail",
        "forwarded-not-rewritten",
    )
}


def refusal(**known: Any) -> Refusal:
    delivery = Delivery(
        "bounced",
        recipient="someone@gmail.com",
        reply=Reply(550, "5.7.1", "does not meet IPv6 sending guidelines"),
        relay=Relay("gmail-smtp-in.l.google.com", "2001:db8:2::25"),
        **({"source_ip": SIX} | known),
    )
    meanings = ("ptr-missing", "fcrdns-mismatch", "spf-fail", "dkim-fail")
    return Refusal(
        delivery, "google", "ipv6-ptr-or-auth", meanings, (), (), (), ("ptr", "spf"), None, "reported",
        summary="Gmail refused",
    )  # fmt: skip


def found(cause: str, subject: str, standing: Any = "measured", **more: Any) -> Finding:
    return Finding(cause, subject, standing, f"{cause} of {subject}", check=more.pop("check", "ptr"), **more)


def test_a_fault_of_another_address_is_never_pinned_on_this_one() -> None:
    (told,) = merge([refusal()], [found("ptr-missing", "2001:db8:1::99"), found("ptr-missing", FOUR)], CAUSES)
    assert (told.cause, told.standing) == ("ipv6-ptr-or-auth", "reported")


def test_another_senders_spf_does_not_decide() -> None:
    (told,) = merge(
        [refusal(sender="alice@sender.example")],
        [found("spf-fail", "example.org", check="spf", address=SIX)],
        CAUSES,
    )
    assert told.standing == "reported"


def test_our_own_spf_does_not_explain_a_forward() -> None:
    (told,) = merge(
        [refusal(forwarded=True)], [found("spf-fail", "example.org", check="spf", address=SIX)], CAUSES
    )
    assert told.standing == "reported"


def test_what_the_log_counted_is_the_same_report_once_more() -> None:
    (told,) = merge([refusal()], [found("ptr-missing", SIX, check="receiver-log")], CAUSES)
    assert told.standing == "reported"


def test_the_reply_names_no_address_and_two_are_in_use() -> None:
    findings = [
        found("ptr-missing", SIX, address=SIX),
        found("ptr-missing", "2001:db8:1::25", "cleared", address="2001:db8:1::25"),
    ]
    (told,) = merge([refusal(source_ip=None)], findings, CAUSES)
    assert told.standing == "reported"


def test_the_host_s_own_rejections_are_left_alone() -> None:
    own = Refusal(
        Delivery("rejected-inbound"), None, "rejected-inbound", (), (), (), (), (), None, "reported"
    )
    assert merge([own], [found("ptr-missing", SIX)], CAUSES) == (own,)


def test_the_measurement_decides_and_the_receivers_words_stay() -> None:
    (told,) = merge(
        [refusal()], [found("ptr-missing", "2001:db8:1:0::10", address="2001:db8:1:0::10")], CAUSES
    )
    assert (told.cause, told.standing, told.ambiguous) == ("ptr-missing", "measured", ())
    assert told.steps == ("mend ptr-missing",)
    assert told.delivery.reply is not None
    assert told.delivery.reply.text == "does not meet IPv6 sending guidelines"


def test_several_faults_are_all_named_the_nearest_first() -> None:
    findings = [
        found("spf-fail", "example.org", check="spf", address=SIX),
        found("ptr-missing", SIX, address=SIX),
    ]
    (told,) = merge([refusal(sender="info@example.org")], findings, CAUSES)
    assert (told.cause, told.ambiguous, told.checks) == ("ptr-missing", ("spf-fail",), ("ptr", "spf"))


def test_a_forward_that_keeps_its_envelope_explains_failing_spf() -> None:
    (told,) = merge(
        [refusal(forwarded=True)],
        [found("forwarded-not-rewritten", "sender_canonical_maps", check="forwarding")],
        CAUSES,
    )
    assert told.cause == "forwarded-not-rewritten"


def test_mail_that_was_not_forwarded_is_not_explained_by_forwarding() -> None:
    (told,) = merge(
        [refusal(forwarded=False)],
        [found("forwarded-not-rewritten", "sender_canonical_maps", check="forwarding")],
        CAUSES,
    )
    assert told.standing == "reported"


def test_what_is_cleared_is_struck_from_the_meanings() -> None:
    findings = [found("ptr-missing", SIX, "cleared"), found("fcrdns-mismatch", SIX, "cleared")]
    (told,) = merge([refusal()], findings, CAUSES)
    assert (told.standing, told.ambiguous) == ("reported", ("spf-fail", "dkim-fail"))


def test_when_everything_is_in_order_now_that_is_said() -> None:
    findings = [
        found(cause, SIX, "cleared") for cause in ("ptr-missing", "fcrdns-mismatch", "spf-fail", "dkim-fail")
    ]
    (told,) = merge([refusal()], findings, CAUSES)
    assert told.standing == "cleared"
    assert told.summary == "Gmail refused; nothing of this is found now"


def test_a_look_that_failed_leaves_the_report_and_says_why() -> None:
    (told,) = merge([refusal()], [found("ptr-missing", SIX, "unknown")], CAUSES)
    assert (told.cause, told.standing) == ("ipv6-ptr-or-auth", "reported")
    assert told.summary.endswith("ptr-missing of 2001:db8:1::10")
