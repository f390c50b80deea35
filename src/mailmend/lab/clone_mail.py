"""Test mails through the copy of a host, and what its own log says became of each (RFC 5321, postconf(5))."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mailmend.model import CannotLook, Family, family_of
from mailmend.rehearsal import Fate

if TYPE_CHECKING:
    from mailmend.lab.driver import Lab

_LINE = re.compile(r"^\S+ \S+ \S+\[\d+\]: (?P<id>[0-9A-Za-z]{6,}): (?P<rest>.*)$", re.MULTILINE)
_MESSAGE_ID = re.compile(r"message-id=<(?P<trace>[^@>]+)@")
_WORD = re.compile(
    r"to=<[^>]*>, (?:orig_to=<[^>]*>, )?relay=(?P<host>[^[,]+)(?:\[(?P<ip>[^]]*)\](?::\d+)?)?, .*?"
    r"status=(?P<status>sent|bounced|deferred) \((?P<text>.*)\)$"
)
_HANDED_ON = re.compile(r"(?:queued|forwarded) as (?P<id>[0-9A-Za-z]{6,})")
# Between two messages: else a session is used again, and messages of one session share one choice of address.
_GAP = 0.03


# So many independent choices between two addresses leave one of them out once in 64 times ...
MANY = 7
# ... and so often it is tried again, where only one was seen.
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Mail:
    """*count* messages by one way: handed in on the host (`host`), or by a stranger over SMTP (`outside`).

    MANY are for a receiver that treats the address families differently.
    """

    way: str
    says: str
    recipient: str
    sender: str
    entry: Literal["host", "outside"]
    count: int


def go(
    lab: Lab,
    mails: Sequence[Mail],
    *,
    directory: str,
    via: str | None,
    timeout: float,
) -> list[tuple[Fate, ...]]:
    """Send them all, wait for the last word on each, and say what became of them, in the order of *mails*.

    *directory* is the instance that takes mail on the host; *via* the address strangers reach, None for none.
    Of MANY that tried one address family alone, more are sent, lest that was chance: a family that is missed, before
    the change or with it, would be called better or worse for that alone.
    """
    fates: list[list[Fate]] = [[] for _ in mails]
    waiting = list(range(len(mails)))
    for _ in range(_ROUNDS):
        for number, came in zip(
            waiting, _round(lab, [mails[n] for n in waiting], directory, via, timeout), strict=True
        ):
            fates[number] += came
        waiting = [n for n in waiting if mails[n].count == MANY and len(_families(fates[n])) == 1]
        if not waiting:
            break
    return [_tally(each) for each in fates]


def _families(fates: Iterable[Fate]) -> set[Family]:
    return {fate.family for fate in fates if fate.family}


def _round(
    lab: Lab, mails: Sequence[Mail], directory: str, via: str | None, timeout: float
) -> list[list[Fate]]:
    from mailmend.lab.sending import new_traces

    said: dict[str, str] = {}
    traces = []
    for mail in mails:
        mine = new_traces(mail.count)
        traces.append(mine)
        if mail.entry == "host":
            said |= _hand_in(lab, mail, mine, directory)
        else:
            said |= _from_outside(lab, mail, mine, via)
    taken = [trace for mine in traces for trace in mine if said[trace] == ""]
    found = _settled(lab, taken, timeout)
    return [[fate for t in mine for fate in found.get(t) or (_refused(said[t]),)] for mine in traces]


def _refused(reply: str) -> Fate:
    if reply:
        return Fate("rejected", None, None, reply, 1)
    return Fate("lost", None, None, "the log had no last word on it in time", 1)


def _hand_in(lab: Lab, mail: Mail, traces: list[str], directory: str) -> dict[str, str]:
    """sendmail(1), as programs on the host do; an empty reply is a message taken."""
    said = {}
    for trace in traces:
        text = (
            f"From: <{mail.sender}>\nTo: <{mail.recipient}>\nSubject: rehearsal\nMessage-ID: <{trace}@rehearsal>\n"
            f"X-Trace: {trace}\n\nA message of a rehearsal.\n"
        )
        argv = ["/usr/sbin/sendmail", "-C", directory, "-i", "-f", mail.sender, "--", mail.recipient]
        done = lab.relay.run(argv, input=text, timeout=30, env={"MAIL_CONFIG": directory})
        said[trace] = (
            "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1:][0] if done.stderr else "?"
        )
        time.sleep(_GAP)
    return said


def _from_outside(lab: Lab, mail: Mail, traces: list[str], via: str | None) -> dict[str, str]:
    if via is None:
        return dict.fromkeys(traces, "nothing listens for mail from outside")
    try:
        replies = lab._world.call(
            "send", via=via, traces=traces, sender=mail.sender, author=mail.sender, to=mail.recipient, signer="",
            broken=False, subject="rehearsal", body="A message of a rehearsal.", gap=_GAP, timeout=60,
        )  # fmt: skip
    except (CannotLook, TimeoutError) as failure:
        return dict.fromkeys(traces, str(failure).removeprefix("send: ") or "no session")
    return {t: "" if reply.startswith("250") else reply for t, reply in zip(traces, replies, strict=True)}


def _settled(lab: Lab, traces: Iterable[str], timeout: float) -> dict[str, tuple[Fate, ...]]:
    """The last words on each message, once all are told or *timeout* seconds have passed."""
    wanted = set(traces)
    deadline = time.monotonic() + timeout
    while True:
        told = read(lab.relay.log())
        if wanted <= told.keys() or time.monotonic() > deadline:
            return told
        time.sleep(0.05)


def read(log: str) -> dict[str, tuple[Fate, ...]]:
    """By trace, for each message whose every copy has come to an end, or waits for its next attempt.

    A message handed on to another queue (a filter, another instance, an alias) counts by what comes of that.
    """
    ids: dict[str, list[str]] = {}
    words: dict[str, list[re.Match[str]]] = {}
    removed: set[str] = set()
    for line in _LINE.finditer(log):
        queue_id, rest = line["id"], line["rest"]
        if found := _MESSAGE_ID.match(rest):
            ids.setdefault(found["trace"], []).append(queue_id)
        elif rest == "removed":
            removed.add(queue_id)
        elif word := _WORD.match(rest):
            words.setdefault(queue_id, []).append(word)
    told = {}
    for trace, queue_ids in ids.items():
        if any(q not in removed and not _waits(words.get(q, [])) for q in queue_ids):
            continue
        last = [w for q in queue_ids for w in words.get(q, []) if not _goes_on(w, queue_ids)]
        if last:
            told[trace] = tuple(map(_fate, last))
    return told


def _waits(words: list[re.Match[str]]) -> bool:
    return any(word["status"] == "deferred" for word in words)


def _goes_on(word: re.Match[str], queue_ids: list[str]) -> bool:
    found = _HANDED_ON.search(word["text"])
    return word["status"] == "sent" and found is not None and found["id"] in queue_ids


def _fate(word: re.Match[str]) -> Fate:
    ip = word["ip"]
    relay = None if word["host"] == "none" else f"{word['host']}[{ip}]" if ip else word["host"]
    return Fate(word["status"], family_of(ip), relay, word["text"], 1)  # type: ignore[arg-type]  # as the pattern has it


def _tally(fates: Iterable[Fate]) -> tuple[Fate, ...]:
    """What went alike, counted."""
    every = list(fates)
    counts = Counter((f.status, f.family or "", _host(f.relay)) for f in every)
    first = {(f.status, f.family or "", _host(f.relay)): f for f in reversed(every)}
    return tuple(Fate(f.status, f.family, f.relay, f.text, counts[k]) for k, f in sorted(first.items()))


def _host(relay: str | None) -> str:
    return (relay or "").partition("[")[0]
