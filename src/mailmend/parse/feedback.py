"""Complaints (RFC 5965) and automatic answers (RFC 3834) -> notices: nothing was refused, somebody should know."""

from __future__ import annotations

import re
from dataclasses import replace

from mailmend.model import Delivery
from mailmend.parse import message

RECIPIENTS_CAP = 500
_SHOWN = 1000
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@]{1,128}@[\w.-]{1,255}")


def of(leaves: tuple[message.Part, ...]) -> tuple[Delivery, ...]:
    """A notice for each recipient that a feedback report names; one without where it names none."""
    leaf = next((leaf for leaf in leaves if leaf.type == "message/feedback-report"), None)
    if leaf is None:
        return ()
    report = message.text(leaf, message.HEADERS_CAP).strip("\n")
    about = message.fields(report)
    recipients = [
        value.strip().strip("<>")
        for name, _, value in (row.partition(":") for row in report.split("\n"))
        if name.lower() in ("original-rcpt-to", "removal-recipient")
    ]
    told = Delivery(
        severity="notice",
        sender=about.get("original-mail-from", "").strip("<>") or None,
        source_ip=about.get("source-ip"),
        notice="feedback-report",
        excerpt=report[:_SHOWN],
    )
    named = tuple(dict.fromkeys(r for r in recipients if "@" in r))[:RECIPIENTS_CAP]
    return tuple(replace(told, recipient=name) for name in named) or (told,)


def auto_reply(whole: message.Part) -> tuple[Delivery, ...]:
    """An answering machine's letter: the message did arrive."""
    stated = _ADDRESS.findall(whole.header("from")[:_SHOWN])
    return (
        Delivery(
            severity="notice",
            recipient=stated[-1] if stated else None,
            notice="auto-reply",
            excerpt=whole.header("subject")[:_SHOWN],
        ),
    )
