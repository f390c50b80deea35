"""Whatever a person has of a refusal -> Deliveries: a bounce, log lines, a reply, quoted or wrapped text.

The shapes are told apart here and read in a file each: a message (bounce.py), the queue (mailq.py, waiting.py), a
service's JSON (trace.py), a log (logged.py), bare replies (replies.py), a session (dialogue.py), other text (prose.py).
A shape more is a file more, and a line in `_LISTS` or `_deliveries`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailmend.model import Delivery, ParseError
from mailmend.parse import (
    bounce,
    dialogue,
    dsn,
    html,
    logged,
    mailq,
    mbox,
    message,
    notice,
    prose,
    replies,
    returned,
    trace,
    waiting,
    words,
)

MESSAGE_CAP = 1024 * 1024  # of a message; what a bounce says stands in its beginning
LARGEST = 5 * 1024 * 1024  # bytes of anything else
LARGEST_PROSE = 32 * 1024  # characters of what is neither a message nor a log
LARGEST_TEXT = 1024 * 1024  # of it, those in which passages with a code are looked for
QUOTES_CAP = 5  # times that somebody quoted somebody
_START = 2 * 64 * 1024  # bytes in which the headers of a message have ended
Note = Callable[[str], None]
_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF16_START = 400  # bytes that tell UTF-16 from what is binary
MOST = 20_000  # deliveries

_QUOTED = re.compile(r"^[ \t]?(?:> ?|\|(?: |$))", re.MULTILINE)
_QUOTES = re.compile(r"\s{0,8}(?:>|\|(?: |$))")
_PACKED = (
    (b"\x1f\x8b", "packed by gzip", "unpack it first: zcat FILE | mailmend explain -"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (b"\xd0\xcf\x11\xe0", "a message in Outlook's own format", "save it as .eml, or give its text"),
    (b"%PDF-", "a PDF", "give the message itself, or the text in it"),
)
_AROUND = 1000  # characters before and after a code that belong to it
_CODE = re.compile(r"[45](?<![\w.][45])(?:\d\d[ -]|\.\d{1,3}\.\d)")
_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_A_REPLY = re.compile(r"\s{0,80}[245]\d\d[ -]")
_FIELDS = ("reporting-mta:", "final-recipient:")
_STATUS_FIELD = re.compile(
    r"^[ \t]*(?:Reporting-MTA|Final-Recipient): ?[A-Za-z0-9-]+;", re.MULTILINE | re.IGNORECASE
)
_LISTS = (mailq.deliveries, waiting.deliveries, trace.deliveries, logged.deliveries)


def deliveries(data: bytes, note: Note = lambda _: None) -> tuple[Delivery, ...]:
    """The delivery attempts that *data* speaks of, in their order; () where there is no refusal in it.

    An ordinary mail is not a bounce, even where it quotes one. Of a message larger than 1 MB the first 1 MB is read,
    of a long text what stands around codes: *note* is told so. Raises ParseError for anything else that is larger
    than 5 MB, for what is empty or no text; the reason names the place.
    """
    if mbox.begins(data):
        each = list(mbox.messages(data[:LARGEST].splitlines(keepends=True), MESSAGE_CAP))
        found = tuple(d for one, _ in each for d in _read(one, note))
    else:
        found = _read(data, note)
    if len(found) > MOST:
        raise ParseError(
            f"{len(found)} deliveries are too many to be explained one by one",
            "give the lines concerned alone",
        )
    return found


def is_message(data: bytes) -> bool:
    """Whether *data* begins as a mail message does."""
    start = _one_line_end(data[:_START].decode("utf-8", "surrogateescape")).lstrip("\n")
    head = start.partition("\n\n")[0]
    return len(head) <= message.HEADERS_CAP and message.read(head) is not None


def _read(data: bytes, note: Note) -> tuple[Delivery, ...]:
    if data[:1] in (b"4", b"5") and (listed := replies.deliveries(_text(data))):
        return listed
    if is_message(data):
        if len(data) > MESSAGE_CAP:
            note("larger than 1 MB: the first 1 MB of it was read")
        text = data[:MESSAGE_CAP].replace(b"\0", b"").decode("utf-8", "surrogateescape")
        return _deliveries(_unquoted(_one_line_end(text)), note)
    return _deliveries(_unquoted(_text(data)), note)


def _deliveries(text: str, note: Note) -> tuple[Delivery, ...]:
    whole = message.read(text)
    if whole:
        return bounce.of(whole)
    if not message.is_clean(text):
        text = text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    if "\x1b" in text:
        text = _unescaped(text)
    lower = text.lower()  # a plain look before the pattern, which tries every line
    field = _STATUS_FIELD.search(text) if any(name in lower for name in _FIELDS) else None
    if field:
        return dsn.report(_dedented(text[field.start() :]), text[: field.start()])
    told = next((found for read in _LISTS if (found := read(text))), ())
    if told:
        return told
    if len(text) > LARGEST_PROSE:
        note(
            f"{len(text) // 1024} KB of text that is neither a message nor a log: only what stands around a code"
            f" such as 550 was read, {LARGEST_PROSE // 1024} KB of it at most"
        )
        text = _passages(text)
    seen = html.text(text) if html.looks_like(text) else text
    return dialogue.deliveries(seen) or _bounce_text(seen) or prose.deliveries(seen)


def _passages(text: str) -> str:
    """Of a long text the paragraphs around a code, or what is near it, from its beginning on."""
    found: list[str] = []
    room, done = LARGEST_PROSE, 0
    for code in _CODE.finditer(text, 0, LARGEST_TEXT):
        if code.start() < done or room <= 0:
            continue
        begins = max(text.rfind("\n\n", done, code.start()), code.start() - _AROUND, done)
        ends = text.find("\n\n", code.end(), code.end() + _AROUND)
        done = ends if ends >= 0 else code.end() + _AROUND
        found.append(text[begins:done][:room])
        room -= len(found[-1]) + 2
    return "\n\n".join(found)


def _unescaped(text: str) -> str:
    """*text* without a terminal's colours; in Japanese where its escapes are those of ISO-2022-JP."""
    text = _COLOURS.sub("", text)
    return words.decoded(text.encode("utf-8", "replace"), "iso-2022-jp") if "\x1b$" in text else text


def _bounce_text(text: str) -> tuple[Delivery, ...]:
    """What a bounce says to people, copied without its headers; () where it is no such text, or names nobody."""
    if _A_REPLY.match(text) or not notice.says_undelivered(text):
        return ()
    found = returned.deliveries(text)
    return found if any(d.recipient and d.reply for d in found) else ()


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        size = len(data) / 1024 / 1024
        raise ParseError(f"{size:.1f} MB is more than the {LARGEST // 1024 // 1024} MB that can be explained",
                         "give the bounce or the log lines concerned alone")  # fmt: skip
    wide = _utf16(data) if data[:2] in _MARKS or b"\0" in data[:_UTF16_START] else None
    if wide:
        text = data.decode(wide, "replace").removeprefix("\ufeff")
    else:
        packed = None if data[:1].isdigit() else next((p for p in _PACKED if data.startswith(p[0])), None)
        if packed:
            raise ParseError(f"byte 0: binary, {packed[1]}", packed[2])
        nul = data.find(b"\0")
        if nul >= 0:
            raise ParseError(f"byte {nul}: binary, not text", "give a message, log lines or a reply")
        # Bytes that are no UTF-8 are kept until it is known which part of a message they belong to.
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    controls = None if text.isprintable() else _CONTROLS.search(text)
    if controls:
        raise ParseError(
            f"character {controls.start()}: binary, not text", "give a message, log lines or a reply"
        )
    if not text.strip():
        raise ParseError("the input is empty", "give a bounce, log lines or a reply, as a file or on stdin")
    return _one_line_end(text)


def _utf16(data: bytes) -> str | None:
    """The encoding of what a Windows editor wrote, with its mark or without."""
    if data[:2] in _MARKS:
        return "utf-16"
    start = data[:_UTF16_START]
    zeros = [start[at::2].count(0) for at in (0, 1)]
    enough = 0.4 * len(start)  # nearly every other byte of a text in Latin letters
    if len(start) < 8 or max(zeros) < enough or min(zeros):
        return None
    return "utf-16-le" if zeros[1] else "utf-16-be"


def _one_line_end(text: str) -> str:
    if "\r" not in text:
        return text
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


_CONTROLS = re.compile(r"[\x01-\x06\x0e-\x1a\x1c-\x1f]")


def _unquoted(text: str) -> str:
    """*text* without the `> ` of a mail client, where at least half of its lines have one."""
    for _ in range(QUOTES_CAP):
        lines = [line for line in text[: 64 * 1024].split("\n", 1000)[:1000] if line.strip()]
        quoted = sum(_QUOTES.match(line) is not None for line in lines)
        if quoted == 0 or 2 * quoted < len(lines):
            break
        text = _QUOTED.sub("", text)
    return text


def _dedented(text: str) -> str:
    """*text* without the indentation that its first line has in common with the others."""
    first = text.split("\n", 1)[0]
    margin = first[: len(first) - len(first.lstrip())]
    return text.replace(f"\n{margin}", "\n").lstrip() if margin else text
