"""What is not in the list cannot be asked for, to the last field and byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmend.model import ParseError
from mailmend.ui.helper import verbs

GRANT = "g" * 43
SET = {"what": "set", "assignments": [{"name": "myhostname", "value": "a.example"}]}
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
TAGS = tuple(str(struct.__struct_config__.tag) for struct in verbs.Verb.__subclasses__())


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def propose(**fields: Any) -> bytes:
    return line(verb="propose", grant=GRANT, proposal=fields)


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"verb": "waiting"',
        line(verb="run", command="id"),
        line(verb="write", path="/etc/postfix/main.cf", text="x = y"),
        line(verb="login-code", uid=0),
        line(verb="undo", grant=GRANT, change="x"),
        line(verb="apply", grant=GRANT),
        line(verb="apply", grant="short", digest="0" * 64),
        line(verb="apply", grant=GRANT, digest="0" * 64, proposal=SET),
        line(verb="apply", grant=GRANT, digest="zz"),
        line(verb="step-up", grant=GRANT, digest="0" * 64),
        line(verb="login", code="x", source="192.0.2.1 and more"),
        line(verb="login", code="x", source="a\nb"),
        line(verb="login", code="x" * 41, source="::1"),
        line(verb="approval-code", session="../x", digest="0" * 64),
        line(verb="confirm", grant=GRANT, change="../../etc/passwd\n"),
        propose(what="undo"),
        propose(what="undo", change="a b"),
        propose(what="files", path="/etc/postfix/main.cf", text="x = y"),
        propose(what="activate", files=[]),
        line(verb="trace", grant=GRANT, what="a\x00b"),
        line(verb="trace", grant=GRANT, what="a\nb"),
        line(verb="trace", grant=GRANT, what=""),
        line(verb="report", grant=GRANT, days=0),
        line(verb="report", grant=GRANT, days=31),
        line(verb="report", grant=GRANT, days="1"),
        line(verb="report", grant=GRANT, days=7, files=["/etc/shadow"]),
        line(verb="look", grant=GRANT, of="file"),
        line(verb="look", grant=GRANT, of="entry", change="../x\n"),
        propose(what="hold-on", hours=0),
        propose(what="hold-on", hours=10**9),
        propose(what="hold-on", limit=-1),
        propose(what="hold-on", since="2026-01-01T00:00:00Z"),
        propose(**SET, files=[{"path": "/etc/postfix/main.cf"}]),
        propose(**(SET | {"assignments": []})),
        propose(**(SET | {"assignments": [{"name": "a", "value": "b\nc = d"}]})),
        propose(**(SET | {"assignments": [{"name": "a=b", "value": "c"}]})),
        propose(**(SET | {"assignments": [{"name": "a", "value": "x" * 9000}]})),
        b" " * (verbs.LONGEST + 1),
        b"[" * 60_000,
    ],
)  # fmt: skip
def test_what_is_not_in_the_list_is_refused_in_one_line(request_: bytes) -> None:
    with pytest.raises(ParseError) as refused:
        verbs.decode(request_)
    assert "\n" not in str(refused.value)


@given(st.sampled_from(TAGS), st.dictionaries(st.text(max_size=12), ANY, max_size=5))
def test_whatever_the_fields_are_a_request_is_read_or_refused(tag: str, fields: dict[str, Any]) -> None:
    try:
        read = verbs.decode(line(**(fields | {"verb": tag})))
    except ParseError:
        return
    assert verbs.decode(verbs.encode(read)) == read


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_a_request_is_read_or_refused(junk: bytes) -> None:
    with pytest.raises(ParseError):
        verbs.decode(junk)


def test_what_is_in_the_list_is_read_as_it_was_sent() -> None:
    wanted = verbs.Propose(GRANT, verbs.Set((verbs.Assign("smtp/unix/inet_protocols", None),)))
    assert verbs.decode(verbs.encode(wanted)[:-1]) == wanted
