"""The audit by original sender as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.show.common import Shape, document, moment

if TYPE_CHECKING:
    from mailmend.facts.forward_outcome import Prediction
    from mailmend.jobs.sender_audit import Audit, Row


def audited(seen: Audit, host: str) -> Shape:
    """sender-audit/1, the worst senders first. `another_way`: nothing on this host cures it."""
    return document(
        "sender-audit",
        {
            "host": host,
            "span": [moment(at) for at in seen.span],
            "forwarded": seen.count,
            "refused": seen.refused,
            "own": seen.own,
            "sender_unknown": seen.nobody,
            "beyond": {"domains": seen.beyond[0], "messages": seen.beyond[1]},
            "stored": _stored(seen),
            "senders": [_row(row, seen.count) for row in seen.rows],
        },
    )


def _stored(seen: Audit) -> Shape | None:
    if seen.stored is None:
        return None
    since, refused, taken, unknown = seen.stored
    return {"since": moment(since), "refused": refused, "taken": taken, "taken_of_unknown_senders": unknown}


def _row(row: Row, total: int) -> Shape:
    judged = row.judged
    return {
        "sender": row.kind.sender,
        "author": row.kind.author or judged.author,
        "author_assumed": row.kind.author is None,
        "policy": judged.policy,
        "signed": row.kind.signed,
        "verified": None if row.kind.verified is None else list(row.kind.verified),
        "receiver": row.kind.receiver,
        "recipient": row.recipient,
        "count": row.count,
        "share": round(row.count / total, 4) if total else None,
        "refused": row.refused,
        "waiting": row.waiting,
        "causes": [{"cause": cause, "count": count} for cause, count in row.causes],
        "verdict": judged.verdict,
        "told_by": judged.told_by,
        "cause": judged.cause or None,
        "why": judged.why or None,
        "cures": list(judged.cures),
        "cures_certain": judged.certain,
        "another_way": judged.verdict == "refused" and not judged.cures,
        "over": judged.over,
        "relay": judged.relay or None,
        "if_signed": _outcome(judged.if_signed),
        "if_unsigned": _outcome(judged.if_unsigned),
        "error": judged.error or None,
    }


def _outcome(told: Prediction | None) -> Shape | None:
    if told is None:
        return None
    return {"verdict": told.verdict, "cause": told.cause or None, "cures": list(told.cures)}
