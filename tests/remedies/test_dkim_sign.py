"""An operator is led to signed mail step by step: nothing is switched on before key, record and signer are there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mailmend.facts import dkim
from mailmend.facts.case import gather
from mailmend.lab import Lab
from mailmend.model import Proposal, Scope
from mailmend.questions import DnsAnswer, Records
from mailmend.remedies import dkim_sign
from mailmend.system.probe import Live
from worlds import whole_host, world

CONF, KEY, RECORD = "/etc/opendkim.conf", "/etc/dkimkeys/mailmend.private", "/etc/dkimkeys/mailmend.txt"
NAME = "mailmend._domainkey.example.org TXT"
PUBLIC = "v=DKIM1; k=rsa; p=MIIBAAAA"
ABC = "Domain example.org\nSubDomains yes\nSelector mailmend\nKeyFile /etc/dkimkeys/mailmend.private\n"
SET = ABC + "Socket inet:8891@localhost\n"


PREPARED = {"/usr/sbin/opendkim": "", CONF: SET, KEY: "not for us", RECORD: f'x IN TXT ( "{PUBLIC}" )'}


def proposed(conf: str = SET, **changes: Any) -> Proposal:
    """On a host where all is prepared, but for *changes*."""
    return proposed_with({**PREPARED, CONF: conf}, **changes)


def proposed_with(files: dict[str, str], **changes: Any) -> Proposal:
    """On a host that has *files*."""
    base = {"files": files, "dns": {NAME: [PUBLIC]}, "settings": {}, "log": {"deliveries": []}}
    merged = {**changes, **{k: {**v, **changes.get(k, {})} for k, v in base.items()}}
    probe = world.made(**merged).probe()
    return dkim_sign.propose(gather((), probe, Scope(recipients=("a@gmail.com",))), probe)


def added(proposal: Proposal) -> list[str]:
    """The lines that opendkim's settings get."""
    return [
        line
        for change in proposal.changes
        if change.target == CONF
        for line in (change.after or "").splitlines()
        if line not in (change.before or "").splitlines()
    ]


def why(proposal: Proposal) -> str:
    return "; ".join(f"{o.reason}: {o.next_step}" for o in proposal.objections if o.blocking)


# ---- where it must hold back --------------------------------------------------------------


def test_a_signer_with_tables_of_keys_is_the_operators_own() -> None:
    assert "tables of keys" in why(proposed(f"{SET}KeyTable refile:/etc/opendkim/keys\n"))


def test_domains_in_a_file_are_the_operators_own() -> None:
    """A line with ours after it would take the place of his, and leave his other domains unsigned."""
    told = why(proposed(SET.replace("Domain example.org", "Domain /etc/opendkim/domains")))
    assert "the domains it signs for stand in /etc/opendkim/domains" in told
    assert "Domain example.org" not in told


def test_a_signer_that_only_verifies_is_told_to_sign() -> None:
    proposal = proposed(f"{SET}Mode v\n", running={"others": [8891]})
    assert not why(proposal)
    assert added(proposal) == ["Mode sv"]


def test_clients_in_a_file_are_added_there_and_the_file_is_kept() -> None:
    conf = f"{SET}InternalHosts refile:/etc/opendkim/trusted\n"
    networks = {"mynetworks": "127.0.0.0/8 198.51.100.0/24 203.0.113.0/25"}
    files = {"/etc/opendkim/trusted": "# ours\n127.0.0.1\n203.0.113.0/24\n"}
    proposal = proposed_with({**PREPARED, **files, CONF: conf}, settings=networks, running={"others": [8891]})
    assert "/etc/opendkim/trusted lacks clients" in why(proposal)
    assert "write into it a line each: 198.51.100.0/24 and run" in why(proposal)
    assert proposal.changes == ()


def test_a_signer_that_has_all_but_a_network_is_told_of_it() -> None:
    proposal = proposed(settings={"mynetworks": "127.0.0.0/8 198.51.100.0/24"}, running={"others": [8891]})
    assert added(proposal) == ["InternalHosts 127.0.0.1,::1,198.51.100.0/24"]


def test_the_place_of_somebody_else_is_not_taken() -> None:
    told = why(proposed(ABC, running={"others": [8891]}))
    assert "somebody else listens on port 8891, where opendkim would: give opendkim another" in told


def test_an_opendkim_without_its_settings_is_not_guessed_at() -> None:
    there = {name: text for name, text in PREPARED.items() if name != CONF}
    assert "apt-get install --reinstall opendkim" in why(proposed_with(there))


def test_a_selector_and_a_key_of_the_operators_are_kept() -> None:
    conf = (
        "Domain example.org\nSelector 2020\nKeyFile /etc/dkimkeys/2020.private\nSocket inet:8891@localhost\n"
    )
    files = {"/etc/dkimkeys/2020.private": "", "/etc/dkimkeys/2020.txt": f'x ( "{PUBLIC}" )', CONF: conf}
    proposal = proposed_with(
        {**PREPARED, **files}, dns={"2020._domainkey.example.org TXT": [PUBLIC]}, running={"others": [8891]}
    )
    assert not why(proposal)
    assert added(proposal) == ["SubDomains yes"]


@pytest.mark.parametrize(
    "file", ["/etc/rspamd/local.d/dkim_signing.conf", "/var/lib/rspamd/dkim/example.org.dkim.key"]
)
def test_where_rspamd_signs_nobody_signs_besides(file: str) -> None:
    asked = {"smtpd_milters": "inet:localhost:11332", "non_smtpd_milters": "inet:localhost:11332"}
    proposal = proposed_with({file: ""}, settings=asked)
    assert "rspamd signs here" in why(proposal)
    assert file in why(proposal)
    assert proposal.changes == ()


def test_an_rspamd_that_nobody_asks_signs_nothing() -> None:
    proposal = proposed_with(
        {**PREPARED, "/etc/rspamd/local.d/dkim_signing.conf": ""}, running={"others": [8891]}
    )
    assert not why(proposal)


def test_a_way_out_that_knows_no_8_bits_breaks_what_was_signed() -> None:
    told = why(
        proposed(running={"others": [8891]}, settings={"smtp_discard_ehlo_keywords": "chunking, 8BITMIME"})
    )
    assert "smtp_discard_ehlo_keywords" in told


def test_another_key_in_dns_is_not_this_one() -> None:
    told = why(proposed(dns={NAME: ["v=DKIM1; p=OTHER"]}))
    assert told.startswith(f"the key for example.org is not published: publish: {NAME} {PUBLIC}")


def test_a_key_that_was_taken_back_is_none() -> None:
    assert "is not published" in why(proposed(dns={NAME: ["v=DKIM1; p="]}))


def test_a_socket_that_a_chroot_hides_is_not_used() -> None:
    proposal = proposed(f"{ABC}Socket local:/run/opendkim/opendkim.sock\n")
    assert not why(proposal)
    assert added(proposal) == ["Socket inet:8891@localhost"]
    assert "local:" not in str(proposal.changes[0].after)


def test_clients_of_the_network_are_named_so_that_their_mail_is_signed_too() -> None:
    proposal = proposed(ABC, settings={"mynetworks": "127.0.0.0/8 198.51.100.0/24"})
    assert "InternalHosts 127.0.0.1,::1,198.51.100.0/24" in added(proposal)


def test_where_dns_does_not_answer_it_only_stops_itself() -> None:
    proposal = proposed(dns={NAME: "error: SERVFAIL"})
    assert proposal.blocked
    assert proposal.changes == ()


def test_a_signer_that_does_not_run_is_not_put_in_the_way() -> None:
    assert "opendkim does not run (nobody listens on inet:8891@localhost)" in why(proposed())


def test_the_signer_comes_last_and_where_no_milter_is_asked_none_is() -> None:
    ours, spam = "{ inet:127.0.0.1:8891, default_action=accept }", "inet:127.0.0.1:11332"
    proposal = proposed(
        running={"others": [8891]},
        settings={"smtpd_milters": spam, "non_smtpd_milters": "$smtpd_milters"},
        services={
            "2525/inet": {"command": "smtpd", "overrides": {"smtpd_milters": "unix:spam.sock"}},
            "2526/inet": {"command": "smtpd", "overrides": {"smtpd_milters": ""}},
        },
    )
    assert {c.target: c.after for c in proposal.changes} == {
        "smtpd_milters": f"{spam}, {ours}",
        "2525/inet/smtpd_milters": f"unix:spam.sock, {ours}",
    }


@pytest.mark.parametrize(
    "there",
    [
        "local:opendkim/opendkim.sock",
        "unix:/opendkim/opendkim.sock",
        "unix:/var/spool/postfix/opendkim/opendkim.sock",
        "{ unix:opendkim/opendkim.sock, default_action=accept }",
    ],
)
def test_a_socket_is_one_however_it_is_written(there: str) -> None:
    """postconf(5) smtpd_milters: unix: and local: are one, a path is below the queue, or the chroot's own."""
    conf = f"{ABC}Socket local:/var/spool/postfix/opendkim/opendkim.sock\n"
    files = {**PREPARED, CONF: conf, "/var/spool/postfix/opendkim/opendkim.sock": ""}
    both = {"smtpd_milters": there, "non_smtpd_milters": "${smtpd_milters}"}
    proposal = proposed_with(files, settings=both)
    assert not why(proposal)
    assert proposal.changes == ()


@pytest.mark.parametrize("reference", ["$smtpd_milters", "${smtpd_milters}", "$(smtpd_milters)"])
def test_a_list_that_is_the_other_one_is_left(reference: str) -> None:
    proposal = proposed(running={"others": [8891]}, settings={"non_smtpd_milters": reference})
    assert [c.target for c in proposal.changes] == ["smtpd_milters"]


@pytest.mark.parametrize(
    "there", ["inet:localhost:8891", "{inet:127.0.0.1:8891, connect_timeout=5s}", "inet:[127.0.0.1]:8891"]
)
def test_where_it_is_a_milter_already_nothing_is_changed(there: str) -> None:
    both = {"smtpd_milters": there, "non_smtpd_milters": there}
    assert proposed(running={"others": [8891]}, settings=both).changes == ()


def test_it_is_begun_by_its_name_alone() -> None:
    assert dkim_sign.BY_NAME


# ---- on real Postfix, with the distribution's opendkim ------------------------------------


def fix(lab: Lab, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", "fix", "--remedy", "dkim-sign", "--yes", "--confirm", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def refusal(lab: Lab, *arguments: str) -> str:
    told = fix(lab, *arguments, code=4)["error"]
    return f"{told['reason']}; {told['next_step']}"


def config(lab: Lab) -> dict[str, str]:
    names = lab.relay.run(["find", "/etc/postfix", CONF, "-type", "f", "!", "-name", "*.tmp"]).stdout.split()
    return {name: lab.relay.read(name) for name in names}


@pytest.fixture
def fresh(lab: Lab) -> Iterator[Lab]:
    lab.reset(main={"inet_protocols": "ipv4"})
    lab.relay.run(["rm", "-rf", "/etc/dkimkeys", "/var/lib/mailmend"])
    yield lab
    lab.relay.run(["rm", "-rf", "/etc/dkimkeys", "/var/lib/mailmend"])
    lab.reset()


def prepared(lab: Lab) -> str:
    """opendkim as its package leaves it, key made, record published; returns the record."""
    relay = lab.relay
    relay.install("opendkim")
    relay.start()
    told = refusal(lab)
    record = re.search(r"publish: (mailmend\._domainkey\.example\.org TXT v=DKIM1; k=rsa; p=[\w+/=]+)", told)
    assert record, told
    lab.dns.publish(record[1])
    return record[1]


def submitted(lab: Lab, author: str, to: str) -> None:
    """A person of this host sends by sendmail(1)."""
    text = f"From: {author}\nTo: {to}\nSubject: hello\n\nA message of our own.\n"
    lab.relay.write("/root/own.eml", text)
    done = lab.relay.run(["sh", "-c", f"sendmail -f {author} {to} < /root/own.eml"])
    assert done.returncode == 0, done.stderr


@pytest.mark.lab
def test_step_by_step_nothing_is_switched_on_and_a_key_is_never_made_twice(fresh: Lab) -> None:
    relay = fresh.relay
    relay.start()
    assert refusal(fresh) == "opendkim is not installed; apt-get install opendkim"
    relay.install("opendkim")
    before = config(fresh)
    assert "opendkim has no key" in refusal(fresh, "--dry-run")
    assert relay.run(["test", "-e", KEY]).returncode == 1
    first = refusal(fresh)
    assert first.startswith(
        "the key for example.org is not published; publish: mailmend._domainkey.example.org"
    )
    assert relay.run(["stat", "-c", "%a %U %G", KEY]).stdout.split() == ["600", "opendkim", "opendkim"]
    assert "(2048 bit" in relay.run(["openssl", "rsa", "-in", KEY, "-noout", "-text"]).stdout
    private = relay.read(KEY)
    assert refusal(fresh) == first
    assert relay.read(KEY) == private
    assert config(fresh) == before


@pytest.mark.lab
def test_own_mail_is_signed_and_verifies_and_what_strangers_wrote_is_left(fresh: Lab) -> None:
    record = prepared(fresh)
    before = config(fresh)
    private = fresh.relay.read(KEY)
    assert fix(fresh)["state"] == "kept"

    submitted(fresh, "anna@example.org", "friend@elsewhere.example")
    signed = fresh.send(to="else@example.org", count=1, signed=True)
    unsigned = fresh.send(
        to="else@example.org", count=1, author="anna@example.org", sender="x@sender.example"
    )
    fresh.outcomes([*signed, *unsigned])
    messages = fresh.elsewhere.wait_mailbox(3)
    own = next(m for m in messages if "A message of our own." in m)
    (forged,) = [m for m in messages if unsigned[0] in m]
    (forwarded,) = [m for m in messages if signed[0] in m]
    assert verified(own, record) == {"example.org": True}
    assert "DKIM-Signature" not in forged
    assert "d=example.org" not in forwarded
    assert forwarded.count("DKIM-Signature:") == 1

    assert fix(fresh)["state"] == "in-place"
    undone = fresh.relay.mailmend("--json", "undo")
    assert json.loads(undone.stdout)["identical"], undone.stdout
    assert config(fresh) == before
    secret = private.split("\n")[1]
    kept = fresh.relay.run(["grep", "-rlF", secret, "/var/lib/mailmend", "/var/log", "/etc"]).stdout.split()
    assert kept == [KEY]


def verified(message: str, record: str) -> dict[str, bool]:
    """Which domain's signature verifies, by the record as it was published."""
    text = record.partition(" TXT ")[2]
    probe = Live({Records: lambda _: DnsAnswer((text,), True, False)})
    return {s.domain: s.verifies for s in dkim.signed(message, probe).signatures}


@pytest.mark.lab
@pytest.mark.slow
def test_a_signer_that_is_started_with_the_change_is_there_in_its_rehearsal_too(fresh: Lab) -> None:
    if why_not := whole_host.lab_inside(fresh):
        pytest.skip(f"no lab inside a lab here: {why_not}")
    prepared(fresh)
    before = config(fresh)
    done = fresh.relay.mailmend("--json", "rehearse", "--remedy", "dkim-sign", timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert {passage["verdict"] for passage in told["passages"]} == {"same"}
    assert not told["complaints"]
    assert not any("8891" in each["what"] and "none there" in each["why"] for each in told["left_out"])
    assert config(fresh) == before


@pytest.mark.lab
@pytest.mark.slow
def test_milters_that_are_there_stay_before_it_and_without_it_mail_goes_on(fresh: Lab) -> None:
    fresh.relay.reset(
        main={
            "myorigin": "example.org",
            "inet_protocols": "ipv4",
            "smtpd_milters": "{ inet:127.0.0.1:9999, default_action=accept }",
            "non_smtpd_milters": "$smtpd_milters",
        },
        master_extra="2525 inet n - y - - smtpd\n  -o { smtpd_milters = { inet:127.0.0.1:9998, "
        "default_action=accept } }\n2526 inet n - y - - smtpd\n  -o smtpd_milters=\n",
    )
    prepared(fresh)
    before = config(fresh)
    fix(fresh)
    ours = "{ inet:127.0.0.1:8891, default_action=accept }"
    first = "{ inet:127.0.0.1:9999, default_action=accept }"
    assert fresh.relay.run(["postconf", "-h", "smtpd_milters"]).stdout.strip() == f"{first}, {ours}"
    assert fresh.relay.run(["postconf", "-h", "non_smtpd_milters"]).stdout.strip() == "$smtpd_milters"
    told = fresh.relay.run(["postconf", "-P", "2525/inet/smtpd_milters", "2526/inet/smtpd_milters"]).stdout
    assert f"9998, default_action=accept }}, {ours}" in told
    assert re.search(r"^2526/inet/smtpd_milters = *$", told, re.MULTILINE)
    fresh.relay.stop_daemon("opendkim")
    (outcome,) = fresh.outcomes(fresh.send(to="else@example.org", count=1)).values()
    assert outcome.status == "sent"
    undone = fresh.relay.mailmend("--json", "undo")
    assert json.loads(undone.stdout).get("identical"), undone.stdout
    assert config(fresh) == before
