"""Causes to hold -> a regexp_table(5) that turns their refusals, and no others, from 5.x.y into 4.x.y.

For smtp_delivery_status_filter (postconf(5)), which is asked with `5.7.1 host NAME[IP] said: 550-5.7.1 ...`.
Derived from the rules by which `explain` reads the same words, with its precedence (receivers/matching.py): a
phrase is held inside `if !/.../` for everything that would explain the reply otherwise and no worse. Where a
table cannot say what a rule says, it holds less, never more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from mailmend.receivers import Receiver
from mailmend.receivers.rules import SCOPES, Rule, squeeze

# What may stand between two words of a reply: blanks, hyphens, and the codes that a further line begins with.
_GAP = "[ #._0-9-]*"
_SAID = "^5[.0-9]+ host [^ ]+ (said|refused to talk to me): "
# What smtp(8) itself says around a reply (smtp_chat.c, smtp_proto.c).
_FRAME = (
    "host said refused to talk to me in reply to end of DATA command RCPT TO MAIL FROM HELO EHLO STARTTLS AUTH"
    " XFORWARD initial"
)
_WORDS = re.compile(r"[\s_-]+")
_SPECIAL = re.compile(r"[].[()^$|*?+{}\\/]")
_OTHER = re.compile(r"[^\x20-\x7e]|['\"`]")
_MAIL = re.compile(r"e?mail")
_TELLING = re.compile(r"[a-z0-9]{4,}")
_SEVERAL = 2  # phrases that a telling word must stand for

# What is looked up is kept, but for its first digit.
HOLD = "/^5(.+)$/ 4$1"

# How a rule's agreement is weighed, as in matching.py: scope, token, words, code or status, letters.
_Weight = tuple[int, bool, bool, bool, int]


@dataclass(frozen=True, slots=True)
class _Line:
    """One way in which a rule agrees: *pattern* must be found, *also* each too, *never* none of them.

    *words* are the phrases in question, as the rule has them.
    """

    weight: _Weight
    held: bool
    words: str
    pattern: str
    also: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


# By falling weight: what explains otherwise from here on, and what is held unless that is there.
_Level = tuple[tuple[str, ...], tuple[_Line, ...]]


def table(
    causes: Collection[str],
    receivers: Sequence[Receiver],
    kin: Collection[str] = (),
    never: Collection[str] = (),
) -> str:
    """The table's lines for *causes* (ids of pages), each ended by a newline.

    *kin* are causes that are told in like words: a word of theirs does not tell that something else is meant.
    A reply with the words of one of *never* is not held, even where other words of it weigh more.
    A receiver's rules hold at its own hosts alone, everybody's at the hosts of nobody we know. Rules marked
    `weak` say too little to hold mail by.
    """
    wanted = frozenset(causes)
    language = _language(wanted.union(kin), receivers)
    own = [r for r in receivers if r.scope == "receiver"]
    lines = [f"if /{_SAID}/"]
    for receiver in own:
        levels = _levels([*_lines(receiver, wanted, never)])
        if levels:
            lines += [f"# {receiver.name}", *_at(receiver, own, _nested(levels))]
    common = [line for r in receivers if r.scope != "receiver" for line in _lines(r, wanted, never)]
    levels = _levels(common, language)
    if levels:
        known = _hosts(host for receiver in own for host in receiver.hosts)
        lines += ["# everybody else", f"if !/{known}/", *_nested(levels), "endif"]
    return "\n".join([*lines, "endif", ""])


def _language(causes: Collection[str], receivers: Iterable[Receiver]) -> str:
    """All that is known to be said for *causes*: what is no part of it tells another refusal."""
    rules = [rule for receiver in receivers for rule in receiver.rules if rule.cause in causes]
    phrases = (p.words for rule in rules for p in (*rule.token, *rule.any, *rule.all))
    examples = (text for rule in rules for text in rule.examples)
    return squeeze(" \0 ".join((_FRAME, *phrases, *examples)))


def _lines(receiver: Receiver, wanted: Collection[str], first_of_all: Collection[str]) -> Iterator[_Line]:
    for rule in receiver.rules:
        start = _start(rule)
        if rule.weak or start is None:
            continue
        held = rule.cause in wanted
        letters = sum(len(phrase.squeezed) for phrase in rule.all)
        first = rule.token or rule.any or (max(rule.all, key=lambda phrase: len(phrase.squeezed)),)
        also = tuple(pattern(phrase.words) for phrase in rule.all if phrase not in first)
        if rule.token and rule.any:
            also += ("|".join(pattern(phrase.words) for phrase in rule.any),)
            letters += (min if held else max)(len(phrase.squeezed) for phrase in rule.any)
        for phrase in first:
            weight = (
                len(SCOPES) if rule.cause in first_of_all else SCOPES.index(receiver.scope),
                bool(rule.token),
                bool(rule.any or rule.all),
                bool(rule.code or rule.status),
                letters + (len(phrase.squeezed) if rule.token or rule.any else 0),
            )
            never = tuple(pattern(each.words) for each in rule.none)
            yield _Line(weight, held, phrase.words, start + pattern(phrase.words), also, never)


def _start(rule: Rule) -> str | None:
    """What stands before a rule's words: its code and status. "" for none, None for what is no refusal."""
    codes = "|".join(str(code) for code in rule.code if 500 <= code <= 599)
    statuses = [one for text in rule.status for one in _statuses(text)]
    if (rule.code and not codes) or (rule.status and not statuses):
        return None
    before = ""
    if statuses:
        before = f"^5[.]({'|'.join(statuses)}) [^]]*].*"
    if codes:
        before = (before.removesuffix("[^]]*].*") or "^5[.0-9]+ ") + f"[^]]*][^ ]* [a-z ]+: ({codes})[ -].*"
    return before


def _statuses(text: str) -> Iterator[str]:
    """`*.7.25` -> `7[.]25`; `5.7.606-649` -> each of them. Nothing for those of deferrals."""
    if text[0] not in "*5":
        return
    first, dash, last = text[2:].partition("-")
    subject, _, detail = first.partition(".")
    for number in range(int(detail), int(last if dash else detail) + 1):
        yield f"{subject}[.]{number}"


def _levels(lines: Sequence[_Line], language: str | None = None) -> tuple[_Level, ...]:
    """Those of *lines* by weight; what weighs less than all that is held is left out.

    With *language*, telling words stand for what explains otherwise: less is held then, and by a smaller table.
    """
    lightest = min((line.weight for line in lines if line.held), default=None)
    if lightest is None:
        return ()
    against = [line for line in lines if not line.held and line.weight >= lightest]
    short = _telling(against, language) if language else {}
    levels: list[_Level] = []
    otherwise: dict[str, None] = {}
    seen: set[str] = set()
    falling = sorted(
        (*against, *(line for line in lines if line.held)), key=lambda line: line.weight, reverse=True
    )
    for _, group in groupby(falling, key=lambda line: line.weight):
        alike = list(group)
        for line in alike:
            if not line.held:
                otherwise.setdefault(short.get(line) or _together(line))
        held = tuple(line for line in alike if line.held)
        if held:
            levels.append((tuple(each for each in otherwise if each not in seen), held))
            seen.update(otherwise)
            otherwise = {}
    return tuple(levels)


def _telling(against: Sequence[_Line], language: str) -> dict[_Line, str]:
    """Words that stand for several phrases: where one is said, no reply of *language* is.

    Each pattern costs every smtp(8) process memory (some 10 kB in glibc), and most refusals that are not to be
    held have such a word: mailbox, quota, spamhaus.
    """
    by_word: dict[str, set[_Line]] = {}
    for line in against:
        for word in _TELLING.findall(line.words.casefold()):
            if squeeze(word) not in language:
                by_word.setdefault(word, set()).add(line)
    found: dict[_Line, str] = {}
    while by_word:
        word, lines = max(by_word.items(), key=lambda item: (len(item[1]), item[0]))
        if len(lines) < _SEVERAL:
            break
        # Not as a part of a host's name: mx1.mailbox.org.
        found |= dict.fromkeys(lines, f"[^.]{word}")
        by_word = {w: rest for w, each in by_word.items() if w != word and (rest := each - lines)}
    return found


def _together(line: _Line) -> str:
    """What must be there for *line* to agree, as one pattern; of more than two parts the first two."""
    if not line.also:
        return line.pattern
    start, dot, words = line.pattern.rpartition(".*") if line.pattern[0] == "^" else ("", "", line.pattern)
    other = line.also[0]
    return f"{start}{dot}(({words}).*({other})|({other}).*({words}))"


def _nested(levels: Iterable[_Level]) -> tuple[str, ...]:
    lines: list[str] = []
    depth = 0
    for otherwise, held in levels:
        if otherwise:
            lines.append(f"if !/{'|'.join(otherwise)}/")
            depth += 1
        alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
        for line in held:
            alike.setdefault((line.also, line.never), []).append(line.pattern)
        for (also, never), patterns in alike.items():
            conditions = [f"if /{_said([each])}/" for each in also]
            conditions.append(f"if /{_said(patterns)}/")
            if never:
                conditions.append(f"if !/{'|'.join(never)}/")
            lines += [*conditions, HOLD, *("endif" for _ in conditions)]
    return (*lines, *("endif" for _ in range(depth)))


def _said(patterns: Iterable[str]) -> str:
    """One of *patterns*, in what was said: a host may have any name, and its owner chooses it."""
    whole = [each for each in patterns if each[0] == "^"]
    words = [each for each in patterns if each[0] != "^"]
    return "|".join((*([f"].*({'|'.join(words)})"] if words else []), *whole))


def _at(receiver: Receiver, every: Iterable[Receiver], lines: Iterable[str]) -> Iterator[str]:
    """*lines* for what a host of *receiver* said; of two suffixes the longer tells whose a host is."""
    longer = [h for r in every if r is not receiver for h in r.hosts if h.endswith(receiver.hosts)]
    yield f"if /{_hosts(receiver.hosts)}/"
    yield from (f"if !/{_hosts(longer)}/", *lines, "endif") if longer else lines
    yield "endif"


def _hosts(suffixes: Iterable[str]) -> str:
    names = "|".join(_literal(suffix.removeprefix(".")) for suffix in suffixes)
    return rf"^5[.0-9]+ host ([^ []*[.])?({names})\["


def pattern(words: str) -> str:
    """A phrase of a rule as an extended regular expression (regex(7)), compared as `receivers.rules.squeeze` does."""
    parts = [part for part in _WORDS.split(words.strip().casefold()) if part]
    return _GAP.join(_part(part) for part in _joined(parts))


def _joined(parts: Sequence[str]) -> Iterator[str]:
    """`e-mail` is one word, however it is written."""
    waiting = ""
    for part in parts:
        if waiting and not part.startswith("mail"):
            yield waiting
            waiting = ""
        if part == "e":
            waiting = part
            continue
        yield waiting + part
        waiting = ""
    if waiting:
        yield waiting


def _part(part: str) -> str:
    if _MAIL.fullmatch(part):
        return "(e-?)?mail"
    out, end = [], 0
    for other in _OTHER.finditer(part):
        # Quotes are curly or not; any other letter beyond ASCII stands as its bytes in UTF-8.
        way = ".{1,3}" if other[0] in "'\"`’‘“”" else other[0]
        out += [_literal(part[end : other.start()]), way]
        end = other.end()
    return "".join([*out, _literal(part[end:])])


def _literal(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)
