"""What is known of a setting, and what came of setting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.show.changes import plan, proof, record
from mailmend.ui.show.common import Shape, document

if TYPE_CHECKING:
    from mailmend.jobs.set import Done
    from mailmend.road.about import Subject
    from mailmend.settings import Known


def known(setting: Known) -> Shape:
    """An entry of settings.toml; `concerns` is listeners, TLS, relaying or null."""
    return {
        "id": setting.name,
        "tier": setting.tier,
        "step_up": setting.tier != "P",
        "activation": setting.activation,
        "concerns": setting.concerns,
        "meaning": setting.meaning or None,
        "source": setting.source,
    }


def subject(one: Subject) -> Shape:
    """One thing that was asked for: `written` is the file's text, `effective` what Postfix makes of it."""
    return {
        "target": one.target,
        "kind": one.kind,
        "tier": one.tier,
        "step_up": one.step_up,
        "concerns": one.concerns,
        "meaning": one.meaning or None,
        "manual": one.manual,
        "default": one.default,
        "written": one.written,
        "effective": one.effective,
        "wanted": one.wanted,
        "would_be": one.would_be,
        "set_by": one.set_by,
        "why": one.why or None,
        "overridden": [{"service": service, "value": value} for service, value in one.overridden],
        "activation": one.activation,
        "source": one.source,
        "already": one.already,
    }


def was_set(done: Done) -> Shape:
    """set/1: `state` is in-place, planned, kept, trial or rolled-back; `confirms` what has to be confirmed."""
    from mailmend.road.setting import GAP

    return document(
        "set",
        {
            "state": done.state,
            "reason": done.reason,
            "settings": [subject(s) for s in done.subjects],
            "plan": plan(done.plan),
            "gap_seconds": GAP[done.plan.activation],
            "confirms": done.confirms,
            "proof": proof(done.proof),
            "change": record(done.record) if done.record else None,
        },
    )
