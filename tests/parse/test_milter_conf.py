"""opendkim.conf and opendmarc.conf as Debian ships them and as operators write them: a few lines are ours, no other."""

from __future__ import annotations

import pytest

from mailmend.parse import milter_conf, opendkim
from mailmend.parse.milter_conf import OPENDKIM, OPENDMARC

# As 2.11.0 leaves it after its installation.
SHIPPED = """\
# This is a basic configuration for signing and verifying.
Syslog\t\t\tyes
Canonicalization\trelaxed/simple
#Domain\t\t\texample.com
#KeyFile\t\t/etc/dkimkeys/example.private
UserID\t\t\topendkim
Socket\t\t\tlocal:/run/opendkim/opendkim.sock
PidFile\t\t\t/run/opendkim/opendkim.pid
"""
LINES = (
    "Domain example.org",
    "Selector mailmend",
    "KeyFile /etc/dkimkeys/mailmend.private",
    "Socket inet:8891@localhost",
    "SubDomains yes",
    "InternalHosts 127.0.0.1,::1,198.51.100.0/24",
)
OURS = milter_conf.assign(SHIPPED, LINES)


# ---- what must not be taken for more than it is -------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "UserID root",
        "KeyFile /etc/shadow",
        "KeyFile /etc/dkimkeys/../shadow.private",
        "KeyTable refile:/etc/keys",
        "FinalPolicyScript /tmp/x.lua",
        "Include /tmp/x",
        "Socket local:/tmp/x",
        "Socket inet:8891",
        "Domain refile:/tmp/x",
        "Domain /tmp/x",
        "InternalHosts /tmp/x",
        "InternalHosts refile:/tmp/x",
        "AuthservID relay.example.org\r",
        "Selector a b",
        "PidFile /etc/passwd",
        "# another comment",
    ],
)
def test_any_other_line_is_another_matter(line: str) -> None:
    assert not milter_conf.ours_alone(OPENDKIM, SHIPPED, f"{SHIPPED}{line}\n")
    assert not milter_conf.ours_alone(OPENDKIM, SHIPPED, f"{OURS}{line}\n")


@pytest.mark.parametrize(
    "line", ["RejectFailures true", "Socket inet:25@0.0.0.0", "IgnoreHosts /tmp/x", "Domain a.example"]
)
def test_nor_may_the_judge_be_told_to_refuse(line: str) -> None:
    assert not milter_conf.ours_alone(OPENDMARC, "", f"{line}\n")


def test_lines_that_change_places_are_another_matter() -> None:
    first, second = "Syslog\t\t\tyes\n", "Canonicalization\trelaxed/simple\n"
    assert not milter_conf.ours_alone(OPENDKIM, SHIPPED, OURS.replace(first + second, second + first))


def test_another_file_is_never_one_of_these() -> None:
    assert not milter_conf.ours_alone("/etc/default/opendkim", SHIPPED, OURS)
    assert milter_conf.without("/etc/default/opendkim", SHIPPED, OURS, OURS) is None


# ---- what is written ------------------------------------------------------------------------


def test_a_line_takes_the_place_of_the_last_of_its_name_and_a_comment_is_none() -> None:
    assert milter_conf.ours_alone(OPENDKIM, SHIPPED, OURS)
    assert "#Domain\t\t\texample.com" in OURS
    assert OURS.index("Socket inet:8891@localhost\nPidFile") > 0
    assert "local:" not in OURS
    read = opendkim.settings(OURS)
    assert {name: read[name] for name in ("domain", "selector", "socket", "userid")} == {
        "domain": "example.org",
        "selector": "mailmend",
        "socket": "inet:8891@localhost",
        "userid": "opendkim",
    }


def test_of_two_lines_of_a_name_the_one_that_counts_is_written() -> None:
    twice = "Socket inet:1@localhost\nDomain a.example\nsocket local:/run/x\n"
    assert milter_conf.assign(twice, ["Socket inet:8891@localhost"]) == (
        "Socket inet:1@localhost\nDomain a.example\nSocket inet:8891@localhost\n"
    )


@pytest.mark.parametrize("text", ["", "UserID opendkim", "UserID opendkim\n", "\n\n"])
def test_a_file_without_an_end_of_line_gets_one_first(text: str) -> None:
    after = milter_conf.assign(text, ["Domain example.org"])
    assert after.endswith("Domain example.org\n")
    assert opendkim.settings(after)["domain"] == "example.org"
    assert milter_conf.ours_alone(OPENDKIM, text, after)


def test_opendmarc_has_names_of_its_own() -> None:
    after = milter_conf.assign(
        "UMask 0002\n", ["IgnoreHosts /etc/opendmarc/ignore.hosts", "SPFSelfValidate true"]
    )
    assert milter_conf.ours_alone(OPENDMARC, "UMask 0002\n", after)
    assert not milter_conf.ours_alone(OPENDKIM, "UMask 0002\n", after)


# ---- what is taken back ---------------------------------------------------------------------


def test_all_of_it_is_taken_back_to_the_byte() -> None:
    assert milter_conf.without(OPENDKIM, SHIPPED, OURS, OURS) == SHIPPED


def test_what_somebody_else_wrote_since_stays() -> None:
    edited = OURS.replace("Syslog\t\t\tyes", "Syslog no") + "Nameservers 192.0.2.1\n"
    assert milter_conf.without(OPENDKIM, SHIPPED, OURS, edited) == (
        SHIPPED.replace("Syslog\t\t\tyes", "Syslog no") + "Nameservers 192.0.2.1\n"
    )


def test_a_line_of_ours_that_was_changed_since_cannot_be_told_apart() -> None:
    assert (
        milter_conf.without(OPENDKIM, SHIPPED, OURS, OURS.replace("Domain example.org", "Domain x.example"))
        is None
    )
    assert milter_conf.without(OPENDKIM, SHIPPED, OURS, f"{OURS}Socket inet:1@localhost\n") is None


def test_what_was_taken_back_by_hand_already_is_left() -> None:
    by_hand = OURS.replace("SubDomains yes\n", "")
    assert milter_conf.without(OPENDKIM, SHIPPED, OURS, by_hand) == SHIPPED


# ---- where they listen ----------------------------------------------------------------------


def test_the_ports_that_they_are_told() -> None:
    texts = {OPENDKIM: OURS, OPENDMARC: "Socket inet:8893@localhost\n", "/etc/x": "Socket inet:1@localhost\n"}
    assert milter_conf.ports(texts) == {"8891", "8893"}
    assert milter_conf.ports({OPENDKIM: SHIPPED, OPENDMARC: None}) == frozenset()
    assert milter_conf.ports({OPENDKIM: "Socket inet:x@localhost\n"}) == frozenset()
