"""An operator's master.cf is read as master(8) reads it, and an edit changes nothing but what was meant."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailmend.model import Refused
from mailmend.parse import mastercf

DEBIAN = """\
# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
#  -o smtpd_tls_security_level=may
  -o smtpd_tls_security_level=encrypt
  -o { smtpd_client_restrictions = permit_mynetworks, reject } -v
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
\t-o syslog_name=postfix/relay -o smtp_helo_timeout=5
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""


# ---- what must not change ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "# c\n", DEBIAN, DEBIAN.rstrip("\n"), DEBIAN.replace("\n", "\r\n"), " x inet\n", "x inet n\n"],
    ids=["empty", "comment", "debian", "no final newline", "crlf", "first line indented", "short entry"],
)
def test_an_untouched_file_comes_back_byte_for_byte(text: str) -> None:
    assert str(mastercf.parse(text)) == text


def test_assigning_what_is_there_and_taking_out_what_is_not_change_nothing() -> None:
    cf = mastercf.parse(DEBIAN)
    assert cf.assign_override("relay/unix", "smtp_helo_timeout", "5") is cf
    assert cf.assign_override("relay/unix", "inet_protocols", None) is cf
    assert cf.remove_service("nothing/unix") is cf


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("smtp/unix", "inet_protocols", "ipv4\nevil inet n - n - - x"),
        ("smtp/unix", "inet_protocols", "a\tb"),
        ("smtp/unix", "inet_protocols", "a\x7fb"),
        ("smtp/unix", "inet_protocols", "a}b"),
        ("smtp/unix", "inet_protocols", "{a"),
        ("smtp/unix", "inet protocols", "ipv4"),
        ("smtp6/unix", "inet_protocols", "ipv4"),
    ],
    ids=["newline", "tab", "delete", "stray brace", "open brace", "blank in name", "no such service"],
)
def test_what_master_cf_cannot_carry_is_refused(service: str, name: str, value: str) -> None:
    with pytest.raises(Refused):
        mastercf.parse(DEBIAN).assign_override(service, name, value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# c\n",
        "x unix - -\n",
        "a unix - - n - - smtp\nb unix - - n - - smtp\n",
        "smtp unix - - n - - smtp\n",
    ],
    ids=["nothing", "comment", "too short", "two", "known already"],
)
def test_what_is_not_one_new_service_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        mastercf.parse(DEBIAN).add_service(text)


# ---- reading -------------------------------------------------------------------------------


def test_services_are_read_with_their_overrides() -> None:
    by_id = {service.id: service for service in mastercf.parse(DEBIAN).services()}
    assert list(by_id) == ["smtp/inet", "submission/inet", "smtp/unix", "relay/unix", "maildrop/unix"]
    submission = by_id["submission/inet"]
    assert submission.command == "smtpd -v"
    assert submission.overrides == (
        ("syslog_name", "postfix/submission"),
        ("smtpd_tls_security_level", "encrypt"),
        ("smtpd_client_restrictions", "permit_mynetworks, reject"),
    )
    maildrop = by_id["maildrop/unix"]
    assert maildrop.command == "pipe flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}"
    assert (maildrop.unprivileged, maildrop.chroot, maildrop.overrides) == ("n", "n", ())


@pytest.mark.parametrize(
    ("arguments", "overrides", "command"),
    [
        ("-o a=b -v -o c=d", (("a", "b"), ("c", "d")), "smtpd -v"),
        ("-oa=b", (("a", "b"),), "smtpd"),
        ("-vo a=b", (("a", "b"),), "smtpd -v"),
        ("-o { a = b c }", (("a", "b c"),), "smtpd"),
        ("-o a=${x?{b c}}", (("a", "${x?{b c}}"),), "smtpd"),
        ("-o a=", (("a", ""),), "smtpd"),
        ("flags=D -o a=b", (), "smtpd flags=D -o a=b"),
        ("-o {a=b\n# hi\n  c}", (("a", "b  c"),), "smtpd"),
    ],
)
def test_options_are_read_as_the_daemons_read_them(
    arguments: str, overrides: tuple[tuple[str, str], ...], command: str
) -> None:
    (service,) = mastercf.parse(f"x inet n - y - - smtpd {arguments}\n").services()
    assert (service.overrides, service.command) == (overrides, command)


def test_the_last_of_several_wins() -> None:
    text = "x unix - - n - - smtp -o a=1 -o a=2\nx unix - - n - - smtp -o a=3\n"
    cf = mastercf.parse(text)
    assert cf.override("x/unix", "a") == "3"
    assert cf.override("x/unix", "b") is None
    assert cf.override("y/unix", "a") is None


# ---- editing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("x unix - - n - - smtp\n", "1", "x unix - - n - - smtp\n  -o a=1\n"),
        ("x unix - - n - - smtp", "1", "x unix - - n - - smtp\n  -o a=1"),
        ("x unix - - n - - smtp\r\n", "1", "x unix - - n - - smtp\r\n  -o a=1\r\n"),
        ("x unix - - n - - smtp\n\t-o b=2\n# c\n", "1", "x unix - - n - - smtp\n\t-o b=2\n\t-o a=1\n# c\n"),
        ("x unix - - n - - smtp -o a=0 -o b=2\n", "1", "x unix - - n - - smtp -o a=1 -o b=2\n"),
        ("x unix - - n - - smtp -o a=0\n", "1 2", "x unix - - n - - smtp -o { a = 1 2 }\n"),
        ("x unix - - n - - smtp -o { a = 0 3 }\n", "1", "x unix - - n - - smtp -o a=1\n"),
        ("x unix - - n - - smtp -o\n  a=0\n", "1", "x unix - - n - - smtp -o a=1\n"),
        (
            "x unix - n n - - pipe\n  user=v argv=/x\n",
            "1",
            "x unix - n n - - pipe\n  -o a=1\n  user=v argv=/x\n",
        ),
        ("x unix - n n - - pipe user=v argv=/x\n", "1", "x unix - n n - - pipe -o a=1 user=v argv=/x\n"),
        ("x unix - - n - - smtp\n  -o a=0\n  -o b=2\n", None, "x unix - - n - - smtp\n  -o b=2\n"),
        ("x unix - - n - - smtp -o a=0 -o b=2 -o a=1\n", None, "x unix - - n - - smtp -o b=2\n"),
        ("x unix - - n - - smtp\n  -o {a=0\n# c\n  3}\n", None, "x unix - - n - - smtp\n# c\n"),
    ],
)
def test_an_override_is_set_and_taken_out(before: str, value: str | None, after: str) -> None:
    edited = mastercf.parse(before).assign_override("x/unix", "a", value)
    assert edited.override("x/unix", "a") == value
    assert str(edited) == after


def test_ipv4_for_both_clients_and_back_is_byte_for_byte() -> None:
    cf = mastercf.parse(DEBIAN)
    edited = cf
    for service in ("smtp/unix", "relay/unix"):
        edited = edited.assign_override(service, "inet_protocols", "ipv4")
    assert (
        "smtp      unix  -       -       y       -       -       smtp\n  -o inet_protocols=ipv4\nrelay"
        in str(edited)
    )
    for service in ("smtp/unix", "relay/unix"):
        edited = edited.assign_override(service, "inet_protocols", None)
    assert str(edited) == DEBIAN


def test_a_service_is_added_and_removed_again() -> None:
    cf = mastercf.parse(DEBIAN)
    clone = "smtp-ipv4 unix  -       -       y       -       -       smtp\n  -o inet_protocols=ipv4\n"
    added = cf.add_service(clone)
    assert str(added) == DEBIAN + clone
    assert added.service_text("smtp-ipv4/unix") == clone.rstrip("\n")
    assert str(added.remove_service("smtp-ipv4/unix")) == DEBIAN


@pytest.mark.parametrize(
    ("column", "value", "after"),
    [
        ("process_limit", "50", "x inet n - y - 50 smtpd -v\n  -o a=1\n# c\n  -o b=2\n"),
        ("wakeup", "60?", "x inet n - y 60? - smtpd -v\n  -o a=1\n# c\n  -o b=2\n"),
        ("chroot", "n", "x inet n - n - - smtpd -v\n  -o a=1\n# c\n  -o b=2\n"),
        ("unprivileged", "y", "x inet n y y - - smtpd -v\n  -o a=1\n# c\n  -o b=2\n"),
        ("private", "-", "x inet - - y - - smtpd -v\n  -o a=1\n# c\n  -o b=2\n"),
        ("command", "smtpd", "x inet n - y - - smtpd\n  -o a=1\n# c\n  -o b=2\n"),
        ("command", "smtpd -v -v", "x inet n - y - - smtpd -v -v\n  -o a=1\n# c\n  -o b=2\n"),
        ("command", "postscreen", "x inet n - y - - postscreen\n  -o a=1\n# c\n  -o b=2\n"),
        (
            "command",
            "pipe user=x argv=/y z",
            "x inet n - y - - pipe\n  -o a=1\n# c\n  -o b=2\n  user=x argv=/y z\n",
        ),
    ],
)
def test_a_column_is_set_and_nothing_else_differs(column: str, value: str, after: str) -> None:
    before = mastercf.parse("x inet n - y - - smtpd -v\n  -o a=1\n# c\n  -o b=2\n")
    edited = before.assign_column("x/inet", column, value)
    assert str(edited) == after
    assert edited.column("x/inet", column) == value
    assert edited.services()[0].overrides == before.services()[0].overrides
    back = edited.assign_column("x/inet", column, before.column("x/inet", column) or "")
    assert str(back) == str(before)


def test_what_a_pipe_runs_is_replaced_where_it_stands() -> None:
    edited = mastercf.parse(DEBIAN).assign_column(
        "maildrop/unix", "command", "pipe flags=R user=x argv=/bin/y -z"
    )
    assert str(edited) == DEBIAN.replace(
        "flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}", "flags=R user=x argv=/bin/y -z"
    )


@pytest.mark.parametrize(
    ("service", "column", "value"),
    [
        ("smtp/inet", "process_limit", "many"),
        ("smtp/inet", "process_limit", "-1"),
        ("smtp/inet", "process_limit", "5 5"),
        ("smtp/inet", "chroot", "yes"),
        ("smtp/inet", "wakeup", "1000??"),
        ("smtp/inet", "command", ""),
        ("smtp/inet", "command", "smtpd -o a=b"),
        ("smtp/inet", "command", "smtpd\nevil inet n - n - - x"),
        ("smtp/inet", "command", "smtpd # no"),
        ("smtps/inet", "chroot", "y"),
    ],
)
def test_what_master_would_not_take_for_a_column_is_refused(service: str, column: str, value: str) -> None:
    with pytest.raises(Refused):
        mastercf.parse(DEBIAN).assign_column(service, column, value)


def test_an_entry_becomes_another_under_its_own_name_alone() -> None:
    cf = mastercf.parse(DEBIAN)
    edited = cf.replace_service("relay/unix", "relay unix - - n - - smtp -o smtp_helo_timeout=9")
    assert edited.service_text("relay/unix") == "relay unix - - n - - smtp -o smtp_helo_timeout=9"
    assert [s.id for s in edited.services()] == [s.id for s in cf.services()]
    assert edited.replace_service("new/unix", "new unix - - n - - smtp").services()[-1].id == "new/unix"
    for text in (
        "other unix - - n - - smtp",
        "relay unix - -",
        "relay unix - - n - - smtp\nevil unix - - n - - x",
    ):
        with pytest.raises(Refused):
            cf.replace_service("relay/unix", text)


# ---- against Postfix itself ----------------------------------------------------------------

NAMES = ["syslog_name", "smtp_bind_address", "inet_protocols"]
_plain = st.text(alphabet="ab1:=/.", max_size=5)
_loose = st.text(alphabet="ab1 :=/.", max_size=8)
_option = st.one_of(
    st.builds(lambda n, v: f"-o {n}={v}", st.sampled_from(NAMES), _plain),
    # Not with an `o` in the name: postconf 3.7 misreads `-osyslog_name=x`, the daemons do not.
    st.builds(lambda v: f"-omyflag={v}", _plain),
    st.builds(lambda n, v: f"-o {{ {n} = {v} }}", st.sampled_from(NAMES), _loose),
    st.sampled_from(["-v", "-v -v"]),
)
_gap = st.sampled_from([" ", "\n  ", "\n# c\n\t", "\n\n   # d\n  "])
_entry = st.builds(
    lambda options, gaps, tail: "smtp" + "".join(g + o for o, g in zip(options, gaps, strict=False)) + tail,
    st.lists(_option, max_size=5), st.lists(_gap, min_size=5, max_size=5),
    st.sampled_from(["", "", " flags=D -o argv=x"]),
)  # fmt: skip
_file = st.builds(
    lambda commands, last: "\n".join(f"s{n} unix - - n - - {c}" for n, c in enumerate(commands)) + last,
    st.lists(_entry, min_size=1, max_size=3), st.sampled_from(["\n", "", "\n# end"]),
)  # fmt: skip
_oracle = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _as_postfix_sees(postconf: Callable[..., object], folder: Path, text: str) -> dict[str, str]:
    """What postconf -P finds, white space squeezed: {"service/type/name": value}."""
    (folder / "main.cf").write_text("")
    (folder / "master.cf").write_text(text)
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))  # Postfix naps before it reads a file that is seconds old
    done = postconf("-P", "-c", str(folder))
    assert done.returncode == 0, done.stderr
    pairs = (line.partition("=") for line in done.stdout.split("\n") if line)
    return {name.strip(): " ".join(value.split()) for name, _, value in pairs}


def _as_we_see(cf: mastercf.MasterCf) -> dict[str, str]:
    return {f"{s.id}/{name}": " ".join(value.split()) for s in cf.services() for name, value in s.overrides}


@_oracle
@given(_file)
def test_postfix_reads_the_same_overrides(postconf, tmp_path: Path, text: str) -> None:
    cf = mastercf.parse(text)
    assert str(cf) == text
    assert _as_we_see(cf) == _as_postfix_sees(postconf, tmp_path, text)


@_oracle
@given(_file, st.sampled_from(NAMES), st.one_of(st.none(), _loose))
def test_postfix_reads_what_was_assigned_and_nothing_else_differs(
    postconf, tmp_path: Path, text: str, name: str, value: str | None
) -> None:
    cf = mastercf.parse(text)
    edited = cf.assign_override("s0/unix", name, value)
    expected = _as_we_see(cf)
    expected.pop(f"s0/unix/{name}", None)
    if value is not None:
        expected[f"s0/unix/{name}"] = " ".join(value.split())
    assert _as_postfix_sees(postconf, tmp_path, str(edited)) == expected
    assert [s.command for s in edited.services()] == [s.command for s in cf.services()]
    assert str(edited).count("#") == text.count("#")


def test_what_follows_an_option_that_began_on_the_line_above_stays_part_of_its_service() -> None:
    cf = mastercf.parse("smtp unix - - n - - smtp\n  -o\n\t{ myhostname = a b } -o syslog_name=x\n")
    taken_out = cf.assign_override("smtp/unix", "myhostname", None)
    assert str(taken_out) == "smtp unix - - n - - smtp\n\t-o syslog_name=x\n"
    assert not taken_out.broken


def _columns_as_postfix_sees(postconf: Callable[..., object], folder: Path, text: str) -> dict[str, str]:
    (folder / "main.cf").write_text("")
    (folder / "master.cf").write_text(text)
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))
    done = postconf("-F", "-c", str(folder))
    assert done.returncode == 0, done.stderr
    pairs = (line.partition("=") for line in done.stdout.split("\n") if line)
    return {name.strip(): " ".join(value.split()) for name, _, value in pairs}


@_oracle
@given(_file, st.sampled_from([("process_limit", "50"), ("chroot", "y"), ("wakeup", "9?"), ("private", "n")]))
def test_postfix_reads_the_column_that_was_set_and_nothing_else_differs(
    postconf, tmp_path: Path, text: str, column: tuple[str, str]
) -> None:
    name, value = column
    expected = _columns_as_postfix_sees(postconf, tmp_path, text) | {f"s0/unix/{name}": value}
    edited = mastercf.parse(text).assign_column("s0/unix", name, value)
    assert _columns_as_postfix_sees(postconf, tmp_path, str(edited)) == expected
    assert str(edited).count("#") == text.count("#")


@_oracle
@given(_file, st.sampled_from(["smtp", "smtp -v", "lmtp -v -v", "smtpd x y"]))
def test_postfix_reads_the_command_that_was_set_and_every_override_as_before(
    postconf, tmp_path: Path, text: str, value: str
) -> None:
    cf = mastercf.parse(text)
    edited = cf.assign_column("s0/unix", "command", value)
    assert _as_postfix_sees(postconf, tmp_path, str(edited)) == _as_we_see(cf)
    assert edited.column("s0/unix", "command") == value
