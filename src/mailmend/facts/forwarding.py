"""Whether this host forwards other people's mail, and in what state that leaves: envelope and signatures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mailmend.facts import judging, pacing, signing, srs
from mailmend.facts.looking import Unknown, answer
from mailmend.facts.route import routes
from mailmend.facts.senders import domain_of, left, rewritten, senders
from mailmend.facts.services import overrides, services
from mailmend.facts.settings import lookup, program, tables, value
from mailmend.model import Probe, Scope
from mailmend.parse.listing import words
from mailmend.questions import DeliveryCount, File, RecentDeliveries

# Tables of patterns that act on a message's header or body (header_checks(5)).
_CONTENT_TABLES = (
    "header_checks",
    "mime_header_checks",
    "body_checks",
    "smtp_header_checks",
    "smtp_mime_header_checks",
    "smtp_body_checks",
)
_ALTERS = re.compile(r"\s(?:REPLACE|STRIP|IGNORE|PREPEND)(?:\s|$)", re.IGNORECASE)
_CLIENT = "smtp/unix"
_SRS_SIGNS = ("srs", ":10001", ":10003")


@dataclass(frozen=True, slots=True)
class Forwarded:
    """*known* by the log or a route that was followed. *count*: forwarded deliveries logged.

    *strangers*: others' domains under which mail leaves with its envelope not rewritten; what left so before SRS was
    set up (facts/srs.py) is over.
    """

    known: bool
    count: int
    strangers: tuple[str, ...]
    rewritten: int
    way: str


def forwarded(scope: Scope, probe: Probe) -> Forwarded:
    """What the log and the routes of the scope's recipients show. Unknown where neither can be read."""
    log = probe.ask(RecentDeliveries())
    # What went round through a listener of this host leaves without orig_to=; SRS marks it as forwarded.
    counts = [
        c
        for c in (log.answer.counts if log.answer else ())
        if left(c) and (c.forwarded or any(map(rewritten, c.senders)))
    ]
    named = [way for r in scope.recipients for way in routes(r, probe) if way.forwarded and way.leaves]
    if log.answer is None and not named:
        raise Unknown(log)
    foreign = senders(Scope(), probe).foreign if counts else ()
    mine = {domain_of(s) for c in counts for s in c.senders if s and not rewritten(s)}
    ours = {s for c in counts for s in c.senders if rewritten(s)}
    bare = [name for name in foreign if name in mine]
    if bare and pacing.scoped_srs(probe):
        bare = [name for name in bare if not _goes_round(name, counts, probe)]
    return Forwarded(
        known=bool(counts or named),
        count=sum(c.forwarded or _rewritten_of(c) for c in counts),
        strangers=tuple(bare),
        rewritten=len(ours),
        way=f"{named[0].recipient} goes to {named[0].final}" if named else "",
    )


def _goes_round(domain: str, counts: Iterable[DeliveryCount], probe: Probe) -> bool:
    """Whether mail of *domain* is sent round to be rewritten now, and no route in transport_maps goes past that."""
    by_sender = value(probe, "sender_dependent_default_transport_maps")
    if not lookup(probe, by_sender, f"anybody@{domain}", whole=True).startswith(f"{srs.REWRITE}:"):
        return False
    routes_past = value(probe, "transport_maps")
    to = {c.recipient_domain for c in counts if domain in map(domain_of, c.senders)}
    return not (routes_past and any(lookup(probe, routes_past, name, whole=False) for name in to))


def _rewritten_of(count: DeliveryCount) -> int:
    """How many of these deliveries left rewritten: all, or where own senders are among them one a sender at least."""
    ours = sum(map(rewritten, count.senders))
    return count.count if ours == len(count.senders) else ours


def envelope_rewriter(probe: Probe) -> str | None:
    """The setting that rewrites envelope senders (`sender_canonical_maps = ...`), None where there is none.

    A table counts where it rewrites envelopes at all (sender_canonical_classes) and is a service, as the
    SRS daemons are, or is named for SRS; so does one named for SRS that sends mail round (facts/srs.py).
    Unknown where the settings cannot be read.
    """
    for name, classes in (
        ("sender_canonical_maps", "sender_canonical_classes"),
        ("canonical_maps", "canonical_classes"),
    ):
        text = value(probe, name)
        if "envelope_sender" not in words(value(probe, classes)):
            continue
        for table in tables(text):
            service = table.removeprefix("proxy:").partition(":")[0] in ("tcp", "socketmap")
            if service or any(sign in table.lower() for sign in _SRS_SIGNS):
                return f"{name} = {table}"
    for table in tables(value(probe, "sender_dependent_default_transport_maps")):
        if "srs" in table.lower():
            return f"sender_dependent_default_transport_maps = {table}"
    for name in ("smtpd_milters", "non_smtpd_milters"):
        for milter in words(value(probe, name)):
            if "srs" in milter.lower():
                return f"{name} = {milter}"
    return None


def alterations(probe: Probe, client: str = _CLIENT) -> tuple[tuple[str, str], ...]:
    """(setting, why) for each that changes what a DKIM signature covers, of mail that leaves by *client*.

    What master.cf says of cleanup and of *client* is heeded. Unknown where unread.
    """
    return (*_tables_that_alter(probe, client), *_rewriting_of_headers(probe), *_other_alterations(probe))


def entrances(probe: Probe) -> tuple[str | None, ...]:
    """The services by which strangers' mail comes in: smtpd at port 25 or behind postscreen; (None,): main.cf alone."""
    found = tuple(
        entry.id
        for entry in services(probe)
        if program(entry.command) == "smtpd"
        and (entry.type == "pass" or entry.name.rpartition(":")[2] in ("smtp", "25"))
    )
    return found or (None,)


def filters(probe: Probe, at: Iterable[str | None] = (None,)) -> tuple[str, ...]:
    """Programs that get every message between in and out, so that Postfix cannot say what they change.

    *at*: the services by which it comes in, None for what main.cf says of all.
    """
    found = (
        f"{name} = {text}"
        for service in at
        for name in ("content_filter", "smtpd_proxy_filter")
        if (text := _set(name, service, probe))
    )
    return tuple(dict.fromkeys(found))


def milters(probe: Probe, at: Iterable[str | None] = (None,)) -> tuple[str, ...]:
    """Milters (signers, spam filters): they may change header and body, and only their own log says whether."""
    named = [each for service in at for each in words(_set("smtpd_milters", service, probe))]
    return tuple(dict.fromkeys((*named, *words(value(probe, "non_smtpd_milters")))))


def rewriters(probe: Probe, client: str = _CLIENT) -> tuple[str, ...]:
    """Tables that change those addresses in the header that stand in them (generic(5)): of any message, or of none."""
    text = _set("smtp_generic_maps", client, probe)
    return (f"smtp_generic_maps = {text}",) if text else ()


def unseen(probe: Probe, client: str = _CLIENT) -> tuple[str, ...]:
    """What may change strangers' mail on its way through, and only the message shows whether it does."""
    doors = entrances(probe)
    named = (
        f"milter {name}"
        for name in milters(probe, doors)
        if not (signing.leaves_alone(name, probe) or judging.is_judge(name, probe))
    )
    return (*filters(probe, doors), *rewriters(probe, client), *named)


def _set(name: str, service: str | None, probe: Probe) -> str:
    """The value that *service* has by its own `-o`, else main.cf's."""
    own = service is not None and name in overrides(probe, service)
    return value(probe, name, service if own else None)


def _tables_that_alter(probe: Probe, client: str) -> list[tuple[str, str]]:
    out = []
    for name in _CONTENT_TABLES:
        for table in tables(_set(name, client if name.startswith("smtp_") else "cleanup/unix", probe)):
            hits = [
                line
                for line in _rules(table, probe)
                if not line.lstrip().startswith("#") and _ALTERS.search(line)
            ]
            signed = [line for line in hits if "body" in name or not _adds_only(line)]
            if signed:
                out.append((name, f"{table} changes what passes: {signed[0].strip()[:80]}"))
    return out


def _rules(table: str, probe: Probe) -> list[str]:
    """The rules of a header_checks(5) table: of a file, or of one that stands in main.cf itself (`regexp:{{...}}`)."""
    name = table.removeprefix("proxy:").partition(":")[2]
    if name.startswith("{"):
        return re.split(r"[{}]", name)
    return answer(probe, File(name)).text.splitlines() if name.startswith("/") else []


def _adds_only(line: str) -> bool:
    """PREPEND adds a field, and Received: is never signed: neither breaks a signature."""
    return bool(re.search(r"\sPREPEND\s", line, re.IGNORECASE)) or "received" in line.lower()


def _rewriting_of_headers(probe: Probe) -> list[tuple[str, str]]:
    """Header addresses of mail from elsewhere stay as they are unless one of two settings says otherwise."""
    everybody = "static:all" in words(value(probe, "local_header_rewrite_clients"))
    if not everybody and not value(probe, "remote_header_rewrite_domain"):
        return []
    out = []
    for name, classes in (
        ("sender_canonical_maps", "sender_canonical_classes"),
        ("canonical_maps", "canonical_classes"),
    ):
        if value(probe, name) and "header_sender" in words(value(probe, classes)):
            out.append((classes, f"{name} rewrites the From: header too; only envelope_sender should be"))
    if value(probe, "masquerade_domains"):
        out.append(("masquerade_domains", "masquerade_domains rewrites the From: header"))
    return out


def _other_alterations(probe: Probe) -> list[tuple[str, str]]:
    out = []
    discarded = words(value(probe, "smtp_discard_ehlo_keywords").lower())
    if "8bitmime" in discarded and value(probe, "disable_mime_output_conversion") != "yes":
        why = "8BITMIME is discarded, so 8-bit bodies are re-encoded on the way out"
        out.append(("smtp_discard_ehlo_keywords", why))
    if value(probe, "message_strip_characters"):
        out.append(("message_strip_characters", "characters are stripped from every message"))
    return out
