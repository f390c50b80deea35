"""Whose forwarded mail is taken, and whose not: what is counted, what is not, and what could not be looked at."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mailmend
from jobs.sender_audit_relay import (
    begin,
    senders,
)
from mailmend.lab import Lab

pytestmark = pytest.mark.lab


# ---- what is no question -------------------------------------------------------------------


@pytest.fixture(scope="module")
def quiet(lab: Lab) -> Iterator[Lab]:
    begin(lab, {}, verifier=False)
    traces = lab.send(to="u@example.org", count=1, sender="anna@example.org", author="anna@example.org")
    traces += lab.send(to="postmaster@relay.example.org", count=1, sender="alice@spf-reject.example")
    traces += lab.send(
        to="u@example.org", count=1, sender="alice@spf-reject.example", author="alice@spf-reject.example"
    )
    lab.outcomes(traces)
    yield lab
    lab.reset()


def test_own_senders_and_mail_for_mailboxes_are_no_question(quiet: Lab) -> None:
    told = senders(quiet)
    assert (told["forwarded"], told["own"], told["sender_unknown"]) == (2, 1, 0)
    assert [(row["sender"], row["count"]) for row in told["senders"]] == [("spf-reject.example", 1)]


def test_what_sieve_redirects_is_counted_and_what_cron_sends_is_not(quiet: Lab) -> None:
    quiet.relay.run(
        ["sendmail", "someone@gmail.com"], input="Message-ID: <cron-1@x>\nSubject: cron\n\nit ran\n"
    )
    redirected = "Message-ID: <sieve-1@x>\nFrom: alice@spf-none.example\nSubject: hello\n\nhello\n"
    quiet.relay.run(["sendmail", "-f", "alice@spf-none.example", "someone@gmail.com"], input=redirected)
    quiet.outcomes(["cron-1", "sieve-1"])
    counts = {row["sender"]: row["count"] for row in senders(quiet)["senders"]}
    assert counts == {"spf-reject.example": 1, "spf-none.example": 1}


def test_what_one_receiver_does_says_nothing_of_another(quiet: Lab) -> None:
    elsewhere = log(("alice@spf-reject.example", "sent")).replace(
        "someone@gmail.com", "someone@elsewhere.example"
    )
    elsewhere = elsewhere.replace(
        "gmail-smtp-in.l.google.com[198.51.100.27]", "mx.elsewhere.example[203.0.113.153]"
    )
    quiet.relay.write(
        LOG, elsewhere.replace("A0000000", "B0000000") + log(("alice@spf-reject.example", "bounced"))
    )
    told = {row["receiver"]: (row["count"], row["refused"]) for row in senders(quiet, LOG)["senders"]}
    assert told == {"google": (1, 1), "elsewhere.example": (1, 0)}


def test_a_time_in_which_nothing_was_forwarded_has_nothing_to_tell(quiet: Lab) -> None:
    done = quiet.relay.mailmend("check", "forwarding", "--senders", "--since", "2099-01-01")
    assert (done.returncode, done.stdout) == (0, "relay.example.org: nothing was forwarded.\n")


# ---- what else tells, and what nobody may do to the screen ---------------------------------

LOG, OLD, LETTER = "/root/other.log", "/root/old.log", "/root/letter.eml"


def log(*messages: tuple[str, str]) -> str:
    """A log of forwards, each (sender, status), of a moment ago."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - 3600))
    relay = "relay=gmail-smtp-in.l.google.com[198.51.100.27]:25, delay=0.1, delays=0/0/0/0.1, "
    ends = {
        "sent": "dsn=2.0.0, status=sent (250 2.0.0 OK - gsmtp)",
        "bounced": "dsn=5.7.26, status=bounced (host gmail-smtp-in.l.google.com[198.51.100.27] said: 550-5.7.26 "
        "Unauthenticated email from x.example is not accepted due to domain's DMARC policy. - gsmtp)",
    }
    lines = []
    for number, (sender, status) in enumerate(messages):
        queue_id = f"A{number:07X}"
        lines += [
            f"{at} relay postfix/qmgr[3]: {queue_id}: from=<{sender}>, size=900, nrcpt=1 (queue active)",
            f"{at} relay postfix/smtp[4]: {queue_id}: to=<someone@gmail.com>, orig_to=<u@example.org>, "
            f"{relay}{ends[status]}",
            f"{at} relay postfix/qmgr[3]: {queue_id}: removed",
        ]
    return "\n".join(lines) + "\n"


def test_a_log_that_is_named_is_read_in_the_place_of_this_hosts(quiet: Lab) -> None:
    quiet.relay.write(LOG, log(("alice@both-reject.example", "sent")))
    told = senders(quiet, LOG)
    assert [(row["sender"], row["count"]) for row in told["senders"]] == [("both-reject.example", 1)]


def test_what_goes_on_to_a_server_of_an_own_domain_is_no_forward(quiet: Lab) -> None:
    inside = log(("alice@spf-reject.example", "sent")).replace("someone@gmail.com", "u@inside.example.org")
    inside = inside.replace("gmail-smtp-in.l.google.com[198.51.100.27]", "box.example.org[10.0.0.7]")
    quiet.relay.write(LOG, inside)
    quiet.relay.run(["postconf", "-e", "relay_domains=inside.example.org"])
    try:
        assert senders(quiet, LOG)["forwarded"] == 0
    finally:
        quiet.relay.run(["postconf", "-X", "relay_domains"])
    assert senders(quiet, LOG)["forwarded"] == 1
    # The domain of this host's own name has its mailboxes elsewhere.
    quiet.relay.write(LOG, inside.replace("u@inside.example.org", "u@elsewhere.example"))
    quiet.relay.run(["postconf", "-e", "mydomain=elsewhere.example"])
    try:
        assert senders(quiet, LOG)["forwarded"] == 1
    finally:
        quiet.relay.run(["postconf", "-X", "mydomain"])


def test_a_message_as_it_arrived_tells_of_its_sender(quiet: Lab) -> None:
    quiet.relay.write(LOG, log(*[("alice@spf-reject.example", "bounced")] * 3))
    quiet.relay.write(LETTER, "From: Alice <alice@spf-reject.example>\nSubject: unsigned\n\nhello\n")
    (row,) = senders(quiet, LOG, "--message", LETTER)["senders"]
    assert (row["verdict"], row["why"], row["another_way"]) == ("refused", "spf-only", True)
    assert (row["verified"], row["signed"], row["count"]) == ([], False, 3)


def test_what_strangers_call_themselves_does_nothing_to_the_terminal(quiet: Lab) -> None:
    evil = "x@\x1b[2J\u202eevil" + "l" * 300 + ".example"
    quiet.relay.write(LOG, log((evil, "bounced")))
    done = quiet.relay.mailmend("check", "forwarding", "--senders", LOG)
    assert "\\x1b[2j\\u202eevil" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    (row,) = senders(quiet, LOG)["senders"]
    assert (row["verdict"], row["refused"]) == ("unknown", 1)
    assert row["error"]


def test_a_host_whose_dns_is_silent_says_that_it_could_not_look(quiet: Lab) -> None:
    quiet.relay.write(LOG, log(("alice@spf-reject.example", "bounced")))
    before = quiet.relay.read("/etc/resolv.conf")
    quiet.relay.write("/etc/resolv.conf", "nameserver 127.0.0.9\n")
    done = quiet.relay.mailmend("--json", "check", "forwarding", "--senders", LOG)
    quiet.relay.write("/etc/resolv.conf", before)
    (row,) = json.loads(done.stdout)["senders"]
    assert (row["verdict"], row["cures"]) == ("unknown", [])
    assert row["error"]


BOUNDED = """
import json, sys
from pathlib import Path
from mailmend.jobs.here import here
from mailmend.jobs.sender_audit import audit

seen = audit(here(), [Path(sys.argv[1])], most=int(sys.argv[2]), seconds=float(sys.argv[3]))
print(json.dumps([seen.beyond, [[row.kind.sender, row.judged.verdict, row.judged.error] for row in seen.rows]]))
"""


def bounded(lab: Lab, most: int, seconds: float) -> Any:
    mail = {"spf-reject.example": 1, "dkim-none.example": 3, "both-none.example": 2, "x.example": 1}
    lab.relay.write(
        LOG, log(*[(f"a@{domain}", "sent") for domain, count in mail.items() for _ in range(count)])
    )
    source = {"PYTHONPATH": str(Path(mailmend.__file__).parents[1])}
    done = lab.relay.run([sys.executable, "-c", BOUNDED, LOG, str(most), str(seconds)], env=source)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_most_frequent_are_looked_at_and_the_rest_is_counted(quiet: Lab) -> None:
    beyond, looked = bounded(quiet, 2, 60)
    assert beyond == [2, 2]
    assert sorted(sender for sender, _, _ in looked) == ["both-none.example", "dkim-none.example"]


def test_what_there_is_no_time_for_is_unknown(quiet: Lab) -> None:
    beyond, looked = bounded(quiet, 200, 0)
    assert beyond == [0, 0]
    assert [row[1:] for row in looked] == [["unknown", "the time was over before it was looked at"]] * 4


def test_without_a_log_or_a_store_it_says_that_it_cannot_look(quiet: Lab) -> None:
    quiet.relay.run(["mv", "/var/log/mail.log", "/var/log/away"])
    done = quiet.relay.mailmend("--json", "check", "forwarding", "--senders")
    quiet.relay.run(["mv", "/var/log/away", "/var/log/mail.log"])
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["kind"] == "cannot-look"


def test_what_the_store_has_of_the_time_before_the_log_is_counted(quiet: Lab) -> None:
    days = time.time() - 9 * 86400
    mail = [("alice@tight.example", "bounced"), ("bob@shop.example", "sent"), ("anna@example.org", "sent")]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(days))
    quiet.relay.write(OLD, "".join(f"{stamp}{line[25:]}\n" for line in log(*mail).splitlines()))
    before = senders(quiet)
    assert before["stored"] is None
    assert quiet.relay.mailmend("ingest", OLD).returncode == 0
    told = senders(quiet)
    assert (told["stored"]["refused"], told["stored"]["taken"]) == (1, 2)
    assert told["stored"]["taken_of_unknown_senders"] == 0
    assert (told["forwarded"], told["own"]) == (before["forwarded"] + 3, before["own"] + 1)
    counts = {row["sender"]: (row["count"], row["refused"]) for row in told["senders"]}
    assert counts == {row["sender"]: (row["count"], row["refused"]) for row in before["senders"]} | {
        "tight.example": (1, 1),
        "shop.example": (1, 0),
    }
    assert all(not row["error"] for row in told["senders"])
    assert senders(quiet, "--since", "2d")["stored"] is None


def test_without_a_log_the_store_tells(quiet: Lab) -> None:
    """As above, of the store that is there already."""
    quiet.relay.run(["mv", "/var/log/mail.log", "/var/log/away"])
    told = senders(quiet)
    quiet.relay.run(["mv", "/var/log/away", "/var/log/mail.log"])
    assert {row["sender"]: (row["count"], row["refused"]) for row in told["senders"]} == {
        "tight.example": (1, 1),
        "shop.example": (1, 0),
    }


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--since", "2d"), 2, "--since goes with --senders"),
        (("--senders", "--since", "soon"), 2, "'soon' is no time"),
        (("--senders", "/root/nowhere.log"), 2, "/root/nowhere.log"),
        (("--senders", "/etc"), 2, "/etc is a directory"),
        (("--senders", "/etc/hostname"), 2, "no line of Postfix is in it"),
        (("--senders", "--message", "/root/nowhere.eml"), 2, "/root/nowhere.eml"),
        (("--senders", "--message", "/etc/hostname"), 2, "this is no message"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    quiet: Lab, words: tuple[str, ...], code: int, says: str
) -> None:
    done = quiet.relay.mailmend("check", "forwarding", *words)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.parametrize(
    ("main", "by"),
    [
        ({"relayhost": "[mx.elsewhere.example]"}, "[mx.elsewhere.example]"),
        ({"transport_maps": "inline:{gmail.com=smtp:[gmail-smtp-in.l.google.com]}"}, None),
    ],
    ids=["relayhost", "the-receivers-own-host"],
)
def test_behind_a_relay_its_address_counts_and_not_this_hosts(
    quiet: Lab, main: dict[str, str], by: str | None
) -> None:
    quiet.relay.run(["postconf", "-e", *(f"{name}={text}" for name, text in main.items())])
    quiet.relay.write(
        LOG,
        log(("alice@spf-none.example", "sent"), ("alice@open.example", "sent")).replace(
            "gmail-smtp-in.l.google.com", "mx.elsewhere.example"
        ),
    )
    try:
        told = {row["sender"]: row for row in senders(quiet, LOG)["senders"]}
        screen = quiet.relay.mailmend("check", "forwarding", "--senders", LOG).stdout
    finally:
        quiet.relay.run(["postconf", "-X", *main])
    row = told["spf-none.example"]
    assert {each["relay"] for each in told.values()} == {by}
    if by is None:
        assert row["if_unsigned"]["verdict"] == "refused"
        return
    assert (row["cause"], row["if_unsigned"]["verdict"]) == ("unauthenticated", "unknown")
    assert f"It leaves by {by}, which hands it on" in " ".join(screen.split())
