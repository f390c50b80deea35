"""Causes and bounds -> the change that keeps their refusals queued instead of bounced, and who of the queue is held.

`smtp_delivery_status_filter` (postconf(5), Postfix >= 3.0) with a table whose head says what it holds, and until
when: what is in force tells its own bounds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailmend.facts.services import overrides, smtp_clients
from mailmend.facts.settings import value
from mailmend.facts.versions import SINCE, version
from mailmend.model import (
    Cause,
    Change,
    Delivery,
    Expectation,
    Objection,
    Probe,
    Proposal,
    Record,
    Relay,
)
from mailmend.parse import reply
from mailmend.questions import MapTypes, Setting
from mailmend.receivers import Receiver, match
from mailmend.road import hold_table

ID = "hold"
PARAMETER = "smtp_delivery_status_filter"
TABLE = "held_refusals"
ATTEMPTS = 20  # for each message that may be held: what Postfix itself makes of some days (qmgr(8))
_TAIL = "$default_delivery_status_filter"

# Never held, whoever asks: the next attempt would be refused as well, or should be.
_OTHERS = frozenset(("spam", "user_unknown", "mailbox_full", "mailbox_disabled", "size"))
_NEVER_COARSE = _OTHERS.union(
    ("domain", "notice", "other", "reputation", "rate", "temp", "protocol", "policy_config"),
)
_NEVER_WHO = frozenset(("content", "recipient", "list-operator", "nobody", "unknown"))
_HEAD = re.compile(r"^# (causes|since|until|at most): (.+)$", re.MULTILINE)
_TIME = re.compile(r"(\d{1,9})([smhdw]?)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is held, since when, until when at the latest, and how many messages at most."""

    causes: tuple[str, ...]
    since: datetime
    until: datetime
    limit: int

    @property
    def attempts(self) -> int:
        """How often refused mail may be offered again, all messages together."""
        return self.limit * ATTEMPTS


def holdable(cause: Cause) -> bool:
    """Whether refusals for *cause* may be held at all: those that a cure of the sending side ends.

    Never what concerns content, a recipient or a list; nor a sending volume, which more attempts make worse.
    """
    return (
        cause.kind in ("permanent", "either")
        and cause.coarse not in _NEVER_COARSE
        and not _NEVER_WHO.intersection(cause.who)
        and bool({"own-mta", "sender-dns"}.intersection(cause.who))
    )


def usual(causes: Mapping[str, Cause]) -> tuple[str, ...]:
    """The causes that are held where nobody names others: those whose pages say so."""
    return tuple(name for name, cause in causes.items() if ID in cause.remedies and holdable(cause))


def lifetime(probe: Probe) -> tuple[timedelta, timedelta]:
    """How long a message, and one with the null sender, may wait in the queue (postconf(5))."""
    return _time(value(probe, "maximal_queue_lifetime")), _time(value(probe, "bounce_queue_lifetime"))


def usual_time(probe: Probe) -> timedelta:
    """Half of what the shorter-lived mail may wait: whatever is held has as long again to be delivered.

    So no message is returned by the queue because of a hold that was not ended in time.
    """
    return min(t for t in (*lifetime(probe), timedelta(days=5)) if t) / 2


def _time(text: str) -> timedelta:
    """A time value of Postfix whose unit is the day where it has none."""
    found = _TIME.fullmatch(text.strip())
    return timedelta(seconds=int(found[1]) * _UNITS[found[2] or "d"]) if found else timedelta()


def text(bounds: Bounds, causes: Mapping[str, Cause], receivers: Sequence[Receiver]) -> str:
    """The whole table: its head tells the bounds."""
    never = [name for name, cause in causes.items() if cause.coarse in _OTHERS]
    return head(bounds) + hold_table.table(bounds.causes, receivers, usual(causes), never)


def holds_anything(table: str) -> bool:
    """False for a table that no refusal is found in."""
    return hold_table.HOLD in table


def propose(
    bounds: Bounds, probe: Probe, causes: Mapping[str, Cause], receivers: Sequence[Receiver]
) -> Proposal:
    """Our table before whatever filter there is: in main.cf, and in every `-o` of an smtp client that would win."""
    path = f"{value(probe, 'config_directory')}/{TABLE}"
    ours = f"regexp:{path}"
    changes = [Change("file", path, None, text(bounds, causes, receivers), "reload")]
    main = probe.ask(Setting(PARAMETER)).answer
    before = main.written if main else None
    after = _before(ours, _TAIL if before is None else before, ", ")
    changes.append(Change("setting", PARAMETER, before, after, "reload"))
    expectations = []
    overridden = []
    for service in smtp_clients(probe):
        wanted = after
        override = overrides(probe, service.id).get(PARAMETER)
        if override is not None:
            # Without white space the value fits a plain `-o name=value`; what has some keeps every blank.
            wanted = _before(ours, override, ", " if any(c.isspace() for c in override) else ",")
            changes.append(Change("override", f"{service.id}/{PARAMETER}", override, wanted, "reload"))
            overridden.append(service.id)
        says = f"{service.id} asks {path} first"
        expectations.append(Expectation("saved", "setting-is", f"{service.id}/{PARAMETER}", wanted, says))
    return Proposal(
        ID,
        "contains",
        tuple(changes),
        tuple(expectations),
        tuple(_cost(bounds, probe, overridden)),
        tuple(_objections(bounds, probe)),
    )


def _before(ours: str, rest: str, glue: str) -> str:
    return f"{ours}{glue}{rest}" if rest.strip() else ours


def head(bounds: Bounds) -> str:
    return (
        "# Refusals for these causes stay queued, written by mailmend; mailmend hold off ends it.\n"
        f"# See {PARAMETER} in postconf(5).\n"
        f"# causes: {' '.join(bounds.causes)}\n"
        f"# since: {bounds.since.isoformat(timespec='seconds')}\n"
        f"# until: {bounds.until.isoformat(timespec='seconds')}\n"
        f"# at most: {bounds.limit} messages\n"
    )


def bounds_of(record: Record) -> Bounds | None:
    """The bounds of the hold that *record* put in force; None for any other change."""
    if record.remedy != ID or record.undoes is not None:
        return None
    for edit in record.files:
        said = dict(_HEAD.findall((edit.after or "").partition("\nif ")[0]))
        if edit.path.endswith(f"/{TABLE}") and len(said) == 4:
            return Bounds(
                tuple(said["causes"].split()),
                datetime.fromisoformat(said["since"]),
                datetime.fromisoformat(said["until"]),
                int(said["at most"].split()[0]),
            )
    return None


def _cost(bounds: Bounds, probe: Probe, overridden: Sequence[str]) -> Iterator[str]:
    warned = value(probe, "delay_warning_time")
    told = f"are told after {warned} (delay_warning_time)" if _time(warned) else "are not told"
    yield f"senders {told} while their mail waits; what is refused is offered again, by Postfix's own schedule"
    yield (
        f"it ends by itself at {bounds.until:%Y-%m-%d %H:%M}, beyond {bounds.limit} messages, and beyond "
        f"{bounds.attempts} attempts"
    )
    yield "what then is refused still, bounces at its next attempt as it would have at its first"
    yield "each smtp client takes some 20 MB more for the table"
    if overridden:
        yield f"{', '.join(overridden)} override {PARAMETER}: the table is put before theirs as well"


def _objections(bounds: Bounds, probe: Probe) -> Iterator[Objection]:
    known = version(probe)
    if known and known < SINCE[PARAMETER]:
        yield Objection(f"Postfix {value(probe, 'mail_version')} has no {PARAMETER} (it came with 3.0)")
    types = probe.ask(MapTypes())
    if types.answer is not None and "regexp" not in types.answer:
        yield Objection("this Postfix has no regexp tables")
    if value(probe, "soft_bounce") == "yes":
        yield Objection("soft_bounce = yes holds every refusal already", "take it out of main.cf first")
    longest, null = lifetime(probe)
    length = bounds.until - bounds.since
    if length > longest:
        yield Objection(
            f"mail waits at most {value(probe, 'maximal_queue_lifetime')} in the queue (maximal_queue_lifetime): "
            "held for longer, it would be returned all the same",
            "ask for less with --for",
        )
    elif length > null:
        yield Objection(
            f"mail with the null sender waits at most {value(probe, 'bounce_queue_lifetime')} "
            "(bounce_queue_lifetime) and is then lost without a word",
            blocking=False,
        )


# ---- who is held --------------------------------------------------------------------------


def cause_of(delivery: Delivery, receivers: Sequence[Receiver]) -> str | None:
    """What a reply of refusal (5xx) says, None for any other reply and where no rule explains it."""
    if delivery.reply is None or not 500 <= (delivery.reply.code or 0) <= 599:
        return None
    found = match(delivery, receivers)
    return found.rule.cause if found else None


def held(
    waiting: Iterable[Delivery], causes: Collection[str], receivers: Sequence[Receiver]
) -> tuple[Delivery, ...]:
    """Those of the queue's recipients who wait although they were refused, for one of *causes*."""
    return tuple(delivery for delivery in waiting if cause_of(delivery, receivers) in causes)


# ---- what the table must do ---------------------------------------------------------------


def samples(
    causes: Collection[str], receivers: Sequence[Receiver]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every refusal of the rules' examples as smtp(8) would look it up: (for *causes*, for anything else).

    What only a `weak` rule explains is in neither.
    """
    wanted: list[str] = []
    others: list[str] = []
    for receiver in receivers:
        host = f"mx1{receiver.hosts[0]}" if receiver.hosts else "mx.example.net"
        for rule in receiver.rules:
            for example in rule.examples:
                asked = lookup(host, example)
                if asked is None:
                    continue
                said = reply.parse(asked.partition(" said: ")[2])
                seen = Delivery("bounced", reply=said, relay=Relay(host, "192.0.2.25"))
                found = match(seen, receivers)
                if found and found.rule.weak and found.rule.cause in causes:
                    continue
                (wanted if found and found.rule.cause in causes else others).append(asked)
    return tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(others))


def lookup(host: str, said: str) -> str | None:
    """What smtp(8) asks the filter of a reply to the end of DATA; None where it is no refusal."""
    line = " ".join(said.split())
    parsed = reply.parse(line)
    if parsed is None or not 500 <= (parsed.code or 500) <= 599:
        return None
    status = parsed.status if parsed.status and parsed.status[0] == "5" else "5.0.0"
    words = line if parsed.code else f"550 {line}"
    return f"{status} host {host}[192.0.2.25] said: {words} (in reply to end of DATA command)"
