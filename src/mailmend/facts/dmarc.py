"""What the owner of a From: domain asks receivers to do with mail that does not align (DMARC, RFC 9989)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailmend.facts.looking import answer
from mailmend.model import Probe
from mailmend.questions import Records

_STEPS = 8  # the tree walk's own limit


_WEAKER = {"reject": "quarantine", "quarantine": "none"}


@dataclass(frozen=True, slots=True)
class Policy:
    """*at* is the domain that publishes it; *policy* is `none`, `quarantine` or `reject`, as receivers apply it: one
    step weaker than written where its owner is only testing (t=y; RFC 7489 had pct=0 for that)."""

    at: str
    policy: str
    strict_dkim: bool
    strict_spf: bool = False


def policy(domain: str, probe: Probe) -> Policy | None:
    """The policy for *domain*: its own record, else its organisation's, else that of the public suffix above
    (RFC 9989 4.10.1), by sp, or np where *domain* is not in DNS (4.7). Unknown if unread."""
    name = domain.lower().rstrip(".")
    if tags := _tags(name, probe):
        return _applied(name, tags, tags.get("p"))
    top = organisation(name, probe)
    above = top.partition(".")[2]
    at, tags = top, _tags(top, probe)
    if not tags and above:
        at, tags = above, _tags(above, probe)
        tags = tags if tags.get("psd", "").lower() == "y" else {}
    if not tags:
        return None
    asked = tags.get("sp", tags.get("p"))
    if "np" in tags and not answer(probe, Records(name, "A")).exists:
        asked = tags["np"]
    return _applied(at, tags, asked)


def _applied(at: str, tags: dict[str, str], asked: str | None) -> Policy:
    wants = (asked or "none").lower()
    if tags.get("t", "").lower() == "y" or tags.get("pct") == "0":
        wants = _WEAKER.get(wants, wants)
    return Policy(at, wants, tags.get("adkim", "").lower() == "s", tags.get("aspf", "").lower() == "s")


def _tags(domain: str, probe: Probe) -> dict[str, str]:
    """The tags of the one DMARC record of *domain*; {} where it has none, or several, which count as none."""
    texts = answer(probe, Records(f"_dmarc.{domain}", "TXT")).records
    records = [t for t in texts if re.match(r"[vV][ \t]*=[ \t]*DMARC1(?=[;\s]|$)", t)]
    if len(records) != 1:
        return {}
    found = re.findall(r"(?:^|;)\s*([a-zA-Z]+)\s*=\s*([^;\s]*)", records[0])
    return {name.lower(): text for name, text in found}


def aligned(signer: str, author: str, strict: bool) -> bool:
    """Whether the signing domain *signer* stands for *author*: the same, or one inside the other's tree.

    Without a public-suffix list two sibling subdomains are not known to be one organisation's.
    """
    signer, author = signer.lower(), author.lower()
    if signer == author:
        return True
    return not strict and (author.endswith("." + signer) or signer.endswith("." + author)) and "." in signer


def stands_for(domain: str, author: str, strict: bool, probe: Probe) -> bool:
    """RFC 9989 4.10: the same domain, or of one organisation, as both trees' records tell it. Unknown if unread."""
    domain, author = domain.lower(), author.lower()
    if domain == author or strict:
        return domain == author
    return aligned(domain, author, strict=False) or organisation(domain, probe) == organisation(author, probe)


def organisation(domain: str, probe: Probe) -> str:
    """The domain at the top of *domain*'s own tree (RFC 9989 4.10.2): the uppermost that has a DMARC record, the one
    below a record with psd=y; *domain* itself where none has one. Unknown if unread."""
    labels = domain.lower().rstrip(".").split(".")
    top = domain.lower().rstrip(".")
    for start in range(max(0, len(labels) - _STEPS), len(labels)):
        at = ".".join(labels[start:])
        tags = _tags(at, probe)
        if not tags:
            continue
        suffix = tags.get("psd", "").lower()
        if suffix == "n":
            return at
        if suffix == "y" and start:
            return ".".join(labels[start - 1 :])
        top = at
    return top
