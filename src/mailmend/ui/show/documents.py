"""What the jobs hand back, each under its schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailmend.road.needed import awaited
from mailmend.ui.show.bounces import delivery
from mailmend.ui.show.changes import plan, proof, proposal, record, waits_for
from mailmend.ui.show.common import Shape, document, value
from mailmend.ui.show.layers import layers
from mailmend.ui.show.looks import finding, listener

if TYPE_CHECKING:
    from mailmend.jobs.apply import Applied
    from mailmend.jobs.bench import Measure
    from mailmend.jobs.check import CheckReport
    from mailmend.jobs.demo import Demo
    from mailmend.jobs.demo_forwarding import Forwarded
    from mailmend.jobs.fix import Fixed
    from mailmend.jobs.prove import Proven
    from mailmend.jobs.status import Status
    from mailmend.jobs.undo import Undone
    from mailmend.model import Proposal, Record


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
            "families": layers(seen),
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
            "overwritten": [{"change": entry.id, "file": path} for entry, path in seen.overwritten],
            "errors": list(seen.errors),
        },
    )


def checked(report: CheckReport, host: str, domains: Sequence[str] = ()) -> Shape:
    """check/1 of the host named *host*, about *domains* as they were asked for."""
    return document(
        "check",
        {
            "host": host,
            "domains": list(domains),
            "checks": list(report.checks),
            "findings": [finding(f) for f in report.findings],
        },
    )


def history(records: Sequence[Record]) -> Shape:
    """history/1, as the history has them: the newest first."""
    return document("history", {"records": [record(r) for r in records]})


def entry(one: Record, since: str | None) -> Shape:
    """history/1 of one entry; *since* is what others changed in its files, None where that cannot be read."""
    return document("history", {"records": [record(one) | {"since": since}]})


def fixed(done: Fixed, sent: Proven | None = None) -> Shape:
    """fix/1: `state` is nothing, planned, kept, in-place or rolled-back; `sent` is the message of `--to`; `needed` what
    a cure that may not be applied yet waits for."""
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
            "needed": waits_for(awaited(done.plan)),
        },
    )


def lacking(offered: Proposal, reason: str) -> Shape:
    """fix/1 of a remedy that was asked for by its name, and needs something first."""
    return document("fix", {"state": "nothing", "reason": reason, "plan": None, "needed": waits_for(offered)})


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


def demo_forwarding(story: Forwarded) -> Shape:
    """demo-forwarding/1: a cell for each sender, cure and family, with what it was foretold to become."""
    cells = [
        {
            "sender": cell.sender,
            "cure": cell.cure,
            "family": cell.family,
            "predicted": cell.predicted,
            "outcome": cell.outcome,
            "cause": cell.cause or None,
        }
        for cell in story.cells
    ]
    return document("demo-forwarding", {"recorded": story.recorded, "cells": cells})


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
