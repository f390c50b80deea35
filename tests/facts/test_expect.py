"""After a change the operator is shown what was looked at afresh: holds, fails, pending, unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailmend import questions as q
from mailmend.facts.expect import judge
from mailmend.model import CannotLook, Delivery, Expectation, Layer, Relay, Reply
from mailmend.system.probe import Live

NOW = datetime(2026, 1, 3, 12, 0, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=5)
AT_ONCE = NOW + timedelta(seconds=3)


def verdict(
    kind: str, subject: str, wanted: str | None, answers: dict[Any, Any], layer: Layer = "running"
) -> str:
    def looker(answer: Any) -> Any:
        def look(_: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return look

    probe = Live({question: looker(answer) for question, answer in answers.items()})
    return judge(Expectation(layer, kind, subject, wanted, "it is so"), probe).verdict


def trial(*deliveries: Delivery, ignored: tuple[str, ...] = ()) -> dict[Any, Any]:
    return {q.ClientTrial: q.TrialResult(deliveries, ignored)}


def via(ip: str) -> Delivery:
    return Delivery("delivered", relay=Relay("mx.example", ip))


def count(
    status: Any, family: Any, last: datetime, dsn: str = "2.0.0", text: str = "250 2.0.0 OK"
) -> q.DeliveryCount:
    return q.DeliveryCount(
        "aspmx.l.google.com", family, status, 250, dsn, text, "gmail.com", "smtp", 3, 0, (), last
    )  # fmt: skip


def dead(words: str, at: datetime = NOW + timedelta(seconds=1), service: str = "smtpd") -> dict[Any, Any]:
    line = f"{at.isoformat()} relay postfix/{service}[7]: {words}"
    services = (q.Service("smtp", "inet", "n", "-", "n", "-", "-", "smtpd"),)
    return {q.LogLines: (line,), q.Services: services}


def log(*counts: q.DeliveryCount) -> dict[Any, Any]:
    return {q.RecentDeliveries: q.LogCounts("/var/log/mail.log", 9, 0, NOW, NOW, counts)}


FAILED_LOOK = CannotLook("not readable")
MILTER = "inet:127.0.0.1:8891"


def session(*words: str) -> dict[Any, Any]:
    """A greeting, and what smtpd logged meanwhile."""
    lines = tuple(f"{LATER.isoformat()} relay postfix/smtpd[7]: {text}" for text in words)
    there = (q.Listener("0.0.0.0", 25, 7, 13),)
    return {q.Listeners: there, q.Greeting: "220 relay.example.org ESMTP", q.LogLines: lines}


WRITTEN = q.SettingValue("ipv4", "ipv4")
OPEN = (q.Listener("0.0.0.0", 25, 7, 13),)
GOOGLE = ".google.com,.googlemail.com any"
SINCE = NOW.isoformat()
THROTTLED = "warning: /usr/lib/postfix/sbin/smtpd: bad command startup -- throttling"
REFUSED = "550 5.7.1 [2001:db8::1] does not meet IPv6 sending guidelines https://support.google.com/mail/?p=IPv6AuthError"
HAS_IPV6: dict[Any, Any] = {q.Records: q.DnsAnswer(("2001:db8::9",), True, False)}
CUT_OFF = Delivery(
    "bounced",
    reply=Reply(None, "5.4.4", "unable to look up host mx.example: No address associated with hostname"),
)


@pytest.mark.parametrize(
    ("kind", "subject", "wanted", "answers", "told"),
    [
        # A look that failed proves nothing, either way.
        ("setting-is", "inet_protocols", "ipv4", {q.Setting: FAILED_LOOK}, "unknown"),
        ("listener", "[::]:25", "gone", {q.Listeners: FAILED_LOOK}, "unknown"),
        ("running-since", "master", SINCE, {q.Master: FAILED_LOOK}, "unknown"),
        ("no-fatal", "log", SINCE, {q.LogLines: FAILED_LOOK}, "unknown"),
        ("delivered", GOOGLE, SINCE, {q.RecentDeliveries: FAILED_LOOK}, "unknown"),
        ("record-seen", "example.org TXT", "v=spf1 -all", {q.Records: FAILED_LOOK}, "unknown"),
        ("spaced", "smtp-paced-google", "1", {q.Spaced: FAILED_LOOK}, "unknown"),
        ("answers", "regexp:/t a key", "", {q.MapLookup: FAILED_LOOK}, "unknown"),
        ("answers", "regexp:/t a key", "", {q.MapLookup: "REJECT"}, "fails"),
        ("answers", "regexp:/t a key", "REJECT", {q.MapLookup: ""}, "fails"),
        ("answers", "regexp:/t a key", "REJECT", {q.MapLookup: "REJECT"}, "holds"),
        ("milter", MILTER, None, {**session(), q.LogLines: FAILED_LOOK}, "unknown"),
        ("milter", MILTER, None, {**session(), q.Greeting: FAILED_LOOK}, "unknown"),
        # What does not hold.
        ("setting-is", "inet_protocols", "ipv4", {q.Setting: q.SettingValue("all", None)}, "fails"),
        ("listener", "0.0.0.0:25", "gone", {q.Listeners: OPEN}, "fails"),
        ("listener", "[::]:25", "open", {q.Listeners: OPEN}, "fails"),
        ("running-since", "master", SINCE, {q.Master: q.Running(None, None, None)}, "fails"),
        ("running-since", "master", SINCE, {q.Master: q.Running(7, EARLIER, LATER)}, "fails"),
        ("greeting", "127.0.0.1:25", "220", {q.Greeting: FAILED_LOOK}, "fails"),
        ("greeting", "127.0.0.1:25", "220", {q.Greeting: "421 busy"}, "fails"),
        ("no-fatal", "log", SINCE, dead("fatal: cannot handle socket type"), "fails"),
        ("no-fatal", "log", SINCE, dead(THROTTLED, service="master"), "fails"),
        ("client-family", "a@gmail.com", "ipv4", trial(via("2001:db8::1")), "fails"),
        ("client-family", "a@gmail.com", "ipv4", trial(via("192.0.2.1"), via("2001:db8::1")), "fails"),
        ("delivered", GOOGLE, SINCE, log(count("bounced", "ipv6", LATER, "5.7.1", REFUSED)), "fails"),
        ("client-ignores", "a@gmail.com", "AAAA", trial(via("2001:db8::1")), "fails"),
        ("client-ignores", "a@gmail.com", "AAAA", {**trial(via("192.0.2.1")), **HAS_IPV6}, "fails"),
        ("client-ignores", "a@gmail.com", "AAAA", trial(CUT_OFF, ignored=("ignoring DNS RR: x",)), "fails"),
        ("client-family", "a@gmail.com", "ipv4", trial(CUT_OFF), "fails"),
        ("spaced", "smtp-paced-google", "1", {q.Spaced: q.Spacing(30, 29, 0.02)}, "fails"),
        ("milter", MILTER, None, session(f"warning: connect to Milter service {MILTER}: refused"), "fails"),
        # What only time or others can show.
        ("client-family", "a@gmail.com", "ipv4", trial(), "pending"),
        ("spaced", "smtp-paced-google", "1", {q.Spaced: q.Spacing(1, 0, None)}, "pending"),
        ("milter", MILTER, None, {q.Listeners: ()}, "pending"),
        ("client-family", "a@gmail.com", "ipv4", {q.ClientTrial: FAILED_LOOK}, "pending"),
        ("delivered", GOOGLE, SINCE, log(count("bounced", "ipv6", EARLIER, "5.7.1", REFUSED)), "pending"),
        (
            "delivered",
            GOOGLE,
            SINCE,
            log(count("bounced", "ipv4", LATER, "5.7.1", "550 5.7.1 this looks like spam")),
            "pending",
        ),
        ("delivered", GOOGLE, SINCE, log(), "pending"),
        (
            "record-seen",
            "example.org TXT",
            "v=spf1 -all",
            {q.Records: q.DnsAnswer((), True, False)},
            "pending",
        ),
        ("delivered", GOOGLE, SINCE, log(count("bounced", "ipv6", AT_ONCE, "5.7.1", REFUSED)), "pending"),
        # What holds.
        ("setting-is", "smtp/unix/inet_protocols", "ipv4", {q.Setting: WRITTEN}, "holds"),
        ("setting-is", "x", "$y/z, b", {q.Setting: q.SettingValue("/y/z, b", "$y/z, b")}, "holds"),
        ("listener", "[::]:25", "gone", {q.Listeners: OPEN}, "holds"),
        ("listener", "0.0.0.0:25", "open", {q.Listeners: OPEN}, "holds"),
        ("running-since", "qmgr", SINCE, {q.Master: q.Running(7, EARLIER, LATER)}, "holds"),
        ("greeting", "[::1]:25", "220", {q.Greeting: "220 relay.example.org ESMTP"}, "holds"),
        (
            "milter",
            MILTER,
            None,
            session("warning: connect to Milter service inet:127.0.0.1:1: refused"),
            "holds",
        ),
        ("milter", MILTER, None, session(f"warning: non-SMTP command: milter {MILTER}: x"), "holds"),
        # A queue manager that was started anew in between does not know of the delivery before.
        ("spaced", "smtp-paced-google", "1", {q.Spaced: q.Spacing(30, 1, 0.02)}, "holds"),
        ("no-fatal", "log", SINCE, dead("warning: hostname does not resolve"), "holds"),
        (
            "no-fatal",
            "log",
            SINCE,
            dead("warning: non-SMTP command from x[192.0.2.9]: GET /: fatal: x"),
            "holds",
        ),
        ("no-fatal", "log", SINCE, dead("fatal: No recipient addresses found", service="sendmail"), "holds"),
        ("client-family", "a@gmail.com", "ipv4", trial(via("192.0.2.1")), "holds"),
        ("client-ignores", "a@gmail.com", "AAAA", trial(ignored=("ignoring DNS RR: x IN AAAA",)), "holds"),
        ("delivered", GOOGLE, SINCE, log(count("sent", "ipv4", LATER)), "holds"),
        (
            "record-seen",
            "example.org TXT",
            "v=spf1 -all",
            {q.Records: q.DnsAnswer(("v=spf1 -all",), True, False)},
            "holds",
        ),
    ],
)
def test_what_was_promised_is_judged(
    kind: str, subject: str, wanted: str | None, answers: dict[Any, Any], told: str
) -> None:
    assert verdict(kind, subject, wanted, answers) == told


def test_what_died_before_the_change_too_is_older_trouble() -> None:
    words = "fatal: no SASL authentication mechanisms"
    old, new = dead(words, EARLIER), dead(words)
    both = {**new, q.LogLines: (*old[q.LogLines], *new[q.LogLines])}
    assert verdict("no-fatal", "log", SINCE, both) == "holds"
    assert verdict("no-fatal", "log", SINCE, new) == "fails"


def test_a_reply_that_names_the_address_shows_the_family_tried() -> None:
    timed_out = Delivery(
        "deferred", reply=Reply(None, "4.4.1", "connect to mx.example[2001:db8::1]:25: timed out")
    )
    assert verdict("client-family", "a@gmail.com", "ipv4", trial(timed_out)) == "fails"


def test_a_file_must_be_there_byte_for_byte() -> None:
    state = q.FileState("/etc/x", True, "a\n", 0o644, "root", NOW, None)
    assert verdict("file-is", "/etc/x", "a\n", {q.File: state}) == "holds"
    assert verdict("file-is", "/etc/x", "b\n", {q.File: state}) == "fails"
    assert verdict("file-is", "/etc/x", None, {q.File: state}) == "fails"


def test_a_kind_that_nobody_knows_is_a_bug() -> None:
    with pytest.raises(KeyError):
        verdict("made-up", "x", None, {})
