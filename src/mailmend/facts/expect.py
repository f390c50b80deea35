"""Holds what must be true after a change against fresh looks: expectation -> judgement."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from mailmend.model import (
    Change,
    Evidence,
    Expectation,
    Judgement,
    Probe,
    Proof,
    Verdict,
    family_of,
)
from mailmend.questions import (
    ClientTrial,
    File,
    Greeting,
    Listeners,
    LogLines,
    Master,
    Now,
    RecentDeliveries,
    Records,
    Setting,
)

_ADDRESS = re.compile(r"\[([0-9A-Fa-f.:]{3,45})\]")


def socket_name(address: str, port: int) -> str:
    """`0.0.0.0:25`, `[::]:25`: a listener as `ss` writes it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def prove(expectations: Iterable[Expectation], probe: Probe) -> Proof:
    """Judge every expectation through *probe*, which must be in a new epoch: old looks prove nothing."""
    judgements = tuple(judge(expectation, probe) for expectation in expectations)
    return Proof(judgements, probe.ask(Now()).at)


def judge(expectation: Expectation, probe: Probe) -> Judgement:
    """One expectation against what is looked up now; a kind that nobody knows is a bug (KeyError)."""
    return _JUDGES[expectation.kind](expectation, probe)


def _judgement(expectation: Expectation, verdict: Verdict, says: str, *evidence: Evidence[Any]) -> Judgement:
    return Judgement(expectation, verdict, evidence, says)


def _unknown(expectation: Expectation, evidence: Evidence[Any]) -> Judgement:
    return _judgement(expectation, "unknown", f"could not look: {evidence.error}", evidence)


def _setting_is(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* `name`, or `service/type/name` for what one service uses; *wanted* its text, as written or as used."""
    service, _, name = expectation.subject.rpartition("/")
    seen = probe.ask(Setting(name, service or None))
    if seen.answer is None:
        return _unknown(expectation, seen)
    value = seen.answer.value or ""
    wanted = (expectation.wanted or "").split()
    same = wanted in (value.split(), (seen.answer.written or "").split())
    return _judgement(expectation, "holds" if same else "fails", f"{expectation.subject} = {value}", seen)


def _file_is(expectation: Expectation, probe: Probe) -> Judgement:
    """*wanted* is the file's whole text, None for a file that must not be there."""
    seen = probe.ask(File(expectation.subject))
    if seen.answer is None:
        return _unknown(expectation, seen)
    text = seen.answer.text if seen.answer.exists else None
    same = text == expectation.wanted
    return _judgement(expectation, "holds" if same else "fails", "as written" if same else "differs", seen)


def _running_since(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* `master` (stopped and started) or `qmgr` (reloaded); *wanted* the time it must be younger than."""
    seen = probe.ask(Master())
    if seen.answer is None:
        return _unknown(expectation, seen)
    started = seen.answer.since if expectation.subject == "master" else seen.answer.reloaded
    if seen.answer.pid is None or started is None:
        return _judgement(expectation, "fails", "Postfix is not running", seen)
    young = expectation.wanted is None or started >= datetime.fromisoformat(expectation.wanted)
    says = f"{expectation.subject} started {started.isoformat(timespec='seconds')}, pid of master {seen.answer.pid}"
    return _judgement(expectation, "holds" if young else "fails", says, seen)


def _listener(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a socket (`[::]:25`); *wanted* `open` or `gone`."""
    seen = probe.ask(Listeners())
    if seen.answer is None:
        return _unknown(expectation, seen)
    there = [s for s in seen.answer if socket_name(s.address, s.port) == expectation.subject]
    says = (
        f"{expectation.subject} is open (pid {there[0].pid}, fd {there[0].fd})"
        if there
        else (f"{expectation.subject} is not open")
    )
    return _judgement(
        expectation, "holds" if bool(there) == (expectation.wanted == "open") else "fails", says, seen
    )


def _greeting(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a socket that must answer with 220."""
    address, _, port = expectation.subject.rpartition(":")
    seen = probe.ask(Greeting(address.strip("[]"), int(port)))
    if seen.answer is None:
        return _judgement(expectation, "fails", f"no answer: {seen.error}", seen)
    return _judgement(expectation, "holds" if seen.answer.startswith("220") else "fails", seen.answer, seen)


def _no_fatal(expectation: Expectation, probe: Probe) -> Judgement:
    """*wanted* is the time since which no daemon may have died of its configuration."""
    seen = probe.ask(LogLines(datetime.fromisoformat(expectation.wanted or "")))
    if seen.answer is None:
        return _unknown(expectation, seen)
    fatal = [line for line in seen.answer if re.search(r": (?:fatal|panic): |bad command startup", line)]
    return _judgement(expectation, "fails" if fatal else "holds", fatal[0] if fatal else "none logged", seen)


def _client_family(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a recipient, *wanted* the only family the smtp client may choose for it.

    "ignoring DNS RR" is the filter's own deterministic sign. Where no connection came about at all, the
    client has not shown its choice yet: that is pending, and real deliveries will tell.
    """
    seen = probe.ask(ClientTrial(expectation.subject))
    if seen.answer is None:
        return _judgement(expectation, "pending", f"no trial possible: {seen.error}", seen)
    used: set[str] = set()
    for delivery in seen.answer.deliveries:
        ips = [delivery.relay.ip] if delivery.relay and delivery.relay.ip else []
        if not ips and delivery.reply:
            ips = _ADDRESS.findall(delivery.reply.text)
        used |= {family for ip in ips if (family := family_of(ip))}
    ignored = f"; {seen.answer.ignored[0]}" if seen.answer.ignored else ""
    if used - {expectation.wanted}:
        return _judgement(expectation, "fails", f"the client still uses {', '.join(sorted(used))}", seen)
    if used or seen.answer.ignored:
        return _judgement(expectation, "holds", f"the client uses {expectation.wanted} only{ignored}", seen)
    return _judgement(expectation, "pending", "no connection came about; real deliveries will tell", seen)


def _delivered(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is `receiver-host-suffix family`; *wanted* the time since which deliveries count."""
    seen = probe.ask(RecentDeliveries(1))
    if seen.answer is None:
        return _unknown(expectation, seen)
    suffixes, _, family = expectation.subject.rpartition(" ")
    since = datetime.fromisoformat(expectation.wanted or "")
    recent = [
        count
        for count in seen.answer.counts
        if count.last >= since and (count.relay_host or "").endswith(tuple(suffixes.split(",")))
    ]
    sent = sum(c.count for c in recent if c.status == "sent" and family in (c.family, "any"))
    refused = [c for c in recent if c.status == "bounced" and c.dsn and c.dsn.startswith("5.7.")]
    if refused:
        return _judgement(expectation, "fails", f"refused since: {refused[0].text}", seen)
    if sent:
        return _judgement(expectation, "holds", f"{sent} delivered since", seen)
    return _judgement(expectation, "pending", "no delivery since; the next ones will tell", seen)


def _record_seen(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is `name TYPE`; *wanted* the record. Somebody else publishes it: not seen is pending."""
    name, _, rtype = expectation.subject.rpartition(" ")
    seen = probe.ask(Records(name, rtype))  # type: ignore[arg-type]
    if seen.answer is None:
        return _unknown(expectation, seen)
    wanted = (expectation.wanted or "").rstrip(".").lower()
    there = any(record.rstrip(".").lower() == wanted for record in seen.answer.records)
    return _judgement(
        expectation, "holds" if there else "pending", "seen" if there else "not published yet", seen
    )


_JUDGES: dict[str, Callable[[Expectation, Probe], Judgement]] = {
    "setting-is": _setting_is,
    "file-is": _file_is,
    "running-since": _running_since,
    "listener": _listener,
    "greeting": _greeting,
    "no-fatal": _no_fatal,
    "client-family": _client_family,
    "delivered": _delivered,
    "record-seen": _record_seen,
}


def saved(change: Change) -> Expectation | None:
    """What main.cf and master.cf must say once *change* is written; None where nothing is written."""
    if change.kind == "setting":
        return Expectation("saved", "setting-is", change.target, change.after, f"{change.target} is saved")
    if change.kind == "override":
        return Expectation("saved", "setting-is", change.target, change.after, f"{change.target} is saved")
    if change.kind == "file":
        return Expectation("saved", "file-is", change.target, change.after, f"{change.target} is written")
    return None
