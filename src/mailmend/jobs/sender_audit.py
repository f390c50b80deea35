"""The log of what was forwarded, DNS and this host -> whose mail receivers take, and whose not: how much, why, a cure.

The log is read whole (rotated parts too); where the delivery store reaches further back, the time before the log comes
from it (`sender_audit_stored`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mailmend.facts.sender_audit import AUTHENTICATION, Fared, Judged, Kind, judge
from mailmend.jobs import sender_audit_stored
from mailmend.jobs.here import Here
from mailmend.jobs.sender_audit_stored import Stored
from mailmend.model import CannotLook, Evidence, Family, ParseError, Probe, Question, family_of
from mailmend.parse.forwards import Forwarded, Forwards, original, within_site
from mailmend.questions import Master
from mailmend.system import logfiles

if TYPE_CHECKING:
    from mailmend.road.causes import Causes
    from mailmend.system.logfiles import Part

MOST = 200  # sender domains that DNS is asked about, the most frequent first
SECONDS = 60.0  # for all of them
_THREADS = 8
_KINDS = 50_000  # that are counted apart; of more, those that came once are counted together
_OVER = "the time was over before it was looked at"

A = TypeVar("A")
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """Forwarded mail of one kind: *count* recipients of messages in all, of them *refused* for good and *waiting*.

    *causes*: why, by the receivers' words, of both: (cause, how many), the most first. *recipient*: one to whom it
    is forwarded. *judged*: what the next such message will meet.
    """

    kind: Kind
    count: int
    refused: int
    waiting: int
    causes: tuple[tuple[str, int], ...]
    recipient: str
    judged: Judged


@dataclass(frozen=True, slots=True)
class Audit:
    """*rows*: the worst first. *count*: forwarded in all. *own*: of them of this host's own senders, who are no
    question here. *nobody*: whose sender the log does not show. *beyond*: (domains, messages) that were not looked at,
    because there were too many. *span*: the first and the last line that tells. *stored*: what of it comes from the
    delivery store, which reached further back.
    """

    rows: tuple[Row, ...]
    count: int
    own: int
    nobody: int
    beyond: tuple[int, int]
    span: tuple[datetime | None, datetime | None]
    stored: Stored | None = None

    @property
    def refused(self) -> int:
        return sum(row.refused for row in self.rows)


@dataclass(slots=True)
class _Tally:
    """What is counted of one kind. *since*: outcomes under the running configuration, by family."""

    count: int = 0
    refused: int = 0
    waiting: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    since: dict[Family | None, list[int]] = field(default_factory=dict)
    sender: str = ""
    recipient: str = ""


class Counts:
    """Forwarded mail, counted by kind. *loaded* is when the running configuration was: None, not known."""

    def __init__(self, here: Here, causes: Causes, loaded: datetime | None) -> None:
        self.kinds: dict[Kind, _Tally] = {}
        self.count = self.own = self.nobody = self.rare = 0
        self._here, self._causes, self._loaded = here, causes, loaded
        self._ours = frozenset(_named(here))
        self._owned: dict[str, bool] = {}

    def add(self, found: Iterable[Forwarded]) -> None:
        for one in found:
            self._add(one)

    def taken(self, domain: str, receiver: str, count: int) -> None:
        """Count what the store has as sums: forwarded mail from *domain* that *receiver* took."""
        self.count += count
        if domain in self._ours:
            self.own += count
            return
        sender = f"someone@{domain}" if domain else ""
        tally = self.kinds.setdefault(Kind(domain, None, None, None, receiver), _Tally(sender=sender))
        tally.count += count

    def owns(self, domain: str) -> bool:
        """Whether *domain* is of this host, as its tables have it too; False where that cannot be looked at."""
        from mailmend.facts.domains import is_own

        try:
            return is_own(domain, self._here.probe)
        except CannotLook:
            return False

    def _add(self, one: Forwarded) -> None:
        domain = "" if one.sender is None else one.sender.rpartition("@")[2].lower().rstrip(".")
        before = original(one.sender or "")
        # Tables are asked about few: about each domain of a stranger that would take long (`_chosen`).
        ours = domain in self._ours or bool(before and self.owns(domain))
        if (
            not one.moved
            and not ours
            and not (one.handed and domain and not before and not self.owns(domain))
        ):
            return  # another forwarder rewrote it, and here it only passed; or it is of this host
        if self._stays(one):
            return
        self.count += 1
        if one.sender is None:
            self.nobody += 1
        elif ours and (not before or before in self._ours):
            self.own += 1
        else:
            self._tally(one, before if ours else domain)

    def _stays(self, one: Forwarded) -> bool:
        """Whether it went on to a server of this host's own domains (relay_domains), which is no forward.

        A domain that only shares this host's name, and has its mail elsewhere, is not among them.
        """
        from mailmend.facts.domains import address_class

        domain = one.recipient.rpartition("@")[2].lower()
        if domain not in self._owned:
            self._owned[domain] = False
            with suppress(CannotLook):
                self._owned[domain] = address_class(domain, self._here.probe)[0] != "default"
        return self._owned[domain] and not (one.relay and self._causes.hosts[one.relay])

    def _tally(self, one: Forwarded, domain: str) -> None:
        receiver, cause = self._why(one)
        kind = Kind(domain, one.author, one.verified, one.signed, receiver)
        tally = self.kinds.get(kind)
        if tally is None:
            if len(self.kinds) >= _KINDS:
                self._forget()
            sender = one.sender or ""
            known = f"{sender.rpartition('@')[0]}@{domain}" if domain else ""
            tally = self.kinds[kind] = _Tally(sender=f"someone@{domain}" if original(sender) else known)
        tally.count += 1
        tally.recipient = one.recipient
        tally.refused += one.status == "bounced"
        tally.waiting += one.status == "deferred"
        if cause:
            tally.causes[cause] += 1
        if self._loaded and one.at and one.at >= self._loaded and one.relay and not within_site(one.ip):
            fared = tally.since.setdefault(family_of(one.ip), [0, 0])
            fared[0] += one.status == "sent"
            fared[1] += one.status == "bounced" and cause in AUTHENTICATION

    def _why(self, one: Forwarded) -> tuple[str, str]:
        """Whose server it was for, and why it was not taken; "" where it was."""
        from mailmend.parse.logscan import Failed

        whose, cause = self._causes.hosts[one.relay] if one.relay else None, ""
        if one.status != "sent":
            failed = Failed(
                "", "", "", "", one.sender, one.recipient, one.recipient, one.relay, one.ip, "", one.dsn,
                one.status, one.text,
            )  # fmt: skip
            known = self._causes.of(failed)
            whose, cause = whose or known.receiver, known.cause
        return whose or one.recipient.rpartition("@")[2].lower(), cause

    def _forget(self) -> None:
        """Somebody who invents domains has one message of each: those are counted and let go."""
        for kind in [kind for kind, tally in self.kinds.items() if tally.count < 2] or list(self.kinds):
            self.rare += self.kinds.pop(kind).count


def _named(here: Here) -> Iterable[str]:
    """The host's domains, those apart that only a table names."""
    from mailmend.facts.domains import own_domains
    from mailmend.facts.settings import value

    try:
        return (*own_domains(here.probe), value(here.probe, "myhostname").lower())
    except CannotLook:
        return ()


def audit(
    here: Here,
    files: Sequence[Path] = (),
    *,
    since: datetime | None = None,
    message: str | None = None,
    most: int = MOST,
    seconds: float = SECONDS,
    progress: Step = lambda _: None,
) -> Audit:
    """What was forwarded since then, as *files* tell it, or this host's own log, and what will become of such mail.

    *message* is one as it arrived (latin-1): mail like it is taken to arrive signed as it is. At most *most* sender
    domains are looked at, for *seconds*. CannotLook: no log, or no Postfix, or one that cannot be read to its end.
    """
    from mailmend import catalogue
    from mailmend.road.causes import Causes

    here.require_postfix()
    seen = here.probe.ask(Master()).answer
    loaded = seen.reloaded.replace(microsecond=0) if seen and seen.reloaded else None
    counts = Counts(here, Causes(catalogue.load()), loaded)
    forwards = Forwards()
    try:
        parts, gap = _parts(here, files, since), None
    except CannotLook as reason:
        parts, gap = (), reason
    span = _read(parts, since, forwards, counts, progress)
    if files and not any(span):
        names = ", ".join(map(str, files))
        raise ParseError(
            f"{names}: no line of Postfix is in it", "name Postfix's log: /var/log/mail.log, for one"
        )
    stored = None if files else sender_audit_stored.add(here, since, span[0], counts)
    if gap and (files or not stored):
        raise gap
    if message is not None:
        _as_in(message, here, counts)
    _recipients(counts.kinds)
    looked, beyond = _chosen(counts, most)
    verdicts = _side_by_side(here, looked, forwards.programs, seconds, progress)
    rows = [
        Row(kind, t.count, t.refused, t.waiting, tuple(t.causes.most_common()), t.recipient, verdicts[kind])
        for kind, t in looked.items()
    ]
    return Audit(
        tuple(sorted(rows, key=_worst_first)), counts.count, counts.own, counts.nobody, beyond, span, stored
    )


def _read(
    parts: Iterable[Part], since: datetime | None, forwards: Forwards, counts: Counts, progress: Step
) -> tuple[datetime | None, datetime | None]:
    """The first and the last time in the log, which *counts* was told."""
    first: datetime | None = None
    last: datetime | None = None
    for part in parts:
        progress(f"reading {part.path or 'the journal'}")
        for block in logfiles.blocks(part, since):
            lines = logfiles.within(block, part.dated, since, None)
            if not lines:
                continue
            began, ended = logfiles.edges(lines, part.dated)
            first, last = first or began, ended or last
            forwards.read(lines.split(b"\n"), part.dated)
            counts.add(forwards.take())
    counts.add(forwards.end())
    return first, last


def _parts(here: Here, files: Sequence[Path], since: datetime | None) -> tuple[Part, ...]:
    if files:
        return logfiles.parts(files)
    place = here.log()
    return logfiles.parts(logfiles.rotated(place.path, since)) if place.path else (logfiles.journal(),)


def _as_in(message: str, here: Here, counts: Counts) -> None:
    """Mail of the message's author of which nobody logged its signatures arrives as this one did."""
    from mailmend.facts.dkim import signed

    read = signed(message, here.probe)
    if read.author is None:
        raise ParseError("the message has no single author in From:", "give one as it arrived here")
    verified: tuple[str, ...] | None = tuple(each.domain.lower() for each in read.signatures if each.verifies)
    if not verified and not all(each.checked for each in read.signatures):
        verified = None
    for kind in [k for k in counts.kinds if k.verified is None and read.author in (k.author, k.sender)]:
        like = replace(kind, author=read.author, verified=verified, signed=bool(read.signatures))
        tally = counts.kinds.pop(kind)
        if like in counts.kinds:
            _join(counts.kinds[like], tally)
        else:
            counts.kinds[like] = tally


def _join(mine: _Tally, other: _Tally) -> None:
    mine.count += other.count
    mine.refused += other.refused
    mine.waiting += other.waiting
    mine.causes.update(other.causes)
    for family, (accepted, refused) in other.since.items():
        fared = mine.since.setdefault(family, [0, 0])
        fared[0] += accepted
        fared[1] += refused


def _chosen(counts: Counts, most: int) -> tuple[dict[Kind, _Tally], tuple[int, int]]:
    """The kinds of the *most* frequent senders; and how many domains and messages are beyond them."""
    by_domain: Counter[str] = Counter()
    for kind, tally in counts.kinds.items():
        by_domain[kind.sender] += tally.count
    chosen: set[str] = set()
    for domain, count in by_domain.most_common(2 * most):
        if len(chosen) == most:
            break
        if domain and counts.owns(domain):  # only its table names it
            counts.own += count
            by_domain[domain] = 0
        else:
            chosen.add(domain)
    looked = {kind: tally for kind, tally in counts.kinds.items() if kind.sender in chosen}
    left = [count for domain, count in by_domain.items() if count and domain not in chosen]
    return looked, (len(left) + counts.rare, sum(left) + counts.rare)


def _side_by_side(
    here: Here, looked: dict[Kind, _Tally], programs: set[str], seconds: float, progress: Step
) -> dict[Kind, Judged]:
    """The judgement of each, the most frequent first; what is not done in time is unknown."""
    verdicts = {kind: Judged("unknown", author=kind.author, error=_OVER) for kind in looked}
    ends = time.monotonic() + seconds
    probe = _Until(here.probe, ends)
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="sender")
    try:
        running: dict[Future[Judged], Kind] = {
            pool.submit(_judge, probe, kind, tally, programs): kind
            for kind, tally in sorted(looked.items(), key=lambda each: -each[1].count)
        }
        pending = set(running)
        while pending and (left := ends - time.monotonic()) > 0:
            done, pending = wait(pending, left, FIRST_COMPLETED)
            for each in done:
                verdicts[running[each]] = each.result()
            progress(f"looked at {len(running) - len(pending)} of {len(running)} kinds of mail")
    finally:
        # What is asked at this moment ends by itself: each question has its own bounds, and it is the last.
        pool.shutdown(wait=False, cancel_futures=True)
    return verdicts


class _Until:
    """A probe that is asked nothing new once its time is over."""

    def __init__(self, probe: Probe, ends: float) -> None:
        self._probe, self._ends = probe, ends

    def ask(self, question: Question[A], /) -> Evidence[A]:
        if time.monotonic() >= self._ends:
            return Evidence(question, None, _OVER, datetime.now(UTC))
        return self._probe.ask(question)


def _recipients(tallies: dict[Kind, _Tally]) -> None:
    """The store's sums name nobody to whom it was forwarded: somebody at the same receiver stands for them."""
    known = {kind.receiver: tally.recipient for kind, tally in tallies.items() if tally.recipient}
    for kind, tally in tallies.items():
        tally.recipient = tally.recipient or known.get(kind.receiver) or next(iter(known.values()), "")


def _judge(probe: Probe, kind: Kind, tally: _Tally, programs: set[str]) -> Judged:
    if not tally.recipient:
        return Judged("unknown", author=kind.author, error="nobody is known to whom it was forwarded")
    fared = [Fared(family, accepted, refused) for family, (accepted, refused) in tally.since.items()]
    return judge(kind, tally.sender, tally.recipient, probe, fared=fared, programs=programs)


def _worst_first(row: Row) -> tuple[int, int, int, str]:
    verdict = ("refused", "unknown", "accepted").index(row.judged.verdict)
    curable = row.judged.verdict == "refused" and bool(row.judged.cures)
    return verdict * 2 + curable, -row.refused, -row.count, row.kind.sender
