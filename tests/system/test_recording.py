"""What was looked at comes back as it was; what is given away tells no names and no passwords."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from mailmend.model import Delivery, Evidence, ParseError, Relay, Reply
from mailmend.questions import (
    AnyQuestion,
    ClientTrial,
    DeliveryCount,
    File,
    FileState,
    LogCounts,
    MapLookup,
    Now,
    RecentDeliveries,
    Service,
    Services,
    Setting,
    SettingValue,
    TrialResult,
)
from mailmend.system import recording
from mailmend.system.probe import Recorded

AT = datetime(2026, 11, 22, 10, 56, 24, 123456, tzinfo=timezone(timedelta(hours=1)))


def sample(kind: Any) -> Any:
    """Some value of a type, however it is composed: a question added tomorrow is tested too."""
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{f.name: sample(hints[f.name]) for f in dataclasses.fields(kind)})
    if origin is tuple:
        return tuple(sample(a) for a in arguments if a is not ...)
    if arguments and origin is not None and str(origin) == "typing.Literal":
        return arguments[0]
    if arguments:  # a union: whatever is not None
        return sample(next(a for a in arguments if a is not type(None)))
    return {str: "caf\udce9 \u2028 ü", int: 7, float: 1.5, bool: True, datetime: AT}[kind]


def answer_type(kind: type[AnyQuestion]) -> Any:
    return get_args(kind.__orig_bases__[0])[0]  # type: ignore[attr-defined]


# ---- there and back ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", recording.kinds(), ids=lambda kind: str(kind.__name__))
def test_every_kind_of_question_comes_back_as_it_was(kind: type[AnyQuestion]) -> None:
    question = sample(kind)
    known = {("before", question): Evidence(question, sample(answer_type(kind)), None, AT)}
    failed = {("after", question): Evidence(question, None, "resolver 192.0.2.53 does not answer", AT)}
    text = recording.dump(known | failed)
    assert recording.load(text) == known | failed
    assert text.isascii() and text.count("\n") == 2


def test_an_empty_recording_is_one() -> None:
    assert recording.load(recording.dump({})) == {}
    assert recording.load("\n\n") == {}


def test_a_recording_replays() -> None:
    question = Setting("inet_protocols")
    text = recording.dump({("before", question): Evidence(question, SettingValue("all", None), None, AT)})
    probe = Recorded(recording.load(text))
    assert probe.ask(question).answer == SettingValue("all", None)
    assert probe.ask(Setting("mynetworks")).error == "not recorded"
    probe.begin("after")
    assert probe.ask(question).error == "not recorded"


def look(question: str, *, answer: Any = None, error: Any = None, at: str = "2026-11-22T10:00:00Z") -> str:
    return json.dumps(
        {"epoch": "before", "question": question, "asked": {}, "answer": answer, "error": error, "at": at}
    )


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("not json", id="not-json"),
        pytest.param("[]", id="no-object"),
        pytest.param("{}", id="nothing-in-it"),
        pytest.param(look("Oracle", answer=1), id="unknown-question"),
        pytest.param(look("Now", answer={}), id="wrong-answer"),
        pytest.param(look("Setting", error="x"), id="incomplete-question"),
        pytest.param(look("Now", error="x", at="yesterday"), id="no-time"),
    ],
)
def test_a_broken_line_is_named(line: str) -> None:
    good = recording.dump({("before", Now()): Evidence(Now(), AT, None, AT)})
    with pytest.raises(ParseError, match="line 2 of the recording"):
        recording.load(good + line + "\n")


# ---- given away -----------------------------------------------------------------------------------


def bundled(question: AnyQuestion, answer: Any, error: str | None = None) -> str:
    return recording.bundle({("before", question): Evidence(question, answer, error, AT)})


def file(path: str, text: str) -> str:
    return bundled(File(path), FileState(path, True, text, 0o600, "root:root", AT, None))


def test_what_helps_stays() -> None:
    value = "hash:/etc/postfix/sasl_passwd"
    assert value in bundled(Setting("smtp_sasl_password_maps"), SettingValue(value, value))
    assert '"yes"' in bundled(Setting("smtpd_sasl_auth_enable"), SettingValue("yes", "yes"))
    assert "postfix@-.service" in file("/etc/x", "systemctl restart postfix@-.service")
    text = (
        "mynetworks = 127.0.0.0/8\nsmtp_tls_security_level = may\nsmtp_sasl_security_options = noanonymous\n"
    )
    assert json.dumps(text) in file("/etc/postfix/main.cf", text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("smtp_sasl_password_maps = static:relayuser:geheim1", id="static-map"),
        pytest.param("smtp_sasl_password_maps = inline:{relay=user:geheim1}", id="inline-map"),
        pytest.param("  -o smtp_sasl_password_maps=static:u:geheim1", id="override"),
        pytest.param("bind_dn = cn=x\nbind_pw = geheim1\npassword = geheim1", id="map-source-file"),
        pytest.param("password =\n  geheim1\nuser = x", id="on-the-next-line"),
        pytest.param("virtual_alias_maps = mysql:mysql://user:geheim1@db.example.org/x", id="url"),
        pytest.param("-----BEGIN PRIVATE KEY-----\ngeheim1\n-----END PRIVATE KEY-----\n", id="private-key"),
        pytest.param("-----BEGIN RSA PRIVATE KEY-----\ngeheim1", id="private-key-cut"),
    ],
)
def test_a_password_in_a_file_is_not_given_away(text: str) -> None:
    assert "geheim1" not in file("/etc/postfix/main.cf", text)


def test_the_table_of_passwords_is_not_given_away() -> None:
    assert "geheim1" not in file("/etc/postfix/sasl_passwd", "[mx.example.org]:587 user:geheim1\n")
    assert "geheim1" not in bundled(
        MapLookup("hash:/etc/postfix/sasl_passwd", "mx.example.org"), "user:geheim1"
    )
    value = "static:user:geheim1"
    assert "geheim1" not in bundled(Setting("smtp_sasl_password_maps"), SettingValue(value, value))
    service = Service("relay", "unix", "-", "-", "-", "-", "-", "smtp", (("x_password", "geheim1"),))
    assert "geheim1" not in bundled(Services(), (service,))


def test_nobodys_name_is_given_away() -> None:
    senders = (
        "clara.fall@example.org",
        '"clara fall"@example.org',
        "SRS0=x=y=example.org=clara.fall@example.net",
    )
    refused = "<clara.fall@example.com>: no such user"
    counts = (
        DeliveryCount(
            "mx.example.net",
            "ipv4",
            "bounced",
            550,
            "5.1.1",
            refused,
            "example.com",
            "smtp",
            1,
            0,
            senders,
            AT,
        ),
    )
    text = bundled(RecentDeliveries(), LogCounts(None, 1, 0, AT, AT, counts))
    assert "clara" not in text
    assert text.count("@example.org") == 2 and "mx.example.net" in text


def test_the_same_name_is_the_same_stand_in_within_one_bundle_only() -> None:
    question = ClientTrial("clara.fall@example.com")
    delivery = Delivery("bounced", "Clara.Fall@example.com", Reply(550, None, "no"), Relay("mx", "192.0.2.1"))
    first = json.loads(bundled(question, TrialResult((delivery,), ())))
    second = json.loads(bundled(question, TrialResult((delivery,), ())))
    asked, answered = first["asked"]["recipient"], first["answer"]["deliveries"][0]["recipient"]
    assert asked == answered and asked.startswith("user-") and asked.endswith("@example.com")
    assert asked != second["asked"]["recipient"]


def test_an_error_is_redacted_too() -> None:
    text = bundled(ClientTrial("a@example.com"), None, "no outcome of a probe of clara.fall@example.com")
    assert "clara" not in text


def test_a_redacted_bundle_is_still_a_recording() -> None:
    question = Setting("smtp_sasl_password_maps")
    text = bundled(question, SettingValue("static:user:geheim1", None))
    assert recording.load(text)["before", question].answer == SettingValue(recording.HIDDEN, None)


def test_redacting_is_quick_on_hostile_text() -> None:
    begun = datetime.now(UTC)
    for text in (
        "a" * 200_000,
        "\n" * 200_000,
        '"' * 50_000,
        "hash:/" * 40_000,
        "a@" * 50_000,
        "-----BEGIN X" * 9_000,
    ):
        file("/etc/postfix/main.cf", text)
        bundled(Setting("x_password"), SettingValue(text, text))
    assert datetime.now(UTC) - begun < timedelta(seconds=10)  # a backtracking pattern would take hours
