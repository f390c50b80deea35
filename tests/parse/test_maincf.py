"""An operator's main.cf is read as Postfix reads it, and an edit changes nothing but what was meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailmend.model import Refused
from mailmend.parse import maincf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEBIAN = """\
# See /usr/share/postfix/main.cf.dist for a commented version
smtpd_banner = $myhostname ESMTP $mail_name
biff = no

  # an indented comment
mynetworks = 127.0.0.0/8
# between the lines
\t[::ffff:127.0.0.0]/104

    [::1]/128
inet_protocols = all
relayhost =
"""


# ---- what must not change ------------------------------------------------------------------


LEGAL = {
    "empty": "",
    "only a comment": "# nothing here",
    "no final newline": "myhostname = mail.example.org",
    "crlf": "myhostname = mail.example.org\r\nrelayhost =\r\n\r\n",
    "tabs and blank lines": "\n\t\nmyhostname\t=\tmail.example.org\n\n",
    "first line indented": "  myhostname = mail.example.org\n",
    "name and value apart": "myhostname\n = mail.example.org\n",
    "form feed and other unicode line ends": "smtpd_banner = a\x0cb\x85c\u2028d\n",
    "bytes that are no utf-8": b"smtpd_banner = caf\xe9\n".decode("utf-8", "surrogateescape"),
    "broken line": "myhostname\n",
    "debian": DEBIAN,
}


@pytest.mark.parametrize("text", LEGAL.values(), ids=LEGAL.keys())
def test_an_untouched_file_comes_back_byte_for_byte(text: str) -> None:
    assert str(maincf.parse(text)) == text


def test_assigning_the_value_that_is_there_changes_nothing() -> None:
    cf = maincf.parse(DEBIAN)
    assert cf.assign("inet_protocols", "all") is cf
    assert cf.assign("mynetworks", cf.get("mynetworks") or "") is cf


def test_removing_what_is_not_there_changes_nothing() -> None:
    cf = maincf.parse(DEBIAN)
    assert cf.remove("smtp_bind_address6") is cf


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtpd_banner", "a\nrelayhost = evil.example"),
        ("smtpd_banner", "a\x00b"),
        ("smtpd_banner", "a\tb"),
        ("smtpd_banner", "a\x7fb"),
        ("# smtpd_banner", "a"),
        ("smtpd banner", "a"),
        ("a=b", "a"),
        ("", "a"),
    ],
    ids=["newline", "nul", "tab", "delete", "comment name", "blank in name", "equals in name", "no name"],
)
def test_what_main_cf_cannot_carry_is_refused(name: str, value: str) -> None:
    with pytest.raises(Refused):
        maincf.parse(DEBIAN).assign(name, value)


# ---- reading -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = 1\na = 2\n", "2"),
        ("a = 1\n#c\n\n  2\n\t3  \n", "1  2\t3"),
        ("a = 1 # not a comment\n", "1 # not a comment"),
        ("a = #1\n", "#1"),
        ("a =\n", ""),
        ("a=x=y\n", "x=y"),
        ("a = 1\r\n b\r\n", "1\r b"),
        ("a\n\t= 1\n", "1"),
        (" a = 1\n", None),
        ("#a = 1\n", None),
        ("a = 1\n\x0b2\n", "1\x0b2"),
        ("a = 1\x002\n", "1"),
    ],
)
def test_a_value_is_read_as_postfix_joins_it(text: str, value: str | None) -> None:
    assert maincf.parse(text).get("a") == value


def test_a_line_that_keeps_postfix_from_starting_is_named() -> None:
    assert maincf.parse("# c\n\nmyhostname\nrelayhost =\n= x\n").broken == (3, 5)


# ---- editing -------------------------------------------------------------------------------


def test_the_kludge_touches_one_line() -> None:
    edited = str(maincf.parse(DEBIAN).assign("inet_protocols", "ipv4"))
    assert edited == DEBIAN.replace("inet_protocols = all", "inet_protocols = ipv4")


def test_only_the_last_of_two_assignments_is_written() -> None:
    cf = maincf.parse("a = 1\nb = 2\na = 3 \nc = 4\n").assign("a", "5")
    assert str(cf) == "a = 1\nb = 2\na = 5\nc = 4\n"


def test_a_comment_inside_a_continuation_stays() -> None:
    edited = str(maincf.parse(DEBIAN).assign("mynetworks", "127.0.0.0/8"))
    assert "mynetworks = 127.0.0.0/8\n# between the lines\n\ninet_protocols" in edited


def test_a_prepend_keeps_the_continuation_lines_and_their_tabs() -> None:
    cf = maincf.parse(DEBIAN)
    edited = cf.assign("mynetworks", f"192.0.2.0/24 {cf.get('mynetworks')}")
    assert str(edited) == DEBIAN.replace("= 127.0.0.0/8", "= 192.0.2.0/24 127.0.0.0/8")


def test_a_prepend_that_would_become_a_comment_is_refused_not_written() -> None:
    with pytest.raises(Refused):
        maincf.parse("a =\n  b\n").assign("a", "#x b")


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ("", "a = 1\n"),
        ("b = 2", "b = 2\na = 1\n"),
        ("b = 2\r\n", "b = 2\r\na = 1\r\n"),
        ("a=0\n", "a=1\n"),
        ("a\t=\t0", "a\t=\t1"),
        ("a = 0\r\n  2\r\nb = 2\r\n", "a = 1\r\nb = 2\r\n"),
        ("a =\n    0\n    2\n# end\n", "a = 1\n# end\n"),
        ("a\n = 0\n", "a = 1\n"),
        ("a =\n", "a = 1\n"),
    ],
)
def test_assign_keeps_the_manner_of_the_file(text: str, edited: str) -> None:
    assert str(maincf.parse(text).assign("a", "1")) == edited


def test_an_empty_value_is_a_value() -> None:
    cf = maincf.parse("relayhost = [192.0.2.1]\n").assign("relayhost", "")
    assert (str(cf), cf.get("relayhost")) == ("relayhost =\n", "")


def test_remove_takes_every_assignment_so_that_the_default_applies() -> None:
    cf = maincf.parse("a = 1\n# c\nb = 2\na = 3\n # d\n 4\n").remove("a")
    assert str(cf) == "# c\nb = 2\n # d\n"


def test_take_brings_back_the_lines_as_they_were_written() -> None:
    old = maincf.parse(DEBIAN)
    new = old.assign("mynetworks", "127.0.0.0/8").assign("biff", "yes")
    back = new.take("mynetworks", old)
    assert back.get("mynetworks") == old.get("mynetworks")
    assert back.get("biff") == "yes"
    assert str(new.assign("smtp_bind_address6", "2001:db8::25").take("smtp_bind_address6", old)) == str(new)


# ---- against Postfix itself ----------------------------------------------------------------

PARAMETERS = ["mynetworks", "relayhost", "smtpd_banner", "mydestination", "myorigin"]
_value = st.text(alphabet="ab1,=#{}:/.é ", max_size=8)
_blank = st.sampled_from(["", " ", "\t", "  "])
_line = st.one_of(
    st.builds(
        lambda name, left, right, value: f"{name}{left}={right}{value}",
        st.sampled_from(PARAMETERS), _blank, _blank, _value,
    ),
    st.builds(lambda blank, value: f"{blank}{value}", st.sampled_from([" ", "\t", "\x0c", " \t"]), _value),
    st.builds(lambda blank, value: f"{blank}#{value}", _blank, _value),
    st.sampled_from(["", " ", "\r"]),
)  # fmt: skip
_file = st.builds(
    lambda lines, end, last: end.join(lines) + last,
    st.lists(_line, max_size=8), st.sampled_from(["\n", "\n", "\r\n"]), st.sampled_from(["\n", ""]),
)  # fmt: skip
_oracle = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _as_postfix_sees(postconf: Callable[..., object], folder: Path, text: str) -> dict[str, str] | None:
    """The parameters that postconf -n finds, white space squeezed; None where it refuses the file."""
    (folder / "main.cf").write_bytes(text.encode("utf-8", "surrogateescape"))
    (folder / "master.cf").write_text("")
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))  # Postfix naps before it reads a file that is seconds old
    done = postconf("-n", "-c", str(folder))
    if done.returncode:
        return None
    pairs = (line.partition("=") for line in done.stdout.split("\n") if line)
    return {name.strip(): " ".join(value.split()) for name, _, value in pairs if name.strip() in PARAMETERS}


def _comments(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.lstrip().startswith("#")]


def _as_we_see(cf: maincf.MainCf) -> dict[str, str]:
    return {name: " ".join((cf.get(name) or "").split()) for name in cf.names() if name in PARAMETERS}


@given(_file)
def test_every_text_comes_back(text: str) -> None:
    assert str(maincf.parse(text)) == text


@_oracle
@given(_file)
def test_postfix_reads_the_same_values(postconf, tmp_path: Path, text: str) -> None:
    cf = maincf.parse(text)
    seen = _as_postfix_sees(postconf, tmp_path, text)
    assert _as_we_see(cf) == seen


@pytest.mark.parametrize("text", ["a = 1\nrelayhost\n", "= b\n", "a\n = 1\nb c = 2\n"])
def test_postfix_too_refuses_what_we_call_broken(postconf, tmp_path: Path, text: str) -> None:
    assert maincf.parse(text).broken
    assert _as_postfix_sees(postconf, tmp_path, text) is None


@_oracle
@given(_file, st.sampled_from(PARAMETERS), _value)
def test_postfix_reads_what_was_assigned_and_nothing_else_differs(
    postconf, tmp_path: Path, text: str, name: str, value: str
) -> None:
    cf = maincf.parse(text)
    before = _as_we_see(cf)
    try:
        edited = cf.assign(name, value)
    except Refused:
        return
    seen = _as_postfix_sees(postconf, tmp_path, str(edited))
    assert seen == before | {name: " ".join(value.split())}
    assert _comments(str(edited)) == _comments(text)


@_oracle
@given(_file, st.sampled_from(PARAMETERS))
def test_postfix_no_longer_sees_what_was_removed(postconf, tmp_path: Path, text: str, name: str) -> None:
    cf = maincf.parse(text)
    seen = _as_postfix_sees(postconf, tmp_path, str(cf.remove(name)))
    expected = _as_we_see(cf)
    expected.pop(name, None)
    assert seen == expected
