"""Two copies ran: what never worked is not blamed on the change, what stops working is, and an open door is."""

from __future__ import annotations

from dataclasses import replace

from mailmend.system.canary import Complaint, Observed, Script
from mailmend.system.compared import broken
from mailmend.system.dialogue import IN_TIME, Said, Talk

OURS, FOREIGN = "postmaster@example.org", "nobody@[192.0.2.25]"
SCRIPT = Script((OURS,), (FOREIGN,), "postmaster@example.net")
GREETED, TAKEN = Said(220, "mail.example.org ESMTP"), Said(250, "2.1.5 Ok")
DENIED = Said(454, "4.7.1 Relay access denied")
DEAD = Said(0, "the server hung up at connecting")


def talk(
    ours: Said = TAKEN, foreign: Said = TAKEN, greeting: Said = GREETED, tls: Said | None = None
) -> Talk:
    return Talk(greeting, tls=tls, recipients=((OURS, (ours,)), (FOREIGN, (foreign,))))


def seen(
    home: Talk | None = None, stranger: Talk | None = None, *complaints: Complaint, ended: str = ""
) -> Observed:
    talks = {
        ("smtp/inet", "this host"): home or talk(),
        ("smtp/inet", "stranger"): stranger or talk(foreign=DENIED),
    }
    return Observed(ended, complaints, talks, {OURS: "local", FOREIGN: "smtp"}, frozenset(("local", "smtp")))


def said(severity: str, text: str, daemon: str = "smtpd") -> Complaint:
    return Complaint(daemon, severity, text, text)


def test_two_that_do_the_same_are_no_difference() -> None:
    assert broken(seen(), seen(), SCRIPT) == ()


def test_what_never_worked_is_not_blamed_on_the_change() -> None:
    old = said("fatal", "bad string length", "virtual")
    refused = talk(ours=Said(450, "4.2.0 greylisted"))
    assert broken(seen(refused, refused, old), seen(refused, refused, old), SCRIPT) == ()
    throttled = said("warning", "/usr/lib/postfix/sbin/virtual: bad command startup -- throttling", "master")
    assert broken(seen(None, None, old), seen(None, None, old, throttled), SCRIPT) == ()
    assert broken(seen(talk(greeting=DEAD)), seen(talk(greeting=DEAD)), SCRIPT) == ()


def test_a_repair_goes_through() -> None:
    now_broken = seen(
        talk(Said(451, "4.3.5 Server configuration error"), DENIED), None, said("warning", "unknown")
    )
    assert broken(now_broken, seen(), SCRIPT) == ()


def test_a_message_that_is_just_being_written_is_no_defect() -> None:
    """postfix check looks through the queue while the canary hands mail in: seen in a whole run of the suite."""
    passing = said("warning", "bogus file name: incoming/256536.29099", "postsuper")
    assert broken(seen(), seen(None, None, passing), SCRIPT) == ()
    stray = said("warning", "bogus file name: incoming/notes.txt", "postsuper")
    assert broken(seen(), seen(None, None, stray), SCRIPT) == (
        "postsuper would say: bogus file name: incoming/notes.txt",
    )


def test_a_policy_that_says_later_and_a_slow_moment_are_no_defect() -> None:
    later = Said(450, "4.2.0 Recipient address rejected: Greylisted, try again")
    assert broken(seen(), seen(None, talk(ours=later, foreign=DENIED)), SCRIPT) == ()
    slow = Said(0, f"no answer to RCPT {IN_TIME}")
    assert broken(seen(), seen(talk(ours=slow)), SCRIPT) == ()


def test_what_is_said_in_passing_is_no_complaint() -> None:
    dns = said("warning", "hostname mail.example.net does not resolve to address 192.0.2.77")
    ours = said("warning", "malformed request", "bounce")
    assert broken(seen(), seen(None, None, dns, ours), SCRIPT) == ()


def test_a_master_that_ends_is_all_there_is_to_say() -> None:
    (only,) = broken(seen(), seen(ended="open lock file: denied"), SCRIPT)
    assert only == "master would not run: open lock file: denied"


def test_a_daemon_that_dies_comes_before_what_follows_from_it() -> None:
    first, second = broken(
        seen(), seen(talk(greeting=DEAD), None, said("fatal", "no SASL authentication mechanisms")), SCRIPT
    )
    assert first == "smtpd would die: no SASL authentication mechanisms"
    assert second.startswith("smtp/inet would not greet this host")


def test_mail_that_was_taken_and_is_refused() -> None:
    (only,) = broken(seen(), seen(None, talk(Said(554, "5.7.1 Access denied"), DENIED)), SCRIPT)
    assert only == f"smtp/inet would refuse mail to {OURS} from a stranger: 554 5.7.1 Access denied"


def test_a_clear_no_that_becomes_a_server_in_trouble() -> None:
    unknown, trouble = Said(550, "5.1.1 User unknown"), Said(451, "4.3.0 Temporary lookup failure")
    (only,) = broken(seen(talk(unknown)), seen(talk(trouble)), SCRIPT)
    assert only == f"smtp/inet would fail for {OURS}: 451 4.3.0 Temporary lookup failure"


def test_a_door_that_opens_to_strangers() -> None:
    (only,) = broken(seen(), seen(None, talk()), SCRIPT)
    assert only.startswith("open relay: smtp/inet would take a stranger's mail")


def test_a_new_listener_has_to_greet_and_must_not_be_open() -> None:
    before, after = seen(), seen()
    new = {**after.talks, ("2525/inet", "stranger"): talk(), ("2525/inet", "this host"): talk(greeting=DEAD)}
    told = broken(before, replace(after, talks=new), SCRIPT)
    assert [line.partition(":")[0] for line in told] == ["open relay", "2525/inet would not greet this host"]


def test_tls_that_is_offered_and_fails() -> None:
    good, bad = (
        Said(220, "2.0.0 Ready to start TLS"),
        Said(454, "4.7.0 TLS not available due to local problem"),
    )
    (only,) = broken(seen(talk(tls=good)), seen(talk(tls=bad)), SCRIPT)
    assert only == "smtp/inet would fail at STARTTLS: 454 4.7.0 TLS not available due to local problem"


def test_a_route_into_nowhere() -> None:
    (only,) = broken(seen(), replace(seen(), resolved={OURS: "local", FOREIGN: "nowhere"}), SCRIPT)
    assert only == f"mail to {FOREIGN} would go by the transport nowhere, which master.cf does not have"
