"""What is measured of this host and of a sender -> whether the receiver takes his mail once it was forwarded.

The rules are those that Google publishes for all senders, over both families alike
(support.google.com/a/answer/81126, answer/14229414): a confirmed PTR, SPF or DKIM, the DMARC policy of the author's
domain (RFC 9989 4.7), and no more mail at once than it likes. SRS repairs SPF and never DMARC: what the author's
domain asks for is then left to his own signature.

Where something is not known, every possibility is tried: what comes out alike for all of them is known after all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, Literal

from mailmend.facts.spf import Result
from mailmend.model import Family

Signature = Literal["aligned", "foreign", "none", "broken"]
# Narrowest first; the names are those of remedies, and `unaltered`, which only the operator can do.
CURES = ("unaltered", "srs", "pace", "dns-records", "ipv4-for-receiver")


@dataclass(frozen=True, slots=True)
class Mail:
    """Mail of one kind as it arrives here. *envelope*: its sender's domain, "" for the null sender.

    *policy*: what the author's domain asks for in DMARC, "" where it has no record. *spf_aligned*: the envelope's
    domain stands for the author's. *signature*: `aligned` verifies and stands for the author, `foreign` verifies
    and does not, `broken` came broken; None: not known. *at_once*: how many come in a short time.
    """

    envelope: str
    author: str
    policy: Literal["", "none", "quarantine", "reject"]
    spf_aligned: bool
    signature: Signature | None
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class Way:
    """One address of this host towards the receiver, as the receiver will judge it for one kind of mail.

    *named*: a PTR that resolves back (None: not known). *spf*: the result for the envelope as it leaves, of the
    HELO name where the sender is null (RFC 7208 2.4); None: not known. *rewritten*: it leaves under an envelope of
    this host. *intact*: header and body leave as they came. *paced*: no more at a time than the receiver likes.
    *then*: what Postfix tries next when it is told to come later; the other family, where the receiver has it.
    *relay*: the next hop that it is handed to, "" for the receiver itself. Then the relay's address is judged, of which
    nothing is known here.
    """

    family: Family
    named: bool | None
    spf: Result | None
    rewritten: bool
    intact: bool | None
    paced: bool = False
    then: Way | None = None
    relay: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """*cause* is a page of causes/, "" where it is accepted. *cures*: the fewest remedies with which it is
    accepted; () with `refused`: nothing on this host cures it, and the mail must be fetched another way.
    """

    verdict: Literal["accepted", "refused", "unknown"]
    cause: str = ""
    cures: tuple[str, ...] = ()


def predict(mail: Mail, way: Way, *, allowed: int | None = None) -> Prediction:
    """*allowed*: how many messages at once the receiver is known to take, None where it never complained.

    `refused` with several possible causes names the first by its id.
    """
    causes = {_refusal(m, w, allowed) for m, w in _possible(mail, way)}
    if causes == {""}:
        return Prediction("accepted")
    verdict: Literal["refused", "unknown"] = "unknown" if "" in causes else "refused"
    return Prediction(verdict, min(causes - {""}), _cures(mail, way, allowed))


def _refusal(mail: Mail, way: Way, allowed: int | None) -> str:
    """The cause in the order in which Gmail's receivers name it; everything is known here."""
    signed = way.intact and mail.signature in ("aligned", "foreign")
    authenticated = way.spf == "pass" or signed
    stands = (way.intact and mail.signature == "aligned") or (
        way.spf == "pass" and mail.spf_aligned and not way.rewritten
    )
    if way.family == "ipv6" and not (way.named and authenticated):
        return "ipv6-ptr-or-auth"
    if not way.named:
        return "ptr-missing"
    if mail.policy == "reject" and not stands:
        return "dmarc-reject"
    if not authenticated:
        return "unauthenticated"
    if allowed is not None and mail.at_once > allowed and not way.paced:
        # Told to come later (4.7.28), Postfix goes on to the other family at once, and a refusal there is for good.
        return (way.then and _refusal(mail, way.then, allowed)) or "rate-limited-reputation"
    return ""


def _possible(mail: Mail, way: Way) -> Iterator[tuple[Mail, Way]]:
    """Every world that what is known leaves possible."""
    signatures: tuple[Signature, ...] = ("aligned", "foreign", "none", "broken")
    for signature in signatures if mail.signature is None else (mail.signature,):
        for one in _settled(way):
            yield replace(mail, signature=signature), one


def _settled(way: Way) -> Iterator[Way]:
    results: tuple[Result, ...] = ("pass", "fail")
    for named, spf, intact, then in product(
        (True, False) if way.named is None else (way.named,),
        results if way.spf is None or way.spf == "temperror" else (way.spf,),
        (True, False) if way.intact is None else (way.intact,),
        (None,) if way.then is None else tuple(_settled(way.then)),
    ):
        yield replace(way, named=named, spf=spf, intact=intact, then=then)


def _cures(mail: Mail, way: Way, allowed: int | None) -> tuple[str, ...]:
    """The fewest cures after which it is accepted in every possible world, the narrowest of them first."""
    for size in range(1, len(CURES) + 1):
        for chosen in combinations(CURES, size):
            cured = _cured(chosen, mail, way)
            if cured and all(not _refusal(m, w, allowed) for m, w in _possible(mail, cured)):
                return chosen
    return ()


def _cured(chosen: tuple[str, ...], mail: Mail, way: Way) -> Way | None:
    """*way* as it would be with these cures; None where one of them cannot be had, or changes nothing."""
    if "ipv4-for-receiver" in chosen:
        ipv4 = next((one for one in (way, way.then) if one and one.family == "ipv4"), None)
        if ipv4 is None or (ipv4 is way and way.then is None):
            return None
        way = replace(ipv4, then=None)
    if "srs" in chosen and (not mail.envelope or way.rewritten):
        return None  # a null sender is never rewritten
    if "unaltered" in chosen:
        way = _each(way, intact=True)
    if "srs" in chosen:
        way = _each(way, rewritten=True, spf="pass")
    if "pace" in chosen:
        way = _each(way, paced=True)
    if "dns-records" in chosen:
        # What this host can publish: its PTR, and SPF for its own names, the HELO name among them.
        ours = way.rewritten or not mail.envelope
        way = _each(way, named=True, **({"spf": "pass"} if ours else {}))
    return way


def _each(way: Way, **known: Any) -> Way:
    then = replace(way.then, **known) if way.then else None
    return replace(way, **known, then=then)
