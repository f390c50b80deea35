"""Holds what must be true after a change against fresh looks: expectation -> judgement."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from mailmend.facts.case import refused_for_identity
from mailmend.facts.looking import Unknown
from mailmend.facts.route import routes
from mailmend.facts.settings import program
from mailmend.facts.source import without_ipv6
from mailmend.facts.written import written_is
from mailmend.model import (
    Change,
    Evidence,
    Expectation,
    Family,
    Judgement,
    Probe,
    Proof,
    Refused,
    Verdict,
    family_of,
)
from mailmend.parse import maillog
from mailmend.questions import (
    ClientTrial,
    File,
    Greeting,
    Listeners,
    LogLines,
    MapLookup,
    Master,
    Now,
    RecentDeliveries,
    Records,
    Services,
    Setting,
    Spaced,
    TrialResult,
)

# How long a client that was started before a change may still be at its delivery, by the old settings.
_GRACE = timedelta(seconds=120)
_DIED = re.compile(r"(?:fatal|panic): |warning: [^ ]+: bad command startup")
_NOWHERE = re.compile(r"reply filter drops all results|unable to look up host|Host or domain name not found")
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
    """*wanted* is the time since which no daemon may have died of its configuration.

    What died in the same words in the hour before is older trouble. Only the severity in its own place counts,
    and only of daemons: anybody may make a client's words, or sendmail(1), log "fatal".
    """
    since = datetime.fromisoformat(expectation.wanted or "")
    seen = probe.ask(LogLines(since - timedelta(hours=1)))
    if seen.answer is None:
        return _unknown(expectation, seen)
    daemons = {"master", *(program(entry.command) for entry in probe.ask(Services()).answer or ())}
    before: set[str] = set()
    fresh: list[str] = []
    for text in seen.answer:
        line = maillog.line(text, since)
        if line is None or line.service not in daemons or not _DIED.match(line.message):
            continue
        if line.at is not None and line.at < since:
            before.add(re.sub(r"\d+", "0", line.message))
        else:
            fresh.append(line.message)
    new = [message for message in fresh if re.sub(r"\d+", "0", message) not in before]
    return _judgement(expectation, "fails" if new else "holds", new[0] if new else "none logged", seen)


def _routed(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is an address, *wanted* the service of master.cf by which it must leave now."""
    try:
        ways = [one.service for one in routes(expectation.subject, probe) if one.leaves]
    except Unknown as gap:
        return _unknown(expectation, gap.evidence)
    says = f"{expectation.subject} leaves by {', '.join(dict.fromkeys(ways)) or 'no smtp client'}"
    return _judgement(expectation, "holds" if set(ways) == {expectation.wanted} else "fails", says)


def _client_ignores(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a recipient whose hosts' records of type *wanted* the smtp client must leave out.

    A trial that went over IPv4 proves nothing: the filter's own line does, or that there is nothing to leave out.
    """
    seen = probe.ask(ClientTrial(expectation.subject))
    if seen.answer is None:
        return _judgement(expectation, "pending", f"no trial possible: {seen.error}", seen)
    used, undeliverable = _families_used(seen.answer), _cut_off(seen.answer)
    if undeliverable:
        return _judgement(expectation, "fails", undeliverable, seen)
    if "ipv6" in used:
        return _judgement(expectation, "fails", "the client still uses IPv6", seen)
    if seen.answer.ignored:
        return _judgement(expectation, "holds", seen.answer.ignored[0], seen)
    if not used:
        return _judgement(expectation, "pending", "no connection came about; real deliveries will tell", seen)
    off = without_ipv6(expectation.subject, probe)
    hosts = {d.relay.host for d in seen.answer.deliveries if d.relay and d.relay.host}
    looks = [probe.ask(Records(host, "AAAA")) for host in sorted(hosts)]
    none = off or all(look.answer is not None and not look.answer.records for look in looks)
    says = off or ("there is no IPv6 address to leave out" if none else "an IPv6 address was not left out")
    return _judgement(expectation, "holds" if none else "fails", says, seen, *looks)


def _client_binds(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a recipient, *wanted* the address that must be bound for it without a complaint."""
    start = probe.ask(Now()).at
    seen = probe.ask(ClientTrial(expectation.subject))
    if seen.answer is None:
        return _judgement(expectation, "pending", f"no trial possible: {seen.error}", seen)
    log = probe.ask(LogLines(start - timedelta(seconds=1)))
    complaint = [
        line for line in log.answer or () if f"bind {expectation.wanted}" in line or "bind_address" in line
    ]
    if complaint:
        return _judgement(expectation, "fails", complaint[0], seen, log)
    says = "bound without complaint" if log.known else f"not seen: {log.error}"
    return _judgement(expectation, "holds" if log.known else "pending", says, seen, log)


def _families_used(trial: TrialResult) -> set[Family]:
    """The families of the addresses that a trial reached, or named in its failure."""
    used: set[Family] = set()
    for delivery in trial.deliveries:
        ips = [delivery.relay.ip] if delivery.relay and delivery.relay.ip else []
        if not ips and delivery.reply:
            ips = _ADDRESS.findall(delivery.reply.text)
        used |= {family for ip in ips if (family := family_of(ip))}
    return used


def _cut_off(trial: TrialResult) -> str:
    """What Postfix says where no address is left to try: the remedy took the last one away."""
    for delivery in trial.deliveries:
        text = delivery.reply.text if delivery.reply else ""
        nowhere = delivery.relay is None or delivery.relay.ip is None
        if nowhere and (_NOWHERE.search(text) or (delivery.reply and delivery.reply.status == "5.4.4")):
            return text
    return ""


def _client_family(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a recipient, *wanted* the only family the smtp client may choose for it.

    Where no connection came about at all, the client has not shown its choice yet: that is pending, and real
    deliveries will tell.
    """
    seen = probe.ask(ClientTrial(expectation.subject))
    if seen.answer is None:
        return _judgement(expectation, "pending", f"no trial possible: {seen.error}", seen)
    used, undeliverable = _families_used(seen.answer), _cut_off(seen.answer)
    if undeliverable:
        return _judgement(expectation, "fails", undeliverable, seen)
    if used - {expectation.wanted}:
        return _judgement(expectation, "fails", f"the client still uses {', '.join(sorted(used))}", seen)
    if used:
        return _judgement(expectation, "holds", f"the client uses {expectation.wanted} only", seen)
    return _judgement(expectation, "pending", "no connection came about; real deliveries will tell", seen)


def _delivered(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is `suffix,suffix family`; *wanted* the time since which deliveries count.

    Only a refusal for who is sending fails it, and not by a client that was at work before the change: spam,
    unknown users and the old settings are another matter.
    """
    seen = probe.ask(RecentDeliveries(1))
    if seen.answer is None:
        return _unknown(expectation, seen)
    suffixes, _, family = expectation.subject.rpartition(" ")
    since = datetime.fromisoformat(expectation.wanted or "")
    recent = [
        count
        for count in seen.answer.counts
        if count.last >= since and f".{count.relay_host or ''}".endswith(tuple(suffixes.split(",")))
    ]
    sent = sum(c.count for c in recent if c.status == "sent" and family in (c.family, "any"))
    refused = [
        c for c in recent if c.last >= since + _GRACE and c.status == "bounced" and refused_for_identity(c)
    ]
    if refused:
        return _judgement(expectation, "fails", f"refused since: {refused[0].text}", seen)
    if sent:
        return _judgement(expectation, "holds", "mail was taken since", seen)
    return _judgement(expectation, "pending", "no delivery since; the next ones will tell", seen)


def _milter(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a milter, as smtpd_milters names it; smtpd(8) asks it before it greets, and logs what fails."""
    start = probe.ask(Now()).at
    ports = [s for s in probe.ask(Listeners()).answer or () if family_of(s.address) == "ipv4"]
    first = min(ports, key=lambda s: s.port, default=None)
    if first is None:
        return _judgement(expectation, "pending", "no listener; the next mail will tell")
    address = "127.0.0.1" if first.address == "0.0.0.0" else first.address  # noqa: S104
    greeted = probe.ask(Greeting(address, first.port))
    log = probe.ask(LogLines(start - timedelta(seconds=1)))
    if log.answer is None or greeted.answer is None:
        return _judgement(
            expectation, "unknown", f"could not look: {log.error or greeted.error}", greeted, log
        )
    # At the beginning of the message: what stands further on may be a client's words.
    heads = tuple(
        f"warning: {words} {expectation.subject}:" for words in ("connect to Milter service", "milter")
    )
    lines = (maillog.line(text, start) for text in log.answer)
    complaint = [line.message for line in lines if line and line.message.startswith(heads)]
    says = complaint[-1] if complaint else "asked at the start of a session without complaint"
    return _judgement(expectation, "fails" if complaint else "holds", says, greeted, log)


def _answers(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is `type:table key`; *wanted* what the table must say to that key, "" for nothing."""
    table, _, key = expectation.subject.partition(" ")
    seen = probe.ask(MapLookup(table, key))
    if seen.answer is None:
        return _unknown(expectation, seen)
    holds = seen.answer == expectation.wanted
    return _judgement(expectation, "holds" if holds else "fails", seen.answer or "no answer", seen)


def _spaced(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a service that may deliver one message in *wanted* seconds, now and then one more.

    A queue manager that is started anew does not know of the one before.
    """
    seen = probe.ask(Spaced(expectation.subject, float(expectation.wanted or "")))
    if seen.answer is None:
        return _unknown(expectation, seen)
    if seen.answer.shortest is None:
        return _judgement(expectation, "pending", "no two deliveries yet; the next ones will tell", seen)
    says = f"{seen.answer.messages} deliveries, the closest {seen.answer.shortest:.1f} s apart"
    often = seen.answer.close > max(1, seen.answer.messages // 20)
    return _judgement(expectation, "fails" if often else "holds", says, seen)


def _rewritten(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is a recipient; mail of strangers must leave for it under an envelope of the domain *wanted*."""
    from mailmend.facts.forward_measured import leaves_as

    try:
        sender, _way = leaves_as("anybody@sender.example", expectation.subject, probe)
    except Unknown as gap:
        return _unknown(expectation, gap.evidence)
    except Refused as refused:
        return _judgement(expectation, "fails", refused.reason)
    says = f"it leaves as {sender}"
    holds = sender.rpartition("@")[2].lower() == expectation.wanted
    return _judgement(expectation, "holds" if holds else "fails", says)


def _rewrites_into(expectation: Expectation, probe: Probe) -> Judgement:
    """*subject* is the table by which a daemon for SRS is asked; strangers get addresses of the domain *wanted*."""
    seen = probe.ask(MapLookup(expectation.subject, "anybody@sender.example"))
    if seen.answer is None:
        return _unknown(expectation, seen)
    holds = seen.answer.rpartition("@")[2].lower() == expectation.wanted
    return _judgement(
        expectation, "holds" if holds else "fails", seen.answer or "it leaves them as they are", seen
    )


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
    "written-is": written_is,
    "file-is": _file_is,
    "running-since": _running_since,
    "listener": _listener,
    "greeting": _greeting,
    "no-fatal": _no_fatal,
    "routed": _routed,
    "client-family": _client_family,
    "client-ignores": _client_ignores,
    "client-binds": _client_binds,
    "delivered": _delivered,
    "rewritten": _rewritten,
    "rewrites-into": _rewrites_into,
    "answers": _answers,
    "spaced": _spaced,
    "milter": _milter,
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
