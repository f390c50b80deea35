"""rehearse: the operator's own configuration, copied into the lab, without and then with a planned change.

Nothing of the host is written, and no packet leaves: the copy runs in a network of namespaces among stand-ins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import Activation, CannotLook, FileEdit, Plan
from mailmend.questions import Now, Setting
from mailmend.rehearsal import Fate, LeftOut, Passage, Rehearsal

if TYPE_CHECKING:
    from mailmend.lab.clone_mail import Mail
    from mailmend.lab.clone_stage import Seen, Stage

_STRICT = "-strict"
# Of a reply the beginning is enough to know it by; the passages have all of it.
_LONGEST = 160
_ALWAYS_LEFT = (
    LeftOut("the receivers' reputation lists and rates", "the stand-ins know only PTR, SPF, DKIM and DMARC"),
    LeftOut("the queue as it is now, and the load", "the copy begins with an empty queue"),
    LeftOut("DANE and MTA-STS", "the lab's names are not signed, and it has no web"),
)


def rehearse(here: Here, plan: Plan, progress: Progress = silent) -> Rehearsal:
    """*plan*, carried out on a copy of this host.

    CannotLook where the configuration cannot be read or does not run as it is, or where no lab can be.
    """
    expected = plan.chosen.expectations if plan.chosen else ()
    sockets = [e for e in expected if e.kind == "listener"]
    gone = frozenset(e.subject for e in sockets if e.wanted == "gone")
    # A setting whose sockets could not be foretold may close some; a remedy says which.
    unsaid = plan.chosen is not None and plan.chosen.remedy == "set" and not sockets
    return of_edits(here, plan.files, plan.activation, spoken=None if unsaid else gone, progress=progress)


@dataclass(frozen=True, slots=True)
class _Night:
    """What one performance showed: *fates* by the way, those before a strict Gmail too, and what was *seen*."""

    fates: Mapping[str, tuple[Fate, ...]]
    seen: Seen


def of_edits(
    here: Here,
    edits: Sequence[FileEdit],
    activation: Activation,
    *,
    spoken: frozenset[str] | None = None,
    progress: Progress = silent,
) -> Rehearsal:
    """Like rehearse(), of files alone. *spoken* are the listeners (`address:port`) that may go; None: any."""
    from mailmend.jobs.rehearse_host import source, surroundings
    from mailmend.lab import open_lab
    from mailmend.lab.clone import clone
    from mailmend.lab.clone_stage import Stage

    progress("copying the configuration")
    copied = source(here)
    with open_lab(progress, own_programs=True) as lab:
        stage = Stage(lab)
        usable = stage.usable()
        rewrites = stage.rewrites()
        before = clone(copied, usable, rewrites=rewrites)
        after = clone(copied, usable, {e.path: e.after for e in edits}, before, rewrites=rewrites)
        progress("looking at the DNS of this host, for the stand-ins to judge it by")
        around, mails, left = surroundings(here, before, after)
        progress("laying the copy out among stand-ins")
        stage.set_up(before, around)
        try:
            stage.start()
        except CannotLook as failure:
            raise CannotLook(
                f"what is saved does not run on the copy: {failure.reason}", "correct it first"
            ) from None
        progress("rehearsing what is saved")
        first = _perform(stage, mails)
        progress("rehearsing the change")
        stops = ""
        try:
            stage.change(after, activation)
            second: _Night | None = _perform(stage, mails)
        except CannotLook as failure:
            second, stops = None, failure.reason
        version = here.probe.ask(Setting("mail_version"))
        return _told(
            first, second, [*mails, *_strict(mails)], stops, spoken,
            left_out=(*_ALWAYS_LEFT, *left, *dict.fromkeys((*before.left_out, *after.left_out))),
            versions=((version.answer.value or "") if version.answer else "", stage.version()),
            here=here,
        )  # fmt: skip


def _strict(mails: Sequence[Mail]) -> list[Mail]:
    """The ways to Gmail once more, before a Gmail that asks senders over IPv4 for authentication too."""
    from dataclasses import replace

    suffix = ", where it asks IPv4 for authentication too"
    return [
        replace(m, way=f"{m.way}{_STRICT}", says=m.says + suffix)
        for m in mails
        if m.way in ("gmail", "forward-gmail")
    ]


def _perform(stage: Stage, mails: Sequence[Mail]) -> _Night:
    seen = stage.perform(mails)
    fates = {m.way: came for m, came in zip(mails, seen.fates, strict=True)}
    # What never reached a receiver has no need of a stricter one.
    strict = [m for m in _strict(mails) if any(f.family for f in fates[m.way.removesuffix(_STRICT)])]
    stage.strict(True)
    more = stage.perform(strict)
    stage.strict(False)
    fates |= {m.way: fates[m.way.removesuffix(_STRICT)] for m in _strict(mails)}
    fates |= {m.way: came for m, came in zip(strict, more.fates, strict=True)}
    return _Night(fates, seen)


def _told(
    first: _Night,
    second: _Night | None,
    mails: Sequence[Mail],
    stops: str,
    spoken: frozenset[str] | None,
    *,
    left_out: tuple[LeftOut, ...],
    versions: tuple[str, str],
    here: Here,
) -> Rehearsal:
    passages = tuple(
        Passage(m.way, m.says, m.recipient, first.fates[m.way], second.fates[m.way] if second else ())
        for m in mails
    )
    if second and not any(f.through for p in passages for f in (*p.before, *p.after)):
        why = _last(passages[0])
        raise CannotLook(f"no test mail gets through the copy, with the change or without it: {why}")
    after = second.seen.listeners if second else ()
    known = {line.partition(": ")[2] for line in first.seen.trouble}
    complaints = tuple(
        t for t in (second.seen.trouble if second else ()) if t.partition(": ")[2] not in known
    )
    failures = [f"with the change {stops}"] if stops else []
    if second:
        failures += [f"{p.says} gets through less: {_last(p)}" for p in passages if p.verdict == "worse"]
        failures += [t for t in complaints if ": fatal: " in t or ": panic: " in t]
        gone = [s for s in first.seen.listeners if s not in after and s not in (spoken or ())]
        if gone and not any(s.rpartition(":")[2] == "25" for s in after):
            failures.append(f"nothing listens at port 25 any more ({', '.join(gone)})")
        elif gone and spoken is not None:
            failures.append(f"{', '.join(gone)} is closed, of which nothing was said")
    if versions[0] != versions[1]:
        why = f"the lab has {versions[1]}, this host {versions[0]}"
        left_out = (LeftOut("this host's own version of Postfix", why), *left_out)
    return Rehearsal(
        passages, (first.seen.listeners, after), complaints, tuple(failures), left_out, *versions,
        here.probe.ask(Now()).at,
    )  # fmt: skip


def _last(passage: Passage) -> str:
    lost = [f for f in passage.after if not f.through]
    text = lost[0].text if lost else "no word of it"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
