"""A copied configuration: what is the same in the lab, what has a stand-in, and what never leaves the host."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mailmend.lab import clone_mail, clone_services, clone_tables, clone_ways
from mailmend.lab.clone import Clone, clone
from mailmend.lab.clone_copy import Source
from mailmend.lab.clone_services import Hop, StandIn
from mailmend.lab.clone_values import Part
from mailmend.model import CannotLook

USABLE = frozenset({"hash", "btree", "texthash", "regexp", "cidr"})
MASTER = "smtp inet n - y - - smtpd\nsmtp unix - - y - - smtp\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


class Host:
    """A folder that is a host's /etc/postfix."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.master = MASTER

    def file(self, name: str, text: str, mode: int = 0o644) -> str:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def source(self, main: str) -> Source:
        self.file("main.cf", main.replace("DIR", str(self.folder)))
        self.file("master.cf", self.master)
        return Source((str(self.folder),), {})

    def clone(self, main: str, usable: frozenset[str] = USABLE) -> Clone:
        return clone(self.source(main), usable)

    def main(self, made: Clone) -> str:
        return made.files[f"{self.folder}/main.cf"]

    def cf(self, made: Clone) -> str:
        return made.files[f"{self.folder}/master.cf"]


def left(made: Clone) -> dict[str, str]:
    return {each.what: each.why for each in made.left_out}


# ---- what must not happen -----------------------------------------------------------------


def test_what_the_lab_can_run_is_copied_to_the_byte(host: Host) -> None:
    text = (
        "# ours\nmyhostname = mail.acme.example\nvirtual_alias_maps = hash:DIR/virtual,\n"
        "\tregexp:DIR/patterns\n# in between\n\tcidr:DIR/nets\nmynetworks = 127.0.0.0/8 DIR/networks\n"
    )
    for name in ("virtual", "patterns", "nets", "networks"):
        host.file(name, f"# {name}\n")
    made = host.clone(text)
    assert host.main(made) == text.replace("DIR", str(host.folder))
    assert host.cf(made) == MASTER
    assert {Path(path).name for path in made.files} >= {"virtual", "patterns", "nets", "networks"}
    assert made.left_out == ()


def test_no_password_is_handed_on(host: Host) -> None:
    host.file(
        "sasl", "[smtp.provider.example]:587\tacme:battery\n  staple\n# x\n@acme.example b:staple\n", 0o600
    )
    host.file("pattern", "/^.*provider.*$/ acme:battery\n", 0o600)
    made = host.clone(
        "smtp_sasl_password_maps = hash:DIR/sasl, regexp:DIR/pattern static:u:battery inline:{ a=u:battery }\n"
    )
    everything = "\n".join(made.files.values()) + repr(made)
    assert "battery" not in everything
    assert "staple" not in everything
    assert made.files[f"{host.folder}/sasl"] == (
        "[smtp.provider.example]:587 rehearsal:rehearsal\n@acme.example rehearsal:rehearsal\n"
    )
    assert made.files[f"{host.folder}/pattern"] == "/^.*provider.*$/ rehearsal:rehearsal\n"
    assert set(made.secret) == {f"{host.folder}/sasl", f"{host.folder}/pattern"}
    assert f"the passwords in {host.folder}/sasl" in left(made)


def test_no_password_is_handed_on_under_another_name(host: Host) -> None:
    sasl = host.file("sasl", "[smtp.provider.example]:587 acme:battery\n", 0o600)
    made = host.clone(
        "smtp_sasl_password_maps = $relay_logins inline:{ {a = u:battery}, {b = v:staple} }\n"
        "relay_logins = proxy:hash:DIR/sasl, static:{x:battery}\nvirtual_alias_maps = hash:DIR/sasl\n"
    )
    everything = "\n".join(made.files.values()) + repr(made)
    assert "battery" not in everything
    assert "staple" not in everything
    assert made.secret == (sasl,)


def test_no_private_key_is_opened(host: Host) -> None:
    """A FIFO that nobody writes to: whoever opens it waits for ever."""
    for name in ("key.pem", "chain.pem", "client.key"):
        os.mkfifo(host.folder / name)
    host.master += "submission inet n - y - - smtpd -o smtpd_tls_key_file=DIR/client.key\n".replace(
        "DIR", str(host.folder)
    )
    made = host.clone(
        "smtpd_tls_key_file = DIR/key.pem\nsmtpd_tls_cert_file = DIR/none.pem\nsmtpd_tls_chain_files = DIR/chain.pem\n"
    )
    assert {Path(path).name for path in made.keys} == {"key.pem", "chain.pem", "client.key"}
    assert made.certificates == ()  # not there on the host, so not there in the lab
    assert {Path(path).name for path in made.files} == {"main.cf", "master.cf"}


def test_a_list_that_holds_a_private_key_by_mistake_is_left_behind(host: Host) -> None:
    path = host.file("list", "-----BEGIN PRIVATE KEY-----\n")
    assert path not in host.clone("relay_domains = DIR/list\n").files


def test_what_is_not_there_on_the_host_is_not_there_in_the_lab(host: Host) -> None:
    made = host.clone("transport_maps = hash:DIR/none\nsmtpd_milters = unix:/none/here\n")
    assert f"{host.folder}/none" not in made.files
    assert made.indexes == ()
    # The milter is asked already: what is rehearsed is the change, so one stands in, and it is said.
    (milter,) = made.stand_ins
    assert not milter.there
    assert "on this host nothing is there now" in left(made)["milter /none/here"]


def test_a_server_that_only_the_change_asks_gets_no_stand_in(host: Host) -> None:
    source = host.source("myhostname = a.example\n")
    before = clone(source, USABLE)
    edits = {f"{host.folder}/main.cf": "smtpd_milters = inet:127.0.0.1:1\n"}
    after = clone(source, USABLE, edits, before)
    assert after.stand_ins == ()
    assert "milter 127.0.0.1:1" in left(after)


def test_without_main_cf_there_is_nothing_to_rehearse(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="does not exist"):
        clone(Source((str(tmp_path),), {}), USABLE)


def test_caches_are_no_tables(host: Host) -> None:
    text = "smtp_tls_session_cache_database = btree:DIR/scache\npostscreen_cache_map = btree:DIR/pcache\n"
    assert host.clone(text).indexes == ()


# ---- what is not the same -----------------------------------------------------------------


def test_tables_of_types_that_the_lab_lacks_are_read_otherwise_and_that_is_said(host: Host) -> None:
    host.file("virtual", "a@b.example c@d.example\n")
    host.file("checks", "/x/ HOLD\n")
    made = host.clone("virtual_alias_maps = proxy:lmdb:DIR/virtual\nheader_checks = pcre:DIR/checks\n")
    assert "proxy:hash:" in host.main(made)
    assert "regexp:" in host.main(made)
    assert [i.table for i in made.indexes] == [f"hash:{host.folder}/virtual"]
    assert set(left(made)) == {"lmdb tables", f"pcre:{host.folder}/checks"}


def test_tables_that_a_server_answers_know_nobody(host: Host) -> None:
    host.master = MASTER + "x inet n - y - - smtpd -o virtual_mailbox_maps=proxy:ldap:/etc/ldap.cf\n"
    made = host.clone("virtual_alias_maps = mysql:/etc/postfix/mysql.cf hash:DIR/none\n")
    assert f"texthash:{clone_tables.EMPTY} hash:{host.folder}/none" in host.main(made)
    assert f"proxy:texthash:{clone_tables.EMPTY}" in host.cf(made)
    assert {"mysql:/etc/postfix/mysql.cf", "ldap:/etc/ldap.cf"} <= set(left(made))


def test_programs_of_the_host_have_stand_ins_and_only_those_in_use_are_spoken_of(host: Host) -> None:
    host.master = MASTER + (
        "dovecot unix - n n - - pipe flags=DRhu user=vmail argv=/usr/lib/dovecot/deliver\n"
        "uucp unix - n n - - pipe user=uucp argv=uux\nspf unix - n n - 0 spawn user=n argv=/bin/policy\n"
    )
    made = host.clone("virtual_transport = dovecot\nmailbox_command = /usr/bin/procmail -a\n")
    assert "pipe" not in host.cf(made)
    assert "spawn" not in host.cf(made)
    assert "dovecot unix - - n - - discard" in host.cf(made)
    assert "mailbox_command" not in host.main(made)
    assert set(left(made)) == {
        "dovecot/unix (/usr/lib/dovecot/deliver)",
        "mailbox_command = /usr/bin/procmail -a",
    }


def test_where_postfix_is_installed_is_the_labs_own_affair(host: Host) -> None:
    made = host.clone("daemon_directory = /usr/libexec/postfix\nmaillog_file = /var/log/x\nbiff = no\n")
    assert host.main(made) == "biff = no\n"


# ---- the servers around it ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("main", "found"),
    [
        ("smtpd_milters = inet:localhost:8891", [("milter", "localhost:8891")]),
        ("non_smtpd_milters = unix:/run/x.sock", [("milter", "/run/x.sock")]),
        ("smtpd_milters = { unix:private/m, connect_timeout=3s }", [("milter", "/var/spool/postfix/private/m")]),
        (
            "smtpd_recipient_restrictions = permit_mynetworks, check_policy_service inet:127.0.0.1:10023, permit",
            [("policy", "127.0.0.1:10023")],
        ),
        (
            "smtpd_relay_restrictions = check_policy_service { unix:private/p, timeout=1s }",
            [("policy", "/var/spool/postfix/private/p")],
        ),
        ("smtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth", []),
        (
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth",
            [("auth", "/var/spool/postfix/private/auth")],
        ),
        ("virtual_transport = lmtp:unix:private/d", [("lmtp", "/var/spool/postfix/private/d")]),
        ("mailbox_transport = lmtp:inet:127.0.0.1:2400", [("lmtp", "127.0.0.1:2400")]),
        ("content_filter = amavis:[127.0.0.1]:10024", [("filter", "127.0.0.1:10024")]),
        ("content_filter = smtp:[127.0.0.1]:25", []),  # that is this Postfix itself
        ("m = inet:127.0.0.1:9\nsmtpd_milters = $m", [("milter", "127.0.0.1:9")]),
    ],
    ids=[
        "a milter by name", "a milter by path", "a milter in braces", "a policy server", "one in braces",
        "SASL that is off", "SASL", "LMTP by path", "LMTP by port", "a filter", "itself", "by a name of its own",
    ],
)  # fmt: skip
def test_every_server_that_is_asked_is_found(main: str, found: list[tuple[str, str]]) -> None:
    part = Part("/etc/postfix", main + "\n", MASTER)
    servers = clone_services.stand_ins([part], lambda _: False)
    assert [(s.kind, s.name) for s in servers] == found


def test_in_the_chroot_an_absolute_path_lies_below_the_queue_and_what_is_there_decides() -> None:
    part = Part("/etc/postfix", "smtpd_milters = unix:/run/x.sock\n", MASTER)
    inside = "/var/spool/postfix/run/x.sock"
    (nowhere,) = clone_services.stand_ins([part], lambda _: False)
    (chrooted,) = clone_services.stand_ins([part], lambda path: path == inside)
    assert nowhere.places == ("/run/x.sock", inside)
    assert chrooted == StandIn("milter", (inside,))


def test_a_filter_hands_back_where_no_filter_is_asked() -> None:
    master = MASTER + "127.0.0.1:10025 inet n - n - - smtpd -o content_filter=\n"
    part = Part("/etc/postfix", "content_filter = scan:[127.0.0.1]:10024\n", master)
    (server,) = clone_services.stand_ins([part], lambda _: True)
    assert server.onward == 10025


@pytest.mark.parametrize(
    ("word", "hop"),
    [
        ("[smtp.provider.example]:587", Hop("smtp.provider.example", 587, True)),
        ("provider.example", Hop("provider.example", 25, False)),
        ("smtp:[192.0.2.7]", Hop("192.0.2.7", 25, True)),
        ("relay:[mx.example]:submission", Hop("mx.example", 587, True)),
        ("smtp", None),
        ("smtp-ipv4:", None),
        ("error:5.7.1 no", None),
        ("lmtp:unix:private/x", None),
        ("", None),
    ],
)
def test_where_mail_is_handed_to(word: str, hop: Hop | None) -> None:
    assert clone_services.hop_of(word) == hop


def test_hosts_in_transport_tables_are_found_and_this_host_is_none_of_them() -> None:
    part = Part("/etc/postfix", "relayhost = [127.0.0.1]:10026\n", MASTER)
    found = clone_services.hops(
        part, ["a.example smtp:[mx.a.example]\n"], ["@b.example [out.b.example]:587\n"]
    )
    assert found == (Hop("mx.a.example", 25, True), Hop("out.b.example", 587, True))


# ---- the ways of mail ---------------------------------------------------------------------

MAIN = (
    "myhostname = mail.acme.example\nmydestination = $myhostname, localhost\nvirtual_alias_domains = acme.example\n"
    "virtual_alias_maps = hash:/v\nvirtual_mailbox_maps = hash:/m\nalias_maps = hash:/a\n"
)


def test_the_test_mails_are_to_the_hosts_own_recipients() -> None:
    texts = {
        "/v": "x@acme.example y@acme.example\ng@acme.example one@gmail.com\n@acme.example far@away.example\n",
        "/m": "box@mail.example box/\n",
        "/a": "postmaster: root\nsales: |/bin/false\nout: far@away.example\n",
    }
    part = Part("/etc/postfix", MAIN, MASTER)
    found = {m.way: m for m in clone_ways.ways((part,), texts, {}, frozenset({"gmail.com"}))}
    assert found["forward-gmail"].recipient == "g@acme.example"
    assert found["forward"].recipient == "anybody@acme.example"
    assert found["local"].recipient == "postmaster@mail.acme.example"
    assert found["mailbox"].recipient == "box@mail.example"
    assert found["gmail"].sender == "postmaster@mail.acme.example"
    assert found["gmail"].entry == "host"
    assert {found[w].entry for w in ("local", "forward", "mailbox")} == {"outside"}


@pytest.mark.parametrize(
    "listening", ["inet_interfaces = loopback-only\n", ""], ids=["loopback", "no port 25"]
)
def test_where_no_stranger_gets_in_none_is_sent(listening: str) -> None:
    master = MASTER if listening else MASTER.replace("smtp inet", "submission inet")
    part = Part("/etc/postfix", MAIN + listening, master)
    found = clone_ways.ways((part,), {}, {}, frozenset())
    assert {m.entry for m in found} == {"host"}


# ---- what became of them ------------------------------------------------------------------

AT = "2026-01-03T12:00:00+00:00 mail "
HANDED_ON = (
    f"{AT}postfix/cleanup[1]: AAAAAA1: message-id=<t1-1@rehearsal>\n"
    f"{AT}postfix/cleanup[2]: BBBBBB2: message-id=<t1-1@rehearsal>\n"
    f"{AT}postfix/smtp[3]: AAAAAA1: to=<a@b.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=0, "
    "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as BBBBBB2)\n"
    f"{AT}postfix/qmgr[4]: AAAAAA1: removed\n"
)
REFUSED = (
    f"{AT}postfix/smtp[3]: BBBBBB2: to=<a@b.example>, relay=mx.b.example[2001:db8::1]:25, delay=0, dsn=5.0.0, "
    "status=bounced (host mx.b.example[2001:db8::1] said: 550 no, queued as BBBBBB2, status=sent (250 ok))\n"
    f"{AT}postfix/qmgr[4]: BBBBBB2: removed\n"
)


def test_a_message_handed_on_counts_by_what_comes_of_it_in_the_end() -> None:
    assert clone_mail.read(HANDED_ON) == {}
    ((fate,),) = clone_mail.read(HANDED_ON + REFUSED).values()
    assert (fate.status, fate.family, fate.relay) == ("bounced", "ipv6", "mx.b.example[2001:db8::1]")


def test_a_message_that_waits_for_its_next_attempt_has_had_its_word() -> None:
    log = (
        f"{AT}postfix/cleanup[1]: AAAAAA1: message-id=<t1-1@rehearsal>\n"
        f"{AT}postfix/smtp[3]: AAAAAA1: to=<a@b.example>, relay=none, delay=0, dsn=4.4.1, "
        "status=deferred (connect to b.example[192.0.2.1]:25: Connection refused)\n"
    )
    ((fate,),) = clone_mail.read(log).values()
    assert (fate.status, fate.family, fate.relay) == ("deferred", None, None)


def test_an_index_whose_text_was_changed_since_is_told(host: Host) -> None:
    host.file("virtual.db", "")
    os.utime(host.folder / "virtual.db", (1, 1))
    host.file("virtual", "a@b.example c@d.example\n")
    made = host.clone("virtual_alias_maps = hash:DIR/virtual\n")
    assert "older than its text" in left(made)[f"the index of {host.folder}/virtual"]


def test_a_plan_that_writes_a_table_brings_it_along(host: Host) -> None:
    source = host.source("myhostname = a.example\n")
    table = f"{host.folder}/filter"
    edits = {f"{host.folder}/main.cf": f"smtp_dns_reply_filter = regexp:{table}\n", table: "/AAAA/ IGNORE\n"}
    after = clone(source, USABLE, edits, clone(source, USABLE))
    assert after.files[table] == "/AAAA/ IGNORE\n"
    assert not Path(table).exists()
    assert replace(source).edits == {}
