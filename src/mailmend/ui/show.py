"""Nouns -> the one JSON shape: plain dicts, lists, strings, numbers and null. Pure.

Times are RFC 3339 with their offset, unknown is null, a cause without a rule is `unknown`. A document
carries `schema`, `mailmend.NAME/VERSION`; its nouns look the same in every document. Text is as it was
found: bytes that are not UTF-8 are lone surrogates (surrogateescape).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mailmend.model import family_of
from mailmend.road.group import grouped

if TYPE_CHECKING:
    from mailmend.jobs.apply import Applied
    from mailmend.jobs.bench import Measure
    from mailmend.jobs.demo import Demo
    from mailmend.jobs.fix import Fixed
    from mailmend.jobs.prove import Proven
    from mailmend.jobs.status import Status
    from mailmend.jobs.undo import Undone
    from mailmend.model import (
        Cause,
        Change,
        Delivery,
        Evidence,
        Expectation,
        FileEdit,
        Finding,
        Judgement,
        Objection,
        Plan,
        Proof,
        Proposal,
        Question,
        Record,
        Refusal,
        Relay,
        Reply,
    )
    from mailmend.questions import Listener
    from mailmend.road.group import Group

Shape = dict[str, Any]


def document(name: str, content: Mapping[str, Any]) -> Shape:
    """*content* under its schema, `mailmend.NAME/1`."""
    return {"schema": f"mailmend.{name}/1", **content}


def error(command: str | None, kind: str, reason: str, next_step: str) -> Shape:
    """An ending without an answer: *kind* is usage, parse, cannot-look, refused, interrupted or bug."""
    told = {"kind": kind, "reason": reason, "next_step": next_step or None}
    return document("error", {"command": command, "error": told})


def moment(at: datetime | None) -> str | None:
    """RFC 3339; a time that came without an offset is the host's local time."""
    if at is None:
        return None
    return (at if at.tzinfo else at.astimezone()).isoformat(timespec="seconds")


def value(thing: Any) -> Any:
    """Any noun, field by field: what answers and settings look like."""
    if isinstance(thing, datetime):
        return moment(thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        return {f.name: value(getattr(thing, f.name)) for f in fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): value(each) for key, each in thing.items()}
    if isinstance(thing, (tuple, list, set, frozenset)):
        return [value(each) for each in thing]
    return thing


# ---- what a bounce says -------------------------------------------------------------------


def reply(said: Reply | None) -> Shape:
    return {
        "code": said.code if said else None,
        "status": said.status if said else None,
        "text": said.text if said else None,
    }


def relay(host: Relay | None) -> Shape:
    return {
        "host": host.host if host else None,
        "ip": host.ip if host else None,
        "family": host.family if host else None,
    }


def delivery(attempt: Delivery) -> Shape:
    return {
        "recipient": attempt.recipient,
        "original_recipient": attempt.original_recipient,
        "sender": attempt.sender,
        "relay": relay(attempt.relay),
        "source_ip": attempt.source_ip,
        "reply": reply(attempt.reply),
        "severity": attempt.severity,
        "notice": attempt.notice,
        "forwarded": attempt.forwarded,
        "reporting_mta": attempt.reporting_mta,
        "queue_id": attempt.queue_id,
        "at": moment(attempt.at),
    }


def refusal(told: Refusal) -> Shape:
    """A delivery with its explanation; the keys of explain/1."""
    return {
        **delivery(told.delivery),
        "receiver": told.receiver,
        "summary": told.summary,
        "cause": told.cause or "unknown",
        "ambiguous": list(told.ambiguous),
        "who": list(told.who),
        "steps": list(told.steps),
        "remedies": list(told.remedies),
        "checks": list(told.checks),
        "marks": list(told.marks),
        "gave_up": told.gave_up,
        "source": told.source,
        "standing": told.standing,
    }


def explanation(refusals: Sequence[Refusal], findings: Iterable[Finding] | None = None) -> Shape:
    """explain/1; *findings* where the deciding checks were run as well. `groups` count what is alike."""
    content: Shape = {
        "refusals": [refusal(r) for r in refusals],
        "groups": [group(each) for each in grouped(refusals)],
    }
    if findings is not None:
        content["findings"] = [finding(f) for f in findings]
    return document("explain", content)


def group(alike: Group) -> Shape:
    """How many refusals one explanation holds for, and the reply of one of them."""
    return {
        "cause": alike.cause,
        "receiver": alike.receiver,
        "count": len(alike.refusals),
        "who": list(alike.refusals[0].who),
        "example": reply(alike.refusals[0].delivery.reply),
    }


def cause(known: Cause) -> Shape:
    return {
        "id": known.id,
        "title": known.title,
        "who": list(known.who),
        "kind": known.kind,
        "coarse": known.coarse,
        "steps": list(known.steps),
        "checks": list(known.checks),
        "remedies": list(known.remedies),
        "sources": list(known.sources),
        "page": known.page,
    }


# ---- looking ------------------------------------------------------------------------------


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


# ---- acting -------------------------------------------------------------------------------


def change(one: Change) -> Shape:
    return {
        "kind": one.kind,
        "target": one.target,
        "before": one.before,
        "after": one.after,
        "activation": one.activation,
    }


def expectation(wanted: Expectation) -> Shape:
    return {
        "layer": wanted.layer,
        "kind": wanted.kind,
        "subject": wanted.subject,
        "wanted": wanted.wanted,
        "says": wanted.says,
    }


def objection(why: Objection) -> Shape:
    return {"reason": why.reason, "next_step": why.next_step or None, "blocking": why.blocking}


def proposal(offered: Proposal) -> Shape:
    return {
        "remedy": offered.remedy,
        "effect": offered.effect,
        "activation": offered.activation,
        "cost": list(offered.cost),
        "changes": [change(c) for c in offered.changes],
        "expectations": [expectation(e) for e in offered.expectations],
        "objections": [objection(o) for o in offered.objections],
    }


def file_edit(edit: FileEdit) -> Shape:
    """Which file, and whether it is new or goes; its bytes stand in the difference."""
    return {"path": edit.path, "created": edit.before is None, "removed": edit.after is None}


def plan(made: Plan) -> Shape:
    """`remedy` is null where nothing is to be applied; `reason` then says why."""
    chosen = made.chosen
    return {
        "remedy": chosen.remedy if chosen else None,
        "effect": chosen.effect if chosen else None,
        "reason": made.reason,
        "cost": list(chosen.cost) if chosen else [],
        "activation": made.activation,
        "changes": [change(c) for c in chosen.changes] if chosen else [],
        "objections": [objection(o) for o in chosen.objections] if chosen else [],
        "files": [file_edit(f) for f in made.files],
        "diff": made.diff,
        "digest": made.digest,
        "pending": [proposal(p) for p in made.pending],
        "declined": [proposal(p) for p in made.declined],
    }


def judgement(held: Judgement) -> Shape:
    return {
        **expectation(held.expectation),
        "verdict": held.verdict,
        "saw": held.says,
        "evidence": [evidence(look) for look in held.evidence],
    }


def proof(shown: Proof | None) -> Shape | None:
    if shown is None:
        return None
    return {
        "holds": shown.holds,
        "at": moment(shown.at),
        "judgements": [judgement(j) for j in shown.judgements],
    }


def record(entry: Record) -> Shape:
    return {
        "id": entry.id,
        "at": moment(entry.at),
        "by": entry.by,
        "remedy": entry.remedy,
        "reason": entry.reason,
        "state": entry.state,
        "undoes": entry.undoes,
        "activation": entry.activation,
        "files": [file_edit(f) for f in entry.files],
        "changes": [change(c) for c in entry.changes],
        "diff": entry.diff,
        "digest": entry.digest,
        "pending": [expectation(e) for e in entry.pending],
        "proof": proof(entry.proof),
    }


# ---- what the jobs hand back --------------------------------------------------------------


def status(seen: Status) -> Shape:
    """status/1: null for what could not be looked at, `errors` says why."""
    return document(
        "status",
        {
            "host": value(seen.host),
            "version": seen.version,
            "settings": value(seen.settings),
            "running": value(seen.running),
            "clients": None if seen.clients is None else {name: list(used) for name, used in seen.clients},
            "listeners": None if seen.listeners is None else [listener(s) for s in seen.listeners],
            "mynetworks": seen.settings["mynetworks"].value if "mynetworks" in seen.settings else None,
            "sockets": seen.sockets,
            "findings": [finding(f) for f in seen.findings],
            "deliveries": value(seen.deliveries),
            "changes": [record(r) for r in seen.records],
            "pending": [
                {
                    "id": way.record.id,
                    "watched_only": not way.record.files,
                    "proof": proof(way.proof),
                    "still": [finding(f) for f in way.still],
                }
                for way in seen.ways_back
            ],
            "held": [r.id for r in seen.held],
            "interrupted": record(seen.interrupted) if seen.interrupted else None,
            "errors": list(seen.errors),
        },
    )


def fixed(done: Fixed, sent: Proven | None = None) -> Shape:
    """fix/1: `state` is nothing, planned, kept, in-place or rolled-back; `sent` is the message of `--to`."""
    return document(
        "fix",
        {
            "state": done.state,
            "reason": done.reason,
            "findings": [finding(f) for f in done.findings],
            "plan": plan(done.plan),
            "pending": [proposal(p) for p in done.plan.pending],
            "proof": proof(done.proof),
            "change": record(done.record) if done.record else None,
            "sent": [delivery(d) for d in sent.deliveries] if sent else None,
        },
    )


def applied(done: Applied) -> Shape:
    return document(
        "apply",
        {
            "activation": done.activation,
            "findings": [finding(f) for f in done.findings],
            "proof": proof(done.proof),
        },
    )


def undone(done: Undone) -> Shape:
    return document(
        "undo",
        {
            "change": record(done.record),
            "identical": done.identical,
            "already": done.already,
            "says": done.says or None,
            "proof": proof(done.proof),
        },
    )


def proven(done: Proven) -> Shape:
    return document(
        "prove",
        {
            "change": record(done.record) if done.record else None,
            "proof": proof(done.proof),
            "sent": [delivery(d) for d in done.deliveries],
        },
    )


def demo(story: Demo) -> Shape:
    """demo/1; its parts have the shapes of the commands that were played."""
    return document("demo", {**value(story), "holds": story.holds})


def measured(measure: Measure) -> Shape:
    """bench/1: shares between 0 and 1, null where no row has that label."""
    shares = {
        name: {"share": ratio.share, "right": ratio.right, "of": ratio.total}
        for name in ("coverage", "fine", "acceptable", "coarse", "who", "receiver")
        if (ratio := getattr(measure, name))
    }
    confusion = [{"labelled": a, "given": b, "count": count} for a, b, count in measure.confusion]
    return document(
        "bench",
        {
            "of": "explain",
            "rows": measure.rows,
            "skipped": measure.skipped,
            **shares,
            "macro_f1": measure.macro_f1,
            "confusion": confusion,
            "seconds": round(measure.seconds, 3),
        },
    )
