"""A receiver, its rules, and words as they are compared: what files.py reads and matching.py decides by.

A rule fires where each of the conditions that it has holds: one of `token`, one of `any`, every one of `all`,
none of `none`, the `code`, the `status` (`*.7.25` stands for 4.7.25 and 5.7.25). All are plain words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from mailmend.model import MailmendError
from mailmend.parse import reply

Scope = Literal["receiver", "software", "generic", "standard"]
SCOPES: tuple[Scope, ...] = ("standard", "generic", "software", "receiver")  # the later the more is known

_GAPS = re.compile(r"[\s_-]+")
_HYPHENS = str.maketrans("", "", "_-")
_CONDITIONS = ("token", "any", "all", "none", "code", "status")


class RuleError(MailmendError):
    """A file of receivers/ is not as it should be; the reason names file and rule."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of a receiver, as a rule writes them, and as they are compared."""

    words: str
    squeezed: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One meaning of a receiver's words. *first* and *last* are the dates between which they were seen.

    A *weak* rule is about words that say little: it explains only where no other rule does.
    """

    id: str
    receiver: str
    cause: str
    source: str
    examples: tuple[str, ...]
    token: tuple[Phrase, ...] = ()
    any: tuple[Phrase, ...] = ()
    all: tuple[Phrase, ...] = ()
    none: tuple[Phrase, ...] = ()
    code: tuple[int, ...] = ()
    status: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    weak: bool = False
    first: str = ""
    last: str = ""

    @property
    def conditions(self) -> tuple[object, ...]:
        return (*(getattr(self, name) for name in _CONDITIONS),)

    @property
    def gates(self) -> tuple[str, ...]:
        """Squeezed words of which one must be in a reply for the rule to fire."""
        needed = self.token or self.any or (max(self.all, key=lambda phrase: len(phrase.squeezed)),)
        return tuple(dict.fromkeys(phrase.squeezed for phrase in needed))


@dataclass(frozen=True, slots=True, eq=False)
class Receiver:
    """Who takes the mail, or, by its *scope*, what many of them run or say.

    *hosts* are names with a dot before them: every host below, and the name itself. *tokens* in a reply are
    this receiver's alone; *hints* only tell where no host is known. *domains* are recipient domains, believed
    only where nothing else is known.
    """

    id: str
    name: str
    hosts: tuple[str, ...]
    tokens: tuple[Phrase, ...]
    hints: tuple[Phrase, ...]
    domains: tuple[str, ...]
    sources: tuple[str, ...]
    rules: Sequence[Rule]
    scope: Scope = "receiver"
    file: str = ""


@lru_cache(maxsize=1024)  # a log repeats its replies
def squeeze(text: str) -> str:
    """The text of a Reply as rules compare it: no blanks nor hyphens, for replies are wrapped within words."""
    return "".join(reply.plain(text).translate(_HYPHENS).split())


def phrases(words: Sequence[str]) -> tuple[Phrase, ...]:
    """*words* as a file has them, ready to be compared."""
    if not words:
        return ()
    # All at once: a start-up reads some thousand.
    squeezed = _GAPS.sub("", reply.plain("\0".join(words))).split("\0")
    return tuple(map(Phrase, words, squeezed))
