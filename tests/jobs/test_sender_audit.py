"""Whose forwarded mail is taken, and whose not: told from the log, before the next message, and never wrong."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mailmend
from facts import srs_relay
from mailmend.facts import srs
from mailmend.lab import Attempt, Lab
from mailmend.lab.senders import Kind, kinds

pytestmark = pytest.mark.lab
VERIFIER = """\
Mode v
Socket inet:8891@127.0.0.1
UserID root
Syslog yes
SyslogSuccess yes
LogResults yes
LogWhy yes
Nameservers 192.0.2.1
"""
PTR6 = "2001:db8:1::10 PTR relay.example.org."
MILTER = {"smtpd_milters": "inet:127.0.0.1:8891"}
AUTHORS = {"header_checks": "regexp:{{/^From:/ INFO}}"}
FORWARDS = {"virtual_alias_maps": "texthash:/etc/postfix/forwards"}
Key = tuple[str, str | None, tuple[str, ...] | None, bool | None]


def begin(
    lab: Lab, main: dict[str, str], *, verifier: bool = True, records: tuple[str, ...] = (PTR6,)
) -> None:
    lab.reset(main={**FORWARDS, **main}, files={"forwards": "u@example.org someone@gmail.com\n"})
    if verifier:
        run_verifier(lab)
    lab.relay.start()
    lab.receiver.world("strict")
    lab.dns.publish(*records)


def run_verifier(lab: Lab) -> None:
    lab.relay.install("opendkim")
    lab.relay.write("/etc/opendkim.conf", VERIFIER)
    lab.relay.start_daemon("opendkim", 8891)


def every_kind(lab: Lab) -> dict[str, list[Attempt]]:
    """Mail of every kind of sender, and what became of it."""
    sent = {
        kind.name: lab.send(
            to="u@example.org", count=kind.count, sender=kind.envelope, author=kind.author, signer=kind.signer,
            broken=kind.broken,
        )
        for kind in kinds()
    }  # fmt: skip
    every = lab.outcomes([trace for traces in sent.values() for trace in traces], timeout=60)
    return {name: [every[trace] for trace in traces] for name, traces in sent.items()}


def senders(lab: Lab, *words: str) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", "check", "forwarding", "--senders", *words)
    assert done.returncode in (0, 1, 3), done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def rows(told: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    return {
        (
            row["sender"],
            None if row["author_assumed"] else row["author"],
            None if row["verified"] is None else tuple(row["verified"]),
            row["signed"],
        ): row
        for row in told["senders"]
    }


def domain(address: str) -> str:
    return address.rpartition("@")[2]


def known_as(kind: Kind) -> Key:
    """What verifier and header_checks let this host know of such mail."""
    verified = (kind.signer,) if kind.signer and not kind.broken else ()
    return domain(kind.envelope), domain(kind.author), verified, bool(kind.signer)


def reload(lab: Lab) -> None:
    """What became of mail before this was under another configuration, and is no evidence any more."""
    time.sleep(1.1)
    lab.relay.run(["postfix", "reload"])
    lab.relay.wait_log(r"postfix/master\[\d+\]: reload -- version")
    time.sleep(1.1)


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


# ---- every kind of sender ------------------------------------------------------------------


HOSTS = {
    "named": ((PTR6,), {}),
    "fresh": ((), {}),
    "alters": (
        (PTR6,),
        {"smtp_header_checks": "regexp:{{/^Subject: (.*)/ REPLACE Subject: forwarded}}"},
    ),
}


@pytest.mark.parametrize(
    ("host", "family"),
    [
        pytest.param(host, family, marks=() if (host, family) == ("named", "ipv4") else pytest.mark.slow)
        for host in HOSTS
        for family in ("ipv4", "ipv6")
    ],
)
def test_what_is_told_of_each_kind_is_what_its_next_message_meets(lab: Lab, host: str, family: str) -> None:
    """Once a verifier and the authors are in the log, nothing is unknown and nothing wrong."""
    records, main = HOSTS[host]
    begin(lab, {"smtp_address_preference": family, **MILTER, **AUTHORS, **main}, records=records)
    first = every_kind(lab)
    reload(lab)
    told = senders(lab)
    counted: Counter[Key] = Counter()
    refused: Counter[Key] = Counter()
    for kind in kinds():
        counted[known_as(kind)] += kind.count
        refused[known_as(kind)] += sum(a.status == "bounced" for a in first[kind.name])
    found = rows(told)
    assert {key: (row["count"], row["refused"]) for key, row in found.items()} == {
        key: (counted[key], refused[key]) for key in counted
    }
    assert told["forwarded"] == sum(counted.values())
    assert {row["told_by"] for row in found.values()} == {"rules"}
    second = every_kind(lab)
    became = {"accepted": {"sent"}, "refused": {"bounced"}}
    wrong = [
        (kind.name, found[known_as(kind)], second[kind.name])
        for kind in kinds()
        if {a.status for a in second[kind.name]} != became.get(found[known_as(kind)]["verdict"])
    ]
    assert not wrong
    # The receiver's own words name the same cause as the rules.
    said = {key: (row["cause"], row["causes"]) for key, row in found.items() if row["refused"]}
    assert said == {
        key: (cause, [{"cause": cause, "count": refused[key]}]) for key, (cause, _) in said.items()
    }


def test_without_a_verifier_both_outcomes_are_told_and_nothing_is_claimed(lab: Lab) -> None:
    begin(lab, {}, verifier=False)
    first = every_kind(lab)
    reload(lab)
    for row in senders(lab)["senders"]:
        if row["sender"] == "open.example":  # its SPF names everybody, so that a signature does not matter
            assert (row["verdict"], row["if_signed"]) == ("accepted", None)
            continue
        assert row["verdict"] == "unknown"
        assert row["if_signed"]["verdict"] in ("accepted", "unknown")
        assert row["if_unsigned"]["verdict"] == "refused"
    told = {row["sender"]: row for row in senders(lab)["senders"]}
    assert told["spf-reject.example"]["if_unsigned"]["cures"] == []
    assert told["spf-none.example"]["if_unsigned"]["cures"] == ["srs"]
    # What became of it under the running configuration tells more than no verifier does.
    second = every_kind(lab)
    own = {kind.envelope: kind.name for kind in kinds() if kind.envelope == kind.author and not kind.broken}
    several = Counter(domain(kind.envelope) for kind in kinds())
    for row in senders(lab)["senders"]:
        name = next((name for envelope, name in own.items() if domain(envelope) == row["sender"]), "")
        if several[row["sender"]] == 1:
            (status,) = {a.status for a in second[name]}
            assert (row["verdict"], status) in {("accepted", "sent"), ("refused", "bounced")}, row
            assert {a.status for a in first[name]} == {status}
        elif {
            a.status for kind in kinds() if domain(kind.envelope) == row["sender"] for a in second[kind.name]
        } == {
            "sent",
            "bounced",
        }:
            assert row["verdict"] == "unknown", row


def test_where_every_message_is_rewritten_the_original_sender_is_told(lab: Lab) -> None:
    """The usual way of SRS: sender_canonical_maps, and one queue id."""
    rewrites = {"sender_canonical_maps": srs.FORWARD, "sender_canonical_classes": "envelope_sender"}
    begin(lab, {**MILTER, **AUTHORS, **rewrites, "virtual_alias_domains": "example.org, srs.example.org"})
    lab.dns.publish(*srs_relay.RECORDS)
    srs_relay.postsrsd(lab.relay)
    some = [kind for kind in kinds() if kind.name in ("spf-none", "both-reject", "spf-reject", "list-munged")]
    for kind in some:
        became = lab.send(
            to="u@example.org", count=2, sender=kind.envelope, author=kind.author, signer=kind.signer
        )
        status = {a.status for a in lab.outcomes(became).values()}
        assert status == ({"bounced"} if kind.name == "spf-reject" else {"sent"})
    reload(lab)
    told = {key: (row["count"], row["refused"], row["verdict"]) for key, row in rows(senders(lab)).items()}
    assert told == {
        known_as(kind): (2, 2, "refused") if kind.name == "spf-reject" else (2, 0, "accepted")
        for kind in some
    }


@pytest.mark.slow
def test_what_is_said_to_cure_cures_and_what_cannot_be_cured_stays_refused(lab: Lab) -> None:
    begin(lab, {**MILTER, **AUTHORS})
    every_kind(lab)
    before = rows(senders(lab))
    for kind in kinds():
        if before[known_as(kind)]["cures"] == [
            "dns-records"
        ]:  # a notice: what is judged is this host's HELO name
            lab.dns.publish("relay.example.org TXT v=spf1 a -all")
            traces = lab.send(to="u@example.org", count=1, sender=kind.envelope, author=kind.author)
            assert [a.status for a in lab.outcomes(traces).values()] == ["sent"]
    srs_relay.start(lab, {**MILTER, **AUTHORS}, files={"forwards": "u@example.org someone@gmail.com\n"})
    run_verifier(lab)
    lab.receiver.world("strict")
    lab.dns.publish(PTR6)
    after = every_kind(lab)
    for kind in kinds():
        row = before[known_as(kind)]
        if row["cures"] == ["srs"]:
            assert {a.status for a in after[kind.name]} == {"sent"}, (row, after[kind.name])
        if row["another_way"]:
            assert {a.status for a in after[kind.name]} == {"bounced"}, (row, after[kind.name])
    assert {tuple(row["cures"]) for row in before.values()} == {(), ("srs",), ("dns-records",)}
    # Each went through this host twice; it is counted once, by whoever sent it, signed as it arrived.
    told = senders(lab)
    assert told["forwarded"] == sum(kind.count for kind in kinds())
    assert {key: row["count"] for key, row in rows(told).items()} == {
        key: row["count"] for key, row in before.items()
    }
    became = {"accepted": {"sent"}, "refused": {"bounced"}}
    for kind in kinds():
        assert became[rows(told)[known_as(kind)]["verdict"]] == {a.status for a in after[kind.name]}, (
            kind.name
        )
