"""What was looked at: questions, their answers, findings, sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailmend.model import family_of
from mailmend.ui.show.common import Shape, moment, value

if TYPE_CHECKING:
    from mailmend.model import Evidence, Finding, Question
    from mailmend.questions import Listener


def question(asked: Question[Any]) -> Shape:
    """`{"ask": "Records", "name": ..., "type": ...}`."""
    return {"ask": type(asked).__name__, **value(asked)}


def evidence(look: Evidence[Any]) -> Shape:
    """A look with its answer, or with the error that says why there is none."""
    return {
        "question": question(look.question),
        "answer": value(look.answer),
        "error": look.error,
        "at": moment(look.at),
    }


def finding(found: Finding) -> Shape:
    return {
        "check": found.check,
        "cause": found.cause,
        "subject": found.subject,
        "standing": found.standing,
        "summary": found.summary,
        "receiver": found.receiver,
        "family": found.family,
        "address": found.address,
        "evidence": [evidence(look) for look in found.evidence],
    }


def listener(socket: Listener) -> Shape:
    return {
        "address": socket.address,
        "port": socket.port,
        "pid": socket.pid,
        "fd": socket.fd,
        "family": family_of(socket.address),
    }
