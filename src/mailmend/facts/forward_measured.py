"""This host, its DNS and a sender's -> the ways that his forwarded mail takes, ready to be predicted.

Reads the effective configuration as Postfix applies it: a round through a listener on loopback whose cleanup
rewrites senders, canonical tables, the family that smtp_address_preference prefers, addresses that
smtp_dns_reply_filter leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mailmend.facts import mx, pacing
from mailmend.facts.dmarc import policy, stands_for
from mailmend.facts.forward_outcome import Mail, Signature, Way
from mailmend.facts.forwarding import alterations, unseen
from mailmend.facts.identity import forward_confirmed
from mailmend.facts.route import Route, route
from mailmend.facts.services import service
from mailmend.facts.settings import lookup, tables, value
from mailmend.facts.source import sources
from mailmend.facts.spf import Result, check_host
from mailmend.model import Family, Probe, Refused
from mailmend.parse.listing import words
from mailmend.questions import MapLookup

_ROUNDS = 3  # through listeners of this host, before it is called a loop
_NOBODY = "192.0.2.255"  # an address of nobody's (RFC 5737)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Sender:
    """*envelope* and *author* are addresses, *envelope* "" for the null sender. *signer*: the domain whose signature
    verifies when his mail arrives, "" where none does; None: not known. *signed*: it has one at all.
    """

    envelope: str
    author: str
    signer: str | None
    signed: bool = True
    at_once: int = 1


def mail(sender: Sender, probe: Probe) -> Mail:
    """What DNS says of the sender's domains. Raises looking.Unknown where it does not answer."""
    author = sender.author.rpartition("@")[2].lower()
    envelope = sender.envelope.rpartition("@")[2].lower()
    asked = policy(author, probe)
    wants = asked.policy if asked else ""
    return Mail(
        envelope=envelope,
        author=author,
        policy=wants if wants in ("none", "quarantine", "reject", "") else "none",  # type: ignore[arg-type]
        spf_aligned=bool(envelope) and stands_for(envelope, author, bool(asked and asked.strict_spf), probe),
        signature=_signature(sender, author, bool(asked and asked.strict_dkim), probe),
        at_once=sender.at_once,
    )


def ways(sender: Sender, recipient: str, probe: Probe) -> tuple[Way, ...]:
    """Every way that mail of *sender* may take to *recipient* (where it is forwarded to), first what is tried first.

    Behind a relay there is one, by which address is the relay's choice; its names are taken to be in order.
    Raises Refused where it does not leave by SMTP, looking.Unknown where something that decides cannot be read.
    """
    envelope, out = leaves_as(sender.envelope, recipient, probe)
    rewritten = envelope.rpartition("@")[2].lower() != sender.envelope.rpartition("@")[2].lower()
    helo = value(probe, "smtp_helo_name", out.service)
    intact = _intact(probe, out.service)
    if _behind_a_relay(out, probe):
        # What may send for everybody may be sent by the relay too; of anything else its address decides.
        anybody = check_host(_NOBODY, envelope.rpartition("@")[2] or helo, envelope, helo, probe).result
        known: Result | None = "pass" if anybody == "pass" else None
        return (Way("ipv4", True, known, rewritten, intact, relay=out.nexthop),)
    paced = pacing.paced(out.service, out.domain, probe)
    found = []
    for family, addresses in _reachable(out, probe).items():
        for source in sources(out.service, probe, addresses[:1]):
            if source.outward is None:
                spf = named = None
            else:
                domain = envelope.rpartition("@")[2] or helo
                spf = check_host(source.outward, domain, envelope, helo, probe).result
                named = forward_confirmed(source.outward, probe)
            found.append(Way(family, named, spf, rewritten, intact, paced))
    return _in_order(found, value(probe, "smtp_address_preference", out.service))


def leaves_as(sender: str, recipient: str, probe: Probe) -> tuple[str, Route]:
    """The envelope sender under which mail of *sender* leaves for *recipient*, and the last route it takes."""
    current = _canonical(sender, "cleanup/unix", probe)
    for _ in range(_ROUNDS):
        # The null sender has a key of its own in sender_dependent tables, which none of ours answers.
        way = route(recipient, probe, current or None)
        if not way.leaves:
            raise Refused(f"mail to {recipient} does not leave this host by SMTP", "name its final recipient")
        host, bracketed = mx.bare_host(way.nexthop)
        if not (bracketed and host in _LOOPBACK):
            return current, way
        port = way.nexthop.rpartition(":")[2] if way.nexthop.count(":") else "25"
        listener = next(
            (
                name
                for address in ("127.0.0.1:", "localhost:", "")
                if service(probe, name := f"{address}{port}/inet")
            ),
            None,
        )
        if listener is None:
            raise Refused(
                f"mail to {recipient} goes through {way.nexthop}, which is no listener of Postfix",
                "what that program does with it is not known",
            )
        cleanup = value(probe, "cleanup_service_name", listener)
        current = _canonical(current, f"{cleanup}/unix", probe)
    raise Refused(
        f"mail to {recipient} goes round through {way.nexthop} again and again", "mailmend check route"
    )


def _canonical(sender: str, cleanup: str, probe: Probe) -> str:
    """What cleanup(8) makes of an envelope sender: sender_canonical_maps, then canonical_maps."""
    for maps, classes in (
        ("sender_canonical_maps", "sender_canonical_classes"),
        ("canonical_maps", "canonical_classes"),
    ):
        text = value(probe, maps, cleanup)
        if sender and text and "envelope_sender" in words(value(probe, classes, cleanup)):
            keys = (sender, f"@{sender.rpartition('@')[2]}")
            found = next(
                (hit for n, key in enumerate(keys) if (hit := lookup(probe, text, key, whole=not n))), ""
            )
            sender = found if "@" in found.removeprefix("@") and not found.startswith("@") else sender
    return sender


def _behind_a_relay(out: Route, probe: Probe) -> bool:
    """Whether another host than the receiver's own takes it (relayhost, transport_maps)."""
    if not out.relayed or mx.direct(out.domain, out.nexthop, probe):
        return False
    whose = mx.receiver(out.nexthop, probe)
    return whose is None or whose != mx.receiver(out.domain, probe)


def _reachable(out: Route, probe: Probe) -> dict[Family, tuple[str, ...]]:
    """The addresses at which the smtp client would try the next hop, by family, its reply filter heeded."""
    reached: dict[Family, tuple[str, ...]] = {}
    protocols = words(value(probe, "inet_protocols", out.service).lower())
    filtering = tables(value(probe, "smtp_dns_reply_filter", out.service))
    families: tuple[Family, ...] = ("ipv6", "ipv4")
    for family in families:
        if family not in protocols and "all" not in protocols:
            continue
        kind = "AAAA" if family == "ipv6" else "A"
        addresses = tuple(
            address
            for host in mx.hosts(out.nexthop, probe).hosts
            for address in mx.addresses(host, family, probe)
            if not any(_ignored(table, f"{host}. 5 IN {kind} {address}", probe) for table in filtering)
        )
        if addresses:
            reached[family] = addresses
    return reached


def _ignored(table: str, record: str, probe: Probe) -> bool:
    """The first table that has an answer decides; ours answer IGNORE only."""
    seen = probe.ask(MapLookup(table, record))
    return bool(seen.answer and seen.answer.split()[0].upper() == "IGNORE")


def _in_order(found: list[Way], preference: str) -> tuple[Way, ...]:
    """What may be tried first, each with what is tried after it: a refusal for good ends it, a later does not."""
    first = [way for way in found if way.family == preference] or found
    return tuple(
        replace(way, then=next((other for other in found if other.family != way.family), None))
        for way in first
    )


def _intact(probe: Probe, client: str) -> bool | None:
    """False where Postfix is set to change what a signature covers; None where it, or a program, might."""
    if alterations(probe, client):
        return False
    return None if unseen(probe, client) else True


def _signature(sender: Sender, author: str, strict: bool, probe: Probe) -> Signature | None:
    if sender.signer is None:
        return None
    if not sender.signer:
        return "broken" if sender.signed else "none"
    return "aligned" if stands_for(sender.signer, author, strict, probe) else "foreign"
