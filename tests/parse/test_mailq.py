"""What waits in the queue is read from mailq and from postqueue -j alike."""

from __future__ import annotations

import json
import textwrap

import pytest

from mailmend.model import Relay
from mailmend.parse import mailq, paste

REASON = (
    "host aspmx.l.google.com[192.0.2.26] said: 421-4.7.26 This mail has been rate limited because it is"
    " 421-4.7.26 unauthenticated. 421 4.7.26 a1si2.3 - gsmtp (in reply to end of DATA command)"
)
LISTED = f"""\
-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
4F1A22B3C4D      400 Sun Nov 22 09:00:00  anna@example.net
    ({REASON})
                                         reader@example.com
                                         other@example.com

5A2B33C4D5E*     410 Sun Nov 22 09:00:01  MAILER-DAEMON
                                         third@example.com

-- 1 Kbytes in 2 Requests.
"""
AS_JSON = json.dumps(
    {
        "queue_name": "deferred",
        "queue_id": "4F1A22B3C4D",
        "sender": "anna@example.net",
        "recipients": [
            {"address": a, "delay_reason": REASON} for a in ("reader@example.com", "other@example.com")
        ],
    }
)

NOTHING_WAITS = {
    "an empty queue": "Mail queue is empty\n",
    "other JSON": '{"recipients": "many"}\n{"recipients": [3]}\n[]\n{',
    "nothing tried yet": "4F1A22B3C4D*  400 Sun Nov 22 09:00:00  a@example.net\n"
    + " " * 41
    + "reader@example.com\n",
}


@pytest.mark.parametrize("text", NOTHING_WAITS.values(), ids=NOTHING_WAITS)
def test_a_queue_without_replies_has_no_refusal(text: str) -> None:
    assert mailq.deliveries(text) == ()


WRAPPED = LISTED.replace(f"    ({REASON})", textwrap.fill(f"({REASON})", 79))
WRITTEN = {"mailq": LISTED, "wrapped by a terminal": WRAPPED, "postqueue -j": AS_JSON + "\n"}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_each_recipient_waits_with_the_reply_of_its_last_attempt(text: str) -> None:
    found = paste.deliveries(text.encode())
    assert [(d.severity, d.recipient, d.queue_id, d.sender) for d in found] == [
        ("deferred", "reader@example.com", "4F1A22B3C4D", "anna@example.net"),
        ("deferred", "other@example.com", "4F1A22B3C4D", "anna@example.net"),
    ]
    assert found[0].relay == Relay("aspmx.l.google.com", "192.0.2.26")
    assert found[0].reply is not None
    assert (found[0].reply.code, found[0].reply.status) == (421, "4.7.26")


def test_a_long_queue_is_no_header_block() -> None:
    assert len(paste.deliveries((AS_JSON + "\n").encode() * 300)) == 600


def test_sendmails_mailq_names_its_reason_before_the_recipient() -> None:
    [found] = mailq.deliveries(
        "-Queue ID- --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
        "5AM9x1Yk000712     1234 Sun Nov 22 10:00 <anna@example.net>\n"
        "                 (Deferred: 421 4.7.0 slow down)\n"
        "\t\t\t\t\t <reader@example.com>\n"
        "\t\tTotal requests: 1\n"
    )
    assert (found.recipient, found.sender) == ("reader@example.com", "anna@example.net")
    assert found.reply is not None
    assert (found.reply.code, found.reply.text) == (421, "slow down")
