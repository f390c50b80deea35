"""hold: refusals that a cure will end stay queued, bounded in time and volume; then they are tried again.

`on` plans and carries it out as fix does; `off` takes it back, has just the held messages delivered, and follows each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from mailmend.jobs.here import Here, Progress, require_root, silent
from mailmend.model import CannotLook, Delivery, FileEdit, Plan, Proof, Record, Refused
from mailmend.questions import Now, RecentDeliveries
from mailmend.road import hold as holding
from mailmend.road.hold import Bounds

if TYPE_CHECKING:
    from mailmend.receivers import Receiver
    from mailmend.system.follow import Mark
    from mailmend.system.vigil import Vigil

LIMIT = 1000  # messages
_FOLLOWED = 60.0  # seconds that the messages tried again are followed for

Outcome = Literal["delivered", "bounced", "deferred", "waiting"]
_OUTCOMES: dict[str, Outcome] = {"delivered": "delivered", "bounced": "bounced", "deferred": "deferred"}


@dataclass(frozen=True, slots=True)
class Attempted:
    """What became of one recipient of a held message. *cause* is why it was not delivered, None where unknown.

    *outcome* `waiting`: there was no attempt while it was followed.
    """

    delivery: Delivery
    outcome: Outcome
    cause: str | None


@dataclass(frozen=True, slots=True)
class Hold:
    """*record* is the hold in force, else the last one that was, None where there never was one.

    *waiting* are the recipients who wait because of it, *attempts* how often refused mail was offered since
    (None: the log cannot be read). *ended* says why it is over. *errors* say what could not be looked at.
    """

    in_force: bool
    record: Record | None = None
    bounds: Bounds | None = None
    waiting: tuple[Delivery, ...] = ()
    attempts: int | None = None
    errors: tuple[str, ...] = ()
    ended: str = ""

    @property
    def messages(self) -> int:
        return len({delivery.queue_id for delivery in self.waiting})

    def over(self, now: datetime) -> str | None:
        """Why it has to end: which bound was reached; None while none was."""
        if not self.in_force or self.bounds is None:
            return None
        if now >= self.bounds.until:
            return f"its time was over at {self.bounds.until:%Y-%m-%d %H:%M:%S}"
        if self.messages > self.bounds.limit:
            return f"{self.messages} messages were held, {self.bounds.limit} may be"
        if (self.attempts or 0) > self.bounds.attempts:
            return f"refused mail was offered {self.attempts} times, {self.bounds.attempts} may be"
        return None


@dataclass(frozen=True, slots=True)
class Switched:
    """*state* `on`, `planned` (shown, not applied), `rolled-back` (the proof failed), or `off`.

    *attempted* is what became of the messages that were held.
    """

    state: Literal["on", "planned", "rolled-back", "off"]
    hold: Hold
    plan: Plan | None = None
    proof: Proof | None = None
    attempted: tuple[Attempted, ...] = ()
    reason: str = ""


def look(here: Here, *, queue: bool = True, log: bool = True) -> Hold:
    """What is held now, or was last; without *queue* only whether anything is, without *log* no attempts.

    Raises CannotLook where the history cannot be read; what else cannot be seen stands in `errors`.
    """
    from mailmend import receivers
    from mailmend.system.history import History

    history = History(here.state)
    kept = next(((r, b) for r in history.in_force() if (b := _mine(here, r))), None)
    last = kept or next(
        ((r, b) for r in history.records() if r.state != "intent" and (b := _mine(here, r))), None
    )
    if last is None:
        return Hold(False)
    record, bounds = last
    ended = "" if kept else _why_ended(history.records(), record)
    if not queue:
        return Hold(kept is not None, record, bounds, ended=ended)
    known = receivers.load()
    errors = []
    waiting: tuple[Delivery, ...] = ()
    try:
        waiting = _waiting(here, bounds, known)
    except CannotLook as gap:
        errors.append(str(gap))
    attempts = None
    try:
        attempts = offered(here, bounds, known) if log else None
    except CannotLook as gap:
        errors.append(str(gap))
    return Hold(kept is not None, record, bounds, waiting, attempts, tuple(errors), ended)


def _why_ended(records: Sequence[Record], record: Record) -> str:
    """What the history says of the end of the hold *record*."""
    undone = next((r for r in records if r.undoes == record.id and r.state == "kept"), None)
    if undone is None:
        return record.note or f"{record.id} is {record.state}"
    return f"{undone.reason} ({undone.at:%Y-%m-%d %H:%M:%S}, by {undone.by})"


def _mine(here: Here, record: Record) -> Bounds | None:
    """Of several instances of Postfix each has its own."""
    return holding.bounds_of(record) if record.config_directory == here.config_directory else None


def _waiting(here: Here, bounds: Bounds, known: Sequence[Receiver]) -> tuple[Delivery, ...]:
    from mailmend.system import queue

    return holding.held(queue.waiting(here.config_directory), bounds.causes, known)


def offered(here: Here, bounds: Bounds, known: Sequence[Receiver]) -> int:
    """How often mail was offered that was refused for these causes and stayed queued, since the hold began."""
    now = here.probe.ask(Now()).at
    seen = here.probe.ask(RecentDeliveries((now - bounds.since).days + 1))
    if seen.answer is None:
        raise CannotLook(f"the log cannot be read: {seen.error}")
    counted = 0
    for count in seen.answer.counts:
        if count.status != "deferred" or not 500 <= (count.code or 0) <= 599 or count.last < bounds.since:
            continue
        said = _as_delivery(count.relay_host, count.code, count.dsn, count.text)
        counted += count.count if holding.cause_of(said, known) in bounds.causes else 0
    return counted


def offers(lines: Iterable[str], bounds: Bounds, known: Sequence[Receiver]) -> int:
    """The same in *lines* of the log."""
    from mailmend.parse import maillog

    read = (maillog.line(text) for text in lines if " status=deferred " in text)
    attempts = (maillog.delivery(line) for line in read if line)
    return sum(1 for each in attempts if each and holding.cause_of(each, known) in bounds.causes)


def _as_delivery(host: str | None, code: int | None, status: str | None, text: str) -> Delivery:
    from mailmend.model import Relay, Reply

    return Delivery("deferred", reply=Reply(code, status, text), relay=Relay(host, None))


# ---- on -----------------------------------------------------------------------------------


def on(
    here: Here,
    *,
    causes: Sequence[str] = (),
    length: timedelta | None = None,
    limit: int = LIMIT,
    since: datetime | None = None,
    dry_run: bool = False,
    approve: Callable[[Plan], bool],
    progress: Progress = silent,
) -> Switched:
    """Hold refusals for *causes* (the usual ones where none is named) for *length*, *limit* messages at most.

    *since* is when that began to count: now, or when it was planned and shown.
    Raises Refused where nothing may be changed or a cause may not be held, CannotLook where Postfix cannot be read.
    """
    from mailmend import receivers
    from mailmend.jobs.change import carry_out

    here.require_postfix()
    if not dry_run:
        require_root("holding mail")
        _require_ready(here, progress)
    chosen = _causes(causes)
    now = since or here.probe.ask(Now()).at.replace(microsecond=0)
    bounds = Bounds(chosen, now, now + (length or holding.usual_time(here.probe)), limit)
    before = look(here, queue=False)
    if before.in_force and before.bounds:
        raise Refused(
            f"a hold is in force until {before.bounds.until:%Y-%m-%d %H:%M}", "mailmend hold off ends it"
        )
    progress("deriving the table from what receivers say")
    plan = _plan(here, bounds)
    if dry_run or not approve(plan):
        return Switched("planned", Hold(False, None, bounds), plan)
    progress("having Postfix read the table")
    _require_understood(here, plan, bounds, receivers.load())
    vigil = _vigil(here)
    vigil.begin(here.config_directory)
    try:
        reason = f"refusals for {', '.join(chosen)} wait until {bounds.until:%Y-%m-%d %H:%M}"
        applied = carry_out(here, plan, reason=reason, progress=progress)
    except BaseException:
        _end_vigil(here)
        raise
    if applied.rolled_back:
        vigil.end()
        return Switched(
            "rolled-back", Hold(False, applied.record, bounds), plan, applied.proof, (), applied.says
        )
    # Once more: another command may have looked while there was no hold yet.
    vigil.begin(here.config_directory)
    vigil.watch()
    return Switched("on", Hold(True, applied.record, bounds, (), 0), plan, applied.proof)


def _require_ready(here: Here, progress: Progress) -> None:
    from mailmend.jobs.ready import require_loaded, require_running

    require_running(here)
    progress("making sure that what is saved is what runs")
    require_loaded(here)


def _causes(named: Sequence[str]) -> tuple[str, ...]:
    """Those to hold. Refused for what would only be refused again."""
    from mailmend import catalogue

    pages = catalogue.load().causes
    for name in named:
        if name not in pages:
            raise Refused(f"{name} is no cause that is known", "mailmend list causes")
        if not holding.holdable(pages[name]):
            raise Refused(
                f"mail refused for {name} is never held: no cure of the sending side changes that answer",
                f"mailmend explain --cause {name} says what does",
            )
    return tuple(dict.fromkeys(named)) or holding.usual(pages)


def _plan(here: Here, bounds: Bounds) -> Plan:
    from mailmend import catalogue
    from mailmend.facts.expect import saved
    from mailmend.road.edits import compose, difference, digest

    known = catalogue.load()
    proposal = holding.propose(bounds, here.probe, known.causes, known.receivers)
    blocking = next((o for o in proposal.objections if o.blocking), None)
    if blocking:
        raise Refused(blocking.reason, blocking.next_step)
    files = compose(proposal.changes, here.probe)
    own = [expected for change in proposal.changes if (expected := saved(change))]
    chosen = replace(proposal, expectations=tuple(dict.fromkeys([*own, *proposal.expectations])))
    return Plan(
        chosen=chosen,
        findings=(),
        files=files,
        diff=difference(files),
        digest=digest(holding.ID, proposal.changes, files),
        reason="the operator's choice",
    )


def _require_understood(here: Here, plan: Plan, bounds: Bounds, known: Sequence[Receiver]) -> None:
    """Postfix itself reads the table as it is meant: 5 becomes 4 for *causes*, with every word kept; else nothing.

    Raises Refused where it does not.
    """
    from mailmend.system import queue

    text = next(edit.after or "" for edit in plan.files if edit.path.endswith(f"/{holding.TABLE}"))
    if not holding.holds_anything(text):
        raise Refused(
            f"no words are known by which receivers refuse for {', '.join(bounds.causes)}",
            "nothing was changed",
        )
    wanted, others = holding.samples(bounds.causes, known)
    told = queue.answers(text, (*wanted, *others), here.state)
    spoilt = next((key for key, answer in told.items() if answer != f"4{key[1:]}" or key not in wanted), None)
    if spoilt is not None:
        raise Refused(f"the table would change what it must not: {spoilt}", "nothing was changed")
    if 2 * len(told) < len(wanted):
        raise Refused(
            f"this Postfix finds only {len(told)} of {len(wanted)} known refusals in the table",
            "nothing was changed",
        )


# ---- off ----------------------------------------------------------------------------------


def off(
    here: Here,
    *,
    reason: str = "",
    flush: bool = True,
    timeout: float = _FOLLOWED,
    approve: Callable[[tuple[FileEdit, ...]], None] | None = None,
    progress: Progress = silent,
) -> Switched:
    """End the hold, with *flush* have the held messages delivered now, and follow them for *timeout* seconds.

    Also where none is in force: what the last one held and still waits is tried again then. As `undo` else.
    """
    from mailmend import receivers
    from mailmend.jobs.undo import undo

    require_root("ending a hold")
    here.require_postfix()
    progress("looking at the queue")
    before = look(here)
    if before.record is None or before.bounds is None:
        return Switched("off", before, reason="nothing was ever held here")
    proof = None
    if before.in_force:
        proof = undo(here, before.record.id, reason=reason, approve=approve, progress=progress).proof
    _end_vigil(here)
    here.probe.begin("off")
    after = replace(before, in_force=False)
    if not flush or not before.waiting:
        return Switched("off", after, None, proof, (), reason)
    attempted = _tried_again(here, before.waiting, receivers.load(), timeout, progress)
    return Switched("off", after, None, proof, attempted, reason)


def _tried_again(
    here: Here, waiting: Sequence[Delivery], known: Sequence[Receiver], timeout: float, progress: Progress
) -> tuple[Attempted, ...]:
    from mailmend.system import queue
    from mailmend.system.follow import mark

    log = here.log()
    since = mark(log)
    ids = tuple(dict.fromkeys(d.queue_id for d in waiting if d.queue_id))
    progress(f"trying {len(ids)} messages again")
    queue.try_now(ids, here.config_directory)
    last = _followed(here, waiting, since, timeout)
    return tuple(_became(delivery, last.get(_key(delivery)), known) for delivery in waiting)


def _followed(
    here: Here, waiting: Sequence[Delivery], since: Mark, timeout: float
) -> dict[tuple[str, str], Delivery]:
    """The first attempt at each of *waiting* that the log shows after *since*, until all have one or time is over."""
    from mailmend.parse import maillog
    from mailmend.system.follow import follow

    wanted = {_key(delivery) for delivery in waiting}
    found: dict[tuple[str, str], Delivery] = {}
    for text in follow(here.log(), since, timeout):
        line = maillog.line(text)
        attempt = maillog.delivery(line) if line else None
        if attempt and attempt.severity in _OUTCOMES and _key(attempt) in wanted:
            found.setdefault(_key(attempt), attempt)
        if len(found) == len(wanted):
            break
    return found


def _key(delivery: Delivery) -> tuple[str, str]:
    return delivery.queue_id or "", (delivery.recipient or "").lower()


def _became(before: Delivery, after: Delivery | None, known: Sequence[Receiver]) -> Attempted:
    from mailmend.receivers import match

    if after is None:
        return Attempted(before, "waiting", None)
    outcome = _OUTCOMES[after.severity]
    found = match(after, known) if outcome != "delivered" else None
    return Attempted(replace(after, sender=before.sender), outcome, found.rule.cause if found else None)


def _vigil(here: Here) -> Vigil:
    from mailmend.system.vigil import Vigil

    return Vigil(here.state)


def _end_vigil(here: Here) -> None:
    """Nothing is watched any more, unless a hold is still in force: one that could not be taken back."""
    if not look(here, queue=False).in_force:
        _vigil(here).end()
