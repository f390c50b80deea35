"""The DKIM signatures of a given message, verified with keys asked through the probe (RFC 6376)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import getaddresses

from mailmend.facts.looking import answer
from mailmend.model import ParseError, Probe
from mailmend.questions import Records

_CAP = 1_000_000
_SIGNATURES = 10
_DOMAIN = re.compile(r"(?:^|;)\s*d\s*=\s*([A-Za-z0-9._-]+)")
_ALGORITHM = re.compile(r"(?:^|;)\s*a\s*=\s*([A-Za-z0-9-]+)")
_NAME = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Signature:
    """*reason* is empty where it verifies. *checked*: of what cannot be verified here (RFC 8463) it is not known."""

    domain: str
    verifies: bool
    reason: str = ""
    checked: bool = True


@dataclass(frozen=True, slots=True)
class Signed:
    """*author* is the domain of the From: header, None where there is no single readable one."""

    author: str | None
    signatures: tuple[Signature, ...]


def signed(message: str, probe: Probe) -> Signed:
    """The author and the signatures of *message* (latin-1 decoded bytes).

    Raises ParseError for what has no header, looking.Unknown where a key cannot be looked up.
    """
    import dkim

    if len(message) > _CAP:
        raise ParseError("the message is larger than 1 MB", "give its header and body without attachments")
    data = re.sub(rb"\r?\n", b"\r\n", message.encode("latin-1", "replace"))
    fields = header_fields(message)
    if not fields:
        raise ParseError("this is no message: it has no header")
    found = [text for name, text in fields if name == "dkim-signature"][:_SIGNATURES]

    def key(name: bytes | str, timeout: int = 5) -> bytes | None:
        text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
        records = answer(probe, Records(text.rstrip(".").lower(), "TXT")).records
        return records[0].encode("utf-8", "surrogateescape") if records else None

    out = []
    for index, text in enumerate(found):
        domain, algorithm = _DOMAIN.search(text), _ALGORITHM.search(text)
        if algorithm and algorithm[1].lower().startswith("ed25519"):
            reason = "signed with Ed25519 (RFC 8463), which is not verified here, and few receivers verify"
            out.append(Signature(domain[1].lower() if domain else "", False, reason, checked=False))
            continue
        try:
            good = bool(dkim.DKIM(data).verify(idx=index, dnsfunc=key))
            reason = "" if good else "the signature does not match the message"
        except (dkim.DKIMException, ValueError) as wrong:
            good, reason = False, str(wrong) or type(wrong).__name__
        out.append(Signature(domain[1].lower() if domain else "", good, reason))
    authors = [text for name, text in fields if name == "from"]
    return Signed(_author(authors[0]) if len(authors) == 1 else None, tuple(out))


def _author(text: str) -> str | None:
    """The domain of the one address in a From: header, whatever its display name looks like."""
    found = {address for _, address in getaddresses([text]) if address}
    domain = found.pop().rpartition("@")[2] if len(found) == 1 else ""
    return domain.lower() if _NAME.fullmatch(domain) else None


def header_fields(message: str) -> list[tuple[str, str]]:
    """The header's fields, names lower case, values unfolded; [] where the text has no header."""
    head = re.split(r"\r?\n\r?\n", message[:64_000], maxsplit=1)[0]
    out: list[tuple[str, str]] = []
    for line in head.splitlines():
        if line[:1] in (" ", "\t") and out:
            out[-1] = (out[-1][0], f"{out[-1][1]} {line.strip()}")
            continue
        name, colon, text = line.partition(":")
        if colon and name and all(33 <= ord(char) <= 126 for char in name):
            out.append((name.lower(), text.strip()))
        elif not (line.startswith("From ") and not out):
            return []
    return out
