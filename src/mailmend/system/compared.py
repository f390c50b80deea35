"""What the canary of a candidate did, held against the canary of what is saved now -> what the change would break.

What never worked is not blamed on a change; what stops working is, and so is a door that opens to strangers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailmend.system.canary import Complaint, Observed, Script
from mailmend.system.dialogue import IN_TIME, STRANGERS, Said, Talk

# What is said for reasons of its own: names that resolve at one moment and not at the next, strangers that
# nobody knows, our own connections that are given up without a request, what works today all the same, and the name
# that a message has for the moment in which it is written (TIME.PID), seen by a postsuper(1) that looks just then.
_PASSING = re.compile(
    r"malformed request|end-of-input|premature end|lost connection|unexpected EOF|timeout|timed out"
    r"|hostname .* (?:does not resolve|verification failed)|address not listed"
    r"|RBL lookup error|[Ll]ookup error: |Name service error|read .*: Connection reset"
    r"|bogus file name: (?:incoming|maildrop)/\d+\.\d+$"
    r"|process .* (?:exit status|killed by signal)|deprecated|will be removed"
)
_THROTTLED = re.compile(r"([^/\s]+): bad command startup|process (?:\S*/)?([^/\s]+) pid \d+ exit status")
# Postfix's own words for a server that cannot do its work; a policy's "come back later" is no such thing.
_GREYLISTED = re.compile(r"gr[ae]y ?list", re.IGNORECASE)
_HOME = "this host"
# virtual(8) and its like die on every host that has no use for them.
_EVERYWHERE = frozenset(("master", "qmgr", "cleanup", "trivial-rewrite", "proxymap", "smtpd", "smtp"))


def broken(present: Observed, candidate: Observed, script: Script) -> tuple[str, ...]:
    """One line for each thing that the candidate would break, the cause before what follows from it; () for none."""
    if candidate.ended:
        return (f"master would not run: {candidate.ended}",)
    new = _new(present, candidate)
    deaths = [c for c in new if c.severity in ("fatal", "panic")]
    out = [f"{c.daemon} would die: {c.text}" for c in deaths]
    if not deaths:
        dying = {c.daemon for c in present.complaints if c.severity in ("fatal", "panic")}
        stopped = [(m[1] or m[2], c.text) for c in new if (m := _THROTTLED.search(c.text))]
        out += [f"{daemon} would not start: {text}" for daemon, text in stopped if daemon not in dying]
    spoken = list(_spoken(present, candidate, script))
    said = [
        f"{c.daemon} would say: {c.text}" for c in new if not _THROTTLED.search(c.text) and c not in deaths
    ]
    # A warning explains a conversation that went wrong; alone it is enough too.
    out += [*said[:1], *spoken, *said[1:]] if spoken else said
    out += _routed(present, candidate)
    return tuple(dict.fromkeys(out))


def unable(alone: Observed) -> tuple[str, ...]:
    """One line for each thing that no server is configured to do, where there is no other to hold it against."""
    died = (c for c in alone.complaints if c.severity in ("fatal", "panic") and c.daemon in _EVERYWHERE)
    said = [
        f"{service} fails for {recipient}: {_refusal(replies)}"
        for (service, _), talk in alone.talks.items()
        for recipient, replies in talk.recipients
        if any(s.code == 451 and s.text.startswith("4.3.5") for s in replies)  # RFC 3463: misconfigured
    ]
    why = [c for c in alone.complaints if said and c.severity == "warning" and c.daemon == "smtpd"]
    return tuple(dict.fromkeys((*(f"{c.daemon}: {c.text}" for c in (*died, *why)), *said)))


def _routed(present: Observed, candidate: Observed) -> Iterator[str]:
    for recipient, before in present.resolved.items():
        now = candidate.resolved.get(recipient)
        if before is not None and now is None:
            yield f"trivial-rewrite would not say where mail to {recipient} goes"
        elif now is not None and now not in candidate.transports and before in present.transports:
            yield f"mail to {recipient} would go by the transport {now}, which master.cf does not have"


def _new(present: Observed, candidate: Observed) -> list[Complaint]:
    known = {(c.severity, c.kind) for c in present.complaints}
    grave = [c for c in candidate.complaints if (c.severity, c.kind) not in known]
    return [
        c
        for c in grave
        if c.severity != "warning" or "bad command startup" in c.text or not _PASSING.search(c.text)
    ]


def _spoken(present: Observed, candidate: Observed, script: Script) -> Iterator[str]:
    for (service, client), now in candidate.talks.items():
        before = present.talks.get((service, client))
        if before is None:
            before = Talk(Said(220, ""))  # a new listener has to greet, and must not be open to strangers
        yield from _one(service, client, before, now, script)


def _one(service: str, client: str, before: Talk, now: Talk, script: Script) -> Iterator[str]:
    if before.greeting.taken and not now.greeting.taken:
        yield f"{service} would not greet {_whom(client)}: {now.greeting}"
        return
    if before.tls is not None and before.tls.code == 220 and now.tls is not None and now.tls.code != 220:
        yield f"{service} would fail at STARTTLS: {now.tls}"
        return
    was = dict(before.recipients)
    for recipient, said in now.recipients:
        old, taken = was.get(recipient, ()), any(s.taken for s in said)
        had = any(s.taken for s in old)
        if client in STRANGERS and recipient in script.foreign:
            if taken and not had:
                yield (f"open relay: {service} would take {_whom(client)}'s mail to {recipient} for others")
        elif had and not taken and not all(_may_pass(s) for s in said):
            yield f"{service} would refuse mail to {recipient} from {_whom(client)}: {_refusal(said)}"
            return
        elif old and not had and not taken and _worse(old, said):
            yield f"{service} would fail for {recipient}: {_refusal(said)}"
            return


def _may_pass(said: Said) -> bool:
    """A policy's "come back later", or a slow moment of this machine: neither is a defect of the settings."""
    return bool(_GREYLISTED.search(said.text)) or (said.code == 0 and said.text.endswith(IN_TIME))


def _worse(old: tuple[Said, ...], now: tuple[Said, ...]) -> bool:
    """A clear no that becomes a server's trouble: no answer, 421, or 451 for a table that cannot be asked."""
    if all(_may_pass(s) for s in now):
        return False
    return all(s.code in (0, 421, 451) for s in now) and not any(s.code in (0, 421, 451) for s in old)


def _refusal(said: tuple[Said, ...]) -> str:
    return str(next((s for s in reversed(said) if not s.taken), said[-1])).replace("\n", " ")


def _whom(client: str) -> str:
    return client if client == _HOME else f"a {client}"
