"""What receivers say and what it means: one TOML file a receiver, and the matcher that reads a reply by it.

load() -> (Receiver, ...)            of(delivery, receivers) -> Receiver | None
read(delivery, receivers) -> (Receiver | None, Match | None), match(...) the latter alone
of_host("aspmx.l.google.com") -> "google"
"""

from __future__ import annotations

from mailmend.receivers.files import load
from mailmend.receivers.matching import GAVE_UP, Match, match, of, of_host, read
from mailmend.receivers.rules import Receiver, Rule, RuleError
from mailmend.receivers.validate import validate

__all__ = [
    "GAVE_UP",
    "Match",
    "Receiver",
    "Rule",
    "RuleError",
    "load",
    "match",
    "of",
    "of_host",
    "read",
    "validate",
]
