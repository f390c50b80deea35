"""The receiver's hosts are looked up without their IPv6 addresses, so that only IPv4 is tried there.

`smtp_dns_reply_filter` with `IGNORE` (postconf(5), Postfix >= 3.0). Everything else keeps IPv6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailmend.facts.case import Case, written
from mailmend.facts.hazards import dane_crash, ipv4_out, lookups_bypass_dns
from mailmend.facts.settings import value
from mailmend.facts.versions import version
from mailmend.model import Change, Effect, Expectation, Objection, Probe, Proposal
from mailmend.questions import File, MapTypes

ID = "ipv4-for-receiver"
HEALS = ("ipv6-ptr-or-auth", "ptr-missing", "fcrdns-mismatch", "spf-fail", "unauthenticated")
EFFECT: Effect = "contains"
PARAMETER = "smtp_dns_reply_filter"
TABLE = "ipv4_only_receivers"
HEAD = """\
# Receivers that are reached over IPv4 only, written by mailmend.
# See smtp_dns_reply_filter in postconf(5).
"""


def propose(case: Case, probe: Probe) -> Proposal:
    """Prepend our table to the filter of main.cf and of every service whose `-o` would win over it."""
    path = f"{value(probe, 'config_directory')}/{TABLE}"
    ours = f"regexp:{path}"
    lines = patterns(case)
    changes: list[Change] = []
    there = probe.ask(File(path))
    before = there.answer.text if there.answer and there.answer.exists else None
    after = merged(before, lines)
    if after != before:
        changes.append(Change("file", path, before, after, "reload"))
    main = written(probe, PARAMETER)
    if ours not in (main or "").replace(",", " ").split():
        changes.append(Change("setting", PARAMETER, main, _prepend(ours, main), "reload"))
    for service in case.services:
        override = written(probe, PARAMETER, service)
        if _overridden(probe, service) and ours not in (override or "").replace(",", " ").split():
            target = f"{service}/{PARAMETER}"
            # Without white space the value fits a plain `-o name=value`; what has some keeps every blank.
            glue = ", " if any(letter.isspace() for letter in override or "") else ","
            changes.append(Change("override", target, override, _prepend(ours, override, glue), "reload"))
    return Proposal(
        ID,
        EFFECT,
        tuple(changes),
        tuple(_expectations(case)),
        (
            f"mail to {case.name} goes over IPv4 only; everything else, and receiving, keeps IPv6",
            "it contains the fault, it does not cure it: the IPv6 address stays without good standing",
        ),
        tuple(_objections(case, probe)),
    )


def patterns(case: Case) -> tuple[str, ...]:
    """One line of a regexp_table(5) for each suffix of the receiver, and for each host it does not cover.

    The filter sees `name ttl class type data`, the name with its dot at the end.
    """
    lines = [rf"/^[^ ]+{re.escape(suffix)}\. [^ ]+ IN AAAA / IGNORE" for suffix in case.suffixes]
    for host in sorted({host for way in case.ways for host in way.hosts}):
        if not host.endswith(case.suffixes):
            lines.append(rf"/^{re.escape(host)}\. [^ ]+ IN AAAA / IGNORE")
    return tuple(lines)


def merged(before: str | None, lines: tuple[str, ...]) -> str:
    """The table with *lines* in it; what stands there already stays."""
    head = before
    if head is None:
        head = HEAD
    missing = [line for line in lines if line not in head.splitlines()]
    if not head.endswith("\n"):
        head += "\n"
    return head + "".join(f"{line}\n" for line in missing)


def _prepend(ours: str, existing: str | None, glue: str = ", ") -> str:
    """Ours first: the first table that has an answer decides (postconf(5)). What stands there stays as it is."""
    there = (existing or "").strip()
    return f"{ours}{glue}{there}" if there else ours


def _overridden(probe: Probe, service: str) -> bool:
    from mailmend.facts.services import overrides

    return PARAMETER in overrides(probe, service)


def _expectations(case: Case) -> Iterator[Expectation]:
    for recipient in case.recipients:
        yield Expectation(
            "client",
            "client-ignores",
            recipient,
            "AAAA",
            f"the smtp client ignores IPv6 addresses for {recipient}",
        )


def _objections(case: Case, probe: Probe) -> Iterator[Objection]:
    known = version(probe)
    if known and known < (3, 0):
        yield Objection(
            f"Postfix {value(probe, 'mail_version')} has no smtp_dns_reply_filter (it came with 3.0)",
            "mailmend fix --remedy ipv4-client",
        )
    types = probe.ask(MapTypes())
    if types.answer is not None and "regexp" not in types.answer:
        yield Objection("this Postfix has no regexp tables", "mailmend fix --remedy ipv4-client")
    yield from dane_crash(case, probe)
    yield from lookups_bypass_dns(case, probe)
    yield from ipv4_out(case, probe)
