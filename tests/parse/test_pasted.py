"""Whatever a person has at hand, in whatever state it is: who did not get the mail, and what was said, is found."""

from __future__ import annotations

import json

import pytest

from mailmend.model import Delivery
from mailmend.parse import paste
from parse import pasted
from parse.pasted import LINE, WHO


def read(given: str | bytes) -> tuple[Delivery, ...]:
    return paste.deliveries(given if isinstance(given, bytes) else given.encode())


NO_REFUSAL = {
    "what Exim has delivered": " 2d  2.3K 1vMabc-000000012Ab-3cDe <anna@example.net>\n        D done@example.com\n",
    "a record of another program": json.dumps({"SYSLOG_IDENTIFIER": "cron", "MESSAGE": "550 jobs done"}),
    "settings in JSON": json.dumps({"name": "relay", "version": 3, "line": "one"}),
    "a session that went well": "220 mx.example.com ESMTP\nHELO x\n250 mx\nMAIL FROM:<a@example.net>\n250 ok\n",
    "a letter with a message that is none": pasted.forwarded("Dear all,\n\nsee below.\n", "text/plain"),
    "a table": "| name | of |\n| 550 | guests |\n",
}


@pytest.mark.parametrize("text", NO_REFUSAL.values(), ids=NO_REFUSAL)
def test_nothing_is_found_where_nothing_was_refused(text: str) -> None:
    assert read(text) == ()


@pytest.mark.parametrize("given", pasted.REPORTS.values(), ids=pasted.REPORTS)
def test_a_report_is_read_in_every_state(given: str | bytes) -> None:
    [found] = read(given)
    assert (found.recipient, found.severity, found.sender) == (WHO, "bounced", "anna@example.net")
    assert found.reply is not None
    assert (found.reply.code, found.reply.status) == (550, "5.1.1")


@pytest.mark.parametrize("given", pasted.TEXTS.values(), ids=pasted.TEXTS)
def test_a_text_is_read_in_every_state(given: str | bytes) -> None:
    [found] = read(given)
    assert (found.recipient, found.severity) == (WHO, "bounced")
    assert found.reply is not None
    assert "User unknown" in found.reply.text


@pytest.mark.parametrize("given", pasted.LOGGED.values(), ids=pasted.LOGGED)
def test_a_log_line_is_read_whatever_carried_it(given: str | bytes) -> None:
    [found] = read(given)
    assert (found.recipient, found.severity, found.queue_id) == (WHO, "bounced", "4F1A22B3C4D")
    assert found.relay is not None
    assert found.relay.host == "mx.example.com"
    assert found.reply is not None
    assert (found.reply.code, found.reply.status) == (550, "5.1.1")


@pytest.mark.parametrize("given", pasted.WAITING.values(), ids=pasted.WAITING)
def test_who_waits_in_a_queue_is_told(given: str | bytes) -> None:
    found = read(given)[0]
    assert (found.recipient, found.severity, found.sender) == (WHO, "deferred", "anna@example.net")
    assert found.queue_id
    assert "done@example.com" not in {d.recipient for d in read(given)}


@pytest.mark.parametrize("given", pasted.LANGUAGES.values(), ids=pasted.LANGUAGES)
def test_a_bounce_in_another_language_names_who_did_not_get_it(given: str | bytes) -> None:
    assert {(d.recipient, d.severity) for d in read(given)} == {(WHO, "bounced")}


@pytest.mark.parametrize("indent", [None, 1])
def test_of_what_was_cut_as_much_as_there_is_is_read(indent: int | None) -> None:
    whole = json.dumps(pasted.EVENTS, indent=indent)
    for end in range(whole.index("user") + 6, len(whole), 7):
        found = read(whole[:end])
        assert {d.recipient for d in found} == {WHO}
        assert (found[0].reply and found[0].reply.text) == "no such user"


def test_the_sender_of_a_journal_is_found_in_another_record() -> None:
    records = [
        {"SYSLOG_IDENTIFIER": "postfix/qmgr", "_PID": "10", "MESSAGE": "4F1A22B3C4D: from=<anna@example.net>, size=4"},
        {"SYSLOG_IDENTIFIER": "postfix/smtp", "_PID": "11", "MESSAGE": pasted.MESSAGE},
        {"SYSLOG_IDENTIFIER": "postfix/qmgr", "_PID": "10", "MESSAGE": "4F1A22B3C4D: removed"},
    ]  # fmt: skip
    [found] = read("".join(json.dumps(record) + "\n" for record in records))
    assert (found.recipient, found.sender) == (WHO, "anna@example.net")


@pytest.mark.parametrize("signs", [("- ", "* "), ("1. ", "2) ")])
def test_a_list_of_replies_is_one_each(signs: tuple[str, str]) -> None:
    found = read(f"{signs[0]}550 5.1.1 no such user\n{signs[1]}451 4.7.1 Greylisted\n")
    assert [d.reply.code for d in found if d.reply] == [550, 451]


def test_a_session_tells_who_answered_and_who_was_meant() -> None:
    [found] = read(pasted.TEXTS["from telnet"])
    assert found.relay is not None
    assert (found.relay.host, found.relay.ip, found.sender) == (
        "mx.example.com",
        "192.0.2.25",
        "a@example.net",
    )


def test_what_the_queue_gave_up_came_back_for_its_last_reason() -> None:
    put_off = (
        LINE.replace("status=bounced", "status=deferred").replace("5.1.1", "4.2.2").replace("550", "450")
    )
    [found] = read(
        f"{put_off}\nNov 27 09:00:00 relay postfix/qmgr[10]: 4F1A22B3C4D: from=<anna@example.net>, status=expired,"
        " returned to sender\nNov 27 09:00:00 relay postfix/qmgr[10]: 4F1A22B3C4D: removed\n"
    )
    assert (found.severity, found.sender) == ("bounced", "anna@example.net")
    assert found.reply is not None
    assert found.reply.code == 450
