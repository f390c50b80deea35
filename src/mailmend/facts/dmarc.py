"""What the owner of a From: domain asks receivers to do with mail that does not align (DMARC, RFC 9989)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailmend.facts.looking import answer
from mailmend.model import Probe
from mailmend.questions import Records

_STEPS = 8  # the tree walk's own limit


@dataclass(frozen=True, slots=True)
class Policy:
    """*at* is the domain that publishes it; *policy* is `none`, `quarantine` or `reject`."""

    at: str
    policy: str
    strict_dkim: bool
    strict_spf: bool = False


def policy(domain: str, probe: Probe) -> Policy | None:
    """The policy for *domain*: its own record, else that of the nearest parent. Unknown if unread."""
    labels = domain.lower().rstrip(".").split(".")
    for start in range(max(0, min(len(labels) - 1, _STEPS))):
        at = ".".join(labels[start:])
        texts = answer(probe, Records(f"_dmarc.{at}", "TXT")).records
        records = [t for t in texts if re.match(r"v=DMARC1(?=[;\s]|$)", t)]
        if len(records) == 1:
            tags = dict(re.findall(r"(?:^|;)\s*([a-z]+)\s*=\s*([^;\s]*)", records[0]))
            asked = (tags.get("sp") if start and "sp" in tags else tags.get("p")) or "none"
            return Policy(at, asked.lower(), tags.get("adkim") == "s", tags.get("aspf") == "s")
    return None


def aligned(signer: str, author: str, strict: bool) -> bool:
    """Whether the signing domain *signer* stands for *author*: the same, or one inside the other's tree.

    Without a public-suffix list two sibling subdomains are not known to be one organisation's.
    """
    signer, author = signer.lower(), author.lower()
    if signer == author:
        return True
    return not strict and (author.endswith("." + signer) or signer.endswith("." + author)) and "." in signer


def organisation(domain: str, probe: Probe) -> str:
    """The domain at the top of *domain*'s own tree (RFC 9989 4.10.2): the uppermost that has a DMARC record, the one
    below a record with psd=y; *domain* itself where none has one. Unknown if unread."""
    labels = domain.lower().rstrip(".").split(".")
    top = domain.lower().rstrip(".")
    for start in range(max(0, len(labels) - _STEPS), len(labels)):
        at = ".".join(labels[start:])
        texts = answer(probe, Records(f"_dmarc.{at}", "TXT")).records
        records = [t for t in texts if re.match(r"v=DMARC1(?=[;\s]|$)", t)]
        if len(records) != 1:
            continue
        suffix = re.search(r"(?:^|;)\s*psd\s*=\s*([yn])", records[0])
        if suffix and suffix[1] == "n":
            return at
        if suffix and start:
            return ".".join(labels[start - 1 :])
        top = at
    return top
