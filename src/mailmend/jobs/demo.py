"""demo: the whole story on real Postfix: random bounces, explained, checked, fixed, proven, and taken back.

Every act is played by a Stage (jobs/stage.py): the lab, or a recording of it where there are no namespaces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailmend.jobs.here import Progress
from mailmend.jobs.stage import LabStage, RecordedStage, Stage
from mailmend.model import CannotLook

Tell = Callable[[str, str], None]
FORWARD = "user@example.org"
MESSAGES = 12
_BATCHES = 5


@dataclass(frozen=True, slots=True)
class Demo:
    """What the story showed; the parts have the shapes of the commands' own JSON (design: demo).

    *proofs* maps the sentence of each proof to whether it held.
    """

    recorded: bool
    before: dict[str, Any]
    explanation: dict[str, Any]
    findings: list[dict[str, Any]]
    plan: dict[str, Any]
    after: dict[str, Any]
    seed: dict[str, Any]
    undo: dict[str, Any]
    strict: dict[str, Any]
    proofs: dict[str, bool]

    @property
    def holds(self) -> bool:
        return all(self.proofs.values())


def play(tell: Tell, progress: Progress, *, record: Path | None = None) -> Demo:
    """Play it in the lab, or where there can be none, from the recording; *progress* hears why.

    *record* keeps the acts in a file, from which a recording is made (CONTRIBUTING.md).
    """
    from mailmend.lab import open_lab

    with ExitStack() as closing:
        try:
            lab = closing.enter_context(open_lab(progress))
        except CannotLook as reason:
            if record is not None:
                raise
            said = f"{reason.reason}: a recorded run is shown instead"
            progress(said)
            tell("A recording, not a live run", said)
            return demo(RecordedStage(), tell)
        stage = LabStage(lab)
        story = demo(stage, tell)
    if record is not None:
        record.write_text("".join(json.dumps(act) + "\n" for act in stage.script))
    return story


def demo(stage: Stage, tell: Tell) -> Demo:
    """Play the story on *stage*; *tell* gets each chapter's heading and what was seen in it."""
    proofs: dict[str, bool] = {}
    before, explanation = _bounces(stage, tell, proofs)
    findings, plan, after, undone = _cure(stage, tell, proofs)
    seed = _kludge(stage, tell, proofs)
    strict = _strict(stage, tell, proofs)
    undo = {"identical": undone and seed.pop("identical"), "remedy": undone}
    return Demo(stage.recorded, before, explanation, findings, plan, after, seed, undo, strict, proofs)


def _bounces(stage: Stage, tell: Tell, proofs: dict[str, bool]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Twelve messages by the same way: which of them bounce is decided by chance."""
    stage.act("open", world="lenient")
    listeners = stage.act("look")["listeners"]
    deliveries: list[dict[str, Any]] = []
    for _ in range(_BATCHES):
        deliveries += stage.act("send", to=FORWARD, count=MESSAGES)
        if {d["status"] for d in deliveries} >= {"sent", "bounced"}:
            break
    tell("Random bounces", f"{len(deliveries)} messages forwarded to someone@gmail.com: {_tally(deliveries)}")
    proofs["before: bounced over IPv6, sent over IPv4"] = {
        (d["status"], d["family"]) for d in deliveries
    } == {
        ("bounced", "ipv6"),
        ("sent", "ipv4"),
    }
    explanation = stage.explain(stage.act("bounce"))
    refusal = explanation["refusals"][0]
    tell("Explained", f"{refusal['summary']} ({refusal['cause']})")
    proofs["explained as ipv6-ptr-or-auth"] = refusal["cause"] == "ipv6-ptr-or-auth"
    return {"listeners": listeners, "deliveries": deliveries}, explanation


def _cure(
    stage: Stage, tell: Tell, proofs: dict[str, bool]
) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any], bool]:
    findings = stage.check(["gmail.com"])["findings"]
    measured = [f for f in findings if f["standing"] == "measured"]
    tell("Checked", "\n".join(f["summary"] for f in measured))
    fixed = stage.fix([])
    plan = fixed["plan"]
    tell("Fixed", f"{plan['remedy']}: {plan['reason']}")
    proofs["the fix was proven and kept"] = fixed["state"] == "kept"
    deliveries = stage.act("send", to=FORWARD, count=MESSAGES)
    others = stage.act("send", to="else@example.org", count=MESSAGES)
    after = {"listeners": stage.act("look")["listeners"], "deliveries": deliveries, "elsewhere": others}
    tell("Proven", f"{len(deliveries)} more to Gmail: {_tally(deliveries)}; to others: {_tally(others)}")
    proofs["after: every message sent"] = all(d["status"] == "sent" for d in deliveries)
    proofs["after: others still reached over IPv6 too"] = "ipv6" in {d["family"] for d in others}
    undone = bool(stage.act("undo")["identical"])
    tell("Taken back", _identical(undone))
    proofs["undo of the fix is identical"] = undone
    return findings, plan, after, undone


def _kludge(stage: Stage, tell: Tell, proofs: dict[str, bool]) -> dict[str, Any]:
    """inet_protocols = ipv4 on the original bytes: edited and reloaded by hand, then done whole."""
    before = stage.act("look")
    reloaded = stage.act("edit_and_reload", setting="inet_protocols", value="ipv4")
    still = "still there" if _has_ipv6(reloaded["listeners"]) else "gone"
    tell("The kludge", f"inet_protocols = ipv4, saved and reloaded: the IPv6 listener is {still}")
    stage.act("put_back")
    fixed = stage.fix(["--remedy", "ipv4-only", "--confirm"])
    after = stage.act("look")
    gone = "still there" if _has_ipv6(after["listeners"]) else "gone"
    tell(
        "The kludge, whole",
        f"stopped and started: the IPv6 listener is {gone}; mynetworks {after['mynetworks']}",
    )
    six = [_has_ipv6(seen["listeners"]) for seen in (before, reloaded, after)]
    proofs["the kludge: [::]:25 there, there after reload, gone after stop and start"] = six == [
        True,
        True,
        False,
    ]
    proofs["the kludge was proven and kept"] = fixed["state"] == "kept"
    proofs["mynetworks lost its IPv6 networks"] = (
        ":" in before["mynetworks"] and ":" not in after["mynetworks"]
    )
    identical = bool(stage.act("undo")["identical"])
    back = _has_ipv6(stage.act("look")["listeners"])
    tell("Taken back", f"{_identical(identical)}; the IPv6 listener is {'open again' if back else 'missing'}")
    proofs["undo of the kludge opens the IPv6 listener again"] = back
    proofs["undo of the kludge is identical"] = identical
    return {
        "before": before["listeners"],
        "reloaded": reloaded["listeners"],
        "after": after["listeners"],
        "mynetworks": {"before": before["mynetworks"], "after": after["mynetworks"]},
        "identical": identical,
    }


def _strict(stage: Stage, tell: Tell, proofs: dict[str, bool]) -> dict[str, Any]:
    """Where Google asks for authentication over IPv4 too, IPv4 alone only moves the refusal of unsigned forwards."""
    stage.act("open", world="strict")
    stage.fix(["--remedy", "ipv4-for-receiver"])
    unsigned = stage.act("send", to=FORWARD, count=4)
    signed = stage.act("send", to=FORWARD, count=4, signed=True)
    tell("A stricter world", f"over IPv4 too: unsigned {_tally(unsigned)}; DKIM-signed {_tally(signed)}")
    proofs["strict: IPv4 moves the refusal of unsigned mail"] = _all(unsigned, "bounced", "ipv4")
    proofs["strict: DKIM-signed mail passes over IPv4"] = _all(signed, "sent", "ipv4")
    advice = stage.fix(["--dry-run"])
    tell("What mailmend says then", advice["reason"])
    proofs["strict: no IPv4 remedy is proposed any more"] = advice["plan"]["remedy"] is None
    stage.act("cure")
    cured = stage.act("send", to=FORWARD, count=6)
    denied = stage.act("send", to=FORWARD, count=2, sender="alice@strict.example")
    tell("What cures it", f"envelope rewritten (SRS) and listed in SPF, PTR set: unsigned {_tally(cured)}")
    tell("What nothing of ours cures", f"unsigned mail from a p=reject domain: {_tally(denied)}")
    proofs["strict: SRS, SPF and PTR cure unsigned forwards"] = all(d["status"] == "sent" for d in cured)
    proofs["strict: DMARC p=reject without DKIM stays refused"] = all(
        d["status"] == "bounced" for d in denied
    )
    return {
        "unsigned": unsigned,
        "signed": signed,
        "advice": advice["reason"],
        "cured": cured,
        "dmarc": denied,
    }


def _all(deliveries: list[dict[str, Any]], status: str, family: str) -> bool:
    return all(d["status"] == status and d["family"] == family for d in deliveries)


def _identical(undone: bool) -> str:
    return f"/etc/postfix is {'byte for byte what it was' if undone else 'NOT what it was'}"


def _has_ipv6(listeners: list[dict[str, Any]]) -> bool:
    return any(item["address"] == "::" and item["port"] == 25 for item in listeners)


def _tally(deliveries: list[dict[str, Any]]) -> str:
    """`7 bounced over IPv6, 5 sent over IPv4`."""
    names = {"ipv4": "IPv4", "ipv6": "IPv6", None: "no connection"}
    counts = Counter((d["status"], names[d["family"]]) for d in deliveries)
    return ", ".join(f"{n} {status} over {family}" for (status, family), n in sorted(counts.items()))
