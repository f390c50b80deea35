"""Nouns -> the one JSON shape: plain dicts, lists, strings, numbers and null. Pure.

Times are RFC 3339 with their offset, unknown is null, a cause without a rule is `unknown`. A document
carries `schema`, `mailmend.NAME/VERSION`; its nouns look the same in every document. Text is as it was
found: bytes that are not UTF-8 are lone surrogates (surrogateescape).
"""

from mailmend.ui.show.bounces import cause, delivery, explanation, group, refusal, relay, reply
from mailmend.ui.show.changes import (
    change,
    expectation,
    file_edit,
    judgement,
    objection,
    plan,
    proof,
    proposal,
    record,
)
from mailmend.ui.show.common import Shape, document, error, moment, value
from mailmend.ui.show.documents import (
    applied,
    checked,
    demo,
    demo_forwarding,
    entry,
    fixed,
    history,
    lacking,
    measured,
    proven,
    status,
    undone,
)
from mailmend.ui.show.looks import evidence, finding, listener, question
from mailmend.ui.show.rehearsals import rehearsal
from mailmend.ui.show.settings import known, subject, was_set

__all__ = [
    "Shape",
    "applied",
    "cause",
    "change",
    "checked",
    "delivery",
    "demo",
    "demo_forwarding",
    "document",
    "entry",
    "error",
    "evidence",
    "expectation",
    "explanation",
    "file_edit",
    "finding",
    "fixed",
    "group",
    "history",
    "judgement",
    "known",
    "lacking",
    "listener",
    "measured",
    "moment",
    "objection",
    "plan",
    "proof",
    "proposal",
    "proven",
    "question",
    "record",
    "refusal",
    "rehearsal",
    "relay",
    "reply",
    "status",
    "subject",
    "undone",
    "value",
    "was_set",
]
