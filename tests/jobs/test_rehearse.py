"""Before a change: the operator's own configuration, copied, tried in a private network, and then carried out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from mailmend.lab import Lab, open_lab
from mailmend.lab.clone_mail import Mail, go
from mailmend.model import CannotLook
from worlds import whole_host

pytestmark = pytest.mark.lab
RECORDING = "/root/recording"
COLUMNS = {"COLUMNS": "110"}


@pytest.fixture(scope="module")
def own(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """A lab of this module's own: its relay becomes one host after the other, hostname and neighbours included."""
    try:
        opening = open_lab()
        lab = opening.__enter__()
    except CannotLook as reason:
        if pytestconfig.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))
    try:
        if why := whole_host.lab_inside(lab):
            pytest.skip(f"no lab inside a lab here: {why}")
        yield lab
    finally:
        opening.__exit__(None, None, None)


def answer(lab: Lab, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", *arguments, timeout=150)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def by_way(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {passage["id"]: passage for passage in document["passages"]}


def outcomes(fates: list[dict[str, Any]]) -> set[tuple[str, str | None]]:
    return {(fate["status"], fate["family"]) for fate in fates}


def really(lab: Lab, document: dict[str, Any], directory: str = "/etc/postfix") -> dict[str, set[Any]]:
    """The test mails of the rehearsal, sent through the running host itself."""
    mails = [
        Mail(
            way,
            passage["says"],
            passage["recipient"],
            "alice@sender.example"
            if passage["says"].startswith("a stranger")
            else "postmaster@nowhere.example",
            "outside" if passage["says"].startswith("a stranger") else "host",
            sum(fate["count"] for fate in passage["before"]),
        )
        for way, passage in by_way(document).items()
        if not way.endswith("-strict")
    ]
    fates = go(lab, mails, directory=directory, via="192.0.2.10", timeout=20)
    return {m.way: {(f.status, f.family) for f in came} for m, came in zip(mails, fates, strict=True)}


def foretold(document: dict[str, Any], when: str, seen: dict[str, set[Any]]) -> None:
    """Whatever was rehearsed came out: by each family that both tried, the same status."""
    for way, passage in by_way(document).items():
        if way.endswith("-strict"):
            continue
        rehearsed = {family: status for status, family in outcomes(passage[when])}
        real = {family: status for status, family in seen[way]}
        both = rehearsed.keys() & real.keys()
        if both:
            assert {f: rehearsed[f] for f in both} == {f: real[f] for f in both}, (way, passage[when])
        else:  # one message takes one address, by chance: then the word on it is all there is to compare
            assert set(rehearsed.values()) == set(real.values()), (way, passage[when])


# ---- what must not happen -----------------------------------------------------------------


def test_the_host_is_left_as_it_is_no_secret_is_read_and_nothing_leaves(own: Lab) -> None:
    """Milter, policy server, content filter, mailboxes behind LMTP, chroot, five kinds of tables, a relayhost."""
    whole_host.settle(own, "everything")
    # Whoever opens a FIFO that nobody writes to waits for ever: the private key is not even opened.
    own.relay.run(["sh", "-c", f"rm {whole_host.KEY} && mkfifo -m 600 {whole_host.KEY}"])
    before, log = whole_host.state(own), own.relay.log()
    sockets = own.relay.sockets()
    told = answer(own, "--record", RECORDING, "rehearse", "inet_protocols=ipv4")
    assert told["holds"], told["failures"]
    assert whole_host.state(own) == before
    assert own.relay.sockets() == sockets
    assert own.relay.log() == log
    # The receivers of this host's own network have the same addresses as the stand-ins inside.
    for mailbox in (own.receiver, own.sender, own.elsewhere):
        assert mailbox.received() == []
    assert own._world.call("received", server="smtp.provider.example") == []
    assert whole_host.PASSWORD not in json.dumps(told) + own.relay.read(RECORDING)
    closed = set(told["listeners"]["before"]) - set(told["listeners"]["after"])
    assert closed == {"[::]:25", "[::]:587"}
    ways = by_way(told)
    assert set(ways) >= {"gmail", "local", "mailbox", "forward-gmail", "forward"}
    assert {f["relay"].partition("[")[0] for f in ways["gmail"]["after"]} == {"smtp.provider.example"}
    assert {f["relay"].partition("[")[0] for f in ways["forward"]["after"]} == {"mx.partner.example"}
    assert outcomes(ways["mailbox"]["after"]) == {("sent", None)}
    left = " ".join(whole_host.tables(told))
    for part in (
        "sasl_passwd",
        "opendkim.sock",
        "policy-spf",
        "dovecot-lmtp",
        "10024",
        "private keys",
        "DANE",
    ):
        assert part in left


@pytest.mark.parametrize(
    ("file", "line", "code", "says"),
    [
        ("main.cf", "this is no assignment\n", 3, "missing '=' after attribute name"),
        ("master.cf", "192.0.2.99:2525 inet n - n - - smtpd\n", 3, "Cannot assign requested address"),
        ("master.cf", "smtp inet n -\n", 3, "master.cf"),
    ],
    ids=["main.cf is no main.cf", "a listener that is elsewhere", "master.cf is no master.cf"],
)
def test_a_configuration_that_does_not_run_is_one_line(
    own: Lab, file: str, line: str, code: int, says: str
) -> None:
    whole_host.settle(own, "forwarder")
    path = f"/etc/postfix/{file}"
    own.relay.write(path, own.relay.read(path) + line)
    done = own.relay.mailmend("rehearse", "inet_protocols=ipv4", timeout=60)
    assert done.returncode == code, done.stdout
    (told,) = [text for text in done.stderr.splitlines() if says in text]
    assert told.startswith("mailmend: ")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--remedy", "none-such"], 2, "none-such"),
        (["--remedy", "ipv4-only", "a=b"], 2, "at once"),
        (["no_equals_sign"], 2, "no ="),
        (["myhostname=a\nb"], 4, "0x0a"),
        (["none/unix/x=y"], 4, "none/unix"),
    ],
    ids=["no such remedy", "two things at once", "no value", "a newline", "no such service"],
)
def test_what_cannot_be_rehearsed_is_said_at_once(
    own: Lab, arguments: list[str], code: int, says: str
) -> None:
    whole_host.settle(own, "forwarder", start=False)
    refused = answer(own, "rehearse", *arguments, code=code)["error"]
    assert says.replace("0x0a", "\\x0a") in refused["reason"]


@pytest.mark.slow
def test_a_change_that_would_end_postfix_fails_here_and_not_there(own: Lab) -> None:
    whole_host.settle(own, "forwarder")
    sockets = own.relay.sockets()
    service = "192.0.2.99:2525/inet=192.0.2.99:2525 inet n - n - - smtpd"
    told = answer(own, "rehearse", service, code=1)
    assert not told["holds"]
    assert "192.0.2.99 port 2525: Cannot assign" in told["failures"][0]
    assert all(passage["verdict"] == "worse" for passage in told["passages"])
    assert own.relay.sockets() == sockets


@pytest.mark.slow
def test_a_rehearsal_that_fails_stops_a_fix_that_was_approved_beforehand(own: Lab) -> None:
    """The kludge: every receiver with IPv6 alone is lost by it."""
    whole_host.settle(own, "forwarder")
    before, sockets = whole_host.state(own), own.relay.sockets()
    refused = answer(own, "fix", "--yes", "--rehearse", "--remedy", "ipv4-only", code=4)["error"]
    assert "IPv6 alone" in refused["reason"]
    assert "nothing was changed" in refused["next_step"]
    assert (whole_host.state(own), own.relay.sockets()) == (before, sockets)


@pytest.mark.slow
def test_a_milter_that_only_the_change_asks_and_nobody_runs_fails_it(own: Lab) -> None:
    whole_host.settle(own, "everything")
    told = answer(own, "rehearse", "smtpd_milters=inet:127.0.0.1:9999", code=1)
    assert by_way(told)["local"]["after"][0]["status"] == "rejected"
    assert "milter 127.0.0.1:9999" in whole_host.tables(told)


def test_the_postfix_of_the_host_itself_is_what_runs_in_the_copy(own: Lab) -> None:
    whole_host.settle(own, "forwarder", start=False)
    script = (
        '#!/bin/sh\ncase "$*" in *mail_version*) echo 3.7.99;; *) exec /usr/sbin/postconf.real "$@";; esac\n'
    )
    own.relay.run(["mv", "/usr/sbin/postconf", "/usr/sbin/postconf.real"])
    own.relay.write("/usr/sbin/postconf", script, 0o755)
    try:
        code = "import sys; from mailmend.lab import open_lab\nfrom mailmend.lab.clone_stage import Stage\n"
        for own_programs, version in ((True, "3.7.99"), (False, "3.")):
            say = f"with open_lab(own_programs={own_programs}) as lab: print(Stage(lab).version())"
            told = own.relay.run(
                [sys.executable, "-P", "-c", code + say], env={"PYTHONPATH": whole_host.SOURCE}
            )
            assert told.stdout.startswith(version), told.stderr
            assert (told.stdout.strip() == "3.7.99") == own_programs
    finally:
        own.relay.run(["mv", "/usr/sbin/postconf.real", "/usr/sbin/postconf"])


# ---- what it foretells --------------------------------------------------------------------


def test_a_forwarder_to_gmail_is_fixed_as_it_was_rehearsed(own: Lab) -> None:
    whole_host.settle(own, "forwarder")
    probe = {"passages": [GMAIL, FORWARD]}
    before = really(own, probe)
    fixed = answer(own, "fix", "--yes", "--rehearse", "--remedy", "ipv4-for-receiver")
    assert fixed["state"] == "kept"
    told = fixed["plan"]["rehearsal"]
    assert told["holds"]
    ways = by_way(told)
    assert ways["gmail"]["verdict"] == ways["forward-gmail"]["verdict"] == "better"
    assert outcomes(ways["gmail"]["after"]) == outcomes(ways["forward-gmail"]["after"]) == {("sent", "ipv4")}
    foretold({"passages": [ways["gmail"], ways["forward-gmail"]]}, "before", before)
    foretold(told, "after", really(own, told))


@pytest.mark.slow
def test_two_instances_are_rehearsed_together_and_come_out_so(own: Lab) -> None:
    whole_host.settle(own, "two-instances")
    out = ("--config-directory", "/etc/postfix-out")
    told = answer(own, "rehearse", *out, "--remedy", "ipv4-for-receiver")
    assert set(told["listeners"]["after"]) == {"0.0.0.0:25", "[::]:25", "127.0.0.1:10026"}
    ways = by_way(told)
    assert ways["forward-gmail"]["verdict"] == "better"
    assert outcomes(ways["forward"]["after"]) == {("sent", "ipv6")}
    answer(own, "fix", "--yes", *out, "--remedy", "ipv4-for-receiver")
    foretold(told, "after", really(own, told, "/etc/postfix-out"))


@pytest.mark.slow
def test_a_relayhost_taken_away_bounces_there_as_it_did_here(own: Lab) -> None:
    """A harmful change: what the provider took, Gmail does not."""
    whole_host.settle(own, "everything")
    told = answer(own, "rehearse", "relayhost=", code=1)
    ways = by_way(told)
    assert ways["forward-gmail"]["verdict"] == "worse"
    assert ("bounced", "ipv6") in outcomes(ways["forward-gmail"]["after"])
    assert ways["forward"]["verdict"] == "same"
    foretold(told, "before", really(own, told))
    own.relay.run(["postconf", "-e", "relayhost="])
    answer(own, "apply")
    foretold(told, "after", really(own, told))


@pytest.mark.slow
def test_the_screen_says_what_came_of_it_last(own: Lab) -> None:
    whole_host.settle(own, "forwarder")
    done = own.relay.mailmend("rehearse", "--remedy", "ipv4-transport", env=COLUMNS, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+smtp-ipv4" in done.stdout or "+transport_maps" in done.stdout
    assert "changed   21 sent over IPv4" in done.stdout  # asked three times, for one family alone was tried
    assert "Not known by this rehearsal" in done.stdout
    assert done.stdout.strip().splitlines()[-1].startswith("The rehearsal holds")


GMAIL = {
    "id": "gmail", "says": "mail of this host", "recipient": "someone@gmail.com", "before": [{"count": 7}],
}  # fmt: skip
FORWARD = {
    "id": "forward-gmail", "says": "a stranger's mail", "recipient": "chair@club.example",
    "before": [{"count": 7}],
}  # fmt: skip
