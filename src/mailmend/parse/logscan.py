r"""A block of Postfix's log, whole lines as bytes -> its deliveries counted, its failures and refusals whole.

The lines that may tell an outcome are picked by a plain search, which is many times faster than a pattern. Each of
them is then read from its start by one pattern, from the left, so that nothing which a stranger writes into an
address or a reply is taken for a field. No class in it contains the end of the line: a line that was cut never
swallows the next. What it does not know for certain (an address with a quote, another head) is read by
`parse.maillog`, and what that cannot read either is counted as *unparsed*, never dropped.

Counting is done in C: `Counter.update(map(itemgetter(...), pattern.findall(lines)))`. Only failed deliveries, and
refusals of our own server, are made into Python objects.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, tzinfo
from itertools import chain
from operator import itemgetter

from mailmend.parse import maillog, whose
from mailmend.parse.classes import spelled
from mailmend.parse.outcomes import BareKey, Failed, Key, PassedOn, Rejected, Scanned, Senders, delivery
from mailmend.parse.queued import Queued

__all__ = [
    "BareKey",
    "Failed",
    "Key",
    "PassedOn",
    "Rejected",
    "Scanned",
    "Scanner",
    "Senders",
    "delivery",
    "hour",
]

TEXT_KEPT = 2000  # characters of a reply
LONGEST = 2000  # bytes of a line after its head: there Postfix cuts it, as measured with 3.7


def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(spelled(pattern))


# The hour is all before the first colon: `Nov 22 10`, `2026-11-22T10`.
_HEAD = rb"\n(([^:\n]{9,13}+):[^ \n]++) ([^ \n]++) ([^\[ \n/]++/[^\[ \n]++\[\d++)\]: ([0-9A-Za-z]++): "
_ANY_HEAD = rb"\n[^\[\n/]++/[^\[\n]++\[\d++\]: [0-9A-Za-z]++: "
# `(?:x|)` is what `(?:x)?` is, without the bookkeeping of what may come again.
# What stands between in Postfix 3.5 to 3.11; whatever else a line has is read by name, and slowly.
_ENDING = rb", (?:tls=[^,\n]*+, |)dsn=([^,\n]++), status=([A-Za-z-]{2,20}+) "
# A quoted local part (RFC 5321 4.1.2) is stepped over as a whole, whatever is in it.
_QUOTED = rb'(?:"(?:[^"\\\n]++|\\[^\n])*"|)'
_DELIVERY = _compiled(
    _HEAD + rb"to=<((" + _QUOTED + rb'[^@<>"\n]*+)@?+([^@<>"\n]*+))>, '
    # Set where the address became another one: not where only its domain was completed.
    rb'(?:orig_to(=)<(?!(?i:\7@\8|\7)>)([^<>"\n]*+)>, |orig_to=<[^<>"\n]*+>, |)'
    rb"relay=([^\[\],\n]*+)(?:\[([0-9A-Fa-f]*+([.:]?)[^\[\],\n]*+)\][:\w-]*+|), "
    rb"(?:conn_use=\d++, |)delay=[^,\n]*+, delays=([^,\n]*+)" + _ENDING + rb"(?:(?<=status=sent )\(|(\(.*))"
)
_BARE = _compiled(
    _ANY_HEAD + rb"to=<" + _QUOTED + rb'[^<>"\n]*+>, (?:orig_to=<[^<>"\n]*+>, |)'
    rb"relay=([^\[\],\n]*+)(?:\[[0-9A-Fa-f]*+([.:]?)[^\[\],\n]*+\][:\w-]*+|), "
    rb"(?:conn_use=\d++, |)delay=[^,\n]*+, delays=[^,\n]*+" + _ENDING + rb"\("
)
_TAKEN_UP = _compiled(
    rb"\n[^\[\n/]++/[^\[\n]++\[\d++\]: ([0-9A-Za-z]++): from=(<" + _QUOTED + rb'[^<>"\n]*+)>, [a-z]'
)
_LEFT_QUEUE = _compiled(rb"\n[^\[\n/]++/[^\[\n]++\[\d++\]: ([0-9A-Za-z]++): removed(?=\n)")
# What is looked for begins with the rarest of its first letters: a pattern steps from one such to the next.
_REFUSAL = re.compile(rb"ject: (?<=reject: )")
_OF_HOST = re.compile(rb"host (?<=: host )")
_REJECTION = _compiled(_HEAD + rb"((?:milter-(?:header-)?)?reject: .*)")
_ON_THE_WAY = _compiled(_HEAD + rb"host ([^\s\[\n]++)\[([^\]\s]++)\] (?:said|refused to talk to me): (.)")
(_STAMP, _HOUR, _HOST, _TAG, _QUEUE, _TO, _LOCAL, _DOMAIN) = range(8)
_CODE = 7  # in a row of _ON_THE_WAY
(_MOVED, _ORIGINAL, _RELAY, _IP, _FAMILY, _DELAYS, _DSN, _STATUS, _TEXT) = range(8, 17)

_is_failure = itemgetter(_TEXT)
_queue = itemgetter(_QUEUE)
_whole = itemgetter(
    *(_STAMP, _HOST, _TAG, _QUEUE, _TO, _ORIGINAL, _RELAY, _IP, _DELAYS, _DSN, _STATUS, _TEXT)
)
_WIDTH = 12  # fields of those
_delay = itemgetter(_RELAY, _DELAYS)
_taken = itemgetter(_QUEUE, _MOVED, _ORIGINAL, _IP, _HOUR, _RELAY, _FAMILY)
_Lines = list[bytes]


# Where a row of `_DELIVERY` has them.
_PLACES = dict(zip(Key._fields, (_HOUR, _HOST, _DOMAIN, _RELAY, _FAMILY, _DSN, _STATUS, _MOVED), strict=True))


class Scanner:
    """Reads a log block by block, in its order. *counts* has the fields of `Key` that *by* names, as plain tuples,
    two at least; with *bare* those of `BareKey`, and then failures are counted only, lines are not, and neither
    refusals nor senders are kept. Of every *sampled*-th delivery (0: of none) the relay and its delays are handed out.
    *forwarded*: whose mail was forwarded is told.
    """

    def __init__(
        self,
        *,
        by: tuple[str, ...] = Key._fields,
        bare: bool = False,
        sampled: int = 0,
        forwarded: bool = False,
    ) -> None:
        self.counts: Counter[tuple[bytes, ...]] = Counter()
        self.senders = Senders()
        self._queued = Queued()
        self.sampled = sampled
        self._bare = bare
        self._tells_forwarded = forwarded
        self._by = itemgetter(*(Key._fields.index(name) for name in by))
        self._key = itemgetter(*(_PLACES[name] for name in by))

    def scan(self, block: bytes) -> Scanned:
        """Read *block*: whole lines, each with its line feed at the end."""
        if b"\0" in block:
            block = _HOLE.sub(b"", block)
        end = block.find(b"\n")
        if block[end - 1 : end] == b"\r":  # a log that came over Windows
            block = block.replace(b"\r\n", b"\n")
        # `count` looks at each byte; what is replaced is found as memchr(3) does.
        seen = Scanned(lines=0 if self._bare else len(block) - len(block.replace(b"\n", b"")))
        gone = [] if self._bare else self._learn(block, seen)
        outcomes = _with(b": to=<", block)
        if max(map(len, outcomes), default=0) > LONGEST:
            seen.unparsed += sum(map(_goes_on, outcomes))
        text = _together(outcomes)
        if _AMBIGUOUS in text:
            doubtful = [line for line in outcomes if _AMBIGUOUS in line + b"\n"]
            outcomes = [line for line in outcomes if _AMBIGUOUS not in line + b"\n"]
            text = _together(outcomes)
            for line in doubtful:
                self._slowly(line, _DELIVERY, seen)
        if self._bare:
            rows = _BARE.findall(text)
            self.counts.update(rows)
        else:
            rows = _DELIVERY.findall(text)
            self.counts.update(map(self._key, rows))
            seen.failed = self._failed(list(filter(_is_failure, rows)))
            self._settle(rows, gone, seen)
            if self._tells_forwarded:
                taken = [_taken(row) for row in rows if row[_STATUS] == b"sent" and row[_FAMILY]]
                whose.count(taken, self.senders, seen.forwarded)
            if self.sampled:
                seen.delays = [_delay(row) for row in rows[:: self.sampled]]
        if len(rows) != len(outcomes):
            self._left_over(outcomes, _BARE if self._bare else _DELIVERY, seen)
        return seen

    def _learn(self, block: bytes, seen: Scanned) -> list[bytes]:
        """The senders, and what our own server refused; the messages that left the queue are handed out as well."""
        self.senders.forget(self._queued.over)
        self.senders.turn()
        told = self._queued.read(block)
        if told:
            senders, gone = told
            self.senders.recent.update(senders)
        else:
            gone = self._learn_slowly(block, seen)
        seen.gone = b"\n".join(gone).decode().split()
        seen.messages = len(gone)
        refused = _with_rare(_REFUSAL, block)
        rows = _REJECTION.findall(_together(refused))
        seen.rejected = _rejected(rows)
        if len(rows) != len(refused):
            self._left_over(refused, _REJECTION, seen)
        hosts = _with_rare(_OF_HOST, block)
        rows = _ON_THE_WAY.findall(_together(hosts))
        seen.passed_on = [_passed_on(row) for row in rows if row[_CODE] == b"4" and _is_client(row[_TAG])]
        if len(rows) != len(hosts):
            self._left_over(hosts, _ON_THE_WAY, seen)
        return gone

    def _learn_slowly(self, block: bytes, seen: Scanned) -> list[bytes]:
        """The senders, and what left the queue, whatever their lines begin with."""
        taken = _with(b": from=<", block)
        text = _together(taken)
        self._queued.learn(text)
        rows = _TAKEN_UP.findall(text)
        self.senders.recent.update(rows)
        if len(rows) != len(taken):
            self._left_over(taken, _TAKEN_UP, seen)
        return _LEFT_QUEUE.findall(_together(_with(b": removed\n", block)))

    def _settle(self, rows: list[tuple[bytes, ...]], gone: list[bytes], seen: Scanned) -> None:
        """Tell what was sent of messages that are still there at the end of the block: few of many."""
        there = set(map(_queue, rows)).difference(gone)
        seen.settled = [
            (row[_QUEUE].decode(), _text(row[_TO]))
            for row in rows
            if row[_QUEUE] in there and row[_STATUS] == b"sent"
        ]

    def _failed(self, rows: list[tuple[bytes, ...]]) -> list[Failed]:
        """Each row of `_DELIVERY` whole."""
        # All decoded at once: field by field, the calls would cost more than the work. None has a line feed in it.
        fields = iter(_text(b"\n".join(chain.from_iterable(map(_whole, rows)))).split("\n"))
        get = self.senders.get
        senders = [None if (one := get(row[_QUEUE])) is None else _text(one) for row in rows]
        new, out = tuple.__new__, []  # as `Failed(...)` does, in a third of the time
        for sender, row in zip(senders, zip(*[fields] * _WIDTH, strict=False), strict=False):
            stamp, host, tag, queue_id, to, original, known, ip, delays, dsn, status, text = row
            program, _, pid = tag.partition("[")
            said = text[1:-1] if text[-1] == ")" else text[1:].rstrip("\r").removesuffix(")")
            if len(said) > TEXT_KEPT:
                said = said[:TEXT_KEPT]
            relay = known if known != "none" else None
            whole = (
                stamp, host, program, queue_id, sender, to, original or None, relay, ip or None, delays, dsn, status,
                said, pid,
            )  # fmt: skip
            out.append(new(Failed, whole))
        return out

    def _left_over(self, lines: _Lines, pattern: re.Pattern[bytes], seen: Scanned) -> None:
        """Read the lines that *pattern* did not match although they have in them what it looks for."""
        for line in lines:
            if not pattern.match(_together([line])):
                self._slowly(line, pattern, seen)

    def _slowly(self, raw: bytes, pattern: re.Pattern[bytes], seen: Scanned) -> None:
        """Read one line as `maillog` does, with quotes and whatever stands before it, for what *pattern* looks for."""
        line = maillog.line(raw.decode("utf-8", "backslashreplace"))
        if pattern is _TAKEN_UP:
            sender = maillog.sender(line) if line else None
            if line and line.queue_id and sender is not None:
                self.senders.recent[line.queue_id.encode()] = b"<" + sender.encode()
        elif pattern is _REJECTION:
            refused = _REFUSED.match(line.message) if line else None
            if line and refused:
                queue_id = line.queue_id or "NOQUEUE"
                seen.rejected.append(
                    Rejected(_stamp(line), line.host or "", _tag(line), queue_id, refused[1])
                )
        elif pattern is _ON_THE_WAY:
            if line and (passed := _passed_on_slowly(line)):
                seen.passed_on.append(passed)
        elif line is None:
            seen.unparsed += (
                _OUTCOME.match(raw) is not None
            )  # ours by its looks, under a head that we do not know
        elif (tried := maillog.attempt(line)) is not None:
            self._add(line, tried, seen)
        else:
            seen.unparsed += line.message.startswith("to=<")

    def _add(self, line: maillog.LogLine, tried: maillog.Attempt, seen: Scanned) -> None:
        """Count what was read slowly as what was read fast is."""
        relay = tried.relay
        moved = maillog.forwarded(tried.recipient, tried.original_recipient) is True
        stamp, domain = _stamp(line), tried.recipient.rpartition("@")[2]
        family = {"ipv4": ".", "ipv6": ":"}.get(relay.family or "", "") if relay else ""
        host = (relay.host or "") if relay else "none"
        whole = Key(
            stamp.partition(":")[0].encode(),
            (line.host or "").encode(),
            domain.encode(),
            host.encode(),
            family.encode(),
            (tried.dsn or "").encode(),
            tried.status.encode(),
            b"=" if moved else b"",
        )
        bare = (whole.relay, whole.family, whole.dsn, whole.status)
        self.counts[bare if self._bare else self._by(whole)] += 1
        if self._bare:
            return
        if tried.status == "sent":
            seen.settled.append((line.queue_id or "", tried.recipient))
            if self._tells_forwarded and relay and relay.ip:
                before, queue_id = tried.original_recipient or "", line.queue_id or ""
                row = (queue_id.encode(), whole.moved, before.encode(), relay.ip.encode())
                whose.count([(*row, whole.hour, whole.relay, whole.family)], self.senders, seen.forwarded)
            return
        sender = self.senders.get((line.queue_id or "").encode())
        seen.failed.append(
            Failed(
                stamp,
                line.host or "",
                _tag(line),
                line.queue_id or "",
                None if sender is None else _text(sender),
                tried.recipient,
                tried.original_recipient if moved else None,
                relay.host if relay else None,
                relay.ip if relay else None,
                tried.delays or "",
                tried.dsn or "",
                tried.status,
                tried.reply[:TEXT_KEPT],
                str(line.pid),
            )
        )


_OUTCOME = re.compile(rb"[^\[\n]{1,200}\[\d{1,10}\]: [0-9A-Za-z]{5,30}: to=<.*, status=[a-z]")
_HOLE = re.compile(rb"^\0+", re.MULTILINE)  # a crash or copytruncate leaves one before a line
_SECOND = re.compile(rb"/[^\[\n ]{1,60}\[\d{1,10}\]: [0-9A-Za-z]{5,30}: to=<")
# How a line ends whose recipient's domain is none: what a program on this host submits may be anything there.
_AMBIGUOUS = b"status=bounced (bad address syntax)\n"
_REFUSED = re.compile(r"((?:milter-(?:header-)?)?reject: .*)", re.DOTALL)
_STAMPED = re.compile(r"([A-Z][a-z]{2} [ \d]\d|\d{4}-\d\d-\d\d[T ])? ?\d\d:\d\d:\d\d[^ ]{0,20}")


def _stamp(line: maillog.LogLine) -> str:
    """The line's own time as it is written: the last before the program, as a container's log has two."""
    return next((m[0] for m in reversed(list(_STAMPED.finditer(line.text, 0, 120))) if m[1]), "")


def _tag(line: maillog.LogLine) -> str:
    return f"{line.tag}/{line.service}"


def _goes_on(line: bytes) -> bool:
    """Whether one that was cut goes on with another outcome, as no line of Postfix is so long."""
    return len(line) > LONGEST and _SECOND.search(line, line.find(b"]: ") + 3 + LONGEST) is not None


def _with(mark: bytes, block: bytes) -> _Lines:
    """The lines of *block* that have *mark* in them, each once."""
    lines = []
    find, back = block.find, block.rfind
    at = find(mark)
    while at >= 0:
        end = find(b"\n", at)
        end = end if end >= 0 else len(block)
        lines.append(block[back(b"\n", 0, at) + 1 : end])
        at = find(mark, end)
    return lines


def _with_rare(mark: re.Pattern[bytes], block: bytes) -> _Lines:
    """The same of a *mark* that few lines have, in three quarters of the time."""
    lines, end = [], -1
    for found in mark.finditer(block):
        at = found.start()
        if at >= end:
            end = block.find(b"\n", at)
            end = end if end >= 0 else len(block)
            lines.append(block[block.rfind(b"\n", 0, at) + 1 : end])
    return lines


def _together(lines: _Lines) -> bytes:
    """Each line with a line feed before it and one after it."""
    return b"\n".join((b"", *lines, b""))


def _rejected(rows: list[tuple[bytes, ...]]) -> list[Rejected]:
    fields = iter(_text(b"\n".join(chain.from_iterable(rows))).split("\n"))
    return [
        Rejected(stamp, host, tag.partition("[")[0], queue_id, text.rstrip("\r")[:TEXT_KEPT])
        for stamp, _, host, tag, queue_id, text in zip(*[fields] * 6, strict=False)
    ]


def _is_client(tag: bytes) -> bool:
    """Whether *tag* (`postfix/relay/smtp[77`) is a process that delivers over the network."""
    return tag.partition(b"[")[0].endswith((b"/smtp", b"/lmtp"))


def _passed_on(row: tuple[bytes, ...]) -> PassedOn:
    (stamp, _, host, tag, queue_id, relay, ip) = map(_text, row[:7])
    return PassedOn(stamp, host, tag.partition("[")[2], queue_id, relay, ip)


def _passed_on_slowly(line: maillog.LogLine) -> PassedOn | None:
    told = maillog.delivery(line)
    if told is None or told.severity != "notice" or told.relay is None or line.queue_id is None:
        return None
    if maillog.said(line.message)[:1] != "4":
        return None
    relay = told.relay
    return PassedOn(
        _stamp(line), line.host or "", str(line.pid), line.queue_id, relay.host or "", relay.ip or ""
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def hour(of: bytes | str, now: datetime, offset: tzinfo | None = None) -> datetime | None:
    """When the hour of a `Key` began: in *offset*, or in the zone of *now* where the log writes none."""
    text = of.decode("ascii", "replace") if isinstance(of, bytes) else of
    return maillog.time(f"{text}:00:00", now.astimezone(offset) if offset else now)
