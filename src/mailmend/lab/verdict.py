"""A message and its way here -> what a receiver thinks of them: FCrDNS, SPF, DKIM, DMARC.

Judged with pyspf and dkimpy, not with mailmend's own code, so that the lab can prove mailmend wrong.
"""

from __future__ import annotations

import email.utils
import threading
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from ipaddress import ip_address
from typing import Any

from mailmend.lab.zones import Zones

# pyspf looks names up through one variable of its module.
_spf_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Verdict:
    """*fcrdns*: a PTR that resolves back. *spf*: RFC 7208 result for MAIL FROM (HELO for the null sender).

    *dkim*: `pass`, `fail` or `none`; *dkim_domain* its d=. *dmarc*: `pass`, `fail` or `none` (no record); *policy*
    its p=.
    """

    fcrdns: bool
    spf: str
    spf_domain: str
    dkim: str
    dmarc: str
    policy: str
    from_domain: str
    dkim_domain: str = ""

    @property
    def authenticated(self) -> bool:
        return self.spf == "pass" or self.dkim == "pass"


def judge(ip: str, helo: str, mail_from: str, raw: bytes, zones: Zones) -> Verdict:
    """*ip* is the client's, *raw* the message with CRLF."""
    spf_domain = (mail_from.rpartition("@")[2] or helo).lower()
    spf = _spf(ip, helo, mail_from, zones)
    dkim, dkim_domain = _dkim(raw, zones)
    heading = BytesHeaderParser().parsebytes(raw)
    author = email.utils.parseaddr(str(heading.get("From", "")))[1].rpartition("@")[2].lower()
    policy, record = _policy(author, zones)
    aligned = (spf == "pass" and _aligned(spf_domain, author, record.get("aspf"))) or (
        dkim == "pass" and _aligned(dkim_domain, author, record.get("adkim"))
    )
    dmarc = "none" if not policy else "pass" if aligned else "fail"
    return Verdict(fcrdns(ip, zones), spf, spf_domain, dkim, dmarc, policy, author, dkim_domain)


def fcrdns(ip: str, zones: Zones) -> bool:
    """Whether one of the address's PTR names has the address again."""
    wanted = ip_address(ip)
    kind = "AAAA" if wanted.version == 6 else "A"
    return any(ip_address(a) == wanted for name in zones.values(ip, "PTR") for a in zones.values(name, kind))


def _spf(ip: str, helo: str, mail_from: str, zones: Zones) -> str:
    import spf

    with _spf_lock:
        spf.DNSLookup = _pyspf_lookup(zones)
        return str(spf.check2(i=ip, s=mail_from or f"postmaster@{helo}", h=helo)[0])


def _pyspf_lookup(zones: Zones) -> Any:
    """Answers in the shapes of pyspf's own resolver: addresses and names as text, TXT as byte strings."""

    def lookup(name: str, kind: str, _strict: object = True, _timeout: object = 0) -> list[Any]:
        found: list[Any] = []
        for value in zones.values(name, kind):
            shaped: Any = value
            if kind == "MX":
                preference, host = value.split()
                shaped = (int(preference), host)
            elif kind == "TXT":
                shaped = (value.encode("utf-8", "surrogateescape"),)
            found.append(((name, kind), shaped))
        return found

    return lookup


def _dkim(raw: bytes, zones: Zones) -> tuple[str, str]:
    """The result and the signing domain of the first signature that passes, else of the last one."""
    import dkim

    def txt(name: bytes, **_options: object) -> bytes | None:
        values = zones.values(name.decode("ascii", "replace"), "TXT")
        return values[0].encode() if values else None

    signatures = [
        value for key, value in BytesHeaderParser().parsebytes(raw).items() if key == "DKIM-Signature"
    ]
    result, domain = "none", ""
    for number, signature in enumerate(signatures):
        tags = dkim.util.parse_tag_value("".join(str(signature).split()).encode())
        domain = tags.get(b"d", b"").decode("ascii", "replace").lower()
        try:
            if dkim.DKIM(raw).verify(idx=number, dnsfunc=txt):
                return "pass", domain
        except dkim.DKIMException:
            pass
        result = "fail"
    return result, domain


def _aligned(domain: str, author: str, mode: str | None) -> bool:
    """RFC 7489 3.1: the same domain, or where *mode* is not strict (`s`) the same organisation's."""
    return domain == author or (mode != "s" and _organisation(domain) == _organisation(author))


def _policy(domain: str, zones: Zones) -> tuple[str, dict[str, str]]:
    """What the From: domain's DMARC record asks for (RFC 7489 6.6.3) and its tags; "" where there is none."""
    for name in dict.fromkeys((domain, _organisation(domain))):
        for text in zones.values(f"_dmarc.{name}", "TXT"):
            tags = dict(part.strip().split("=", 1) for part in text.split(";") if "=" in part)
            if tags.get("v") == "DMARC1":
                below = tags.get("sp") if name != domain else None
                return (below or tags.get("p", "none")).lower(), tags
    return "", {}


def _organisation(domain: str) -> str:
    """All names of the lab are registered directly below a public suffix of one label."""
    return ".".join(domain.rstrip(".").split(".")[-2:])
